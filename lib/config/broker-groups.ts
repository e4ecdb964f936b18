/** The settings of a broker that concern groups, transactions and their internal topics. */

import { bool, int, list, long, oneOf, short } from '../base/setting.ts'

const int32Max = 0x7fffffff

const ms = (fallback: number, min: number, doc: string) => int(fallback, { min, unit: 'ms', doc })
const count = (fallback: number, doc: string) => int(fallback, { min: 1, doc })
const segmentBytes = (what: string) =>
  int(104_857_600, { min: 1, unit: 'bytes', doc: `The segment size of ${what}.` })
const replicas = (what: string) => short(3, { min: 1, doc: `The replicas of ${what}.` })

export const brokerGroupSettings = {
  'group.initial.rebalance.delay.ms': int(3000, {
    unit: 'ms',
    doc: 'How long a group waits for more members before its first assignment.',
  }),
  'group.min.session.timeout.ms': int(6000, {
    unit: 'ms',
    doc: 'The shortest session a member may ask for.',
  }),
  'group.max.session.timeout.ms': int(1_800_000, {
    unit: 'ms',
    doc: 'The longest session a member may ask for.',
  }),
  'group.max.size': count(int32Max, 'The most members of a group.'),
  'group.coordinator.rebalance.protocols': list(['classic', 'consumer', 'streams'], {
    words: ['consumer', 'classic', 'share', 'streams'],
    doc: 'The kinds of groups that are served.',
  }),
  'group.consumer.session.timeout.ms': ms(45_000, 1, 'The session of a member.'),
  'group.consumer.min.session.timeout.ms': ms(45_000, 1, 'The shortest session of a member.'),
  'group.consumer.max.session.timeout.ms': ms(60_000, 1, 'The longest session of a member.'),
  'group.consumer.heartbeat.interval.ms': ms(5000, 1, 'How often a member reports.'),
  'group.consumer.min.heartbeat.interval.ms': ms(5000, 1, 'The shortest interval of reports.'),
  'group.consumer.max.heartbeat.interval.ms': ms(15_000, 1, 'The longest interval of reports.'),
  'group.consumer.max.size': count(int32Max, 'The most members of a consumer group.'),
  'group.consumer.assignors': list(['uniform', 'range'], {
    doc: 'How partitions can be spread over the members; the first is the default.',
  }),
  'group.consumer.migration.policy': oneOf(
    ['disabled', 'downgrade', 'upgrade', 'bidirectional'],
    'bidirectional',
    { ignoreCase: true, doc: 'Which groups may change between the classic and the new protocol.' },
  ),
  'group.share.session.timeout.ms': ms(45_000, 1, 'The session of a member of a share group.'),
  'group.share.heartbeat.interval.ms': ms(5000, 1, 'How often a member of a share group reports.'),
  'group.share.record.lock.duration.ms': ms(30_000, 1000, 'How long a record is lent.'),
  'group.share.delivery.count.limit': int(5, { min: 2, doc: 'How often a record is tried.' }),
  'group.share.partition.max.record.locks': int(2000, {
    min: 100,
    doc: 'The most records of a partition that are lent at a time.',
  }),
  'group.share.max.size': count(200, 'The most members of a share group.'),

  'ottla.groups.memory.bytes': long(268_435_456, {
    min: 1_048_576,
    unit: 'bytes',
    dynamic: 'cluster',
    doc: 'What all groups of a broker may hold: at it, nobody new joins and no offset of a new partition is kept.',
  }),
  'offsets.topic.num.partitions': count(50, 'The partitions of __consumer_offsets.'),
  'offsets.topic.replication.factor': replicas('__consumer_offsets'),
  'offsets.topic.segment.bytes': segmentBytes('__consumer_offsets'),
  'offsets.retention.minutes': int(10_080, {
    min: 1,
    unit: 'minutes',
    doc: 'How long the offsets of an empty group are kept.',
  }),
  'offsets.retention.check.interval.ms': long(600_000, {
    min: 1,
    unit: 'ms',
    doc: 'How often old offsets are looked for.',
  }),
  'offsets.commit.timeout.ms': ms(5000, 1, 'How long a commit may wait for its replicas.'),
  'offsets.load.buffer.size': int(5_242_880, {
    min: 1,
    unit: 'bytes',
    doc: 'How much of __consumer_offsets is read at a time.',
  }),
  'offset.metadata.max.bytes': int(4096, {
    unit: 'bytes',
    doc: 'The longest text that may be stored with an offset.',
  }),

  'transaction.max.timeout.ms': ms(900_000, 1, 'The longest time a transaction may stay open.'),
  'transactional.id.expiration.ms': ms(604_800_000, 1, 'How long an unused id is remembered.'),
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': ms(
    10_000,
    1,
    'How often transactions past their time are looked for.',
  ),
  'transaction.remove.expired.transaction.cleanup.interval.ms': ms(
    3_600_000,
    1,
    'How often unused ids are looked for.',
  ),
  'transaction.partition.verification.enable': bool(true, {
    dynamic: 'cluster',
    doc: 'Check that a partition belongs to the transaction before its records are taken.',
  }),
  'transaction.state.log.num.partitions': count(50, 'The partitions of __transaction_state.'),
  'transaction.state.log.replication.factor': replicas('__transaction_state'),
  'transaction.state.log.min.isr': count(2, 'The in-sync replicas __transaction_state needs.'),
  'transaction.state.log.segment.bytes': segmentBytes('__transaction_state'),
  'share.coordinator.state.topic.num.partitions': count(
    50,
    'The partitions of __share_group_state.',
  ),
  'share.coordinator.state.topic.replication.factor': replicas('__share_group_state'),
  'share.coordinator.state.topic.min.isr': short(2, {
    min: 1,
    doc: 'The in-sync replicas __share_group_state needs.',
  }),
  'producer.id.expiration.ms': int(86_400_000, {
    min: 1,
    unit: 'ms',
    dynamic: 'cluster',
    doc: 'How long the state of a silent producer is kept.',
  }),
} as const

/** What a broker that makes up its own cluster takes instead: it has nobody to copy to. */
export const singleNodeConfigs: Readonly<Record<string, string>> = {
  'offsets.topic.replication.factor': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
}
