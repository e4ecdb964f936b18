/**
 * ConsumerGroup: a group whose partitions the broker shares out (KIP-848). What is durable of it
 * changes only in consumer-replay.ts, through the methods here that say so.
 *
 * - The group epoch counts changes of members, subscriptions and topics; the assignment epoch says
 *   of which of them the target assignment is. Members follow one by one.
 * - Each partition has at most one owner: a member that has it, or has still to give it up.
 *
 * Source: KIP-848; apache/kafka: .../group/modern/consumer/ConsumerGroup.java, ModernGroup.java.
 */

import { KafkaError } from '../../base/errors.ts'
import type { TopicId } from '../../base/types.ts'
import type { Clock } from '../../io/clock.ts'
import type { ClusterImage } from '../../metadata/image.ts'
import type { ShardRecord } from '../../shard/shard.ts'
import { type Assignment, noAssignment, type OwnedPartitions } from './assignment.ts'
import { checkMemberCommit, checkMemberFetch } from './consumer-commit.ts'
import { type ConsumerMember, isReconciledTo } from './consumer-member.ts'
import { groupTombstones } from './consumer-records.ts'
import { MemberTimers } from './consumer-timers.ts'
import type { CommittedTopics, Committer, Group } from './group.ts'
import { groupBytes, memberBytes, textBytesOf } from './group-memory.ts'

/** The topics that a regular expression stood for when it was last looked at. */
export interface ResolvedRegex {
  readonly topics: ReadonlySet<string>
  /** Revision of the image. */
  readonly version: number
  readonly timestampMs: number
}

export class ConsumerGroup implements Group {
  readonly type = 'consumer'
  readonly protocolType = 'consumer'
  readonly groupId: string
  groupEpoch = 0
  assignmentEpoch = 0
  /** Of the topics that are read, with their partitions; at the group epoch. */
  metadataHash = 0
  /** An older broker wrote the topics themselves: they are taken out of the log. */
  hasTopicRecord = false
  readonly members = new Map<string, ConsumerMember>()
  /** Instance id to member id. */
  readonly staticMembers = new Map<string, string>()
  readonly targets = new Map<string, Assignment>()
  readonly resolvedRegexes = new Map<string, ResolvedRegex>()
  readonly timers: MemberTimers
  /** The topics of the cluster when the metadata hash was last compared; null = compare anew. */
  checkedTopics: ClusterImage['topics'] | null = null
  /** The topics of the cluster when all regular expressions were resolved together. */
  regexTopics: ClusterImage['topics'] | null = null
  readonly #owners = new Map<TopicId, Map<number, string>>()
  #subscribedTopics: ReadonlySet<string> | null = null
  #classicMembers = 0

  constructor(groupId: string, clock: Clock) {
    this.groupId = groupId
    this.timers = new MemberTimers(clock)
  }

  get state(): 'Empty' | 'Assigning' | 'Reconciling' | 'Stable' {
    if (this.members.size === 0) return 'Empty'
    if (this.groupEpoch > this.assignmentEpoch) return 'Assigning'
    for (const member of this.members.values()) {
      if (!isReconciledTo(member, this.assignmentEpoch)) return 'Reconciling'
    }
    return 'Stable'
  }

  get heldBytes(): number {
    let bytes = groupBytes
    for (const member of this.members.values()) {
      bytes += memberBytes + textBytesOf(member.subscribedTopicNames)
      for (const partitions of member.assigned.values()) bytes += 100 * partitions.size
    }
    return bytes
  }

  get isEmpty(): boolean {
    return this.members.size === 0
  }

  /** Offsets of an empty consumer group expire by the time of their commit. */
  get emptySinceMs(): null {
    return null
  }

  get classicMembers(): number {
    return this.#classicMembers
  }

  /** UNKNOWN_MEMBER_ID. */
  member(memberId: string): ConsumerMember {
    const member = this.members.get(memberId)
    if (member !== undefined) return member
    throw new KafkaError('UNKNOWN_MEMBER_ID', `${memberId} is no member of group ${this.groupId}`)
  }

  staticMember(instanceId: string): ConsumerMember | undefined {
    const memberId = this.staticMembers.get(instanceId)
    return memberId === undefined ? undefined : this.members.get(memberId)
  }

  /** What a member is to own; a static member under a new id inherits it from its old one. */
  targetOf({ memberId, instanceId }: ConsumerMember): Assignment {
    const own = this.targets.get(memberId)
    if (own !== undefined || instanceId === null) return own ?? noAssignment
    const previous = this.staticMembers.get(instanceId)
    return (previous === undefined ? undefined : this.targets.get(previous)) ?? noAssignment
  }

  isOwned(topicId: TopicId, partition: number): boolean {
    return this.#owners.get(topicId)?.has(partition) ?? false
  }

  /** Names of all topics that members read, found or not. */
  get subscribedTopics(): ReadonlySet<string> {
    this.#subscribedTopics ??= this.subscribedTopicsOf(this.members.values(), this.resolvedRegexes)
    return this.#subscribedTopics
  }

  subscribedTopicsOf(
    members: Iterable<ConsumerMember>,
    resolved: ReadonlyMap<string, ResolvedRegex>,
  ): Set<string> {
    const topics = new Set<string>()
    const regexes = new Set<string>()
    for (const { subscribedTopicNames, subscribedTopicRegex } of members) {
      for (const name of subscribedTopicNames) topics.add(name)
      if (subscribedTopicRegex !== '') regexes.add(subscribedTopicRegex)
    }
    for (const regex of regexes) {
      for (const name of resolved.get(regex)?.topics ?? []) topics.add(name)
    }
    return topics
  }

  isSubscribedTo(topic: string): boolean {
    return this.subscribedTopics.has(topic)
  }

  checkCommit(committer: Committer, topics: CommittedTopics): void {
    checkMemberCommit(this, committer, topics)
  }

  checkFetch(memberId: string | null, memberEpoch: number): void {
    checkMemberFetch(this, memberId, memberEpoch)
  }

  checkDelete(): void {
    if (!this.isEmpty) {
      throw new KafkaError(
        'NON_EMPTY_GROUP',
        `group ${this.groupId} has ${this.members.size} members`,
      )
    }
  }

  tombstones(): ShardRecord[] {
    return groupTombstones(this)
  }

  close(): void {
    this.timers.close()
  }

  /** Replay: the member is new, or as it is from now on. */
  putMember(member: ConsumerMember): void {
    const before = this.members.get(member.memberId)
    if (before !== undefined) this.#forget(before)
    this.members.set(member.memberId, member)
    this.#subscribedTopics = null
    if (member.instanceId !== null) this.staticMembers.set(member.instanceId, member.memberId)
    if (member.classic !== null) this.#classicMembers++
    this.#own(member.memberId, member.assigned)
    this.#own(member.memberId, member.pendingRevocation)
  }

  /** Replay. */
  removeMember(memberId: string): void {
    const member = this.members.get(memberId)
    if (member === undefined) return
    this.#forget(member)
    this.members.delete(memberId)
    this.targets.delete(memberId)
    this.timers.clear(memberId)
    this.#subscribedTopics = null
  }

  /** Replay; null = no longer read by anybody. */
  putRegex(regex: string, resolved: ResolvedRegex | null): void {
    if (resolved === null) this.resolvedRegexes.delete(regex)
    else this.resolvedRegexes.set(regex, resolved)
    this.#subscribedTopics = null
  }

  #forget(member: ConsumerMember): void {
    const { memberId, instanceId } = member
    if (instanceId !== null && this.staticMembers.get(instanceId) === memberId) {
      this.staticMembers.delete(instanceId)
    }
    if (member.classic !== null) this.#classicMembers--
    this.#disown(memberId, member.assigned)
    this.#disown(memberId, member.pendingRevocation)
  }

  #own(memberId: string, owned: OwnedPartitions): void {
    for (const [topicId, partitions] of owned) {
      let owners = this.#owners.get(topicId)
      if (owners === undefined) this.#owners.set(topicId, (owners = new Map()))
      for (const partition of partitions.keys()) owners.set(partition, memberId)
    }
  }

  #disown(memberId: string, owned: OwnedPartitions): void {
    for (const [topicId, partitions] of owned) {
      const owners = this.#owners.get(topicId)
      if (owners === undefined) continue
      for (const partition of partitions.keys()) {
        if (owners.get(partition) === memberId) owners.delete(partition)
      }
      if (owners.size === 0) this.#owners.delete(topicId)
    }
  }
}
