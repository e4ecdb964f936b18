/** The settings of a broker that concern logs, topics, replication and the controller. */

import {
  bool,
  double,
  int,
  list,
  long,
  longMax,
  oneOf,
  type Setting,
  string,
} from '../base/setting.ts'
import { topicSettings } from './topic.ts'

/** The twin of a topic setting: the same values, and changeable while the broker runs. */
function defaultOf<T>(setting: Setting<T>): Setting<T> {
  return { ...setting, doc: `Default of the topics: ${setting.doc}`, dynamic: 'cluster' }
}

const hours = (fallback: number, min: number, doc: string) =>
  int(fallback, { min, unit: 'hours', doc })

export const brokerStorageSettings = {
  'log.dir': list(['/tmp/kafka-logs'], { doc: 'Where the logs lie, unless log.dirs says so.' }),
  'log.dirs': list(null, { doc: 'Where the logs lie: the data directory of the broker.' }),
  'metadata.log.dir': string(null, {
    doc: 'Where the metadata lies; the data directory if unset.',
  }),

  'log.cleanup.policy': defaultOf(topicSettings['cleanup.policy']),
  'compression.type': defaultOf(topicSettings['compression.type']),
  'compression.gzip.level': defaultOf(topicSettings['compression.gzip.level']),
  'compression.lz4.level': defaultOf(topicSettings['compression.lz4.level']),
  'compression.zstd.level': defaultOf(topicSettings['compression.zstd.level']),
  'log.cleaner.delete.retention.ms': defaultOf(topicSettings['delete.retention.ms']),
  'log.segment.delete.delay.ms': defaultOf(topicSettings['file.delete.delay.ms']),
  'log.flush.interval.messages': defaultOf(topicSettings['flush.messages']),
  'log.flush.interval.ms': long(null, {
    unit: 'ms',
    dynamic: 'cluster',
    doc: 'Default of the topics: sync a log after this time.',
  }),
  'log.flush.scheduler.interval.ms': long(longMax, {
    unit: 'ms',
    doc: 'Stands in for log.flush.interval.ms where that is not set.',
  }),
  'log.flush.offset.checkpoint.interval.ms': int(60_000, {
    min: 0,
    unit: 'ms',
    doc: 'How often the recovery point of the logs is noted down.',
  }),
  'log.flush.start.offset.checkpoint.interval.ms': int(60_000, {
    min: 0,
    unit: 'ms',
    doc: 'How often the start offset of the logs is noted down.',
  }),
  'log.index.interval.bytes': defaultOf(topicSettings['index.interval.bytes']),
  'log.index.size.max.bytes': defaultOf(topicSettings['segment.index.bytes']),
  'log.local.retention.bytes': defaultOf(topicSettings['local.retention.bytes']),
  'log.local.retention.ms': defaultOf(topicSettings['local.retention.ms']),
  'log.message.timestamp.after.max.ms': defaultOf(topicSettings['message.timestamp.after.max.ms']),
  'log.message.timestamp.before.max.ms': defaultOf(
    topicSettings['message.timestamp.before.max.ms'],
  ),
  'log.message.timestamp.type': defaultOf(topicSettings['message.timestamp.type']),
  'message.max.bytes': defaultOf(topicSettings['max.message.bytes']),
  'min.insync.replicas': defaultOf(topicSettings['min.insync.replicas']),
  'log.preallocate': defaultOf(topicSettings.preallocate),
  'log.retention.bytes': defaultOf(topicSettings['retention.bytes']),
  'log.retention.ms': long(null, {
    unit: 'ms',
    dynamic: 'cluster',
    doc: 'Default of the topics: the age at which a segment is deleted; wins over minutes and hours.',
  }),
  'log.retention.minutes': int(null, {
    unit: 'minutes',
    doc: 'Default of the topics: the age at which a segment is deleted; wins over hours.',
  }),
  'log.retention.hours': int(168, {
    unit: 'hours',
    doc: 'Default of the topics: the age at which a segment is deleted.',
  }),
  'log.retention.check.interval.ms': long(300_000, {
    min: 1,
    unit: 'ms',
    doc: 'How often the broker looks for segments to delete.',
  }),
  'log.roll.ms': long(null, {
    unit: 'ms',
    dynamic: 'cluster',
    doc: 'Default of the topics: the age at which a new segment is begun; wins over hours.',
  }),
  'log.roll.hours': hours(168, 1, 'Default of the topics: the age at which a segment is begun.'),
  'log.roll.jitter.ms': long(null, {
    unit: 'ms',
    dynamic: 'cluster',
    doc: 'Default of the topics: at most this much is taken off log.roll.ms by chance.',
  }),
  'log.roll.jitter.hours': hours(
    0,
    0,
    'Default of the topics: at most this much is taken off the age by chance.',
  ),
  'log.segment.bytes': defaultOf(topicSettings['segment.bytes']),
  'unclean.leader.election.enable': defaultOf(topicSettings['unclean.leader.election.enable']),
  'log.initial.task.delay.ms': long(30_000, {
    min: 0,
    unit: 'ms',
    internal: true,
    doc: 'How long after the start the first retention check runs.',
  }),
  'log.dir.failure.timeout.ms': long(30_000, {
    min: 1,
    unit: 'ms',
    doc: 'How long a failed log directory may go unreported before the broker stops.',
  }),

  'log.cleaner.enable': bool(true, { doc: 'Run the compaction of logs.' }),
  'log.cleaner.threads': int(1, { min: 0, dynamic: 'cluster', doc: 'Compactions at a time.' }),
  'log.cleaner.backoff.ms': long(15_000, {
    min: 0,
    unit: 'ms',
    dynamic: 'cluster',
    doc: 'How long the cleaner rests when there is nothing to compact.',
  }),
  'log.cleaner.dedupe.buffer.size': long(134_217_728, {
    unit: 'bytes',
    dynamic: 'cluster',
    doc: 'Memory for the map of keys while a log is compacted.',
  }),
  'log.cleaner.io.buffer.size': int(524_288, {
    min: 0,
    unit: 'bytes',
    dynamic: 'cluster',
    doc: 'Memory for reading and writing while a log is compacted.',
  }),
  'log.cleaner.io.buffer.load.factor': double(0.9, {
    dynamic: 'cluster',
    doc: 'How full the map of keys may get.',
  }),
  'log.cleaner.io.max.bytes.per.second': double(Number.MAX_VALUE, {
    unit: 'bytes/s',
    dynamic: 'cluster',
    doc: 'How fast compaction may read and write.',
  }),
  'log.cleaner.max.compaction.lag.ms': defaultOf(topicSettings['max.compaction.lag.ms']),
  'log.cleaner.min.cleanable.ratio': defaultOf(topicSettings['min.cleanable.dirty.ratio']),
  'log.cleaner.min.compaction.lag.ms': defaultOf(topicSettings['min.compaction.lag.ms']),

  'auto.create.topics.enable': bool(true, { doc: 'Create a topic when a client asks for it.' }),
  'num.partitions': int(1, { min: 1, doc: 'Partitions of a topic made without a number.' }),
  'default.replication.factor': int(1, { doc: 'Replicas of a topic made without a number.' }),
  'delete.topic.enable': bool(true, { doc: 'Allow the deletion of topics.' }),
  'num.recovery.threads.per.data.dir': int(2, {
    min: 1,
    dynamic: 'cluster',
    doc: 'Logs that are recovered at a time after an unclean stop.',
  }),
  'create.topic.policy.class.name': string(null, {
    kind: 'class',
    doc: 'Not used: no configuration can name code to load.',
  }),
  'alter.config.policy.class.name': string(null, {
    kind: 'class',
    doc: 'Not used: no configuration can name code to load.',
  }),

  'replica.lag.time.max.ms': long(30_000, {
    unit: 'ms',
    doc: 'A follower that has not caught up for this long leaves the in-sync replicas.',
  }),
  'replica.fetch.max.bytes': int(1_048_576, {
    min: 0,
    unit: 'bytes',
    doc: 'How much of a partition a follower asks for at a time.',
  }),
  'replica.fetch.min.bytes': int(1, { unit: 'bytes', doc: 'What a follower waits for.' }),
  'replica.fetch.response.max.bytes': int(10_485_760, {
    min: 0,
    unit: 'bytes',
    doc: 'How much a follower asks for at a time over all partitions.',
  }),
  'replica.fetch.wait.max.ms': int(500, {
    unit: 'ms',
    doc: 'How long a follower lets the leader wait for new records.',
  }),
  'replica.fetch.backoff.ms': int(1000, {
    min: 0,
    unit: 'ms',
    doc: 'How long a follower rests after an error.',
  }),
  'num.replica.fetchers': int(1, {
    min: 1,
    dynamic: 'cluster',
    doc: 'Connections over which a follower copies from one leader.',
  }),
  'replica.high.watermark.checkpoint.interval.ms': long(5000, {
    unit: 'ms',
    doc: 'How often the high watermarks are noted down.',
  }),
  'replica.selector.class': string(null, {
    doc: 'Chooses the replica that a consumer reads from; the leader if unset.',
  }),
  'leader.replication.throttled.rate': long(longMax, {
    min: 0,
    unit: 'bytes/s',
    dynamic: 'broker',
    internal: true,
    doc: 'How fast throttled followers may be served.',
  }),
  'follower.replication.throttled.rate': long(longMax, {
    min: 0,
    unit: 'bytes/s',
    dynamic: 'broker',
    internal: true,
    doc: 'How fast this broker may copy throttled partitions.',
  }),
  'auto.leader.rebalance.enable': bool(true, {
    doc: 'Give the lead back to the first replica of each partition from time to time.',
  }),
  'leader.imbalance.check.interval.seconds': long(300, {
    min: 1,
    unit: 'seconds',
    doc: 'How often the leaders are looked over.',
  }),
  'leader.imbalance.per.broker.percentage': int(10, {
    internal: true,
    doc: 'How many of its partitions a broker may not lead before they are given back.',
  }),
  'controlled.shutdown.enable': bool(true, { doc: 'Hand over all leaders before stopping.' }),
  'broker.heartbeat.interval.ms': int(2000, {
    unit: 'ms',
    doc: 'How often the broker renews its session with the metadata store.',
  }),
  'broker.session.timeout.ms': int(9000, {
    unit: 'ms',
    doc: 'A broker unheard of for this long is taken for dead.',
  }),
  'controller.quorum.voters': list([], { doc: 'Not used: ottla keeps no quorum of its own.' }),
  'controller.quorum.bootstrap.servers': list([], {
    doc: 'Not used: ottla keeps no quorum of its own.',
  }),
  'metadata.log.max.record.bytes.between.snapshots': long(20_971_520, {
    min: 1,
    unit: 'bytes',
    doc: 'How large the metadata log may grow before a snapshot replaces it.',
  }),

  'ottla.durability': defaultOf(
    oneOf(['fsync', 'replicated'], 'fsync', {
      doc: topicSettings['ottla.durability'].doc,
    }),
  ),
  'ottla.journal.file.bytes': int(64 * 1024 * 1024, {
    min: 64 * 1024,
    max: 1024 * 1024 * 1024,
    unit: 'bytes',
    doc: 'Size of a file of the journal that makes appends with ottla.durability=fsync durable.',
  }),
  'ottla.journal.max.bytes': long(256 * 1024 * 1024, {
    min: 0,
    unit: 'bytes',
    doc: 'How much journal there may be, all of which is read after a crash; 0 means none: each log is synced by itself.',
  }),
  'ottla.journal.checkpoint.interval.ms': int(5000, {
    min: 1,
    unit: 'ms',
    doc: 'How long journalled records may wait until they are synced in their segments too.',
  }),
  'ottla.disk.floor.bytes': long(-1, {
    min: -1,
    unit: 'bytes',
    dynamic: 'cluster',
    doc: 'Refuse to append when less disk space is free; -1 means the smaller of 1 GiB and 5 % of the file system.',
  }),
} as const
