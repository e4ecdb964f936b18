/**
 * Members of the classic protocol in a consumer group: JoinGroup, SyncGroup, Heartbeat and LeaveGroup
 * over the state that ConsumerGroupHeartbeat works on. The broker assigns, so none of them leads, and
 * none waits for another: a generation is the member's epoch, "join again" means that there is a step
 * to take, and SyncGroup tells what the member has now.
 * Source: KIP-848; apache/kafka: .../GroupMetadataManager.java (classicGroup...ToConsumerGroup).
 */

import { DecodeError, errorCode, KafkaError } from '../../base/errors.ts'
import type { HeartbeatRequest } from '../../protocol/apis/heartbeat.ts'
import type { JoinGroupRequest } from '../../protocol/apis/join-group.ts'
import type { SyncGroupRequest } from '../../protocol/apis/sync-group.ts'
import {
  type ConsumerProtocolSubscription,
  decodeSubscription,
} from '../../protocol/consumer-protocol.ts'
import type { ShardRecord, ShardResult } from '../../shard/shard.ts'
import { type GroupClient, joinGroup } from './classic-join.ts'
import { heartbeat, type Leaving, type Left, leaveGroup } from './classic-leave.ts'
import type { JoinAnswer, SyncAnswer } from './classic-member.ts'
import { consumerProtocolType } from './classic-subscription.ts'
import { syncGroup } from './classic-sync.ts'
import { assignmentBytes, canDowngradeByReplacing, downgrade } from './consumer-downgrade.ts'
import { ConsumerGroup } from './consumer-group.ts'
import { checkMemory, checkRoom, newMemberId, staticMemberOf } from './consumer-heartbeat.ts'
import { type ConsumerMember, isSameList, isSameMetadata, sortedNames } from './consumer-member.ts'
import type { ConsumerShard } from './consumer-shard.ts'
import { advance, memberToJoin } from './consumer-steps.ts'
import {
  removeMembers,
  startClassicTimeout,
  startMemberTimers,
  startSession,
} from './consumer-timeouts.ts'
import { withIds } from './consumer-upgrade.ts'
import { nothingToUndo } from './offset-expiry.ts'

const memberIdRequiredVersion = 4

/** JoinGroup, of a group of either kind. */
export function joinAnyGroup(
  shard: ConsumerShard,
  request: JoinGroupRequest,
  client: GroupClient,
): ShardResult<JoinAnswer> {
  const group = shard.groups.get(request.groupId)
  const isConsumers = group instanceof ConsumerGroup && !group.isEmpty
  return isConsumers ? join(shard, group, { request, client }) : joinGroup(shard, request, client)
}

/** SyncGroup, of a group of either kind. */
export function syncAnyGroup(
  shard: ConsumerShard,
  request: SyncGroupRequest,
): ShardResult<SyncAnswer> {
  const group = shard.groups.get(request.groupId)
  return group instanceof ConsumerGroup ? sync(shard, group, request) : syncGroup(shard, request)
}

/** Heartbeat, of a group of either kind. */
export function heartbeatAnyGroup(
  shard: ConsumerShard,
  request: HeartbeatRequest,
): ShardResult<void> {
  const group = shard.groups.get(request.groupId)
  return group instanceof ConsumerGroup ? beat(shard, group, request) : heartbeat(shard, request)
}

/** LeaveGroup, of a group of either kind. */
export function leaveAnyGroup(
  shard: ConsumerShard,
  request: { groupId: string; members: readonly Leaving[] },
): ShardResult<Left[]> {
  const group = shard.groups.get(request.groupId)
  return group instanceof ConsumerGroup
    ? leave(shard, group, request.members)
    : leaveGroup(shard, request)
}

interface Joining {
  readonly request: JoinGroupRequest
  readonly client: GroupClient
}

function join(
  shard: ConsumerShard,
  group: ConsumerGroup,
  joining: Joining,
): ShardResult<JoinAnswer> {
  const { request, client } = joining
  const { groupInstanceId: instanceId } = request
  const isUnknown = request.memberId === ''
  const memberId = isUnknown ? newMemberId(shard) : request.memberId
  checkRoom(shard, group, memberId)
  const subscription = checkProtocols(group, request)
  checkMemory(shard, group, { memberId, topicNames: subscription.topics })
  if (isUnknown && instanceId === null && client.apiVersion >= memberIdRequiredVersion) {
    const errorAnswer = { memberId, errorCode: errorCode('MEMBER_ID_REQUIRED') }
    return { records: [], response: errorAnswer }
  }
  if (!group.members.has(memberId) && !isUnknown && subscription.ownedPartitions.length > 0) {
    // It was removed, and what it holds may be another's by now: it must begin anew, with nothing.
    throw new KafkaError('UNKNOWN_MEMBER_ID', `${memberId} is no member of group ${group.groupId}`)
  }
  const replaced = instanceId === null ? undefined : group.staticMember(instanceId)
  if (replaced !== undefined && isUnknown && canDowngradeByReplacing(shard, group, replaced)) {
    return joinByReplacing(shard, group, { ...joining, subscription, replaced, memberId })
  }
  const records: ShardRecord[] = []
  const before =
    instanceId === null || isUnknown
      ? memberToJoin(group, { memberId, instanceId, isClassic: true }, records)
      : staticMemberOf(group, { memberId, instanceId })
  const updated = withJoin(before, joining, subscription)
  const { after } = advance(
    shard,
    group,
    {
      before,
      updated,
      reported: withIds(subscription.ownedPartitions, shard.context.image),
      isSame: isSameMetadata(before, updated),
    },
    records,
  )
  return {
    records,
    response: joined(after),
    onRefused: nothingToUndo,
    onCommitted: () => {
      const current = shard.groups.get(group.groupId)
      if (!(current instanceof ConsumerGroup)) return
      current.timers.cancel(memberId, 'join')
      current.timers.cancel(memberId, 'rebalance')
      startSession(shard, group.groupId, memberId)
      const ms = after.rebalanceTimeoutMs
      startClassicTimeout(shard, current, { memberId, kind: 'sync', ms })
    },
  }
}

/** The last member of the new protocol comes back as one of the classic protocol. */
function joinByReplacing(
  shard: ConsumerShard,
  group: ConsumerGroup,
  options: Joining & {
    subscription: ConsumerProtocolSubscription
    replaced: ConsumerMember
    memberId: string
  },
): ShardResult<JoinAnswer> {
  const { subscription, replaced, memberId } = options
  const member = withJoin({ ...replaced, memberId }, options, subscription)
  const needsRebalance =
    replaced.subscribedTopicRegex !== '' ||
    !isSameList(member.subscribedTopicNames, replaced.subscribedTopicNames)
  const generation = { ...member, memberEpoch: group.groupEpoch }
  return downgrade(shard, group, {
    leaving: [replaced],
    joining: { member, target: group.targetOf(replaced), needsRebalance },
    response: joined(generation),
    restore: () => startMemberTimers(shard, group),
  })
}

/** INCONSISTENT_GROUP_PROTOCOL. */
function checkProtocols(
  group: ConsumerGroup,
  { protocolType, protocols }: JoinGroupRequest,
): ConsumerProtocolSubscription {
  const [first] = protocols
  const classics = [...group.members.values()].flatMap(({ classic }) => classic ?? [])
  const isSupported = protocols.some(({ name }) =>
    classics.every(({ supportedProtocols }) => supportedProtocols.some((one) => one.name === name)),
  )
  if (protocolType !== consumerProtocolType || first === undefined || !isSupported) {
    throw new KafkaError(
      'INCONSISTENT_GROUP_PROTOCOL',
      `group ${group.groupId} is of consumers that have no protocol in common with this one`,
    )
  }
  try {
    return decodeSubscription(first.metadata)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new KafkaError('INCONSISTENT_GROUP_PROTOCOL', error.message, { cause: error })
  }
}

/** The member as the request has it; the same object when that is what it was. Bytes outlive their frame. */
function withJoin(
  member: ConsumerMember,
  { request, client }: Joining,
  { topics, rackId }: ConsumerProtocolSubscription,
): ConsumerMember {
  const { sessionTimeoutMs, rebalanceTimeoutMs, protocols } = request
  const updated: ConsumerMember = {
    ...member,
    instanceId: request.groupInstanceId ?? member.instanceId,
    rackId: rackId ?? member.rackId,
    rebalanceTimeoutMs: client.apiVersion === 0 ? sessionTimeoutMs : rebalanceTimeoutMs,
    subscribedTopicNames: sortedNames(topics),
    subscribedTopicRegex: '',
    clientId: client.clientId,
    clientHost: client.clientHost,
    classic: {
      sessionTimeoutMs,
      supportedProtocols: protocols.map(({ name, metadata }) => ({
        name,
        metadata: metadata.slice(),
      })),
    },
  }
  return isSameMetadata(member, updated) ? member : updated
}

function joined(member: ConsumerMember): JoinAnswer {
  return {
    memberId: member.memberId,
    generationId: member.memberEpoch,
    protocolType: consumerProtocolType,
    protocolName: protocolNameOf(member),
  }
}

function protocolNameOf({ classic }: ConsumerMember): string {
  return classic?.supportedProtocols[0]?.name ?? ''
}

function sync(
  shard: ConsumerShard,
  group: ConsumerGroup,
  request: SyncGroupRequest,
): ShardResult<SyncAnswer> {
  const { groupId } = group
  const { memberId, protocolType, protocolName } = request
  const member = classicMember(group, request)
  checkGeneration(member, request.generationId)
  const isOther =
    (protocolType !== null && protocolType !== consumerProtocolType) ||
    (protocolName !== null && protocolName !== protocolNameOf(member))
  if (isOther) {
    throw new KafkaError(
      'INCONSISTENT_GROUP_PROTOCOL',
      `${protocolType}/${protocolName}, but the member joined with ${protocolNameOf(member)}`,
    )
  }
  if (group.groupEpoch > member.memberEpoch && member.state !== 'UNREVOKED_PARTITIONS') {
    awaitJoin(shard, group, member)
    throw new KafkaError('REBALANCE_IN_PROGRESS', `group ${groupId} has changed: join again`)
  }
  const metadata = member.classic?.supportedProtocols[0]?.metadata ?? new Uint8Array(0)
  const assignment = assignmentBytes(member.assigned, { metadata, image: shard.context.image })
  return {
    records: [],
    response: { protocolType, protocolName, assignment },
    onCommitted: () => {
      group.timers.cancel(memberId, 'sync')
      startSession(shard, groupId, memberId)
    },
  }
}

function beat(
  shard: ConsumerShard,
  group: ConsumerGroup,
  request: HeartbeatRequest,
): ShardResult<void> {
  const member = classicMember(group, request)
  checkGeneration(member, request.generationId)
  startSession(shard, group.groupId, member.memberId)
  const hasStepToTake =
    member.memberEpoch < group.groupEpoch ||
    member.state === 'UNREVOKED_PARTITIONS' ||
    (member.state === 'UNRELEASED_PARTITIONS' && !waitsForOthers(group, member))
  if (hasStepToTake) {
    awaitJoin(shard, group, member)
    throw new KafkaError('REBALANCE_IN_PROGRESS', `group ${group.groupId} has changed: join again`)
  }
  return { records: [], response: undefined }
}

/** Whether a partition that the member is to have still has another owner. */
function waitsForOthers(group: ConsumerGroup, member: ConsumerMember): boolean {
  for (const [topicId, partitions] of group.targetOf(member)) {
    const assigned = member.assigned.get(topicId)
    for (const partition of partitions) {
      if (!assigned?.has(partition) && group.isOwned(topicId, partition)) return true
    }
  }
  return false
}

/** It has been told to join again: now it has its rebalance time-out to do so. */
function awaitJoin(shard: ConsumerShard, group: ConsumerGroup, member: ConsumerMember): void {
  const { memberId, rebalanceTimeoutMs: ms } = member
  if (group.timers.isSet(memberId, 'join')) return
  startClassicTimeout(shard, group, { memberId, kind: 'join', ms })
}

interface Named {
  readonly memberId: string
  readonly groupInstanceId: string | null
}

/** UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID. */
function knownMember(
  group: ConsumerGroup,
  { memberId, groupInstanceId: instanceId }: Named,
): ConsumerMember {
  return instanceId === null
    ? group.member(memberId)
    : staticMemberOf(group, { memberId, instanceId })
}

/** UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID; also for members that do not speak the classic protocol. */
function classicMember(group: ConsumerGroup, named: Named): ConsumerMember {
  const member = knownMember(group, named)
  if (member.classic !== null) return member
  throw new KafkaError(
    'UNKNOWN_MEMBER_ID',
    `member ${member.memberId} does not speak the classic protocol`,
  )
}

function checkGeneration(member: ConsumerMember, generationId: number): void {
  if (generationId === member.memberEpoch) return
  throw new KafkaError(
    'ILLEGAL_GENERATION',
    `generation ${generationId}, but member ${member.memberId} is at epoch ${member.memberEpoch}`,
  )
}

/** Members of either protocol: administrators remove them so. */
function leave(
  shard: ConsumerShard,
  group: ConsumerGroup,
  members: readonly Leaving[],
): ShardResult<Left[]> {
  const leaving = new Map<string, ConsumerMember>()
  const response = members.map(({ memberId, groupInstanceId }): Left => {
    try {
      // An administrator knows the instance only.
      const isByInstance = memberId === '' && groupInstanceId !== null
      const known = isByInstance ? group.staticMembers.get(groupInstanceId) : undefined
      const member = knownMember(group, { memberId: known ?? memberId, groupInstanceId })
      leaving.set(member.memberId, member)
      return { memberId: member.memberId, groupInstanceId, errorCode: 0 }
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      return { memberId, groupInstanceId, errorCode: error.code }
    }
  })
  return removeMembers(shard, group, { leaving: [...leaving.values()], response })
}
