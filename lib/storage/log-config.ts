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
  'file.delete.delay.ms',
  'flush.messages',
  'flush.ms',
  'index.interval.bytes',
  'internal.segment.bytes',
  'max.message.bytes',
  'message.timestamp.after.max.ms',
  'message.timestamp.before.max.ms',
  'message.timestamp.type',
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
export function segmentBytesOf(config: LogConfig): number {
  return config['internal.segment.bytes'] ?? config['segment.bytes']
}
