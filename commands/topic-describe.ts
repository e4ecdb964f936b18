/** `topic describe`: leaders, replicas and offsets of each partition. */

import type { PartitionMetadata, TopicMetadata } from '../lib/client/metadata-cache.ts'
import { type Column, type CommandContext, command, exitCodes, type Row } from './command.ts'
import { flag } from './options.ts'
import { topicConfigs } from './topics/configs.ts'
import { findTopics, isPattern, noSuchTopic, replicaCount } from './topics/find.ts'
import { type PartitionRange, partitionRanges, reportRanges } from './topics/ranges.ts'
import { replicaSizes } from './topics/sizes.ts'

const topicColumn: Column = {
  title: 'TOPIC',
  key: 'topic',
  about: 'name; when several topics or a pattern were asked for',
}
const columns: readonly Column[] = [
  { title: 'PARTITION', key: 'partition', about: 'number', isNumber: true },
  { title: 'LEADER', key: 'leader', about: 'broker; - when there is none', isNumber: true },
  { title: 'EPOCH', key: 'epoch', about: 'how many leaders there were', isNumber: true },
  { title: 'REPLICAS', key: 'replicas', about: 'brokers, the preferred leader first' },
  { title: 'ISR', key: 'isr', about: 'replicas in sync' },
  { title: 'OFFLINE', key: 'offline', about: 'replicas that are not there' },
  { title: 'START', key: 'start', about: 'offset of the first record', isNumber: true },
  { title: 'END', key: 'end', about: 'offset of the next record to come', isNumber: true },
  {
    title: 'SIZE',
    key: 'size',
    about: "bytes on the leader's disk; - when it does not tell",
    isNumber: true,
  },
]

interface Described {
  readonly topic: TopicMetadata
  readonly partitions: readonly Row[]
  readonly configs: Readonly<Record<string, string>> | null
}

export const topicDescribe = command({
  name: 'topic describe',
  about: 'show the partitions of topics',
  positionals: 'TOPIC...',
  options: {
    configs: flag('also the settings that the topic has of its own'),
    health: flag('only partitions that are not healthy; exit 1 if there are any'),
  },
  examples: [
    ['topic describe orders', 'leaders, replicas, offsets, size'],
    ['topic describe /.*/ --health', 'what is wrong, if anything'],
    [
      'topic describe a --configs -J | ottla topic create -b other --from -',
      'make the same topic elsewhere',
    ],
  ],
  description: [
    'On a terminal a line about each topic stands above its partitions; in JSON it is the topic object that holds them. A healthy partition has a leader, and all its replicas are in sync.',
  ],
  columns: [topicColumn, ...columns],
  exits: {
    1: 'with --health: a partition is not healthy',
    3: 'no such topic',
    7: 'some topics or partitions failed',
  },
  run: async (context, { configs, health, positionals }) => {
    const client = await context.client()
    const { brokers } = context.globals
    const { topics, missing, known } = await findTopics(client, positionals)
    const described = await describe(context, topics, { configs, health })
    const [onlyMissing] = missing
    if (topics.length === 0 && missing.length === 1 && onlyMissing !== undefined) {
      throw noSuchTopic(onlyMissing, brokers, known)
    }
    for (const name of missing) context.warn(noSuchTopic(name, brokers, known).message)
    const [operand = ''] = positionals
    const isSingle = positionals.length === 1 && !isPattern(operand)
    await print(context, described.topics, isSingle)
    if (missing.length > 0) return topics.length > 0 ? exitCodes.someFailed : exitCodes.notFound
    const isSick = described.topics.some(({ partitions }) => partitions.length > 0)
    if (health && isSick) return exitCodes.no
    return reportRanges(context, described.ranges)
  },
})

async function describe(
  context: CommandContext,
  topics: readonly TopicMetadata[],
  { configs, health }: { configs: boolean; health: boolean },
): Promise<{ topics: Described[]; ranges: readonly PartitionRange[] }> {
  const client = await context.client()
  const wanted = topics.map((topic) => ({
    ...topic,
    partitions: topic.partitions.filter((one) => !health || !isHealthy(one)),
  }))
  const asked = wanted.filter(({ partitions }) => partitions.length > 0)
  const [ranges, { sizes }, configsOf] = await Promise.all([
    partitionRanges(client, asked),
    replicaSizes(
      client,
      asked.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partition }) => partition),
      })),
    ),
    configs
      ? topicConfigs(
          context,
          topics.map(({ name }) => name),
        )
      : null,
  ])
  const key = (topic: string, partition: number) => `${topic}-${partition}`
  const rangeOf = new Map(ranges.map((one) => [key(one.topic, one.partition), one]))
  const sizeOf = new Map(
    sizes.map((one) => [`${key(one.topic, one.partition)}@${one.broker}`, one.sizeBytes]),
  )
  const described = wanted.map((topic) => ({
    topic,
    configs: configsOf?.get(topic.name) ?? null,
    partitions: topic.partitions.map((one) => {
      const range = rangeOf.get(key(topic.name, one.partition))
      const size = sizeOf.get(`${key(topic.name, one.partition)}@${one.leader}`)
      return rowOf(one, range, size)
    }),
  }))
  return { topics: described, ranges }
}

function isHealthy({ leader, isr, replicas, offlineReplicas }: PartitionMetadata): boolean {
  return leader >= 0 && isr.length >= replicas.length && offlineReplicas.length === 0
}

function rowOf(
  { partition, leader, leaderEpoch, replicas, isr, offlineReplicas }: PartitionMetadata,
  range: PartitionRange | undefined,
  size: number | undefined,
): Row {
  return {
    partition,
    leader: leader < 0 ? null : leader,
    epoch: leaderEpoch < 0 ? null : leaderEpoch,
    replicas,
    isr,
    offline: offlineReplicas,
    start: range?.start ?? null,
    end: range?.end ?? null,
    size: size ?? null,
  }
}

async function print(
  context: CommandContext,
  described: readonly Described[],
  isSingle: boolean,
): Promise<void> {
  const { out } = context
  const base = { kind: 'topic-describe', columns: isSingle ? columns : [topicColumn, ...columns] }
  if (out.format === 'json' || out.format === 'ndjson') {
    return out.snapshot({ ...base, plural: 'topics', rows: described.map(jsonRow) })
  }
  const rowsOf = ({ topic, partitions }: Described) =>
    partitions.map((row) => (isSingle ? row : { topic: topic.name, ...row }))
  if (out.format === 'tsv') {
    return out.snapshot({ ...base, plural: 'topics', rows: described.flatMap(rowsOf) })
  }
  for (const [index, one] of described.filter(hasRows).entries()) {
    const lead = [...(index === 0 ? [] : ['']), summary(one), ...configLines(one)]
    await out.snapshot({ ...base, plural: 'topics', rows: rowsOf(one), lead })
  }
}

/** With --health a topic without sick partitions has nothing to show. */
function hasRows({ partitions }: Described): boolean {
  return partitions.length > 0
}

function jsonRow({ topic, partitions, configs }: Described): Row {
  return {
    topic: topic.name,
    topicId: topic.topicId,
    internal: topic.isInternal,
    replicas: replicaCount(topic),
    ...(configs === null ? {} : { configs }),
    partitions,
  }
}

function summary({ topic }: Described): string {
  const count = topic.partitions.length
  const words = [
    topic.name,
    ...(topic.topicId === null ? [] : [`id ${topic.topicId}`]),
    `${count} ${count === 1 ? 'partition' : 'partitions'}`,
    `${replicaCount(topic)} ${replicaCount(topic) === 1 ? 'replica' : 'replicas'}`,
    ...(topic.isInternal ? ['internal'] : []),
  ]
  return words.join('  ')
}

function configLines({ configs }: Described): string[] {
  return Object.entries(configs ?? {}).map(([name, value]) => `  ${name}=${value}`)
}
