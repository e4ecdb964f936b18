/**
 * The field's own names for its numbers. Aliases, not brands: offsets are added and compared
 * everywhere, and a cast at each sum would hide more than it shows (ARCHITECTURE.md, Decisions).
 */

/** Position of a record in a partition, from 0. */
export type Offset = number
/** Counts the leaders a partition has had, from 0; -1 = unknown. */
export type LeaderEpoch = number
export type BrokerId = number
/** Id of an idempotent or transactional producer, from 0; -1 = none. */
export type ProducerId = number
export type ProducerEpoch = number
/** 22 characters of URL-safe base64: 16 bytes, as Kafka prints a uuid. */
export type TopicId = string

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** `topic-partition`, as Kafka writes it in logs and directory names. */
export function topicPartitionName({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}
