/**
 * What an assignor is told of a group, and what it answers. Assignors are functions of the group as
 * it is; the order of the members in `members` decides between equals.
 * Source: KIP-848; apache/kafka: .../group/api/assignor/ConsumerGroupPartitionAssignor.java.
 */

import type { TopicId } from '../../base/types.ts'
import type { Assignment } from './assignment.ts'

export interface MemberSpec {
  readonly instanceId: string | null
  /** Topics that it reads and that exist. */
  readonly topicIds: ReadonlySet<TopicId>
  /** What it was to own so far. */
  readonly assignment: Assignment
}

export interface GroupSpec {
  readonly members: ReadonlyMap<string, MemberSpec>
  /** Whether all members read the same topics. */
  readonly isHomogeneous: boolean
  /** Partitions of a topic that somebody reads. */
  partitionsOf(topicId: TopicId): number
}

/** Each partition of the topics that somebody reads goes to exactly one of its readers. */
export type Assignor = (group: GroupSpec) => Map<string, Assignment>
