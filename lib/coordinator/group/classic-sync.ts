/**
 * SyncGroup of a classic group: the leader brings the assignment of a generation, the others wait for
 * it. It is handed out when it is in the log, so a coordinator that comes after this one knows it.
 * Source: apache/kafka: group-coordinator/.../group/GroupMetadataManager.java.
 */

import { type ErrorName, errorCode, KafkaError } from '../../base/errors.ts'
import type { SyncGroupRequest } from '../../protocol/apis/sync-group.ts'
import type { ShardResult } from '../../shard/shard.ts'
import { ClassicGroup } from './classic-group.ts'
import { type ClassicMember, noBytes, type SyncAnswer } from './classic-member.ts'
import {
  type ClassicShard,
  dropAssignment,
  handOut,
  lenient,
  rebalanceOrCompleteJoin,
} from './classic-rebalance.ts'
import { groupRecord } from './classic-records.ts'

/** Answers, or parks the answer; errors are in it. */
export function syncGroup(shard: ClassicShard, request: SyncGroupRequest): ShardResult<SyncAnswer> {
  const group = shard.groups.get(request.groupId)
  if (!(group instanceof ClassicGroup) || group.isEmpty) {
    return lenient([], syncError('UNKNOWN_MEMBER_ID'))
  }
  let member: ClassicMember
  try {
    member = checkSync(group, request)
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    return lenient([], { errorCode: error.code })
  }
  switch (group.state) {
    case 'PreparingRebalance':
      return lenient([], syncError('REBALANCE_IN_PROGRESS'))
    case 'CompletingRebalance':
      return park(shard, group, { request, member })
    default: {
      arrived(group, member)
      const { protocolTypeOrNull: protocolType, protocolName } = group
      const { assignment } = member
      return lenient([], { protocolType, protocolName, assignment })
    }
  }
}

/** UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL. */
function checkSync(group: ClassicGroup, request: SyncGroupRequest): ClassicMember {
  const { memberId, groupInstanceId, generationId, protocolType, protocolName } = request
  const member = group.checkGeneration(memberId, groupInstanceId, generationId)
  const isOther = (said: string | null, own: string | null) =>
    said !== null && own !== null && said !== own
  if (
    isOther(protocolType, group.protocolTypeOrNull) ||
    isOther(protocolName, group.protocolName)
  ) {
    throw new KafkaError(
      'INCONSISTENT_GROUP_PROTOCOL',
      `${protocolType}/${protocolName}, but the group has ${group.protocolType}/${group.protocolName}`,
    )
  }
  return member
}

function park(
  shard: ClassicShard,
  group: ClassicGroup,
  { request, member }: { request: SyncGroupRequest; member: ClassicMember },
): ShardResult<SyncAnswer> {
  const { generationId } = request
  // It sent the request again, so it does not wait for the first answer any more.
  group.answerSync(member, syncError('REBALANCE_IN_PROGRESS'))
  const response = new Promise<SyncAnswer>((resolve) => {
    member.parkedSync = resolve
  })
  arrived(group, member)
  if (!group.isLeader(member.memberId) || group.storingGeneration === generationId) {
    return lenient([], response)
  }
  const assignments = new Map<string, Uint8Array>()
  for (const { memberId, assignment } of request.assignments) {
    // Kept longer than the frame it came in.
    if (group.members.has(memberId)) assignments.set(memberId, new Uint8Array(assignment))
  }
  const assignmentOf = ({ memberId }: ClassicMember) => assignments.get(memberId) ?? noBytes
  group.storingGeneration = generationId
  const isCurrent = () =>
    group.state === 'CompletingRebalance' && group.generationId === generationId
  return {
    records: [groupRecord(group, assignmentOf)],
    response,
    onCommitted: () => {
      // Somebody may have joined or left meanwhile: then nobody waits for this assignment any more.
      if (!isCurrent()) return
      handOut(shard, group, assignmentOf)
      group.moveTo('Stable', shard.context.env.clock.nowMs())
    },
    onRefused: ({ code, message }) => {
      group.storingGeneration = -1
      if (!isCurrent()) return
      dropAssignment(shard, group, code)
      shard.context.write(() => {
        const reason = `the assignment could not be stored: ${message}`
        return lenient(rebalanceOrCompleteJoin(shard, group, reason), undefined)
      })
    },
  }
}

/** The sync phase need not wait for this member any more. */
function arrived(group: ClassicGroup, { memberId }: ClassicMember): void {
  group.pendingSyncs.delete(memberId)
  if (group.pendingSyncs.size === 0) group.syncDeadline?.clear()
}

function syncError(error: ErrorName): SyncAnswer {
  return { errorCode: errorCode(error) }
}
