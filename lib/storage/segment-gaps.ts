/** Where segments end, and whether records are missing between two of them. */

import { DecodeError } from '../base/errors.ts'
import type { Offset } from '../base/types.ts'
import type { Disk, DiskFile } from '../io/disk.ts'
import type { Env } from '../io/env.ts'
import { lastOffsetOf } from '../record/batch.ts'
import { positionHolds } from './index-check.ts'
import { offsetEntrySize } from './offset-index.ts'
import { walkHeaders } from './scan.ts'
import type { Segment } from './segment.ts'
import { fileSuffix } from './segment-files.ts'

/** Where whole batches end, by their headers: as a byte, and as the offset after the last record. */
export async function walkToEnd(
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

/**
 * A closed segment ends where the next begins; after a cleaning, too. Looked at from its last index entry
 * on, so that a segment that is missing is told of at once, not when somebody reads across the gap.
 */
export async function tellGaps({
  env,
  segments,
  directory,
}: {
  env: Env
  segments: readonly Segment[]
  directory: string
}): Promise<void> {
  for (const [index, segment] of segments.entries()) {
    const following = segments[index + 1]
    if (following === undefined) break
    const endOffset = await endOfClosed(env.disk, segment)
    if (endOffset === null || endOffset >= following.baseOffset) continue
    const nextOffset = following.baseOffset
    env.log.error('log.gap', { directory, endOffset, nextOffset })
  }
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
