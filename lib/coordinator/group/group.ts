/**
 * What all kinds of groups have in common: what committing, reading and expiring offsets, listing and
 * deleting ask of a group. ClassicGroup and ConsumerGroup are the implementations.
 * Source: apache/kafka: group-coordinator/.../group/Group.java.
 */

import type { KafkaError } from '../../base/errors.ts'
import type { TopicId } from '../../base/types.ts'
import type { ShardRecord } from '../../shard/shard.ts'

/** As ListGroups and `kafka-groups` write them. */
export type GroupType = 'classic' | 'consumer'

/** Who commits or reads offsets. Without a member id and with epoch -1: a simple consumer, or an admin. */
export interface Committer {
  readonly memberId: string
  readonly groupInstanceId: string | null
  /** The generation of a classic member, the member epoch of a consumer group's. */
  readonly generationIdOrMemberEpoch: number
  /** Of the request, whose errors differ by version. */
  readonly apiVersion: number
}

/** The partitions of a commit. */
export type CommittedTopics = readonly {
  readonly topicId: TopicId
  readonly partitions: readonly { readonly partitionIndex: number }[]
}[]

export interface Group {
  readonly groupId: string
  readonly type: GroupType
  /** As ListGroups writes it: Empty, PreparingRebalance, Stable, Assigning, ... */
  readonly state: string
  /** As ListGroups writes it: "consumer" for consumers of either protocol, "" for simple groups. */
  readonly protocolType: string
  readonly isEmpty: boolean
  /**
   * Checks that this one may commit. UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, FENCED_INSTANCE_ID,
   * REBALANCE_IN_PROGRESS, STALE_MEMBER_EPOCH. A commit counts as a sign of life.
   */
  checkCommit(committer: Committer, topics: CommittedTopics): void
  /** Checks that this one may read offsets: OffsetFetch v9+. UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH. */
  checkFetch(memberId: string | null, memberEpoch: number): void
  /** Whether a member reads the topic: its offsets are neither deleted nor expired. */
  isSubscribedTo(topic: string): boolean
  /** NON_EMPTY_GROUP while it has members. */
  checkDelete(): void
  /** What removes the group itself (not its offsets) from the log. */
  tombstones(): ShardRecord[]
  /** Since when it has been empty, in ms since 1970; null while it is not, or when nobody knows. */
  readonly emptySinceMs: number | null
  /** About the memory it takes, its offsets aside. */
  readonly heldBytes: number
  /** The shard is given up: ends timers, and rejects whoever is parked with `error`. */
  close(error: KafkaError): void
}
