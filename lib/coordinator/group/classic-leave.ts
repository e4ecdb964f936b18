/**
 * Heartbeat and LeaveGroup of a classic group.
 * Source: apache/kafka: group-coordinator/.../group/GroupMetadataManager.java, KIP-345, KIP-800.
 */

import { KafkaError } from '../../base/errors.ts'
import type { HeartbeatRequest } from '../../protocol/apis/heartbeat.ts'
import type { LeaveGroupRequest } from '../../protocol/apis/leave-group.ts'
import type { ShardRecord, ShardResult } from '../../shard/shard.ts'
import { ClassicGroup } from './classic-group.ts'
import { reasonMax } from './classic-join.ts'
import {
  type ClassicShard,
  completeJoinIfAllJoined,
  lenient,
  rebalanceOrCompleteJoin,
  removeMember,
  touchMember,
} from './classic-rebalance.ts'

/** One who is to leave: by member id, by instance id with the member id "", or by both. */
export type Leaving = Pick<
  LeaveGroupRequest['members'][number],
  'memberId' | 'groupInstanceId' | 'reason'
>

export interface Left {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly errorCode: number
}

/**
 * The member lives. UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS
 * when it has to join again.
 */
export function heartbeat(shard: ClassicShard, request: HeartbeatRequest): ShardResult<void> {
  const { memberId, groupInstanceId, generationId } = request
  const group = classicGroup(shard, request.groupId)
  const member = group.checkGeneration(memberId, groupInstanceId, generationId)
  touchMember(shard, group, member)
  if (group.state === 'PreparingRebalance') {
    throw new KafkaError('REBALANCE_IN_PROGRESS', `group ${group.groupId} rebalances: join again`)
  }
  return lenient([], undefined)
}

/** Takes members out; the others share what they had. UNKNOWN_MEMBER_ID for a group that is not there. */
export function leaveGroup(
  shard: ClassicShard,
  { groupId, members }: { groupId: string; members: readonly Leaving[] },
): ShardResult<Left[]> {
  const group = classicGroup(shard, groupId)
  const left = members.map((leaving) => leave(shard, group, leaving))
  const gone = left.filter(({ errorCode }) => errorCode === 0)
  return lenient(gone.length === 0 ? [] : onLeft(shard, group, gone), left)
}

function leave(
  shard: ClassicShard,
  group: ClassicGroup,
  { memberId, groupInstanceId, reason }: Leaving,
): Left {
  try {
    if (group.pendingJoins.has(memberId)) {
      group.remove(memberId)
    } else {
      // An administrator knows the instance only.
      const isByInstance = memberId === '' && groupInstanceId !== null
      const known = isByInstance ? group.staticMembers.get(groupInstanceId) : undefined
      const member = group.checkMember(known ?? memberId, groupInstanceId)
      removeMember(shard, group, member)
    }
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    return { memberId, groupInstanceId, errorCode: error.code }
  }
  shard.context.env.log.info('group member left', {
    group: group.groupId,
    member: memberId,
    instance: groupInstanceId,
    reason: reason?.slice(0, reasonMax) ?? null,
  })
  return { memberId, groupInstanceId, errorCode: 0 }
}

function onLeft(shard: ClassicShard, group: ClassicGroup, gone: readonly Left[]): ShardRecord[] {
  switch (group.state) {
    case 'Stable':
    case 'CompletingRebalance': {
      const names = gone.map(({ memberId, groupInstanceId }) => memberId || groupInstanceId)
      return rebalanceOrCompleteJoin(shard, group, `${names.join(', ')} left`)
    }
    case 'PreparingRebalance':
      return completeJoinIfAllJoined(shard, group)
    default:
      return []
  }
}

function classicGroup(shard: ClassicShard, groupId: string): ClassicGroup {
  const group = shard.groups.get(groupId)
  if (group instanceof ClassicGroup) return group
  throw new KafkaError('UNKNOWN_MEMBER_ID', `there is no group ${groupId}`)
}
