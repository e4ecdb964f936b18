/**
 * The settings a log depends on: the topic's, with the broker's defaults already resolved.
 */

import type { SettingValues } from '../base/setting.ts'
import { type TopicConfig, topicSettings } from '../config/topic.ts'

const names = [
  'cleanup.policy',
  'compression.type',
  'compression.gzip.level',
  'compression.lz4.level',
  'compression.zstd.level',
  'delete.retention.ms',
  'file.delete.delay.ms',
  'flush.messages',
  'flush.ms',
  'index.interval.bytes',
  'internal.segment.bytes',
  'max.compaction.lag.ms',
  'max.message.bytes',
  'message.timestamp.after.max.ms',
  'message.timestamp.before.max.ms',
  'message.timestamp.type',
  'min.cleanable.dirty.ratio',
  'min.compaction.lag.ms',
  'ottla.durability',
  'retention.bytes',
  'retention.ms',
  'segment.bytes',
  'segment.index.bytes',
  'segment.jitter.ms',
  'segment.ms',
] as const satisfies readonly (keyof TopicConfig)[]

/** One topic's settings, keyed verbatim; a whole TopicConfig is one. */
export type LogConfig = Pick<SettingValues<typeof topicSettings>, (typeof names)[number]>

/** Every setting at its default, but for `overrides`. */
export function logConfigWith(overrides: Partial<LogConfig> = {}): LogConfig {
  const defaults = Object.fromEntries(names.map((name) => [name, topicSettings[name].fallback]))
  return { ...(defaults as LogConfig), ...overrides }
}

/** Size at which a segment is full. */
export function segmentBytesOf(
  config: Pick<LogConfig, 'internal.segment.bytes' | 'segment.bytes'>,
): number {
  return config['internal.segment.bytes'] ?? config['segment.bytes']
}

/** Age at which a segment is full: a compacted one also when it must be compacted. */
export function segmentMsOf(config: LogConfig): number {
  const lagMs = config['max.compaction.lag.ms']
  const isBound = isCompacted(config) && lagMs > 0
  return isBound ? Math.min(lagMs, config['segment.ms']) : config['segment.ms']
}

/** Whether old values of a key are removed. */
export function isCompacted(config: LogConfig): boolean {
  return config['cleanup.policy'].includes('compact')
}
