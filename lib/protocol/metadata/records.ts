/**
 * The records of Kafka's own metadata log, `__cluster_metadata-0`: read when a data directory of
 * Kafka is adopted. How they are framed: frame.ts.
 * Source: KIP-631; apache/kafka: metadata/src/main/resources/common/metadata/*.json.
 */

import {
  array,
  bool,
  bytes,
  type Fields,
  float64,
  int8,
  int16,
  int32,
  int64,
  type Message,
  string,
  struct,
  uint16,
  uuid,
} from '../schema.ts'

/** A message whose key says which kind of record it is. */
export interface RecordSchema<N extends string = string, F extends Fields = Fields>
  extends Message<F> {
  readonly key: number
  readonly name: N
}

/**
 * A broker has started: its addresses, features and log directories (KIP-631). v1 controlled
 * shutdown, v2 migration from ZooKeeper (KIP-866), v3 log directories (KIP-858), v4 those that
 * take no new replicas.
 */
export const RegisterBrokerRecord = record({
  key: 0,
  name: 'RegisterBrokerRecord',
  versions: [0, 4],
  flexible: 0,
  fields: {
    brokerId: int32(),
    isMigratingZkBroker: bool({ since: 2 }),
    incarnationId: uuid(),
    brokerEpoch: int64(),
    endPoints: array(
      struct({ name: string(), host: string(), port: uint16(), securityProtocol: int16() }),
    ),
    features: array(
      struct({ name: string(), minSupportedVersion: int16(), maxSupportedVersion: int16() }),
    ),
    rack: string({ nullableSince: 0 }),
    fenced: bool({ fallback: true }),
    inControlledShutdown: bool({ since: 1 }),
    logDirs: array(uuid(), { since: 3, tag: 0 }),
    cordonedLogDirs: array(uuid(), { since: 4, tag: 1, nullableSince: 4, fallback: null }),
  },
})

/** A broker is gone for good. */
export const UnregisterBrokerRecord = record({
  key: 1,
  name: 'UnregisterBrokerRecord',
  versions: [0, 0],
  flexible: 0,
  fields: { brokerId: int32(), brokerEpoch: int64() },
})

/** A topic was created. */
export const TopicRecord = record({
  key: 2,
  name: 'TopicRecord',
  versions: [0, 0],
  flexible: 0,
  fields: { name: string(), topicId: uuid() },
})

/**
 * A partition was created, or (in snapshots) stands as told. v1 directories of replicas
 * (KIP-858), v2 eligible leaders (KIP-966).
 */
export const PartitionRecord = record({
  key: 3,
  name: 'PartitionRecord',
  versions: [0, 2],
  flexible: 0,
  fields: {
    partitionId: int32({ fallback: -1 }),
    topicId: uuid(),
    replicas: array(int32()),
    isr: array(int32()),
    removingReplicas: array(int32()),
    addingReplicas: array(int32()),
    leader: int32({ fallback: -1 }),
    leaderRecoveryState: int8({ tag: 0 }),
    leaderEpoch: int32({ fallback: -1 }),
    partitionEpoch: int32({ fallback: -1 }),
    directories: array(uuid(), { since: 1 }),
    eligibleLeaderReplicas: array(int32(), { since: 2, tag: 1, nullableSince: 2, fallback: null }),
    lastKnownElr: array(int32(), { since: 2, tag: 2, nullableSince: 2, fallback: null }),
  },
})

/**
 * A config of a resource was set, or with null deleted. Types of resources: 2 topic, 4 broker.
 */
export const ConfigRecord = record({
  key: 4,
  name: 'ConfigRecord',
  versions: [0, 0],
  flexible: 0,
  fields: {
    resourceType: int8(),
    resourceName: string(),
    name: string(),
    value: string({ nullableSince: 0 }),
  },
})

/**
 * Fields of a partition that changed; absent ones stay. A leader of -2 means no change. v1
 * directories of replicas (KIP-858), v2 eligible leaders (KIP-966).
 */
export const PartitionChangeRecord = record({
  key: 5,
  name: 'PartitionChangeRecord',
  versions: [0, 2],
  flexible: 0,
  fields: {
    partitionId: int32({ fallback: -1 }),
    topicId: uuid(),
    isr: array(int32(), { tag: 0, nullableSince: 0, fallback: null }),
    leader: int32({ tag: 1, fallback: -2 }),
    replicas: array(int32(), { tag: 2, nullableSince: 0, fallback: null }),
    removingReplicas: array(int32(), { tag: 3, nullableSince: 0, fallback: null }),
    addingReplicas: array(int32(), { tag: 4, nullableSince: 0, fallback: null }),
    leaderRecoveryState: int8({ tag: 5, fallback: -1 }),
    directories: array(uuid(), { since: 1, tag: 8, nullableSince: 1, fallback: null }),
    eligibleLeaderReplicas: array(int32(), { since: 2, tag: 6, nullableSince: 2, fallback: null }),
    lastKnownElr: array(int32(), { since: 2, tag: 7, nullableSince: 2, fallback: null }),
  },
})

/** A broker was fenced. Replaced by BrokerRegistrationChangeRecord. */
export const FenceBrokerRecord = record({
  key: 7,
  name: 'FenceBrokerRecord',
  versions: [0, 0],
  flexible: 0,
  fields: { id: int32(), epoch: int64() },
})

/** A broker was unfenced. Replaced by BrokerRegistrationChangeRecord. */
export const UnfenceBrokerRecord = record({
  key: 8,
  name: 'UnfenceBrokerRecord',
  versions: [0, 0],
  flexible: 0,
  fields: { id: int32(), epoch: int64() },
})

/** A topic was deleted, its partitions with it. */
export const RemoveTopicRecord = record({
  key: 9,
  name: 'RemoveTopicRecord',
  versions: [0, 0],
  flexible: 0,
  fields: { topicId: uuid() },
})

/** A delegation token was made or changed. */
export const DelegationTokenRecord = record({
  key: 10,
  name: 'DelegationTokenRecord',
  versions: [0, 0],
  flexible: 0,
  fields: {
    owner: string(),
    requester: string(),
    renewers: array(string()),
    issueTimestamp: int64(),
    maxTimestamp: int64(),
    expirationTimestamp: int64(),
    tokenId: string(),
  },
})

/** A SCRAM credential was set. */
export const UserScramCredentialRecord = record({
  key: 11,
  name: 'UserScramCredentialRecord',
  versions: [0, 0],
  flexible: 0,
  fields: {
    name: string(),
    mechanism: int8(),
    salt: bytes(),
    storedKey: bytes(),
    serverKey: bytes(),
    iterations: int32(),
  },
})

/** The finalized level of a feature; 0 = none. */
export const FeatureLevelRecord = record({
  key: 12,
  name: 'FeatureLevelRecord',
  versions: [0, 0],
  flexible: 0,
  fields: { name: string(), featureLevel: int16() },
})

/** A quota of clients was set or deleted. */
export const ClientQuotaRecord = record({
  key: 14,
  name: 'ClientQuotaRecord',
  versions: [0, 0],
  flexible: 0,
  fields: {
    entity: array(struct({ entityType: string(), entityName: string({ nullableSince: 0 }) })),
    key: string(),
    value: float64(),
    remove: bool(),
  },
})

/** Producer ids below `nextProducerId` have been handed out. */
export const ProducerIdsRecord = record({
  key: 15,
  name: 'ProducerIdsRecord',
  versions: [0, 0],
  flexible: 0,
  fields: { brokerId: int32(), brokerEpoch: int64({ fallback: -1 }), nextProducerId: int64() },
})

/**
 * Fields of the registration of a broker that changed: fencing (-1 unfenced, 0 as it was, 1
 * fenced), shutdown, log directories.
 */
export const BrokerRegistrationChangeRecord = record({
  key: 17,
  name: 'BrokerRegistrationChangeRecord',
  versions: [0, 3],
  flexible: 0,
  fields: {
    brokerId: int32(),
    brokerEpoch: int64(),
    fenced: int8({ tag: 0 }),
    inControlledShutdown: int8({ since: 1, tag: 1 }),
    logDirs: array(uuid(), { since: 2, tag: 2 }),
    cordonedLogDirs: array(uuid(), { since: 3, tag: 3, nullableSince: 3, fallback: null }),
  },
})

/** An access rule was added. */
export const AccessControlEntryRecord = record({
  key: 18,
  name: 'AccessControlEntryRecord',
  versions: [0, 0],
  flexible: 0,
  fields: {
    id: uuid(),
    resourceType: int8(),
    resourceName: string(),
    patternType: int8(),
    principal: string(),
    host: string(),
    operation: int8(),
    permissionType: int8(),
  },
})

/** An access rule was deleted. */
export const RemoveAccessControlEntryRecord = record({
  key: 19,
  name: 'RemoveAccessControlEntryRecord',
  versions: [0, 0],
  flexible: 0,
  fields: { id: uuid() },
})

/** Nothing; shows that the controller is alive. */
export const NoOpRecord = record({
  key: 20,
  name: 'NoOpRecord',
  versions: [0, 0],
  flexible: 0,
  fields: {},
})

/** How far the migration from ZooKeeper is. */
export const ZkMigrationStateRecord = record({
  key: 21,
  name: 'ZkMigrationStateRecord',
  versions: [0, 0],
  flexible: 0,
  fields: { zkMigrationState: int8() },
})

/** A SCRAM credential was deleted. */
export const RemoveUserScramCredentialRecord = record({
  key: 22,
  name: 'RemoveUserScramCredentialRecord',
  versions: [0, 0],
  flexible: 0,
  fields: { name: string(), mechanism: int8() },
})

/** The records up to EndTransactionRecord belong together (KIP-868). */
export const BeginTransactionRecord = record({
  key: 23,
  name: 'BeginTransactionRecord',
  versions: [0, 0],
  flexible: 0,
  fields: { name: string({ tag: 0, nullableSince: 0, fallback: null }) },
})

/** The records since BeginTransactionRecord count. */
export const EndTransactionRecord = record({
  key: 24,
  name: 'EndTransactionRecord',
  versions: [0, 0],
  flexible: 0,
  fields: {},
})

/** The records since BeginTransactionRecord do not count. */
export const AbortTransactionRecord = record({
  key: 25,
  name: 'AbortTransactionRecord',
  versions: [0, 0],
  flexible: 0,
  fields: { reason: string({ tag: 0, nullableSince: 0, fallback: null }) },
})

/** A delegation token was deleted. */
export const RemoveDelegationTokenRecord = record({
  key: 26,
  name: 'RemoveDelegationTokenRecord',
  versions: [0, 0],
  flexible: 0,
  fields: { tokenId: string() },
})

/** A controller has started (KIP-919). */
export const RegisterControllerRecord = record({
  key: 27,
  name: 'RegisterControllerRecord',
  versions: [0, 0],
  flexible: 0,
  fields: {
    controllerId: int32(),
    incarnationId: uuid(),
    zkMigrationReady: bool(),
    endPoints: array(
      struct({ name: string(), host: string(), port: uint16(), securityProtocol: int16() }),
    ),
    features: array(
      struct({ name: string(), minSupportedVersion: int16(), maxSupportedVersion: int16() }),
    ),
  },
})

/**
 * The eligible leaders of a topic, or with an empty name of all topics, are forgotten (KIP-966).
 */
export const ClearElrRecord = record({
  key: 28,
  name: 'ClearElrRecord',
  versions: [0, 0],
  flexible: 0,
  fields: { topicName: string() },
})

/** Every kind of record, by ascending key. */
export const metadataRecords = [
  RegisterBrokerRecord,
  UnregisterBrokerRecord,
  TopicRecord,
  PartitionRecord,
  ConfigRecord,
  PartitionChangeRecord,
  FenceBrokerRecord,
  UnfenceBrokerRecord,
  RemoveTopicRecord,
  DelegationTokenRecord,
  UserScramCredentialRecord,
  FeatureLevelRecord,
  ClientQuotaRecord,
  ProducerIdsRecord,
  BrokerRegistrationChangeRecord,
  AccessControlEntryRecord,
  RemoveAccessControlEntryRecord,
  NoOpRecord,
  ZkMigrationStateRecord,
  RemoveUserScramCredentialRecord,
  BeginTransactionRecord,
  EndTransactionRecord,
  AbortTransactionRecord,
  RemoveDelegationTokenRecord,
  RegisterControllerRecord,
  ClearElrRecord,
] as const

function record<const N extends string, const F extends Fields>(declared: {
  key: number
  name: N
  versions: readonly [min: number, max: number]
  flexible: number
  fields: F
}): RecordSchema<N, F> {
  return declared
}
