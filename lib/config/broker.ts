/**
 * The settings of a broker: Kafka 4.3's as far as they mean something here or tools look at them,
 * and ours (`ottla.`). Those with a twin among the topic settings are the topics' defaults.
 * `dynamic` says which can be changed while the broker runs; the rest is read-only in
 * DescribeConfigs. Source: apache/kafka: .../server/config/*.java, DynamicBrokerConfig.
 */

import type { Setting, SettingValues } from '../base/setting.ts'
import { brokerGroupSettings } from './broker-groups.ts'
import { brokerNetworkSettings } from './broker-network.ts'
import { brokerStorageSettings } from './broker-storage.ts'

export const brokerSettings = {
  ...brokerNetworkSettings,
  ...brokerStorageSettings,
  ...brokerGroupSettings,
} as const

/** A broker's settings, resolved. */
export type BrokerConfig = SettingValues<typeof brokerSettings>
export type BrokerSettingName = keyof BrokerConfig

export function isBrokerSetting(name: string): name is BrokerSettingName {
  return Object.hasOwn(brokerSettings, name)
}

/** The setting of this name with its value's type left open; undefined when there is none. */
export function brokerSetting(name: string): Setting<unknown> | undefined {
  return isBrokerSetting(name) ? brokerSettings[name] : undefined
}

/**
 * The broker settings that may stand for a topic setting, the strongest first: a setting in
 * milliseconds wins over its kin in minutes or hours. The first is the one DescribeConfigs names.
 */
export const brokerSynonyms: Readonly<Record<string, readonly BrokerSettingName[]>> = {
  'cleanup.policy': ['log.cleanup.policy'],
  'compression.gzip.level': ['compression.gzip.level'],
  'compression.lz4.level': ['compression.lz4.level'],
  'compression.type': ['compression.type'],
  'compression.zstd.level': ['compression.zstd.level'],
  'delete.retention.ms': ['log.cleaner.delete.retention.ms'],
  'file.delete.delay.ms': ['log.segment.delete.delay.ms'],
  'flush.messages': ['log.flush.interval.messages'],
  'flush.ms': ['log.flush.interval.ms', 'log.flush.scheduler.interval.ms'],
  'index.interval.bytes': ['log.index.interval.bytes'],
  'local.retention.bytes': ['log.local.retention.bytes'],
  'local.retention.ms': ['log.local.retention.ms'],
  'max.compaction.lag.ms': ['log.cleaner.max.compaction.lag.ms'],
  'max.message.bytes': ['message.max.bytes'],
  'message.timestamp.after.max.ms': ['log.message.timestamp.after.max.ms'],
  'message.timestamp.before.max.ms': ['log.message.timestamp.before.max.ms'],
  'message.timestamp.type': ['log.message.timestamp.type'],
  'min.cleanable.dirty.ratio': ['log.cleaner.min.cleanable.ratio'],
  'min.compaction.lag.ms': ['log.cleaner.min.compaction.lag.ms'],
  'min.insync.replicas': ['min.insync.replicas'],
  'ottla.durability': ['ottla.durability'],
  preallocate: ['log.preallocate'],
  'retention.bytes': ['log.retention.bytes'],
  'retention.ms': ['log.retention.ms', 'log.retention.minutes', 'log.retention.hours'],
  'segment.bytes': ['log.segment.bytes'],
  'segment.index.bytes': ['log.index.size.max.bytes'],
  'segment.jitter.ms': ['log.roll.jitter.ms', 'log.roll.jitter.hours'],
  'segment.ms': ['log.roll.ms', 'log.roll.hours'],
  'unclean.leader.election.enable': ['unclean.leader.election.enable'],
}

const families = Object.values(brokerSynonyms).filter((names) => names.length > 1)

/** The settings that mean the same as `name` in another unit, itself included, the strongest first. */
export function brokerFamily(name: string): readonly string[] {
  return families.find((names) => names.some((member) => member === name)) ?? [name]
}
