/** Where segments end, and whether records are missing between two of them. */

import { DecodeError } from '../base/errors.ts'
import type { Offset } from '../base/types.ts'
import { type Disk, type DiskFile, hasErrorCode } from '../io/disk.ts'
import type { Env } from '../io/env.ts'
import { lastOffsetOf } from '../record/batch.ts'
import { positionHolds } from './index-check.ts'
import { offsetEntrySize } from './offset-index.ts'
import { walkHeaders } from './scan.ts'
import type { Segment } from './segment.ts'
import { fileSuffix } from './segment-files.ts'
import { moveAway } from './unusable.ts'

/** Where whole batches end, by their headers: as a byte, and as the offset after the last record. */
async function walkToEnd(
  file: DiskFile,
  range: { from: number; to: number },
  baseOffset: Offset,
): Promise<{ position: number; end: Offset }> {
  let end = baseOffset
  const { position } = await walkHeaders(file, range, (header) => {
    end = lastOffsetOf(header) + 1
    return false
  })
  return { position, end }
}

/** What of a log its segments show to be missing is logged; whether it can go on is decided elsewhere. */
export interface LogToTell {
  readonly directory: string
  /** Those that are none of the log's are taken out. */
  readonly segments: Segment[]
  readonly logStartOffset: Offset
  /** Whether the log start is ours: Kafka notes it only when it is not the start of a segment. */
  readonly knowsStart?: boolean
}

/** Gives what no start can put right: two segments that claim the same offsets. Null when there is nothing. */
export async function tellMissing(env: Env, log: LogToTell): Promise<string | null> {
  const { directory, segments, logStartOffset, knowsStart = false } = log
  const [first] = segments
  if (first === undefined) {
    // It is made with a segment, and never without one.
    const why = 'there is no segment file: what they held is lost, but for what the journal has'
    env.log.error('log.segments.missing', { directory, logStartOffset, why })
  } else if (first.baseOffset > logStartOffset && knowsStart) {
    env.log.error('log.start.missing', {
      directory,
      logStartOffset,
      firstOffset: first.baseOffset,
      why: 'records between the two were not deleted, and their segments are gone',
    })
  }
  return await tellGaps(env, log)
}

/**
 * A closed segment ends where the next begins; after a cleaning, too. Looked at from its last index entry
 * on, so that a segment that is missing, or too much, is told of at once, not when somebody reads there.
 * What comes before the log start is on its way out.
 */
async function tellGaps(
  env: Env,
  { segments, directory, logStartOffset }: LogToTell,
): Promise<string | null> {
  let overlap: string | null = null
  for (const [index, segment] of segments.entries()) {
    const following = segments[index + 1]
    if (following === undefined) break
    if (following.baseOffset <= logStartOffset) continue
    const endOffset = await endOfClosed(env.disk, segment)
    if (endOffset === null || endOffset === following.baseOffset) continue
    const nextOffset = following.baseOffset
    if (endOffset < nextOffset) env.log.error('log.gap', { directory, endOffset, nextOffset })
    else overlap ??= await clearOverlap(env, { segments, index, endOffset })
  }
  return overlap
}

/**
 * The segment at `index` holds what the names of the next ones claim. When it ends where a later one
 * begins, those between are none of the log's: a reader that was sent there would find no record, and a
 * recovery would cut all that follows. Otherwise nobody knows which of the two is the log's.
 */
async function clearOverlap(
  { disk, log }: Env,
  { segments, index, endOffset }: { segments: Segment[]; index: number; endOffset: Offset },
): Promise<string | null> {
  const following = segments.findIndex(({ baseOffset }) => baseOffset === endOffset)
  const path = segments[index + 1]?.path(fileSuffix.log) ?? ''
  if (following === -1) {
    const why = `the segment before it ends at offset ${endOffset}`
    log.error('log.segment.overlaps', { path, why })
    return `${path}: ${why}`
  }
  for (const segment of segments.splice(index + 1, following - index - 1)) {
    await segment.close()
    for (const suffix of [fileSuffix.log, fileSuffix.index, fileSuffix.timeIndex] as const) {
      await moveAway(disk, segment.path(suffix)).catch((error: unknown) => {
        if (!hasErrorCode(error, 'ENOENT')) throw error
      })
    }
    await disk.syncDir(segment.directory)
    const why = `the segment before it ends at offset ${endOffset}, where another begins`
    log.error('log.segment.moved-away', { path: segment.path(fileSuffix.log), why })
  }
  return null
}

/** The offset after the last record; null for a segment whose end cannot be read. */
async function endOfClosed(disk: Disk, segment: Segment): Promise<Offset | null> {
  const { writtenBytes: to, baseOffset } = segment
  try {
    const from = await lastIndexedPosition(disk, segment)
    return (await segment.use((file) => walkToEnd(file, { from, to }, baseOffset))).end
  } catch (error) {
    if (error instanceof DecodeError || (error instanceof Error && 'code' in error)) return null
    throw error
  }
}

/** From the index file alone, without keeping it; 0 when it says nothing that holds. */
async function lastIndexedPosition(disk: Disk, segment: Segment): Promise<number> {
  const bytes = Buffer.alloc(offsetEntrySize)
  let size = 0
  try {
    const file = await disk.open(segment.path(fileSuffix.index), 'read')
    try {
      size = await file.size()
      await file.readAt(bytes, Math.max(size - offsetEntrySize, 0))
    } finally {
      await file.close()
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
  }
  if (size < offsetEntrySize) return 0
  const entry = {
    offset: segment.baseOffset + bytes.readInt32BE(0),
    position: bytes.readInt32BE(4),
  }
  const isInside = entry.position > 0 && entry.position < segment.writtenBytes
  const holds = isInside && (await segment.use((file) => positionHolds(file, entry)))
  return holds ? entry.position : 0
}
