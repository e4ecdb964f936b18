/**
 * ConsumerGroupHeartbeat: a member joins, reports, or leaves.
 *
 *   epoch 0    joins, or comes back with nothing in its hands
 *   epoch > 0  reports; what is null in the request is as it was
 *   epoch -1   leaves; -2: a static member leaves and will be back, its partitions stay its own
 *
 * A report (1) updates the member, and the group epoch when members or subscriptions changed or topics
 * came, went or grew; (2) makes a new target assignment when the group epoch is ahead of it; (3) moves
 * the member a step towards its target. All of it is one batch of records.
 * Source: KIP-848; apache/kafka: .../group/GroupMetadataManager.java (consumerGroupHeartbeat).
 */

import { KafkaError } from '../../base/errors.ts'
import { randomUuid } from '../../base/uuid.ts'
import { groupConfig } from '../../config/group.ts'
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../protocol/apis/consumer-group-heartbeat.ts'
import type { Encodable } from '../../protocol/schema.ts'
import type { ShardRecord, ShardResult } from '../../shard/shard.ts'
import { isSameOwned, isWithin, listed } from './assignment.ts'
import type { GroupClient } from './classic-join.ts'
import { ConsumerGroup } from './consumer-group.ts'
import {
  type ConsumerMember,
  isSameList,
  isSameMetadata,
  leaveEpoch,
  sortedNames,
  staticLeaveEpoch,
} from './consumer-member.ts'
import { currentRecord } from './consumer-records.ts'
import { type ConsumerShard, servedAssignors } from './consumer-shard.ts'
import { advance, memberToJoin } from './consumer-steps.ts'
import { removeMembers, startSession, updateRebalanceTimeout } from './consumer-timeouts.ts'
import { groupToJoin } from './consumer-upgrade.ts'
import { groupBytes, memberBytes, textBytesOf } from './group-memory.ts'
import { nothingToUndo } from './offset-expiry.ts'

export type HeartbeatAnswer = Encodable<ConsumerGroupHeartbeatResponse>

/** From this version on members make their own ids (KIP-1082). */
const ownIdVersion = 1

/**
 * INVALID_REQUEST, UNSUPPORTED_ASSIGNOR, GROUP_ID_NOT_FOUND, GROUP_MAX_SIZE_REACHED, UNKNOWN_MEMBER_ID,
 * FENCED_MEMBER_EPOCH, UNRELEASED_INSTANCE_ID, FENCED_INSTANCE_ID, INVALID_REGULAR_EXPRESSION.
 */
export function consumerGroupHeartbeat(
  shard: ConsumerShard,
  request: ConsumerGroupHeartbeatRequest,
  client: GroupClient,
): ShardResult<HeartbeatAnswer> {
  checkRequest(request, client.apiVersion, servedAssignors(shard.context.config()))
  return request.memberEpoch < 0 ? leave(shard, request) : report(shard, request, client)
}

function checkRequest(
  request: ConsumerGroupHeartbeatRequest,
  apiVersion: number,
  served: readonly string[],
): void {
  const { memberId, memberEpoch, serverAssignor } = request
  const hasId = apiVersion >= ownIdVersion || memberEpoch > 0 || memberEpoch === leaveEpoch
  if (hasId && memberId === '') throw invalid('the member id is empty')
  for (const field of ['groupId', 'instanceId', 'rackId'] as const) {
    if (request[field] === '') throw invalid(`${field} is empty`)
  }
  if (memberEpoch === 0) checkJoin(request)
  if (memberEpoch === staticLeaveEpoch && request.instanceId === null) {
    throw invalid('only members with an instance id can leave with epoch -2')
  }
  if (memberEpoch < staticLeaveEpoch) throw invalid(`there is no member epoch ${memberEpoch}`)
  if (serverAssignor !== null && !served.includes(serverAssignor)) {
    throw new KafkaError(
      'UNSUPPORTED_ASSIGNOR',
      `there is no assignor ${JSON.stringify(serverAssignor.slice(0, 100))}, but ${served.join(', ')}`,
    )
  }
}

function checkJoin(request: ConsumerGroupHeartbeatRequest): void {
  const { rebalanceTimeoutMs, topicPartitions } = request
  if (rebalanceTimeoutMs === -1) throw invalid('a member that joins must say its rebalance timeout')
  if (topicPartitions === null || topicPartitions.length > 0) {
    throw invalid('a member that joins must list its partitions: none')
  }
  if (request.subscribedTopicNames === null && request.subscribedTopicRegex === null) {
    throw invalid('a member that joins must say what it reads: topic names or an expression')
  }
}

function invalid(message: string): KafkaError {
  return new KafkaError('INVALID_REQUEST', message)
}

function report(
  shard: ConsumerShard,
  request: ConsumerGroupHeartbeatRequest,
  client: GroupClient,
): ShardResult<HeartbeatAnswer> {
  const { groupId, memberEpoch, topicPartitions: reported } = request
  const isJoining = memberEpoch === 0
  const records: ShardRecord[] = []
  const { group, onCommitted: onUpgraded } = isJoining
    ? groupToJoin(shard, groupId, records)
    : { group: consumerGroup(shard, groupId), onCommitted: undefined }
  const memberId = request.memberId || newMemberId(shard)
  checkRoom(shard, group, memberId)
  checkMemory(shard, group, { memberId, topicNames: request.subscribedTopicNames })
  const member = isJoining
    ? memberToJoin(group, { memberId, instanceId: request.instanceId, isClassic: false }, records)
    : knownMember(group, request)
  if (!isJoining) checkEpoch(member, request)
  const updated = withRequest(member, request, client)
  const { after, hasMoved } = advance(
    shard,
    group,
    { before: member, updated, reported, isSame: isSameMetadata(member, updated) },
    records,
  )
  const isFull =
    request.rebalanceTimeoutMs !== -1 &&
    (request.subscribedTopicNames !== null || request.subscribedTopicRegex !== null) &&
    reported !== null
  const { heartbeatIntervalMs } = groupConfig(
    shard.context.config(),
    shard.context.groupConfigs(groupId),
  )
  return {
    records,
    response: {
      memberId: after.memberId,
      memberEpoch: after.memberEpoch,
      heartbeatIntervalMs,
      assignment:
        isJoining || isFull || !isSameOwned(member.assigned, after.assigned)
          ? { topicPartitions: listed(after.assigned) }
          : null,
    },
    onRefused: nothingToUndo,
    onCommitted: () => {
      onUpgraded?.()
      startSession(shard, groupId, after.memberId)
      if (hasMoved) updateRebalanceTimeout(shard, groupId, after.memberId)
    },
  }
}

/** In v0 the broker makes it. */
export function newMemberId({ context }: ConsumerShard): string {
  return randomUuid((count) => context.env.random.bytes(count))
}

/** GROUP_ID_NOT_FOUND. */
export function consumerGroup(shard: ConsumerShard, groupId: string): ConsumerGroup {
  const group = shard.groups.get(groupId)
  if (group instanceof ConsumerGroup) return group
  throw new KafkaError('GROUP_ID_NOT_FOUND', `there is no consumer group ${groupId}`)
}

/** GROUP_MAX_SIZE_REACHED. */
export function checkRoom(shard: ConsumerShard, group: ConsumerGroup, memberId: string): void {
  const max = shard.context.config()['group.consumer.max.size']
  if (group.members.size < max || group.members.has(memberId)) return
  throw new KafkaError('GROUP_MAX_SIZE_REACHED', `group ${group.groupId} has ${max} members`)
}

/** Whether the groups of the broker may hold what the member adds to them. GROUP_MAX_SIZE_REACHED. */
export function checkMemory(
  { context }: ConsumerShard,
  group: ConsumerGroup,
  { memberId, topicNames }: { memberId: string; topicNames: readonly string[] | null },
): void {
  const member = group.members.get(memberId)
  if (topicNames === null && member !== undefined) return
  const more = textBytesOf(topicNames ?? []) - textBytesOf(member?.subscribedTopicNames ?? [])
  const taken = member === undefined ? more + memberBytes + groupBytes : more
  if (taken <= 0 || context.memory.take(taken)) return
  throw new KafkaError(
    'GROUP_MAX_SIZE_REACHED',
    `the groups of this broker hold all that they may: ${group.groupId} gets no more members`,
  )
}

function knownMember(
  group: ConsumerGroup,
  { memberId, instanceId }: ConsumerGroupHeartbeatRequest,
): ConsumerMember {
  return instanceId === null
    ? group.member(memberId)
    : staticMemberOf(group, { memberId, instanceId })
}

/** UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID. */
export function staticMemberOf(
  group: ConsumerGroup,
  { memberId, instanceId }: { memberId: string; instanceId: string },
): ConsumerMember {
  const member = group.staticMember(instanceId)
  if (member === undefined) {
    throw new KafkaError('UNKNOWN_MEMBER_ID', `nobody has the instance id ${instanceId}`)
  }
  if (member.memberId !== memberId) {
    throw new KafkaError(
      'FENCED_INSTANCE_ID',
      `instance ${instanceId} is member ${member.memberId} now, not ${memberId}`,
    )
  }
  return member
}

/** The epoch before is taken from a member that did not get the last answer: it has no more than it may. */
function checkEpoch(
  member: ConsumerMember,
  { memberEpoch: epoch, topicPartitions }: ConsumerGroupHeartbeatRequest,
): void {
  if (epoch === member.memberEpoch) return
  const missedAnAnswer =
    epoch < member.memberEpoch &&
    epoch === member.previousMemberEpoch &&
    topicPartitions !== null &&
    isWithin(topicPartitions, member.assigned)
  if (missedAnAnswer) return
  throw new KafkaError(
    'FENCED_MEMBER_EPOCH',
    `member ${member.memberId} is at epoch ${member.memberEpoch}, not ${epoch}: it must give up its partitions and join again`,
  )
}

/** The member as the request has it; the same object when that is what it was. */
function withRequest(
  member: ConsumerMember,
  request: ConsumerGroupHeartbeatRequest,
  { clientId, clientHost }: GroupClient,
): ConsumerMember {
  const { rebalanceTimeoutMs, subscribedTopicNames: names } = request
  const topicNames = names === null ? member.subscribedTopicNames : sortedNames(names)
  const updated: ConsumerMember = {
    ...member,
    instanceId: request.instanceId ?? member.instanceId,
    rackId: request.rackId ?? member.rackId,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
    serverAssignor: request.serverAssignor ?? member.serverAssignor,
    subscribedTopicNames: isSameList(topicNames, member.subscribedTopicNames)
      ? member.subscribedTopicNames
      : topicNames,
    subscribedTopicRegex: request.subscribedTopicRegex ?? member.subscribedTopicRegex,
    clientId,
    clientHost,
    classic: null,
  }
  return isSameMetadata(member, updated) ? member : updated
}

function leave(
  shard: ConsumerShard,
  { groupId, memberId, instanceId, memberEpoch }: ConsumerGroupHeartbeatRequest,
): ShardResult<HeartbeatAnswer> {
  const group = consumerGroup(shard, groupId)
  const member =
    instanceId === null ? group.member(memberId) : staticMemberOf(group, { memberId, instanceId })
  const response = { memberId, memberEpoch }
  if (instanceId === null || memberEpoch === leaveEpoch) {
    return removeMembers(shard, group, { leaving: [member], response })
  }
  // Its session goes on: if it is not back in time, it is removed.
  const left = { ...member, memberEpoch: staticLeaveEpoch, pendingRevocation: new Map() }
  return { records: [currentRecord(groupId, left)], response, onRefused: nothingToUndo }
}
