/**
 * `consume -g GROUP`: as a member of a consumer group. What is committed is what standard output has
 * taken, never more: partitions are given away between two answers, when everything of them is
 * flushed. It leaves the group at the end, so that whoever comes next does not wait for its session.
 */

import type { Offset, TopicPartition } from '../../lib/base/types.ts'
import type { Client } from '../../lib/client/client.ts'
import { GroupConsumer } from '../../lib/client/group-consumer.ts'
import type { GroupConsumerOptions, TopicChoice } from '../../lib/client/group-options.ts'
import type { GroupStart } from '../../lib/client/group-start.ts'
import {
  type Args,
  type CommandContext,
  CommandError,
  type ExitCode,
  exitCodes,
} from '../command.ts'
import { failureOf } from '../failures.ts'
import { assignorNames } from '../properties.ts'
import { isPattern, nameMatcher } from '../topics/find.ts'
import { parseInteger } from '../values.ts'
import { type consumeOptions, consumerOptionsOf, readPrinter } from './consume-options.ts'
import { planConsume } from './consume-plan.ts'
import { ConsumeRun } from './consume-run.ts'
import type { OffsetRange, OffsetSpec } from './offset-spec.ts'
import { partitionRanges } from './partition-list.ts'
import { lookUpTopics } from './topics.ts'

type GroupArgs = Args<typeof consumeOptions>

/** Exit 0, or 1 when there was no record and that was to fail. Rejects as the client does. */
export async function consumeInGroup(
  context: CommandContext,
  args: GroupArgs,
  { groupId, spec }: { groupId: string; spec: OffsetSpec },
): Promise<ExitCode> {
  checkGroupArgs(args, spec)
  const isAuto = context.globals.properties['enable.auto.commit'] !== 'false'
  const { commit = isAuto ? 'auto' : 'no' } = args
  const printer = readPrinter(args, context)
  await lookUpTopics(context, args.positionals)
  const choices = await Promise.all(args.positionals.map(choiceOf))
  const client = await context.client()
  const run = new ConsumeRun(context, {
    printer,
    countMax: args.count ?? Number.POSITIVE_INFINITY,
    idleMs: args.idle ?? Number.POSITIVE_INFINITY,
  })
  const joined = context.waiting(`group ${groupId}`)
  const group = new GroupConsumer(client, {
    ...consumerOptionsOf(args, context, args.exit),
    ...groupOptionsOf(context),
    groupId,
    autoCommit: commit === 'auto',
    startAt: startOf(context, client, spec),
    untilEnd: args.exit,
    onAssigned: (partitions) => {
      joined()
      tell(context, 'assigned', partitions)
    },
    onRevoked: (partitions) => tell(context, 'given away', partitions),
    onLost: (partitions) => {
      const names = partitionsText(partitions)
      context.warn(`the group took ${names}: what was printed last of it may come again`)
    },
  })
  context.onForcedExit(() =>
    commit === 'no' ? '' : 'offsets of what was printed last are not committed',
  )
  group.subscribe(choices)
  try {
    await run.follow(group)
  } catch (error) {
    await closeQuietly(group, commit === 'auto')
    throw error
  } finally {
    joined()
  }
  await closeAndCommit(group, commit !== 'no')
  const isEmpty = run.count === 0 && !context.signal.aborted
  return args.failEmpty && isEmpty ? exitCodes.no : exitCodes.done
}

/** A commit that fails is a failure of the command: the records will come again. */
async function closeAndCommit(group: GroupConsumer, commit: boolean): Promise<void> {
  try {
    await group.close({ commit })
  } catch (error) {
    const { exit, name, message } = failureOf(error)
    if (exit === exitCodes.bug) throw error
    const text = `the offsets of what was printed last are not committed: ${message}`
    throw new CommandError(exit, text, '', { details: { name }, cause: error })
  }
}

/** After a failure, which is what is told. */
async function closeQuietly(group: GroupConsumer, commit: boolean): Promise<void> {
  try {
    await group.close({ commit })
  } catch {
    // The failure that led here says more.
  }
}

/** Throws CommandError 2 for what only makes sense without a group. */
function checkGroupArgs(args: GroupArgs, { range, partitions }: OffsetSpec): void {
  const conflict = (what: string) =>
    new CommandError(exitCodes.usage, `${what} and -g cannot go together: the group decides`)
  if (args.partition !== undefined) throw conflict('-p')
  if (args.tail !== undefined) throw conflict('--tail')
  if (partitions.size > 0) throw conflict('offsets of single partitions')
  if (range !== null && range.to !== null) throw conflict('an end offset')
}

async function choiceOf(operand: string): Promise<TopicChoice> {
  return isPattern(operand) ? await nameMatcher(operand, false) : operand
}

/** Only for partitions of which the group has committed nothing. */
function startOf(context: CommandContext, client: Client, { range }: OffsetSpec): GroupStart {
  const from = range?.from ?? { kind: 'start' }
  const reset = context.globals.properties['auto.offset.reset'] ?? 'start'
  switch (from.kind) {
    case 'start':
      return 'earliest'
    case 'end':
      return 'latest'
    case 'committed':
      return /latest|largest|end/.test(reset) ? 'latest' : 'earliest'
    default:
      return (partitions) => planStart(context, client, { partitions, range: { from, to: null } })
  }
}

async function planStart(
  context: CommandContext,
  client: Client,
  { partitions, range }: { partitions: readonly TopicPartition[]; range: OffsetRange },
): Promise<Offset[]> {
  const names = [...new Set(partitions.map(({ topic }) => topic))]
  const topics = await Promise.all(
    names.map(async (name) => {
      const topic = await client.topic(name)
      const isWanted = (index: number) =>
        partitions.some((one) => one.topic === name && one.partition === index)
      return { ...topic, partitions: topic.partitions.filter((one) => isWanted(one.partition)) }
    }),
  )
  const planned = await planConsume(client, topics, {
    spec: { range, partitions: new Map() },
    partitions: null,
    untilEnd: false,
    nowMs: context.env.clock.nowMs(),
    onMoved: (message) => context.warn(message),
  })
  return partitions.map(({ topic, partition }) => {
    const found = planned.find((one) => one.topic === topic && one.partition === partition)
    return found?.from ?? 0
  })
}

/** Settings by Kafka's names, checked when they were read. */
function groupOptionsOf({ globals }: CommandContext): Partial<GroupConsumerOptions> {
  const { properties } = globals
  const options: { -readonly [K in keyof GroupConsumerOptions]?: GroupConsumerOptions[K] } = {}
  const number = (name: string, set: (value: number) => void) => {
    const given = properties[name]
    if (given !== undefined) set(parseInteger(given, { min: 1 }))
  }
  const text = (name: string, set: (value: string) => void) => {
    const given = properties[name]
    if (given !== undefined) set(given)
  }
  number('session.timeout.ms', (value) => (options.sessionTimeoutMs = value))
  number('heartbeat.interval.ms', (value) => (options.heartbeatIntervalMs = value))
  number('max.poll.interval.ms', (value) => (options.maxPollIntervalMs = value))
  number('auto.commit.interval.ms', (value) => (options.autoCommitIntervalMs = value))
  number('metadata.max.age.ms', (value) => (options.metadataMaxAgeMs = value))
  text('group.instance.id', (value) => (options.instanceId = value))
  text('group.remote.assignor', (value) => (options.remoteAssignor = value))
  text('client.rack', (value) => (options.rackId = value))
  text('partition.assignment.strategy', (value) => (options.assignors = assignorNames(value)))
  if (properties['group.protocol'] === 'consumer') options.protocol = 'consumer'
  return options
}

/** With -v. */
function tell(context: CommandContext, what: string, partitions: readonly TopicPartition[]): void {
  if (context.globals.verbosity === 0) return
  context.note(`${what}: ${partitions.length === 0 ? 'nothing' : partitionsText(partitions)}`)
}

/** `orders 0-2, payments 1` */
function partitionsText(partitions: readonly TopicPartition[]): string {
  const byTopic = new Map<string, number[]>()
  for (const { topic, partition } of partitions) {
    byTopic.set(topic, [...(byTopic.get(topic) ?? []), partition])
  }
  return [...byTopic]
    .map(([topic, numbers]) => `${topic} ${partitionRanges(numbers.sort((a, b) => a - b))}`)
    .join(', ')
}
