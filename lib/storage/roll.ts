/**
 * When a log goes on in a new segment.
 * Source: apache/kafka: storage/.../log/LogSegment.java shouldRoll.
 */

import { type BatchHeader, lastOffsetOf } from '../record/batch.ts'
import { type LogConfig, segmentBytesOf, segmentMsOf } from './log-config.ts'
import type { Segment } from './segment.ts'

/** What an index entry can hold. */
const relativeOffsetMax = 0x7fffffff

/** Whether the batch with this header must not go into `segment` any more. */
export function isRollDue(
  segment: Segment,
  header: BatchHeader,
  { config, nowMs }: { config: LogConfig; nowMs: number },
): boolean {
  if (lastOffsetOf(header) - segment.baseOffset > relativeOffsetMax) return true
  if (segment.sizeBytes === 0) return false
  if (segment.sizeBytes + header.sizeBytes > segmentBytesOf(config)) return true
  if (segment.isIndexFull(config['segment.index.bytes'])) return true
  const hasTimes = segment.firstTimestamp >= 0 && header.maxTimestamp >= 0
  const waitedMs = hasTimes
    ? header.maxTimestamp - segment.firstTimestamp
    : nowMs - segment.createdMs
  return waitedMs > segmentMsOf(config) - segment.rollJitterMs
}
