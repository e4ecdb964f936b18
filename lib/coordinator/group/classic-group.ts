/**
 * ClassicGroup: the members of a group whose partitions one of them, its leader, shares out.
 *
 *            first join                   all joined, or time is up               leader's SyncGroup
 *   Empty --------------> PreparingRebalance -----------------> CompletingRebalance ------------> Stable
 *     ^                     |  ^                                        |                            |
 *     +-- nobody is left ---+  +------ somebody joins, leaves, dies ----+----------------------------+
 *
 * A state machine that makes no timer and writes no record: those are classic-rebalance.ts. Each
 * completed join begins a generation.
 *
 * Invariants: `awaitingJoinCount` members have a parked join; `staticMembers` maps to members;
 * `supportedProtocols` counts members; a parked join is only there in PreparingRebalance (or for the
 * moment that a static member's new id is being stored), a parked sync only in CompletingRebalance;
 * Empty has no members.
 * Source: apache/kafka: group-coordinator/.../classic/ClassicGroup.java, KIP-345, KIP-394.
 */

import { assert } from '../../base/assert.ts'
import { type ErrorName, errorCode, KafkaError } from '../../base/errors.ts'
import { GroupMetadata } from '../../protocol/coordinator/classic-group-records.ts'
import { encodeGroupRecord } from '../../protocol/coordinator/group-records.ts'
import type { ShardRecord } from '../../shard/shard.ts'
import {
  ClassicMember,
  type JoinAnswer,
  type JoinProtocol,
  type MemberOptions,
  type Parked,
  type SyncAnswer,
  saidBytesOf,
} from './classic-member.ts'
import { consumerProtocolType, subscribedTopicsOf } from './classic-subscription.ts'
import type { Deadline } from './deadline.ts'
import type { Committer, Group } from './group.ts'
import { groupBytes, memberBytes } from './group-memory.ts'

export type ClassicState =
  | 'Empty'
  | 'PreparingRebalance'
  | 'CompletingRebalance'
  | 'Stable'
  | 'Dead'

const previousStates: Readonly<Record<ClassicState, readonly ClassicState[]>> = {
  Empty: ['PreparingRebalance'],
  PreparingRebalance: ['Stable', 'CompletingRebalance', 'Empty'],
  CompletingRebalance: ['PreparingRebalance'],
  Stable: ['CompletingRebalance'],
  Dead: ['Stable', 'PreparingRebalance', 'CompletingRebalance', 'Empty', 'Dead'],
}

/** What may be different each time that a member joins. */
export type SaidAnew = Pick<MemberOptions, 'protocols' | 'rebalanceTimeoutMs' | 'sessionTimeoutMs'>

export interface ClassicGroupOptions {
  readonly groupId: string
  readonly state?: 'Empty' | 'Stable'
  /** null: not known, as in records of old versions. */
  readonly stateSinceMs: number | null
  readonly generationId?: number
  readonly protocolType?: string | null
  readonly protocolName?: string | null
  readonly leaderId?: string | null
  /** Default: true. */
  readonly isLive?: boolean
}

export class ClassicGroup implements Group {
  readonly type = 'classic'
  readonly groupId: string
  state: ClassicState
  previousState: ClassicState = 'Dead'
  /** Wall clock. */
  stateSinceMs: number | null
  generationId: number
  protocolTypeOrNull: string | null
  protocolName: string | null
  leaderId: string | null
  readonly members = new Map<string, ClassicMember>()
  /** Instance id -> member id. */
  readonly staticMembers = new Map<string, string>()
  /** Ids that were given out and did not join yet (KIP-394), each with the end of its patience. */
  readonly pendingJoins = new Map<string, Deadline>()
  /** Members of this generation that did not send SyncGroup yet. */
  readonly pendingSyncs = new Set<string>()
  awaitingJoinCount = 0
  /** About the memory that the protocols of all members take. */
  saidBytes = 0
  /** Somebody came while the first rebalance waits for more: it waits longer. */
  hasNewMember = false
  /**
   * It is changed by operations, so its own records, replayed as soon as they are written, have
   * nothing to tell it. false: it is what was replayed so far, until the load is over.
   */
  isLive: boolean
  /** The generation whose assignment is on its way to the log. */
  storingGeneration = -1
  /** The end of the join phase, or of the initial delay. */
  joinDeadline: Deadline | null = null
  /** When members must have sent SyncGroup. */
  syncDeadline: Deadline | null = null
  /** null: not known, so every topic may be among them. */
  subscribedTopics: ReadonlySet<string> | null = null
  /** Protocol -> how many members support it. */
  readonly #supportedProtocols = new Map<string, number>()

  constructor(options: ClassicGroupOptions) {
    this.groupId = options.groupId
    this.state = options.state ?? 'Empty'
    this.stateSinceMs = options.stateSinceMs
    this.generationId = options.generationId ?? 0
    this.protocolTypeOrNull = options.protocolType ?? null
    this.protocolName = options.protocolName ?? null
    this.leaderId = options.leaderId ?? null
    this.isLive = options.isLive ?? true
  }

  get protocolType(): string {
    return this.protocolTypeOrNull ?? ''
  }

  get isEmpty(): boolean {
    return this.state === 'Empty'
  }

  get emptySinceMs(): number | null {
    return this.isEmpty ? this.stateSinceMs : null
  }

  get heldBytes(): number {
    const { members, pendingJoins } = this
    let bytes = groupBytes + this.saidBytes + (members.size + pendingJoins.size) * memberBytes
    for (const { assignment } of members.values()) bytes += assignment.length
    return bytes
  }

  get isConsumers(): boolean {
    return this.protocolTypeOrNull === consumerProtocolType
  }

  isLeader(memberId: string): boolean {
    return this.leaderId === memberId
  }

  /** Everybody who is on the way to the next generation has arrived. */
  get hasAllJoined(): boolean {
    return this.members.size === this.awaitingJoinCount && this.pendingJoins.size === 0
  }

  /** The longest that any member wants the others to wait for it. */
  get rebalanceTimeoutMs(): number {
    let longest = 0
    for (const member of this.members.values()) {
      longest = Math.max(longest, member.rebalanceTimeoutMs)
    }
    return longest
  }

  moveTo(state: ClassicState, nowMs: number): void {
    assert(
      previousStates[state].includes(this.state),
      `group ${this.groupId} goes from ${this.state} to ${state}`,
    )
    this.previousState = this.state
    this.state = state
    this.stateSinceMs = nowMs
  }

  /** The caller has checked that the group takes the member's protocols and instance id. */
  addMember(options: MemberOptions, parked: Parked<JoinAnswer> | null = null): ClassicMember {
    const member = new ClassicMember(options)
    const { memberId, groupInstanceId } = member
    if (groupInstanceId !== null) {
      assert(!this.staticMembers.has(groupInstanceId), `instance ${groupInstanceId} comes twice`)
      this.staticMembers.set(groupInstanceId, memberId)
    }
    if (this.members.size === 0) this.protocolTypeOrNull = member.protocolType
    this.leaderId ??= memberId
    this.members.set(memberId, member)
    this.#count(member.protocols, 1)
    member.parkedJoin = parked
    if (parked !== null) this.awaitingJoinCount++
    this.#forgetPending(memberId)
    return member
  }

  /** A member, or a pending one. Its parked requests must have been answered. */
  remove(memberId: string): void {
    const member = this.members.get(memberId)
    if (member !== undefined) {
      assert(member.parkedSync === null, `${memberId} is removed while its SyncGroup waits`)
      this.members.delete(memberId)
      member.session?.clear()
      this.#count(member.protocols, -1)
      if (member.parkedJoin !== null) this.awaitingJoinCount--
      if (member.groupInstanceId !== null) this.staticMembers.delete(member.groupInstanceId)
    }
    if (this.isLeader(memberId)) this.leaderId = this.members.keys().next().value ?? null
    this.#forgetPending(memberId)
    this.pendingSyncs.delete(memberId)
  }

  /** What a member says anew when it joins again. An older join of its that still waits is answered. */
  updateMember(member: ClassicMember, said: SaidAnew, parked: Parked<JoinAnswer>): void {
    this.setProtocols(member, said)
    this.answerJoin(member, joinError(member.memberId, 'REBALANCE_IN_PROGRESS'))
    member.parkedJoin = parked
    this.awaitingJoinCount++
  }

  setProtocols(member: ClassicMember, said: SaidAnew): void {
    this.#count(member.protocols, -1)
    member.protocols = said.protocols
    this.#count(member.protocols, 1)
    member.rebalanceTimeoutMs = said.rebalanceTimeoutMs
    member.sessionTimeoutMs = said.sessionTimeoutMs
  }

  /** The static member comes back under a new id; whoever still uses the old one is fenced. */
  replaceStaticMember(oldMemberId: string, newMemberId: string): ClassicMember {
    const old = this.members.get(oldMemberId)
    assert(old !== undefined && old.groupInstanceId !== null, `${oldMemberId} is no static member`)
    this.answerJoin(old, joinError(oldMemberId, 'FENCED_INSTANCE_ID'))
    this.answerSync(old, { errorCode: errorCode('FENCED_INSTANCE_ID') })
    old.session?.clear()
    this.members.delete(oldMemberId)
    this.pendingSyncs.delete(oldMemberId)
    const member = new ClassicMember({ ...identityOf(old), memberId: newMemberId })
    this.members.set(newMemberId, member)
    if (this.isLeader(oldMemberId)) this.leaderId = newMemberId
    this.staticMembers.set(old.groupInstanceId, newMemberId)
    return member
  }

  addPending(memberId: string, patience: Deadline): void {
    assert(!this.members.has(memberId), `${memberId} is a member already`)
    this.pendingJoins.set(memberId, patience)
  }

  /** The member of these ids. UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID. */
  checkMember(memberId: string, groupInstanceId: string | null): ClassicMember {
    if (groupInstanceId !== null) {
      const current = this.staticMembers.get(groupInstanceId)
      if (current === undefined) {
        throw new KafkaError(
          'UNKNOWN_MEMBER_ID',
          `no member has the instance id ${groupInstanceId}`,
        )
      }
      if (current !== memberId) {
        const message = `${groupInstanceId} is now ${current}, no longer ${memberId}`
        throw new KafkaError('FENCED_INSTANCE_ID', message)
      }
    }
    const member = this.members.get(memberId)
    if (member === undefined) {
      throw new KafkaError('UNKNOWN_MEMBER_ID', `group ${this.groupId} has no member ${memberId}`)
    }
    return member
  }

  /** As `checkMember`, of this generation. ILLEGAL_GENERATION. */
  checkGeneration(memberId: string, groupInstanceId: string | null, generation: number) {
    const member = this.checkMember(memberId, groupInstanceId)
    if (generation !== this.generationId) {
      const message = `generation ${generation}, but the group is at ${this.generationId}`
      throw new KafkaError('ILLEGAL_GENERATION', message)
    }
    return member
  }

  checkCommit(committer: Committer): void {
    const { memberId, groupInstanceId, generationIdOrMemberEpoch: generation } = committer
    if (this.state === 'Dead') throw new KafkaError('COORDINATOR_NOT_AVAILABLE')
    if (generation < 0 && this.isEmpty) return
    if (generation < 0 && memberId === '' && groupInstanceId === null) {
      const message = 'the group has members: only they may commit'
      throw new KafkaError('UNKNOWN_MEMBER_ID', message)
    }
    const member = this.checkGeneration(memberId, groupInstanceId, generation)
    // It knows the generation, so it has its JoinGroup answer, but not yet what it may consume.
    if (this.state === 'CompletingRebalance') throw new KafkaError('REBALANCE_IN_PROGRESS')
    member.session?.set(member.sessionTimeoutMs)
  }

  checkFetch(): void {
    if (this.state === 'Dead') throw new KafkaError('GROUP_ID_NOT_FOUND')
  }

  checkDelete(): void {
    if (this.state === 'Dead') throw new KafkaError('GROUP_ID_NOT_FOUND')
    if (!this.isEmpty) throw new KafkaError('NON_EMPTY_GROUP')
  }

  isSubscribedTo(topic: string): boolean {
    return this.subscribedTopics?.has(topic) ?? this.isConsumers
  }

  tombstones(): ShardRecord[] {
    return [encodeGroupRecord(GroupMetadata, { group: this.groupId }, null)]
  }

  /** Whether a member with these protocols fits to those that are there. */
  supports(protocolType: string, protocols: readonly JoinProtocol[]): boolean {
    if (this.isEmpty) return protocolType !== '' && protocols.length > 0
    return (
      this.protocolTypeOrNull === protocolType &&
      protocols.some(({ name }) => this.#support(name) === this.members.size)
    )
  }

  /** What most members prefer among what all support; the first asked for wins a draw. */
  selectProtocol(): string {
    const candidates = new Set<string>()
    for (const [name, count] of this.#supportedProtocols) {
      if (count === this.members.size) candidates.add(name)
    }
    const votes = new Map<string, number>()
    for (const member of this.members.values()) {
      const name = member.vote(candidates)
      if (name !== undefined) votes.set(name, (votes.get(name) ?? 0) + 1)
    }
    let winner: string | null = null
    for (const [name, count] of votes) {
      if (winner === null || count > (votes.get(winner) ?? 0)) winner = name
    }
    assert(winner !== null, `the members of ${this.groupId} have no protocol in common`)
    return winner
  }

  /** The leader stays when it joined again, else it is the first who did. false: nobody did. */
  electJoinedLeader(): boolean {
    const leader = this.leaderId === null ? undefined : this.members.get(this.leaderId)
    if (leader !== undefined && leader.parkedJoin !== null) return true
    for (const member of this.members.values()) {
      if (member.parkedJoin === null) continue
      this.leaderId = member.memberId
      return true
    }
    return false
  }

  /** The join phase is over. */
  beginGeneration(nowMs: number): void {
    this.generationId = this.generationId === 0x7fffffff ? 1 : this.generationId + 1
    const isEmpty = this.members.size === 0
    this.protocolName = isEmpty ? null : this.selectProtocol()
    this.readSubscriptions()
    this.moveTo(isEmpty ? 'Empty' : 'CompletingRebalance', nowMs)
    this.pendingSyncs.clear()
  }

  /** Learns the subscribed topics from the members' metadata, if they are consumers and it can be read. */
  readSubscriptions(): void {
    this.subscribedTopics = this.#readSubscriptions()
  }

  /** true: a join waited. */
  answerJoin(member: ClassicMember, answer: JoinAnswer): boolean {
    const parked = member.parkedJoin
    if (parked === null) return false
    member.parkedJoin = null
    this.awaitingJoinCount--
    parked(answer)
    return true
  }

  /** true: a sync waited. */
  answerSync(member: ClassicMember, answer: SyncAnswer): boolean {
    const parked = member.parkedSync
    if (parked === null) return false
    member.parkedSync = null
    parked(answer)
    return true
  }

  /** Answers whatever is parked with an error. */
  answerAll(code: number): void {
    for (const member of this.members.values()) {
      this.answerJoin(member, { memberId: member.memberId, errorCode: code })
      this.answerSync(member, { errorCode: code })
    }
  }

  close(error: KafkaError): void {
    this.answerAll(error.code)
    for (const member of this.members.values()) member.session?.clear()
    for (const patience of this.pendingJoins.values()) patience.clear()
    this.joinDeadline?.clear()
    this.syncDeadline?.clear()
    this.state = 'Dead'
  }

  #readSubscriptions(): ReadonlySet<string> | null {
    if (!this.isConsumers) return null
    const topics = new Set<string>()
    if (this.members.size > 0 && this.protocolName === null) return null
    for (const member of this.members.values()) {
      const own = subscribedTopicsOf(member.metadata(this.protocolName))
      if (own === null) return null
      for (const topic of own) topics.add(topic)
    }
    return topics
  }

  #support(name: string): number {
    return this.#supportedProtocols.get(name) ?? 0
  }

  #count(protocols: readonly JoinProtocol[], difference: 1 | -1): void {
    this.saidBytes += difference * saidBytesOf(protocols)
    for (const { name } of protocols) {
      const count = this.#support(name) + difference
      if (count === 0) this.#supportedProtocols.delete(name)
      else this.#supportedProtocols.set(name, count)
    }
  }

  #forgetPending(memberId: string): void {
    this.pendingJoins.get(memberId)?.clear()
    this.pendingJoins.delete(memberId)
  }
}

/** A JoinGroup answer that is nothing but an error. */
export function joinError(memberId: string, error: ErrorName): JoinAnswer {
  return { memberId, errorCode: errorCode(error) }
}

function identityOf(member: ClassicMember): Omit<MemberOptions, 'memberId'> {
  const { groupInstanceId, clientId, clientHost, protocolType, protocols, assignment } = member
  const { rebalanceTimeoutMs, sessionTimeoutMs } = member
  return {
    groupInstanceId,
    clientId,
    clientHost,
    protocolType,
    protocols,
    assignment,
    rebalanceTimeoutMs,
    sessionTimeoutMs,
  }
}
