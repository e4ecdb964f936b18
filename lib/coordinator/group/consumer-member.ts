/**
 * A member of a consumer group as the log knows it. Values are immutable: a change is another member.
 *
 * STABLE                 has what it is to have at its epoch
 * UNREVOKED_PARTITIONS   has partitions to give up before it may go to the next epoch
 * UNRELEASED_PARTITIONS  is at the target's epoch, but some of its partitions still have an owner
 *
 * Source: KIP-848; apache/kafka: .../group/modern/consumer/ConsumerGroupMember.java.
 */

import type { TopicId } from '../../base/types.ts'
import { isSameOwned, nothingOwned, type OwnedPartitions } from './assignment.ts'

/** By their numbers in records. */
export const memberStates = {
  STABLE: 0,
  UNREVOKED_PARTITIONS: 1,
  UNRELEASED_PARTITIONS: 2,
  UNKNOWN: 127,
} as const

export type MemberState = keyof typeof memberStates

export function memberStateOf(value: number): MemberState {
  const names = Object.keys(memberStates) as MemberState[]
  return names.find((name) => memberStates[name] === value) ?? 'UNKNOWN'
}

/** Member epochs of requests and records that are no epochs. */
export const leaveEpoch = -1
export const staticLeaveEpoch = -2

/** What a member that speaks the classic protocol said in JoinGroup. */
export interface ClassicMetadata {
  readonly sessionTimeoutMs: number
  readonly supportedProtocols: readonly { readonly name: string; readonly metadata: Uint8Array }[]
}

export interface ConsumerMember {
  readonly memberId: string
  readonly instanceId: string | null
  readonly rackId: string | null
  /** -1 while nobody said. */
  readonly rebalanceTimeoutMs: number
  readonly clientId: string
  readonly clientHost: string
  /** In order, each once. */
  readonly subscribedTopicNames: readonly string[]
  /** '' = none. */
  readonly subscribedTopicRegex: string
  readonly serverAssignor: string | null
  /** null = it speaks the consumer protocol. */
  readonly classic: ClassicMetadata | null
  readonly memberEpoch: number
  readonly previousMemberEpoch: number
  readonly state: MemberState
  readonly assigned: OwnedPartitions
  readonly pendingRevocation: OwnedPartitions
}

export function newMember(memberId: string): ConsumerMember {
  return {
    memberId,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: -1,
    clientId: '',
    clientHost: '',
    subscribedTopicNames: [],
    subscribedTopicRegex: '',
    serverAssignor: null,
    classic: null,
    memberEpoch: 0,
    previousMemberEpoch: -1,
    state: 'STABLE',
    assigned: nothingOwned,
    pendingRevocation: nothingOwned,
  }
}

/** At another epoch, remembering the one before. */
export function atEpoch(member: ConsumerMember, memberEpoch: number): ConsumerMember {
  return { ...member, memberEpoch, previousMemberEpoch: member.memberEpoch }
}

export function isReconciledTo(member: ConsumerMember, epoch: number): boolean {
  return member.state === 'STABLE' && member.memberEpoch === epoch
}

/** Whether the part of the member that ConsumerGroupMemberMetadata holds is the same. */
export function isSameMetadata(a: ConsumerMember, b: ConsumerMember): boolean {
  return (
    a === b ||
    (a.memberId === b.memberId &&
      a.instanceId === b.instanceId &&
      a.rackId === b.rackId &&
      a.rebalanceTimeoutMs === b.rebalanceTimeoutMs &&
      a.clientId === b.clientId &&
      a.clientHost === b.clientHost &&
      a.subscribedTopicRegex === b.subscribedTopicRegex &&
      a.serverAssignor === b.serverAssignor &&
      isSameList(a.subscribedTopicNames, b.subscribedTopicNames) &&
      isSameClassic(a.classic, b.classic))
  )
}

/** Whether the part of the member that ConsumerGroupCurrentMemberAssignment holds is the same. */
export function isSamePosition(a: ConsumerMember, b: ConsumerMember): boolean {
  return (
    a === b ||
    (a.memberEpoch === b.memberEpoch &&
      a.previousMemberEpoch === b.previousMemberEpoch &&
      a.state === b.state &&
      isSameOwned(a.assigned, b.assigned) &&
      isSameOwned(a.pendingRevocation, b.pendingRevocation))
  )
}

export function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((one, index) => one === b[index]))
}

function isSameClassic(a: ClassicMetadata | null, b: ClassicMetadata | null): boolean {
  if (a === null || b === null) return a === b
  return (
    a.sessionTimeoutMs === b.sessionTimeoutMs &&
    a.supportedProtocols.length === b.supportedProtocols.length &&
    a.supportedProtocols.every(({ name, metadata }, index) => {
      const other = b.supportedProtocols[index]
      return other?.name === name && Buffer.compare(other.metadata, metadata) === 0
    })
  )
}

/** The epoch in which the member got a partition that it has, or has still to give up. */
export function assignmentEpochOf(
  member: ConsumerMember,
  topicId: TopicId,
  partition: number,
): number | undefined {
  return (
    member.assigned.get(topicId)?.get(partition) ??
    member.pendingRevocation.get(topicId)?.get(partition)
  )
}

/** Names in order, each once. */
export function sortedNames(names: Iterable<string>): string[] {
  return [...new Set(names)].sort()
}
