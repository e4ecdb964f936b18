/**
 * The plan of `group reset`: for each partition what is committed, what will be, and why not what was
 * asked for. It is made from one look at the logs; what lies outside a log is moved to its nearest end.
 */

import type { Offset, TopicPartition } from '../../lib/base/types.ts'
import type { Client } from '../../lib/client/client.ts'
import { byTopicAndPartition, type CommittedOffset } from '../../lib/client/group-offsets.ts'
import { CommandError, exitCodes } from '../command.ts'
import { failureOf } from '../failures.ts'
import { type PartitionRange, partitionRanges } from '../topics/ranges.ts'
import { timeMs } from '../values.ts'
import { placeOf } from './limits.ts'
import type { Target } from './reset-target.ts'

export interface Step extends TopicPartition {
  /** null: no commit. */
  readonly current: Offset | null
  /** null: left alone. */
  readonly next: Offset | null
  /** '' when it is just what was asked for. */
  readonly note: string
}

export interface PlanInput {
  readonly target: Target
  /** What is to be reset. */
  readonly partitions: readonly TopicPartition[]
  readonly committed: readonly CommittedOffset[]
  /** Offsets from elsewhere (another group, a file), by `keyOf`. */
  readonly given: ReadonlyMap<string, Offset>
  readonly nowMs: number
}

export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

/**
 * By topic and partition. Partitions of topics that are gone are left out unless `isStrict`. Throws
 * what kept it from reading a log, or CommandError 3 where there is no commit to count from.
 */
export async function planReset(
  client: Client,
  input: PlanInput,
  { isStrict }: { isStrict: boolean },
): Promise<Step[]> {
  const { target, committed, nowMs } = input
  const current = new Map(committed.map((one) => [keyOf(one), offsetOf(one)]))
  const partitions = [...input.partitions].sort(byTopicAndPartition)
  if (target.kind === 'shift') checkCommits(partitions, current)
  const atMs = target.kind === 'time' ? timeMs(target.time, nowMs) : null
  const ranges = await partitionRanges(client, topicsOf(partitions), atMs)
  return ranges.flatMap((range): Step[] => {
    const { topic, partition, error } = range
    const isGone = error?.name === 'UNKNOWN_TOPIC_OR_PARTITION'
    if (isGone && !isStrict) return []
    if (error !== null) {
      const { exit, message, name } = failureOf(error)
      throw new CommandError(exit, `${placeOf(range)}: ${message}`, '', {
        details: { name, topic },
      })
    }
    const before = current.get(keyOf(range)) ?? null
    return [{ topic, partition, current: before, ...nextOf(range, before, input) }]
  })
}

function offsetOf({ offset, error }: CommittedOffset): Offset {
  if (error !== null) throw error
  return offset
}

function checkCommits(
  partitions: readonly TopicPartition[],
  current: ReadonlyMap<string, Offset>,
): void {
  const missing = partitions.filter((one) => !current.has(keyOf(one)))
  const [first] = missing
  if (first === undefined) return
  const rest = missing.length === 1 ? '' : ` and ${missing.length - 1} more`
  throw new CommandError(
    exitCodes.notFound,
    `no commit to count from for ${placeOf(first)}${rest}; want start, end, N or @TIME there`,
  )
}

function topicsOf(partitions: readonly TopicPartition[]) {
  const topics = new Map<string, { partition: number }[]>()
  for (const { topic, partition } of partitions) {
    topics.set(topic, [...(topics.get(topic) ?? []), { partition }])
  }
  return [...topics].map(([name, list]) => ({
    name,
    partitions: list.map(({ partition }) => ({ ...unknownPartition, partition })),
  }))
}

/** Only the number is asked for. */
const unknownPartition = {
  error: null,
  leader: -1,
  leaderEpoch: -1,
  replicas: [],
  isr: [],
  offlineReplicas: [],
}

function nextOf(
  range: PartitionRange,
  current: Offset | null,
  { target, given }: PlanInput,
): { next: Offset | null; note: string } {
  const { start, end, at } = range
  if (start === null || end === null) {
    throw new CommandError(exitCodes.unavailable, `${placeOf(range)} has no offsets to tell`)
  }
  const within = (offset: Offset) => {
    const next = Math.min(Math.max(offset, start), end)
    return { next, note: next === offset ? '' : 'clamped' }
  }
  switch (target.kind) {
    case 'start':
      return { next: start, note: '' }
    case 'end':
      return { next: end, note: '' }
    case 'current':
      // As Kafka's tool: a reader without a commit is put at the end.
      return current === null ? { next: end, note: 'no commit' } : { next: current, note: '' }
    case 'offset':
      return within(target.offset)
    case 'shift':
      return within((current ?? start) + target.by)
    case 'time':
      return at === null ? { next: end, note: 'no record then or later' } : { next: at, note: '' }
    case 'group':
    case 'file': {
      const offset = given.get(keyOf(range))
      const where = target.kind === 'group' ? `no commit of ${target.group}` : 'not in the file'
      return offset === undefined ? { next: null, note: where } : within(offset)
    }
  }
}
