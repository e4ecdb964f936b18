/** `group reset`: where a group without members goes on reading. The plan is shown; --execute does it. */

import type { TopicPartition } from '../lib/base/types.ts'
import { Admin } from '../lib/client/admin.ts'
import type { CommittedOffset } from '../lib/client/group-offsets.ts'
import type { GroupDescription } from '../lib/client/groups.ts'
import {
  type Args,
  type CommandContext,
  CommandError,
  command,
  type ExitCode,
  exitCodes,
  exitOfItems,
} from './command.ts'
import { failureOf } from './failures.ts'
import { isNoSuchGroup, noSuchGroup } from './groups/find.ts'
import { readPlan } from './groups/plan-file.ts'
import { keyOf, planReset, type Step } from './groups/reset-plan.ts'
import { oneTarget, type Target, targetOptions } from './groups/reset-target.ts'
import { parseTopicPartitions, selects, type TopicSelection } from './groups/topic-partitions.ts'
import { flag, repeated } from './options.ts'
import { findTopics, noSuchTopic } from './topics/find.ts'
import { selectPartitions } from './topics/ranges.ts'

const columns = [
  { title: 'TOPIC', key: 'topic', about: 'name' },
  { title: 'PARTITION', key: 'partition', about: 'number', isNumber: true },
  {
    title: 'CURRENT',
    key: 'current',
    about: 'offset of the next record to read; - when there is no commit',
    isNumber: true,
  },
  { title: 'NEW', key: 'new', about: 'what it will be; - when it is left alone', isNumber: true },
  { title: 'DELTA', key: 'delta', about: 'by how much it moves', isNumber: true },
  {
    title: 'NOTE',
    key: 'note',
    about: 'clamped: moved into the log; or why it is another one, or the name of an error',
  },
]

const options = {
  topic: repeated('only this topic, or some partitions of it: orders:0,3-5', parseTopicPartitions, {
    word: 'T[:LIST]',
    completes: 'topic',
  }),
  allTopics: flag('every partition with a commit (the default)'),
  ...targetOptions,
  execute: flag('do it; otherwise the plan is shown'),
  allowNew: flag('the group need not exist; name its topics'),
  dryRun: flag("Kafka's name for what happens without --execute", { hidden: true }),
  resetOffsets: flag("Kafka's name for the command", { hidden: true }),
}

type ResetArgs = Args<typeof options>

export const groupReset = command({
  name: 'group reset',
  about: 'set what a group has committed',
  positionals: 'GROUP',
  options,
  examples: [
    ['group reset billing --to start', 'what would happen if it began again'],
    ['group reset billing --to @-1h --execute', 'read the last hour again'],
    ['group reset billing --topic orders:0 --to 1234 --execute', 'one partition'],
    ['group reset billing --to=-100 --execute', 'a hundred records back, each partition'],
    ['group reset audit --to group=billing --allow-new --execute', "from another group's place"],
    ['group reset billing --to current --json > plan.json', 'save it; edit it if you like'],
    ['group reset billing --to file=plan.json --execute', 'and put it back'],
  ],
  description: [
    'TARGET is start, end, current, an offset N, +N or -N from what is committed (-N as --to=-N), @TIME (the first record at or after it; the end when there is none), group=GROUP or file=FILE (- is standard input). Offsets outside a log are moved to its nearest end and marked clamped. A file is the JSON of this command, or the CSV that kafka-consumer-groups exports.',
    'Partitions are those with a commit; with --topic all of the topic, with group= and file= those that stand there. The group must have no members when it is executed: stop them first.',
    "The options that Kafka's own tool has for these are understood too.",
  ],
  columns,
  exits: {
    0: 'done, or the plan is shown',
    3: 'no such group, topic or partition, or it has no commits',
    4: 'the file is no plan',
    6: 'it has members, or not allowed',
    7: 'some partitions failed',
  },
  run: async (context, args) => {
    const [group = ''] = args.positionals
    const target = targetOf(args)
    const client = await context.client()
    const admin = new Admin(client)
    const [description] = await admin.describeGroups([group])
    if (description !== undefined) await checkGroup(admin, description, args)
    const committed = await commitsOf(admin, group)
    const given = await givenOffsets(context, { admin, group, target })
    const chosen = await choose(context, { args, target, committed, given })
    const input = {
      target,
      partitions: chosen,
      committed,
      given: new Map(given.map((one) => [keyOf(one), one.offset])),
      nowMs: context.env.clock.nowMs(),
    }
    const isStrict = args.topic.length > 0 || target.kind === 'file'
    const plan = await planReset(client, input, { isStrict })
    if (!args.execute) {
      await print(context, { group, plan, isExecuted: false })
      context.warn('dry run, nothing changed; add --execute')
      return exitCodes.done
    }
    return execute(context, { admin, group, plan })
  },
})

/** Throws CommandError 2 for what makes no sense together. */
function targetOf(args: ResetArgs): Target {
  const { to, toEarliest, toLatest, toCurrent, toOffset, toDatetime, shiftBy, byDuration } = args
  const kafka = { toEarliest, toLatest, toCurrent, toOffset, toDatetime, shiftBy, byDuration }
  const target = oneTarget({ to, ...kafka, fromFile: args.fromFile })
  const refuse = (why: string) => {
    throw new CommandError(exitCodes.usage, why, 'usage: ottla group reset GROUP --to TARGET')
  }
  if (args.dryRun && args.execute) refuse('--dry-run and --execute exclude each other')
  if (args.allTopics && args.topic.length > 0) refuse('--topic and --all-topics exclude each other')
  return target
}

/** A group must be there, and nobody in it when it is to be changed. */
async function checkGroup(
  admin: Admin,
  { groupId, error, state, members }: GroupDescription,
  { allowNew, execute: isExecuted }: ResetArgs,
): Promise<void> {
  if (isNoSuchGroup(error)) {
    if (allowNew) return
    throw await noSuchGroup(admin, groupId)
  }
  if (error !== null) throw error
  if (!isExecuted || (members.length === 0 && state === 'Empty')) return
  const shown = members.slice(0, 5).map(({ clientId, clientHost }) => `${clientId} ${clientHost}`)
  const more = members.length > shown.length ? [`${members.length - shown.length} more`] : []
  const count = `${members.length} active ${members.length === 1 ? 'member' : 'members'}`
  const text = `${groupId} has ${count} (${[...shown, ...more].join(', ')}); stop them first`
  const message = members.length === 0 ? `${groupId} is ${state}; try again when it is Empty` : text
  const details = { name: 'NON_EMPTY_GROUP', group: groupId }
  throw new CommandError(exitCodes.refused, message, '', { details })
}

async function commitsOf(admin: Admin, group: string): Promise<readonly CommittedOffset[]> {
  const [found] = await admin.groupOffsets([group])
  if (found?.error && !isNoSuchGroup(found.error)) throw found.error
  return found?.offsets ?? []
}

/** Offsets of the other group or the file; [] for targets that need none. */
async function givenOffsets(
  context: CommandContext,
  { admin, group, target }: { admin: Admin; group: string; target: Target },
): Promise<readonly (TopicPartition & { offset: number })[]> {
  if (target.kind === 'file') return readPlan(context, target.file, group)
  if (target.kind !== 'group') return []
  const [description] = await admin.describeGroups([target.group])
  if (isNoSuchGroup(description?.error ?? null)) throw await noSuchGroup(admin, target.group)
  const offsets = await commitsOf(admin, target.group)
  const failure = offsets.find(({ error }) => error !== null)?.error
  if (failure) throw failure
  return offsets
}

/** Which partitions are to be reset. Throws CommandError 3 when there is none. */
async function choose(
  context: CommandContext,
  {
    args,
    target,
    committed,
    given,
  }: {
    args: ResetArgs
    target: Target
    committed: readonly CommittedOffset[]
    given: readonly TopicPartition[]
  },
): Promise<readonly TopicPartition[]> {
  const [group = ''] = args.positionals
  if (target.kind === 'group' || target.kind === 'file') {
    if (args.topic.length > 0) await partitionsOf(context, args.topic)
    const found = given.filter((one) => args.topic.length === 0 || selects(args.topic, one))
    if (found.length > 0) return found
    const where = target.kind === 'group' ? `group "${target.group}"` : target.file
    throw new CommandError(exitCodes.notFound, `${where} has no offsets to take over`)
  }
  if (args.topic.length > 0) return partitionsOf(context, args.topic)
  if (committed.length > 0) return committed
  throw new CommandError(
    exitCodes.notFound,
    `group "${group}" has committed nothing`,
    'name the topics: --topic T',
    { details: { group } },
  )
}

/** Throws CommandError 3 for a topic or partition that does not exist. */
async function partitionsOf(
  context: CommandContext,
  selections: readonly TopicSelection[],
): Promise<TopicPartition[]> {
  const names = [...new Set(selections.map(({ topic }) => topic))]
  const { topics, missing, known } = await findTopics(await context.client(), names, {
    withInternal: true,
  })
  const [first] = missing
  if (first !== undefined) throw noSuchTopic(first, context.globals.brokers, known)
  const found = new Map<string, TopicPartition>()
  for (const { topic: name, partitions } of selections) {
    const topic = topics.find((one) => one.name === name)
    if (topic === undefined) continue
    for (const { partition } of selectPartitions(topic, partitions).partitions) {
      found.set(keyOf({ topic: name, partition }), { topic: name, partition })
    }
  }
  return [...found.values()]
}

async function execute(
  context: CommandContext,
  { admin, group, plan }: { admin: Admin; group: string; plan: readonly Step[] },
): Promise<ExitCode> {
  const changes = plan.flatMap(({ topic, partition, next }) =>
    next === null ? [] : [{ topic, partition, offset: next }],
  )
  const results = await admin.alterGroupOffsets(group, changes)
  const failures = new Map(
    results.flatMap((one) => (one.error === null ? [] : [[keyOf(one), failureOf(one.error)]])),
  )
  const done = plan.map((step) => {
    const failure = failures.get(keyOf(step))
    return failure === undefined ? step : { ...step, next: step.current, note: failure.name }
  })
  await print(context, { group, plan: done, isExecuted: true })
  const messages = new Set<string>()
  for (const { name, message } of failures.values()) {
    // A member came between the look and the change.
    const isActive = name === 'UNKNOWN_MEMBER_ID' || name === 'REBALANCE_IN_PROGRESS'
    messages.add(`group "${group}": ${isActive ? 'it has members; stop them first' : message}`)
  }
  for (const message of messages) context.warn(message)
  return exitOfItems(results.map((one) => failures.get(keyOf(one))?.exit ?? exitCodes.done))
}

function print(
  context: CommandContext,
  { group, plan, isExecuted }: { group: string; plan: readonly Step[]; isExecuted: boolean },
): Promise<void> {
  return context.out.snapshot({
    kind: 'group-reset',
    plural: 'partitions',
    columns,
    rows: plan.map(({ topic, partition, current, next, note }) => ({
      topic,
      partition,
      current,
      new: next,
      delta: next === null || current === null ? null : next - current,
      note: note === '' ? null : note,
    })),
    extra: { group, executed: isExecuted },
  })
}
