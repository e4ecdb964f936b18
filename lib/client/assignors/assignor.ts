/**
 * What an assignor is: the part of a classic group's leader that shares out partitions, and of each
 * member that says in its subscription what the leader should know. Members choose by name, so the
 * names and what stands in `userData` are Kafka's.
 *
 * Invariants of `assign`: each partition of each subscribed topic goes to one member that is
 * subscribed to it (for a cooperative assignor: to at most one), and every member has an entry. The
 * same input gives the same output, in whatever order the members come.
 * Source: apache/kafka: .../consumer/ConsumerPartitionAssignor.java, AbstractPartitionAssignor.java.
 */

import type { TopicPartition } from '../../base/types.ts'

export type AssignorName = 'range' | 'roundrobin' | 'sticky' | 'cooperative-sticky'

/** A member as the leader sees it. */
export interface SubscribedMember {
  readonly memberId: string
  /** null = not static. Static members are sorted by it, before all others. */
  readonly instanceId: string | null
  readonly topics: readonly string[]
  readonly userData: Uint8Array | null
  /** What it had when it joined; empty for members with an eager assignor. */
  readonly owned: readonly TopicPartition[]
  /** The generation of `owned`; -1 = none, or an old client. */
  readonly generation: number
}

/** What was assigned to this member before, for its next subscription. */
export interface OwnAssignment {
  readonly partitions: readonly TopicPartition[]
  /** -1 = none. */
  readonly generation: number
}

export interface AssignInput {
  readonly members: readonly SubscribedMember[]
  /** Partitions of each subscribed topic; topics that do not exist are missing. */
  readonly partitionCounts: ReadonlyMap<string, number>
}

export interface Assignor {
  readonly name: AssignorName
  /** Whether members keep their partitions while a rebalance goes on (KIP-429). */
  readonly isCooperative: boolean
  userData(own: OwnAssignment): Uint8Array | null
  /** By member id. */
  assign(input: AssignInput): Map<string, TopicPartition[]>
}

/** Static members by instance id, then the others by member id: the order that survives restarts. */
export function sortedMembers(members: readonly SubscribedMember[]): SubscribedMember[] {
  return [...members].sort((left, right) => {
    if (left.instanceId !== null && right.instanceId !== null) {
      return compareText(left.instanceId, right.instanceId)
    }
    if (left.instanceId !== null) return -1
    if (right.instanceId !== null) return 1
    return compareText(left.memberId, right.memberId)
  })
}

/** By UTF-16 units, as Java compares strings. */
export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}

/** The topics that anybody is subscribed to and that exist, by name. */
export function sortedTopics({ members, partitionCounts }: AssignInput): string[] {
  const topics = new Set(members.flatMap((member) => member.topics))
  return [...topics].filter((topic) => (partitionCounts.get(topic) ?? 0) > 0).sort(compareText)
}

/** An empty list for each member. */
export function emptyAssignment(
  members: readonly SubscribedMember[],
): Map<string, TopicPartition[]> {
  return new Map(members.map(({ memberId }) => [memberId, []]))
}
