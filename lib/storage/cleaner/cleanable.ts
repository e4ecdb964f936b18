/**
 * What of a log may be compacted, and whether it should be.
 *
 *   log start          first dirty           first uncleanable      active segment
 *   |--- clean: one record a key ---|--- dirty: goes into the map ---|--- left alone ---|
 *
 * Never cleaned: the active segment; what is not below the high watermark, or belongs to an open
 * transaction; what is not durable with its indexes (the cleaned copy would be the only one, or the
 * log would have to be recovered across it); segments with records younger than
 * min.compaction.lag.ms. Boundaries are those of segments.
 * Source: apache/kafka: LogCleanerManager, LogToClean; KIP-354 (max.compaction.lag.ms).
 */

import type { Offset } from '../../base/types.ts'
import type { Log } from '../log.ts'
import { walkHeaders } from '../scan.ts'
import type { Segment } from '../segment.ts'

const never = Number.MAX_SAFE_INTEGER

export interface Cleanable {
  readonly log: Log
  readonly firstDirtyOffset: Offset
  /** A segment's base offset: what lies before may be cleaned. */
  readonly firstUncleanableOffset: Offset
  readonly dirtyBytes: number
  /** Dirty bytes among all that may be cleaned. */
  readonly dirtyRatio: number
  /** A record has waited longer than max.compaction.lag.ms. */
  readonly isOverdue: boolean
}

export interface CleanableOptions {
  /** Where the last cleaning ended; null when there was none. */
  readonly cleanedOffset: Offset | null
  readonly highWatermark: Offset
  readonly nowMs: number
}

/** Where the dirty part begins: the checkpoint, unless the log does not reach there any more. */
export function firstDirtyOffset(log: Log, cleanedOffset: Offset | null): Offset {
  const isValid =
    cleanedOffset !== null &&
    cleanedOffset >= log.logStartOffset &&
    cleanedOffset <= log.logEndOffset
  return isValid ? cleanedOffset : log.logStartOffset
}

/** What of `log` may be cleaned now. */
export async function cleanableOf(log: Log, options: CleanableOptions): Promise<Cleanable> {
  const { cleanedOffset, highWatermark, nowMs } = options
  const dirtyOffset = firstDirtyOffset(log, cleanedOffset)
  const closed = log.segments.slice(0, -1)
  const active = log.segments.at(-1)
  const limit = Math.min(
    highWatermark,
    log.recoveryPoint,
    firstUnstableOffset(log),
    await firstYoungOffset(log, closed, { dirtyOffset, nowMs }),
  )
  // A segment that holds the limit is not cleaned.
  const ends = closed.map((_, index) => closed[index + 1]?.baseOffset ?? active?.baseOffset ?? 0)
  const count = ends.findLastIndex((end) => end <= limit) + 1
  const cleanable = closed.slice(0, count)
  const uncleanableOffset = Math.max(ends[count - 1] ?? 0, 0)
  // A dirty offset inside a segment makes the whole segment dirty.
  const isDirty = (_: Segment, index: number) => (ends[index] ?? 0) > dirtyOffset
  const dirty = cleanable.filter(isDirty)
  const dirtyBytes = bytesOf(dirty)
  const allBytes = bytesOf(cleanable)
  return {
    log,
    firstDirtyOffset: dirtyOffset,
    firstUncleanableOffset: Math.max(uncleanableOffset, dirtyOffset),
    dirtyBytes,
    dirtyRatio: allBytes === 0 ? 0 : dirtyBytes / allBytes,
    isOverdue: await isOverdue(log, closed.filter(isDirty), nowMs),
  }
}

/** Whether it is time to clean: dirty enough, or waiting too long. */
export function isDue({ log, dirtyBytes, dirtyRatio, isOverdue }: Cleanable): boolean {
  if (dirtyBytes === 0) return false
  return isOverdue || dirtyRatio > log.config['min.cleanable.dirty.ratio']
}

/** The first offset of the oldest open transaction. */
function firstUnstableOffset(log: Log): Offset {
  let first = Number.POSITIVE_INFINITY
  for (const { currentTxnFirstOffset } of log.producers.entries()) {
    if (currentTxnFirstOffset >= 0) first = Math.min(first, currentTxnFirstOffset)
  }
  return first
}

/** The base offset of the first dirty segment with a record younger than min.compaction.lag.ms. */
async function firstYoungOffset(
  log: Log,
  closed: readonly Segment[],
  { dirtyOffset, nowMs }: { dirtyOffset: Offset; nowMs: number },
): Promise<Offset> {
  const lagMs = log.config['min.compaction.lag.ms']
  if (lagMs <= 0) return Number.POSITIVE_INFINITY
  for (const [index, segment] of closed.entries()) {
    const end = closed[index + 1]?.baseOffset ?? Number.POSITIVE_INFINITY
    if (end <= dirtyOffset) continue
    const { timestamp } = await segment.maxTimestamp()
    const newestMs = timestamp >= 0 ? timestamp : segment.createdMs
    if (newestMs > nowMs - lagMs) return segment.baseOffset
  }
  return Number.POSITIVE_INFINITY
}

async function isOverdue(log: Log, dirty: readonly Segment[], nowMs: number): Promise<boolean> {
  const lagMs = log.config['max.compaction.lag.ms']
  if (lagMs >= never) return false
  for (const segment of dirty) {
    const timestamp = await firstTimestampOf(segment)
    if (timestamp > 0 && timestamp < nowMs - lagMs) return true
  }
  return false
}

/** maxTimestamp of the first batch; -1 without one. Known from appending, else read. */
async function firstTimestampOf(segment: Segment): Promise<number> {
  if (segment.firstTimestamp >= 0 || segment.writtenBytes === 0) return segment.firstTimestamp
  await segment.use((file) =>
    walkHeaders(file, { from: 0, to: segment.writtenBytes }, (header) => {
      segment.firstTimestamp = header.maxTimestamp
      return true
    }),
  )
  return segment.firstTimestamp
}

function bytesOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
}
