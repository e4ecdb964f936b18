/**
 * JoinGroup (11), served v0-9: a client joins a classic group, and waits until the others have too.
 * v1 rebalanceTimeoutMs (v0: the session's); v2 throttleTimeMs; v4 a new dynamic member is told its id
 * first; v5 groupInstanceId; v6 flexible; v7 protocolType, and protocolName may be null; v8 reason;
 * v9 skipAssignment.
 * Differs from Kafka: metadata larger than message.max.bytes is refused here, not when the group is
 * stored, and a group whose members say eight times that is full; a join that the member sends again
 * ends the one that waits; a pending id with an instance id is an unknown member, not a server error.
 * Yields INVALID_GROUP_ID, INVALID_SESSION_TIMEOUT, UNKNOWN_MEMBER_ID, MEMBER_ID_REQUIRED,
 * FENCED_INSTANCE_ID, INCONSISTENT_GROUP_PROTOCOL, GROUP_MAX_SIZE_REACHED, MESSAGE_TOO_LARGE,
 * REBALANCE_IN_PROGRESS, and what finding the coordinator yields.
 */

import { errorCode } from '../../base/errors.ts'
import type { JoinAnswer } from '../../coordinator/group/classic-member.ts'
import { joinAnyGroup as join } from '../../coordinator/group/consumer-classic.ts'
import { JoinGroup } from '../../protocol/apis/join-group.ts'
import { handle, kafkaErrorOf } from '../handler.ts'

const nullableProtocolVersion = 7

export const joinGroup = handle(JoinGroup, async (broker, request, context) => {
  const { groupId, memberId, sessionTimeoutMs } = request
  const { session, apiVersion } = context
  if (groupId === '') return versioned({ memberId, errorCode: errorCode('INVALID_GROUP_ID') })
  const isSessionTaken =
    sessionTimeoutMs >= broker.config['group.min.session.timeout.ms'] &&
    sessionTimeoutMs <= broker.config['group.max.session.timeout.ms']
  if (!isSessionTaken) {
    return versioned({ memberId, errorCode: errorCode('INVALID_SESSION_TIMEOUT') })
  }
  const client = {
    clientId: context.clientId ?? '',
    clientHost: `/${session.remote.host}`,
    apiVersion,
  }
  try {
    return versioned(await broker.groups.write(groupId, (shard) => join(shard, request, client)))
  } catch (error) {
    return versioned({ errorCode: kafkaErrorOf(error).code })
  }

  /** No protocol is null since v7, "" before. */
  function versioned(answer: JoinAnswer): JoinAnswer {
    const protocolName = answer.protocolName || null
    return {
      ...answer,
      protocolName: apiVersion >= nullableProtocolVersion ? protocolName : (protocolName ?? ''),
    }
  }
})
