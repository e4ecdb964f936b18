/**
 * Whether what an index says is so. Index files have no checksum (they are Kafka's), and after a clean stop
 * they are read as they are; but each entry names a batch, and the batch can be asked.
 *
 *   | entry                       | holds when                                                        |
 *   |-----------------------------|-------------------------------------------------------------------|
 *   | (offset, position)          | at `position` begins a batch whose last offset is `offset`        |
 *   | (timestamp, offset)         | the batch that ends at `offset` has `timestamp` as its largest    |
 *   | (timestamp, offset), last   | and no batch behind it has a larger one                           |
 *
 * An entry is asked when it is used. An entry that is missing, or too low, only makes a walk longer.
 */

import { DecodeError } from '../base/errors.ts'
import type { DiskFile } from '../io/disk.ts'
import { type BatchHeader, headerSize, lastOffsetOf, readBatchHeader } from '../record/batch.ts'
import type { OffsetIndex } from './offset-index.ts'
import { walkHeaders } from './scan.ts'
import type { TimestampOffset } from './time-index.ts'

export async function positionHolds(
  file: DiskFile,
  { offset, position }: { offset: number; position: number },
): Promise<boolean> {
  const bytes = Buffer.alloc(headerSize)
  if ((await file.readAt(bytes, position)) < headerSize) return false
  try {
    return lastOffsetOf(readBatchHeader(bytes)) === offset
  } catch (error) {
    if (error instanceof DecodeError) return false
    throw error
  }
}

/** `from`: where a batch begins at or before the one that ends at the entry's offset. */
export async function timeHolds(
  file: DiskFile,
  entry: TimestampOffset,
  { from, to, isLast }: { from: number; to: number; isLast: boolean },
): Promise<boolean> {
  let found: BatchHeader | null = null
  let isLarger = false
  try {
    await walkHeaders(file, { from, to }, (header) => {
      if (lastOffsetOf(header) < entry.offset) return false
      found ??= header
      isLarger = header.maxTimestamp > entry.timestamp
      return !isLast || isLarger
    })
  } catch (error) {
    // The log is damaged there: who reads that far is told, and the index is not to blame.
    if (!(error instanceof DecodeError)) throw error
  }
  return found !== null && endsWith(found, entry) && !isLarger
}

function endsWith(header: BatchHeader, { timestamp, offset }: TimestampOffset): boolean {
  return lastOffsetOf(header) === offset && header.maxTimestamp === timestamp
}

/** The last entries of both, as a segment that was closed has them. */
export async function lastEntriesHold(
  file: DiskFile,
  { offset, time }: { offset: OffsetIndex; time: { last: TimestampOffset; entryCount: number } },
  to: number,
): Promise<boolean> {
  const { entryCount } = offset
  if (entryCount > 0 && !(await positionHolds(file, offset.entry(entryCount - 1)))) return false
  if (time.entryCount === 0) return true
  const before = offset.floorEntry(time.last.offset)
  if (before !== null && !(await positionHolds(file, before))) return false
  return timeHolds(file, time.last, { from: before?.position ?? 0, to, isLast: true })
}
