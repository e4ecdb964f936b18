/**
 * When a log goes on in a new segment, and that segment.
 * Source: apache/kafka: storage/.../log/LogSegment.java shouldRoll.
 */

import type { Offset } from '../base/types.ts'
import { randomBelow } from '../io/random.ts'
import { type BatchHeader, lastOffsetOf } from '../record/batch.ts'
import { type LogConfig, segmentBytesOf, segmentMsOf } from './log-config.ts'
import type { LogHost } from './log-host.ts'
import { Segment } from './segment.ts'

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

/** An empty segment that takes appends; its file is made later. */
export function newSegment(
  { env, pool }: Pick<LogHost, 'env' | 'pool'>,
  config: LogConfig,
  place: { directory: string; baseOffset: Offset },
): Segment {
  const jitterMs = Math.min(config['segment.jitter.ms'], config['segment.ms'])
  const segment = new Segment({
    ...place,
    disk: env.disk,
    pool,
    createdMs: env.clock.nowMs(),
    rollJitterMs: jitterMs > 0 ? randomBelow(env.random, Math.min(jitterMs, 2 ** 32)) : 0,
  })
  segment.startIndexes()
  return segment
}
