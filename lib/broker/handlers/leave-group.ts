/**
 * LeaveGroup (13), served v0-5: members leave a classic group, or are taken out of it.
 * v1 throttleTimeMs; v3 many members, by instance id too, with an error each; v4 flexible; v5 reason.
 * Yields INVALID_GROUP_ID and what finding the coordinator yields; per member (for the whole, before
 * v3) UNKNOWN_MEMBER_ID, also when there is no such group, and FENCED_INSTANCE_ID.
 */

import { errorCode } from '../../base/errors.ts'
import { leaveAnyGroup as leave } from '../../coordinator/group/consumer-classic.ts'
import { LeaveGroup } from '../../protocol/apis/leave-group.ts'
import { handle, kafkaErrorOf } from '../handler.ts'

const manyVersion = 3
const unknownMember = errorCode('UNKNOWN_MEMBER_ID')

export const leaveGroup = handle(LeaveGroup, async (broker, request, { apiVersion }) => {
  const { groupId, memberId } = request
  const isMany = apiVersion >= manyVersion
  const members = isMany ? request.members : [{ memberId, groupInstanceId: null, reason: null }]
  try {
    const left = await broker.groups.write(groupId, (shard) => leave(shard, { groupId, members }))
    return isMany ? { members: left } : { errorCode: left[0]?.errorCode ?? 0 }
  } catch (error) {
    const { code } = kafkaErrorOf(error)
    if (!isMany || code !== unknownMember) return { errorCode: code }
    return {
      members: members.map(({ memberId, groupInstanceId }) => ({
        memberId,
        groupInstanceId,
        errorCode: code,
      })),
    }
  }
})
