/**
 * Which segments of a log may go, by age, by size, and by the log start offset. Whole segments,
 * oldest first, never beyond the high watermark; segments below the log start offset always go.
 * Source: apache/kafka: storage/.../log/UnifiedLog.java deleteOldSegments.
 */

import { planted } from '../base/planted.ts'
import type { Offset } from '../base/types.ts'
import type { Log } from './log.ts'
import { runStart } from './segment-runs.ts'

/** How many of the oldest segments are to be dropped now. */
export async function segmentsToDrop(
  log: Log,
  { nowMs, highWatermark }: { nowMs: number; highWatermark: Offset },
): Promise<number> {
  const { config, segments } = log
  const isDeleting = config['cleanup.policy'].includes('delete')
  const retentionMs = isDeleting ? config['retention.ms'] : -1
  const retentionBytes = isDeleting ? config['retention.bytes'] : -1
  let excessBytes = retentionBytes < 0 ? 0 : log.sizeBytes - retentionBytes
  let count = 0
  for (const [index, segment] of segments.entries()) {
    const endOffset = segments[index + 1]?.baseOffset ?? log.logEndOffset
    const isEmptyLast = index === segments.length - 1 && segment.sizeBytes === 0
    if (endOffset > highWatermark || isEmptyLast) break
    const isBelowStart = endOffset <= log.logStartOffset && index < segments.length - 1
    const isExcess = retentionBytes >= 0 && excessBytes >= segment.sizeBytes
    if (!isBelowStart && !isExcess) {
      if (retentionMs < 0) break
      const { timestamp } = await segment.maxTimestamp()
      // A segment without any record time ages by when it was made here.
      const newestMs = timestamp >= 0 ? timestamp : segment.createdMs
      if (nowMs - newestMs <= retentionMs) break
    }
    excessBytes -= segment.sizeBytes
    count = index + 1
  }
  return count
}

/** Drops what may go. Resolves with the number of segments. */
export async function applyRetention(
  log: Log,
  options: { nowMs: number; highWatermark: Offset },
): Promise<number> {
  if (log.failure !== null) return 0
  const before = log.segments
  const count = await segmentsToDrop(log, options)
  // Segments may have been added meanwhile, but if any was taken or replaced the count no longer holds.
  if (count === 0 || runStart(log.segments, before.slice(0, count)) !== 0) return 0
  await log.deleteOldest(count)
  if (planted.producersLostByRetention) log.producers.clear()
  return count
}
