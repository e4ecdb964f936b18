/**
 * Heartbeat (12), served v0-4: a member of a classic group lives. v1 throttleTimeMs; v3
 * groupInstanceId; v4 flexible. While the coordinator reads its log every heartbeat is a good one.
 * Yields INVALID_GROUP_ID, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION,
 * REBALANCE_IN_PROGRESS, and what finding the coordinator yields.
 */

import { errorCode } from '../../base/errors.ts'
import { heartbeatAnyGroup as beat } from '../../coordinator/group/consumer-classic.ts'
import { Heartbeat } from '../../protocol/apis/heartbeat.ts'
import { handle, kafkaErrorOf } from '../handler.ts'

const loading = errorCode('COORDINATOR_LOAD_IN_PROGRESS')

export const heartbeat = handle(Heartbeat, async (broker, request) => {
  try {
    await broker.groups.write(request.groupId, (shard) => beat(shard, request))
    return { errorCode: 0 }
  } catch (error) {
    const { code } = kafkaErrorOf(error)
    return { errorCode: code === loading ? 0 : code }
  }
})
