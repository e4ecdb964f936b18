/** `topic list`: the topics of the cluster, all or those that match. */

import { command, exitCodes } from './command.ts'
import { flag } from './options.ts'
import { nameMatcher, replicaCount, sortedByName } from './topics/find.ts'
import { sizesOfTopics } from './topics/sizes.ts'

const columns = [
  { title: 'TOPIC', key: 'topic', about: 'name' },
  { title: 'PARTITIONS', key: 'partitions', about: 'number of partitions', isNumber: true },
  { title: 'REPLICAS', key: 'replicas', about: 'copies of each partition', isNumber: true },
]
const sizeColumn = {
  title: 'SIZE',
  key: 'size',
  about: 'bytes on disk, of all copies; with --size only',
  isNumber: true,
}

export const topicList = command({
  name: 'topic list',
  about: 'list topics',
  positionals: '[PATTERN]',
  options: {
    regex: flag('PATTERN is a regular expression, also without slashes', { letter: 'r' }),
    internal: flag('also topics that Kafka keeps for itself'),
    size: flag('also bytes on disk'),
  },
  examples: [
    ['topic list', 'every topic'],
    ['topic list /orders.*/', 'those whose whole name matches'],
    ['topic list --json | jq -r .topics[].topic', 'names for a script'],
  ],
  description: [
    'A bare PATTERN is a name, never a regular expression. A regular expression stands between slashes and must match the whole name. Nothing found is no error.',
  ],
  columns: [...columns, sizeColumn],
  run: async (context, { regex, internal, size, positionals: [pattern] }) => {
    const client = await context.client()
    const matches = pattern === undefined ? () => true : await nameMatcher(pattern, regex)
    const { topics } = await client.metadata()
    const shown = sortedByName(topics).filter(
      ({ name, isInternal }) => (internal || !isInternal || name === pattern) && matches(name),
    )
    const sizes = size ? await sizesOfTopics(context) : null
    await context.out.snapshot({
      kind: 'topic-list',
      plural: 'topics',
      columns: size ? [...columns, sizeColumn] : columns,
      rows: shown.map((topic) => ({
        topic: topic.name,
        partitions: topic.partitions.length,
        replicas: replicaCount(topic),
        internal: topic.isInternal,
        ...(sizes === null ? {} : { size: sizes.get(topic.name) ?? null }),
      })),
    })
    return exitCodes.done
  },
})
