/**
 * From what a person asks for (topics, partitions, offsets, times) to where each partition is read
 * from and to. The bounds of all partitions are asked for at once, before anything is read.
 *
 * A range that has an end is read up to where it lay when the command began, and never waits for
 * records to come: an end behind the log's end is the log's end.
 */

import type { Offset } from '../../lib/base/types.ts'
import type { Client } from '../../lib/client/client.ts'
import type { TopicMetadata } from '../../lib/client/metadata-cache.ts'
import { listOffsets, type OffsetAnswer, type OffsetAt } from '../../lib/client/offsets.ts'
import { CommandError, exitCodes } from '../command.ts'
import { timeMs } from '../values.ts'
import type { OffsetPoint, OffsetRange, OffsetSpec } from './offset-spec.ts'
import { checkPartition } from './topics.ts'

/** One partition to be read: from, and to (exclusive) or on and on. */
export interface PlannedPartition {
  readonly topic: string
  readonly partition: number
  readonly from: Offset
  readonly to: Offset | null
  /** First and next offset of the log when the command began; -1 where they were not asked for. */
  readonly logStart: Offset
  readonly logEnd: Offset
}

export interface PlanOptions {
  readonly spec: OffsetSpec
  /** Only these; null = all. */
  readonly partitions: readonly number[] | null
  /** What has no end of its own ends where the log ends now. */
  readonly untilEnd: boolean
  readonly nowMs: number
  /** An offset that is asked for is not in the log. */
  readonly onMoved: (message: string) => void
}

interface Wanted {
  readonly topic: string
  readonly partition: number
  readonly range: OffsetRange
}

/** Throws CommandError 3 for a partition that a topic lacks; rejects as the client does. */
export async function planConsume(
  client: Client,
  topics: readonly TopicMetadata[],
  options: PlanOptions,
): Promise<PlannedPartition[]> {
  const wanted = topics.flatMap((topic) => wantedOf(topic, options))
  const bounds = new Bounds(client, wanted, options)
  await bounds.ask()
  return wanted.map((one) => planOne(one, bounds, options))
}

function wantedOf(topic: TopicMetadata, { spec, partitions, untilEnd }: PlanOptions): Wanted[] {
  const listed = partitions ?? []
  for (const partition of [...listed, ...spec.partitions.keys()]) checkPartition(topic, partition)
  const chosen = partitions ?? topic.partitions.map(({ partition }) => partition)
  return chosen.flatMap((partition) => {
    const range = spec.partitions.get(partition) ?? spec.range
    if (range === null) return []
    const to = range.to ?? (untilEnd ? { kind: 'end' as const } : null)
    return [{ topic: topic.name, partition, range: { from: range.from, to } }]
  })
}

/** The offsets of logs by position or time, asked for once. */
class Bounds {
  readonly #client: Client
  readonly #queries: { topic: string; partition: number; at: OffsetAt }[] = []
  readonly #answers = new Map<string, OffsetAnswer>()

  constructor(client: Client, wanted: readonly Wanted[], { nowMs }: PlanOptions) {
    this.#client = client
    for (const { topic, partition, range } of wanted) {
      const ats = new Set<OffsetAt>()
      for (const point of [range.from, range.to]) {
        if (point === null) continue
        for (const at of boundsOf(point, range.from, nowMs)) ats.add(at)
      }
      for (const at of ats) this.#queries.push({ topic, partition, at })
    }
  }

  async ask(): Promise<void> {
    for (const answer of await listOffsets(this.#client, this.#queries)) {
      if (answer.error !== null) throw answer.error
      this.#answers.set(`${answer.topic}/${answer.partition}/${answer.at}`, answer)
    }
  }

  /** -1 when it was not asked for, or there is no record at or after the time. */
  offset({ topic, partition }: Wanted, at: OffsetAt): Offset {
    return this.#answers.get(`${topic}/${partition}/${at}`)?.offset ?? -1
  }
}

/** What has to be known of a log to find a point in it. */
function boundsOf(point: OffsetPoint, from: OffsetPoint, nowMs: number): OffsetAt[] {
  switch (point.kind) {
    case 'start':
      return ['earliest']
    case 'end':
      return ['latest']
    case 'committed':
      throw new CommandError(
        exitCodes.usage,
        '-o committed needs a group',
        'name it: consume -g GROUP TOPIC',
      )
    case 'time':
      return ['latest', timeMs(point.time, nowMs)]
    case 'duration':
      return ['latest', durationEndMs(point.ms, from, nowMs)]
    default:
      return ['earliest', 'latest']
  }
}

function durationEndMs(ms: number, from: OffsetPoint, nowMs: number): number {
  return (from.kind === 'time' ? timeMs(from.time, nowMs) : nowMs) + ms
}

function planOne(wanted: Wanted, bounds: Bounds, options: PlanOptions): PlannedPartition {
  const { topic, partition, range } = wanted
  const logStart = bounds.offset(wanted, 'earliest')
  const logEnd = bounds.offset(wanted, 'latest')
  const from = startOf(wanted, { logStart, logEnd, bounds, options })
  const to = range.to === null ? null : endOf(range.to, from, { wanted, logEnd, bounds, options })
  return { topic, partition, from, to: to === null ? null : Math.max(to, from), logStart, logEnd }
}

interface Log {
  readonly logStart: Offset
  readonly logEnd: Offset
  readonly bounds: Bounds
  readonly options: PlanOptions
}

function startOf(wanted: Wanted, { logStart, logEnd, bounds, options }: Log): Offset {
  const { topic, partition, range } = wanted
  const point = range.from
  switch (point.kind) {
    case 'start':
      return logStart
    case 'end':
      return logEnd
    case 'forward':
      return Math.min(logStart + point.count, logEnd)
    case 'back':
      return Math.max(logEnd - point.count, logStart)
    case 'offset': {
      const { offset } = point
      if (offset < logStart) {
        options.onMoved(
          `${topic}-${partition}: offset ${offset} is gone, reading from ${logStart}, the first`,
        )
      } else if (offset > logEnd) {
        options.onMoved(
          `${topic}-${partition}: offset ${offset} is not there yet, reading from ${logEnd}, the end`,
        )
      }
      return Math.min(Math.max(offset, logStart), logEnd)
    }
    default: {
      const at = point.kind === 'time' ? timeMs(point.time, options.nowMs) : 0
      const offset = bounds.offset(wanted, at)
      return offset < 0 ? logEnd : offset
    }
  }
}

function endOf(
  point: OffsetPoint,
  from: Offset,
  {
    wanted,
    logEnd,
    bounds,
    options,
  }: { wanted: Wanted; logEnd: Offset; bounds: Bounds; options: PlanOptions },
): Offset {
  switch (point.kind) {
    case 'start':
      return from
    case 'end':
    case 'committed':
      return logEnd
    case 'offset':
      return Math.min(point.offset, logEnd)
    case 'forward':
      return Math.min(from + point.count, logEnd)
    case 'back':
      return logEnd - point.count
    default: {
      const { nowMs } = options
      const at =
        point.kind === 'time'
          ? timeMs(point.time, nowMs)
          : durationEndMs(point.ms, wanted.range.from, nowMs)
      const offset = bounds.offset(wanted, at)
      return offset < 0 ? logEnd : Math.min(offset, logEnd)
    }
  }
}
