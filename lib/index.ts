/**
 * The public library: what `import { ... } from 'ottla'` gives.
 *
 *   const client = new Client({ brokers: ['localhost:9092'] })
 *   const producer = new Producer(client)
 *   await producer.send({ topic: 'orders', key: null, value: 'one' })
 *
 *   const group = new GroupConsumer(client, { groupId: 'billing' })
 *   group.subscribe(['orders'])
 *   for await (const batch of group) batch.forEachRecord((record) => ...)
 *
 * Errors are KafkaError (a broker said no: `code`, `name`, `isRetriable`), UnavailableError (none
 * could be reached, or none answered in time), and Error for wrong use.
 */

export { type ErrorName, KafkaError } from './base/errors.ts'
export type {
  BrokerId,
  LeaderEpoch,
  Offset,
  ProducerId,
  TopicId,
  TopicPartition,
} from './base/types.ts'
export {
  Admin,
  type ApiRange,
  type BrokerApis,
  type BrokerDescription,
  type ClusterDescription,
} from './client/admin.ts'
export type {
  AlterConfigs,
  AlterConfigsResult,
  ConfigChange,
  ConfigEntry,
  ConfigOperation,
  ConfigResource,
  ConfigSource,
  ConfigSynonym,
  ConfigType,
  DescribeConfigsResult,
  ResourceType,
} from './client/admin-configs.ts'
export type {
  AdminOptions,
  CreateTopicResult,
  GrowTopic,
  NewTopic,
  TopicResult,
  TrimPartition,
  TrimResult,
} from './client/admin-topics.ts'
export type { AssignorName } from './client/assignors/assignor.ts'
export { Client, type ClientOptions } from './client/client.ts'
export {
  type Assignment,
  Consumer,
  type ConsumerOptions,
  type OutOfRange,
} from './client/consumer.ts'
export { UnavailableError } from './client/errors.ts'
export type { FetchedBatch, LogRange } from './client/fetched-batch.ts'
export { GroupConsumer } from './client/group-consumer.ts'
export type {
  CommittedOffset,
  GroupOffsets,
  GroupPartitionResult,
  NewOffset,
} from './client/group-offsets.ts'
export type { GroupConsumerOptions, TopicChoice } from './client/group-options.ts'
export type { GroupStart } from './client/group-start.ts'
export type {
  AssignedTopic,
  GroupDescription,
  GroupList,
  GroupListing,
  GroupMember,
  GroupResult,
} from './client/groups.ts'
export type { CommitOffset } from './client/member-offsets.ts'
export type {
  BrokerMetadata,
  ClusterMetadata,
  PartitionMetadata,
  TopicMetadata,
} from './client/metadata-cache.ts'
export type {
  Isolation,
  ListOffsetsOptions,
  OffsetAnswer,
  OffsetAt,
  OffsetQuery,
} from './client/offsets.ts'
export type { PartitionerName, PartitionFunction } from './client/partitioner.ts'
export type { DeliveredRecord, DeliveryReport, RecordError } from './client/produce-batch.ts'
export {
  Producer,
  type ProducerOptions,
  type ProducerRecord,
  type SendRecord,
} from './client/producer.ts'
export type { Env } from './io/env.ts'
export { nodeEnv as createEnv } from './io/node/env.ts'
export type { TimestampType } from './record/batch.ts'
export type { Codec } from './record/compression.ts'
export type { Record, RecordCursor, RecordHeader } from './record/record.ts'
