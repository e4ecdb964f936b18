/** `group forget`: what a group has committed for topics that it reads no more, after asking. */

import { Admin } from '../lib/client/admin.ts'
import type { GroupPartitionResult } from '../lib/client/group-offsets.ts'
import {
  type CommandContext,
  CommandError,
  command,
  type ExitCode,
  exitCodes,
  exitOfItems,
} from './command.ts'
import { failureOf } from './failures.ts'
import { isNoSuchGroup, noSuchGroup } from './groups/find.ts'
import { parseTopicPartitions, selects } from './groups/topic-partitions.ts'
import { flag, repeated } from './options.ts'
import { confirmNames, notExecuted } from './topics/confirm.ts'

const columns = [
  { title: 'TOPIC', key: 'topic', about: 'name' },
  { title: 'PARTITION', key: 'partition', about: 'number', isNumber: true },
  { title: 'OFFSET', key: 'offset', about: 'what was committed', isNumber: true },
  {
    title: 'STATUS',
    key: 'status',
    about: 'forgotten, planned (without --yes), or the name of the error',
  },
]

interface Item {
  readonly topic: string
  readonly partition: number
  readonly offset: number | null
  readonly status: string
}

export const groupForget = command({
  name: 'group forget',
  about: 'forget what a group has committed for a topic',
  positionals: 'GROUP',
  options: {
    topic: repeated('topic, or some partitions of it, such as orders:0,3-5', parseTopicPartitions, {
      word: 'T[:LIST]',
      completes: 'topic',
    }),
    yes: flag('do it without asking'),
  },
  examples: [
    ['group forget billing --topic orders', 'asks for the name to be typed'],
    ['group forget billing --topic orders:0 --yes', 'one partition, in a script'],
  ],
  description: [
    'The commits go, the group and the records stay: lag no longer counts the topic. A group that reads the topic now cannot forget it. Without --yes it asks on a terminal for the name of the group to be typed; elsewhere it prints what it would forget and ends with 2.',
  ],
  columns,
  exits: {
    2: 'usage, or not confirmed',
    3: 'no such group, or it has no commit there',
    6: 'it reads the topic now, or not allowed',
    7: 'some partitions failed',
  },
  run: async (context, { topic: wanted, yes, positionals: [group = ''] }) => {
    if (wanted.length === 0) {
      const usage = 'usage: ottla group forget GROUP --topic T[:LIST]; see --help'
      throw new CommandError(exitCodes.usage, 'no --topic given', usage)
    }
    const admin = new Admin(await context.client())
    const [committed] = await admin.groupOffsets([group])
    if (committed?.error) throw committed.error
    const found = (committed?.offsets ?? []).filter((one) => selects(wanted, one))
    if (found.length === 0)
      throw await nothingThere(
        admin,
        group,
        wanted.map(({ topic }) => topic),
      )
    const items = found.map(({ topic, partition, offset, error }) => ({
      topic,
      partition,
      offset: error === null ? offset : null,
    }))
    if (!yes && !(await confirmNames(context, 'forget offsets of', [group]))) {
      await print(
        context,
        group,
        items.map((item) => ({ ...item, status: 'planned' })),
      )
      throw notExecuted('--yes')
    }
    const results = await admin.deleteGroupOffsets(group, items)
    const statuses = results.map(({ error }) =>
      error === null ? 'forgotten' : failureOf(error).name,
    )
    await print(
      context,
      group,
      items.map((item, index) => ({ ...item, status: statuses[index] ?? '' })),
    )
    return report(context, group, results)
  },
})

async function nothingThere(
  admin: Admin,
  group: string,
  topics: readonly string[],
): Promise<CommandError> {
  const [description] = await admin.describeGroups([group])
  if (isNoSuchGroup(description?.error ?? null)) return noSuchGroup(admin, group)
  const message = `group "${group}" has committed nothing for ${topics.join(', ')}`
  return new CommandError(exitCodes.notFound, message, '', { details: { group } })
}

function report(
  context: CommandContext,
  group: string,
  results: readonly GroupPartitionResult[],
): ExitCode {
  const messages = new Set<string>()
  const exits = results.map(({ topic, error }) => {
    if (error === null) return exitCodes.done
    const { exit, message } = failureOf(error)
    const isRead = error.name === 'GROUP_SUBSCRIBED_TO_TOPIC'
    const text = isRead ? 'it is being read; stop the members first' : message
    messages.add(`group "${group}", topic "${topic}": ${text}`)
    return exit
  })
  for (const message of messages) context.warn(message)
  return exitOfItems(exits)
}

function print(context: CommandContext, group: string, items: readonly Item[]): Promise<void> {
  return context.out.snapshot({
    kind: 'group-forget',
    plural: 'partitions',
    columns,
    rows: items.map((item) => ({ ...item })),
    extra: { group },
  })
}
