/**
 * SyncGroup (14), served v0-5: the leader of a classic group hands out the assignment, the others
 * wait for theirs. v1 throttleTimeMs; v3 groupInstanceId; v4 flexible; v5 protocolType and
 * protocolName, which then are not optional.
 * Yields INVALID_GROUP_ID, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION,
 * INCONSISTENT_GROUP_PROTOCOL, REBALANCE_IN_PROGRESS, UNKNOWN_SERVER_ERROR when the group is too
 * large to be stored, and what finding the coordinator yields.
 */

import { KafkaError } from '../../base/errors.ts'
import { syncAnyGroup as sync } from '../../coordinator/group/consumer-classic.ts'
import { SyncGroup } from '../../protocol/apis/sync-group.ts'
import { handle } from '../handler.ts'

const protocolVersion = 5

export const syncGroup = handle(SyncGroup, (broker, request, { apiVersion }) => {
  const isProtocolSaid = request.protocolType !== null && request.protocolName !== null
  if (apiVersion >= protocolVersion && !isProtocolSaid) {
    throw new KafkaError('INCONSISTENT_GROUP_PROTOCOL', 'protocol type and name are missing')
  }
  return broker.groups.write(request.groupId, (shard) => sync(shard, request))
})
