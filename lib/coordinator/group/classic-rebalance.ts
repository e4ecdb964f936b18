/**
 * Rebalances of classic groups: when they begin, how long they wait, how they end, and who is removed
 * for being silent. Everything here changes the group at once and returns the records to write.
 *
 * Each wait has an end: the initial delay, the join phase and the sync phase end by a deadline of the
 * group; a member by its session, which runs unless a request of its is parked here.
 * Source: apache/kafka: group-coordinator/.../group/GroupMetadataManager.java.
 */

import { errorCode } from '../../base/errors.ts'
import type { BrokerConfig } from '../../config/broker.ts'
import type { ShardContext, ShardRecord, ShardResult } from '../../shard/shard.ts'
import { type ClassicGroup, joinError } from './classic-group.ts'
import { type ClassicMember, type JoinAnswer, noBytes } from './classic-member.ts'
import { groupRecord } from './classic-records.ts'
import { Deadline } from './deadline.ts'
import type { Group } from './group.ts'
import type { GroupMemory } from './group-memory.ts'

/** What classic groups need of their shard. */
export interface ClassicShard {
  readonly context: ShardContext & {
    config(): Pick<
      BrokerConfig,
      'group.initial.rebalance.delay.ms' | 'group.max.size' | 'message.max.bytes'
    >
    readonly memory: Pick<GroupMemory, 'take'>
  }
  readonly groups: Map<string, Group>
}

/**
 * An operation whose records need not arrive: they only say that a group is empty. When the log has
 * no room for them the group goes on, and a restart brings back what was before.
 */
export function lenient<R>(
  records: readonly ShardRecord[],
  response: R | Promise<R>,
): ShardResult<R> {
  return records.length === 0 ? { records, response } : { records, response, onRefused: () => {} }
}

/** Starts the member's session, or starts it anew. */
export function touchMember(
  shard: ClassicShard,
  group: ClassicGroup,
  member: ClassicMember,
  timeoutMs = member.sessionTimeoutMs,
): void {
  member.session ??= deadline(shard, () => onSessionEnd(shard, group, member))
  member.session.set(timeoutMs)
}

/** A rebalance begins unless one is under way; then it ends if this was the last one it waited for. */
export function rebalanceOrCompleteJoin(
  shard: ClassicShard,
  group: ClassicGroup,
  reason: string,
): ShardRecord[] {
  return group.state === 'PreparingRebalance' || group.state === 'Dead'
    ? completeJoinIfAllJoined(shard, group)
    : prepareRebalance(shard, group, reason)
}

/** Members learn of the rebalance by their next heartbeat and join again. */
export function prepareRebalance(
  shard: ClassicShard,
  group: ClassicGroup,
  reason: string,
): ShardRecord[] {
  if (group.state === 'CompletingRebalance') dropAssignment(shard, group, 'REBALANCE_IN_PROGRESS')
  group.pendingSyncs.clear()
  group.syncDeadline?.clear()
  const isInitial = group.isEmpty
  group.moveTo('PreparingRebalance', shard.context.env.clock.nowMs())
  shard.context.env.log.info('group rebalances', {
    group: group.groupId,
    generation: group.generationId,
    members: group.members.size,
    reason,
  })
  if (isInitial) {
    group.hasNewMember = false
    waitForMore(shard, group, { spentMs: 0 })
    return []
  }
  if (group.hasAllJoined) return completeJoin(shard, group)
  setJoinDeadline(shard, group, group.rebalanceTimeoutMs, () => completeJoin(shard, group))
  return []
}

/** The first rebalance ends by its delay only: more members may be on their way. */
export function completeJoinIfAllJoined(shard: ClassicShard, group: ClassicGroup): ShardRecord[] {
  const isDue =
    group.state === 'PreparingRebalance' && group.previousState !== 'Empty' && group.hasAllJoined
  return isDue ? completeJoin(shard, group) : []
}

/** The member is gone: left, silent, or too late. */
export function removeMember(shard: ClassicShard, group: ClassicGroup, member: ClassicMember) {
  // A client that is alive after all joins anew when it reads this.
  group.answerJoin(member, joinError('', 'UNKNOWN_MEMBER_ID'))
  group.answerSync(member, { errorCode: errorCode('UNKNOWN_MEMBER_ID') })
  group.remove(member.memberId)
  shard.context.env.log.debug('group member removed', {
    group: group.groupId,
    member: member.memberId,
  })
}

/** What a member may do about the group that it is in now. */
export function currentJoinAnswer(group: ClassicGroup, member: ClassicMember): JoinAnswer {
  return {
    memberId: member.memberId,
    generationId: group.generationId,
    protocolType: group.protocolTypeOrNull,
    protocolName: group.protocolName,
    leader: group.leaderId ?? '',
    members: group.isLeader(member.memberId) ? describedToLeader(group) : [],
  }
}

/** Gives each member its part of an assignment that is stored. */
export function handOut(
  shard: ClassicShard,
  group: ClassicGroup,
  assignmentOf: (member: ClassicMember) => Uint8Array,
): void {
  for (const member of group.members.values()) {
    member.assignment = assignmentOf(member)
    const { protocolTypeOrNull: protocolType, protocolName } = group
    const { assignment } = member
    // A session that ended while the member waited here was not looked at.
    if (group.answerSync(member, { protocolType, protocolName, assignment })) {
      touchMember(shard, group, member)
    }
  }
}

/** No assignment comes of this generation: whoever waits for it gets the error. */
export function dropAssignment(
  shard: ClassicShard,
  group: ClassicGroup,
  error: 'REBALANCE_IN_PROGRESS' | number,
): void {
  const code = typeof error === 'number' ? error : errorCode(error)
  for (const member of group.members.values()) {
    member.assignment = noBytes
    if (group.answerSync(member, { errorCode: code })) touchMember(shard, group, member)
  }
}

/** A member that was given an id has to use it within its session time-out. */
export function awaitPending(
  shard: ClassicShard,
  group: ClassicGroup,
  { memberId, timeoutMs }: { memberId: string; timeoutMs: number },
): void {
  const patience = deadline(shard, () => {
    group.remove(memberId)
    return onMemberGone(shard, group)
  })
  group.addPending(memberId, patience)
  patience.set(timeoutMs)
}

/** The rebalance does not wait any more for somebody who went. */
export function onMemberGone(shard: ClassicShard, group: ClassicGroup): ShardRecord[] {
  return group.state === 'PreparingRebalance' && group.hasAllJoined
    ? completeJoin(shard, group)
    : []
}

/** The join phase ends: a generation begins with those who joined. */
function completeJoin(shard: ClassicShard, group: ClassicGroup): ShardRecord[] {
  group.joinDeadline?.clear()
  removeLateMembers(shard, group)
  if (!group.electJoinedLeader() && group.members.size > 0) {
    // Static members only, all of them late: their sessions decide who is still there.
    setJoinDeadline(shard, group, group.rebalanceTimeoutMs, () => completeJoin(shard, group))
    return []
  }
  group.beginGeneration(shard.context.env.clock.nowMs())
  shard.context.env.log.info('group generation', {
    group: group.groupId,
    generation: group.generationId,
    members: group.members.size,
  })
  if (group.isEmpty) return [groupRecord(group)]
  for (const member of group.members.values()) {
    group.answerJoin(member, currentJoinAnswer(group, member))
    touchMember(shard, group, member)
    member.isNew = false
    group.pendingSyncs.add(member.memberId)
  }
  group.syncDeadline ??= deadline(shard, () => onSyncEnd(shard, group))
  group.syncDeadline.set(group.rebalanceTimeoutMs)
  return []
}

/** Static members stay: they may be restarting. */
function removeLateMembers(shard: ClassicShard, group: ClassicGroup): void {
  for (const member of [...group.members.values()]) {
    if (member.parkedJoin === null && !member.isStatic) removeMember(shard, group, member)
  }
}

/**
 * Waits for the first members of a group: `group.initial.rebalance.delay.ms`, and as long again while
 * new ones come, up to their rebalance time-out.
 */
function waitForMore(
  shard: ClassicShard,
  group: ClassicGroup,
  { spentMs }: { spentMs: number },
): void {
  const delayMs = shard.context.config()['group.initial.rebalance.delay.ms']
  const leftMs = Math.max(group.rebalanceTimeoutMs - spentMs, 0)
  const waitMs = spentMs === 0 ? delayMs : Math.min(delayMs, leftMs)
  setJoinDeadline(shard, group, waitMs, () => {
    const spent = spentMs + waitMs
    const isTimeLeft = spent < group.rebalanceTimeoutMs && waitMs > 0
    if (!group.hasNewMember || !isTimeLeft) return completeJoin(shard, group)
    group.hasNewMember = false
    waitForMore(shard, group, { spentMs: spent })
    return []
  })
}

function onSessionEnd(
  shard: ClassicShard,
  group: ClassicGroup,
  member: ClassicMember,
): ShardRecord[] {
  if (group.members.get(member.memberId) !== member || member.isWaiting) return []
  removeMember(shard, group, member)
  if (group.state === 'Stable' || group.state === 'CompletingRebalance') {
    return prepareRebalance(shard, group, `member ${member.memberId} was silent for too long`)
  }
  return onMemberGone(shard, group)
}

/** Members that joined but never asked for their assignment are removed. */
function onSyncEnd(shard: ClassicShard, group: ClassicGroup): ShardRecord[] {
  const isSyncing = group.state === 'CompletingRebalance' || group.state === 'Stable'
  if (!isSyncing || group.pendingSyncs.size === 0) return []
  for (const memberId of [...group.pendingSyncs]) {
    const member = group.members.get(memberId)
    if (member !== undefined) removeMember(shard, group, member)
  }
  return prepareRebalance(shard, group, 'members did not send SyncGroup in time')
}

function describedToLeader(group: ClassicGroup) {
  return Array.from(group.members.values(), (member) => ({
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    metadata: member.metadata(group.protocolName),
  }))
}

function setJoinDeadline(
  shard: ClassicShard,
  group: ClassicGroup,
  timeoutMs: number,
  onDue: () => ShardRecord[],
): void {
  group.joinDeadline?.clear()
  group.joinDeadline = deadline(shard, () => (group.state === 'PreparingRebalance' ? onDue() : []))
  group.joinDeadline.set(timeoutMs)
}

/** What a deadline leads to is an operation like any other. */
function deadline(shard: ClassicShard, onDue: () => ShardRecord[]): Deadline {
  const { context } = shard
  return new Deadline(context.env.clock, () => {
    context.write(() => lenient(onDue(), undefined))
  })
}
