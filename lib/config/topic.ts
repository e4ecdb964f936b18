/**
 * The settings of a topic: Kafka 4.3's with their names, types, defaults and ranges, and ours
 * (`ottla.`). Each but a few has a twin among the broker's, which is its default
 * (`brokerSynonym`). Source: apache/kafka: .../log/LogConfig.java, ServerTopicConfigSynonyms.java.
 */

import {
  bool,
  double,
  int,
  list,
  long,
  longMax,
  oneOf,
  type SettingValues,
  string,
} from '../base/setting.ts'

export const compressionTypes = [
  'uncompressed',
  'zstd',
  'lz4',
  'snappy',
  'gzip',
  'producer',
] as const

const throttledReplicas = {
  each: /^(\*|\d+:\d+)$/,
  expected: 'a list of PARTITION:BROKER, or *',
}

export const topicSettings = {
  'cleanup.policy': list(['delete'], {
    words: ['compact', 'delete'],
    doc: 'What becomes of old segments: delete drops them by age and size, compact keeps the last record of each key; both may be given.',
  }),
  'compression.type': oneOf(compressionTypes, 'producer', {
    doc: 'The codec in which batches are stored; producer keeps what the producer sent.',
  }),
  'compression.gzip.level': int(-1, {
    min: 1,
    max: 9,
    or: -1,
    doc: 'How hard gzip works where the broker compresses; -1 is its own default.',
  }),
  'compression.lz4.level': int(9, {
    min: 1,
    max: 17,
    doc: 'How hard LZ4 works where the broker compresses.',
  }),
  'compression.zstd.level': int(3, {
    min: -131072,
    max: 22,
    doc: 'How hard Zstandard works where the broker compresses.',
  }),
  'delete.retention.ms': long(86_400_000, {
    min: 0,
    unit: 'ms',
    doc: 'How long a compacted topic keeps tombstones after they were first cleaned.',
  }),
  'file.delete.delay.ms': long(60_000, {
    min: 0,
    unit: 'ms',
    doc: 'How long the files of a dropped segment stay on disk.',
  }),
  'flush.messages': long(longMax, {
    min: 1,
    doc: 'Sync the log after this many records, beside what ottla.durability asks for.',
  }),
  'flush.ms': long(longMax, {
    min: 0,
    unit: 'ms',
    doc: 'Sync the log after this time, beside what ottla.durability asks for.',
  }),
  'follower.replication.throttled.replicas': list([], {
    ...throttledReplicas,
    doc: 'Followers whose copying is slowed down while partitions move.',
  }),
  'index.interval.bytes': int(4096, {
    min: 0,
    unit: 'bytes',
    doc: 'How much log lies between two entries of the offset index.',
  }),
  'internal.segment.bytes': int(null, {
    min: 1,
    unit: 'bytes',
    internal: true,
    doc: 'Overrides segment.bytes without its lower limit, for tests.',
  }),
  'leader.replication.throttled.replicas': list([], {
    ...throttledReplicas,
    doc: 'Leaders whose copying is slowed down while partitions move.',
  }),
  'local.retention.bytes': long(-2, {
    min: -2,
    unit: 'bytes',
    doc: 'Size kept on local disk of a tiered topic; -2 follows retention.bytes.',
  }),
  'local.retention.ms': long(-2, {
    min: -2,
    unit: 'ms',
    doc: 'Age kept on local disk of a tiered topic; -2 follows retention.ms.',
  }),
  'max.compaction.lag.ms': long(longMax, {
    min: 1,
    unit: 'ms',
    doc: 'A record is compacted after this time at the latest.',
  }),
  'max.message.bytes': int(1_048_588, {
    min: 0,
    unit: 'bytes',
    doc: 'The largest batch of records that is accepted, after compression.',
  }),
  'message.timestamp.after.max.ms': long(3_600_000, {
    min: 0,
    unit: 'ms',
    doc: "How far a record's timestamp may lie ahead of the broker's clock.",
  }),
  'message.timestamp.before.max.ms': long(longMax, {
    min: 0,
    unit: 'ms',
    doc: "How far a record's timestamp may lie behind the broker's clock.",
  }),
  'message.timestamp.type': oneOf(['CreateTime', 'LogAppendTime'], 'CreateTime', {
    doc: 'Whose time a record carries: that of its producer or that of its arrival.',
  }),
  'min.cleanable.dirty.ratio': double(0.5, {
    min: 0,
    max: 1,
    doc: 'The share of not yet compacted bytes from which on a log is compacted.',
  }),
  'min.compaction.lag.ms': long(0, {
    min: 0,
    unit: 'ms',
    doc: 'A record is not compacted before this time.',
  }),
  'min.insync.replicas': int(1, {
    min: 1,
    doc: 'How many replicas must have a record before a producer with acks=all hears of success.',
  }),
  preallocate: bool(false, { doc: 'Reserve the disk space of a segment when it is made.' }),
  'remote.log.copy.disable': bool(false, {
    doc: 'Copy no more segments of a tiered topic to remote storage.',
  }),
  'remote.log.delete.on.disable': bool(false, {
    doc: 'Delete the remote segments when tiering is switched off.',
  }),
  'remote.storage.enable': bool(false, {
    doc: 'Keep old segments in remote storage.',
  }),
  'retention.bytes': long(-1, {
    unit: 'bytes',
    doc: 'The size of a partition beyond which its oldest segments are deleted; -1 is no limit.',
  }),
  'retention.ms': long(604_800_000, {
    min: -1,
    unit: 'ms',
    doc: 'The age of its newest record at which a segment is deleted; -1 is no limit.',
  }),
  'segment.bytes': int(1_073_741_824, {
    min: 1_048_576,
    unit: 'bytes',
    doc: 'The size at which a new segment is begun.',
  }),
  'segment.index.bytes': int(10_485_760, {
    min: 4,
    unit: 'bytes',
    doc: "The largest size of a segment's index files.",
  }),
  'segment.jitter.ms': long(0, {
    min: 0,
    unit: 'ms',
    doc: 'At most this much is taken off segment.ms by chance, so that not all logs roll at once.',
  }),
  'segment.ms': long(604_800_000, {
    min: 1,
    unit: 'ms',
    doc: 'The age at which a new segment is begun, even if the old one is not full.',
  }),
  'unclean.leader.election.enable': bool(false, {
    doc: 'Let a replica that is out of sync lead when no other is left, at the price of lost records.',
  }),
  'ottla.durability': oneOf(['fsync', 'replicated'], 'fsync', {
    doc: 'fsync: a record counts as stored when it is synced to disk; replicated: when it is written, as Kafka does.',
  }),
  'ottla.key.schema': string(null, {
    doc: 'A JSON Schema that the key of each record must fit, taken as JSON or else as a text; no key counts as null. Batches with a record that does not fit are refused.',
  }),
  'ottla.value.schema': string(null, {
    doc: 'A JSON Schema that the value of each record must fit, which must be JSON then; null passes, since it deletes. Batches with a record that does not fit are refused.',
  }),
} as const

/** A topic's settings, resolved. */
export type TopicConfig = SettingValues<typeof topicSettings>
export type TopicSettingName = keyof TopicConfig

/** Left Kafka in 4.0: accepted from old tools, and forgotten at once. */
export const removedTopicSettings: ReadonlySet<string> = new Set([
  'message.format.version',
  'message.timestamp.difference.max.ms',
  'message.downconversion.enable',
])

export function isTopicSetting(name: string): name is TopicSettingName {
  return Object.hasOwn(topicSettings, name)
}
