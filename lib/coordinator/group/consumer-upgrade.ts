/**
 * A classic group becomes a consumer group when a member of the new protocol joins it. Its members
 * stay, with what they have, and go on with JoinGroup, SyncGroup and Heartbeat (consumer-classic.ts).
 * Source: KIP-848; apache/kafka: .../GroupMetadataManager.java (convertToConsumerGroup),
 * .../modern/consumer/ConsumerGroup.java (fromClassicGroup).
 */

import { DecodeError, errorCode, KafkaError } from '../../base/errors.ts'
import type { TopicId } from '../../base/types.ts'
import type { ClusterImage } from '../../metadata/image.ts'
import { decodeAssignment, decodeSubscription } from '../../protocol/consumer-protocol.ts'
import type { ShardRecord } from '../../shard/shard.ts'
import { assignmentOf, type TopicPartitions } from './assignment.ts'
import { ClassicGroup } from './classic-group.ts'
import type { ClassicMember } from './classic-member.ts'
import { consumerProtocolType } from './classic-subscription.ts'
import { ConsumerGroup } from './consumer-group.ts'
import { type ConsumerMember, newMember, sortedNames } from './consumer-member.ts'
import {
  currentRecord,
  groupEpochRecord,
  memberRecord,
  ownedOf,
  targetEpochRecord,
  targetRecord,
} from './consumer-records.ts'
import type { ConsumerShard } from './consumer-shard.ts'
import { startSession } from './consumer-timeouts.ts'

export interface JoinedGroup {
  readonly group: ConsumerGroup
  readonly onCommitted?: () => void
}

/** The group that a new member joins: there, new, or made of a classic one. GROUP_ID_NOT_FOUND. */
export function groupToJoin(
  shard: ConsumerShard,
  groupId: string,
  records: ShardRecord[],
): JoinedGroup {
  const known = shard.groups.get(groupId)
  if (known instanceof ConsumerGroup) return { group: known }
  if (known === undefined || known.isEmpty) {
    records.push(...(known?.tombstones() ?? []))
    return { group: new ConsumerGroup(groupId, shard.context.env.clock) }
  }
  if (!(known instanceof ClassicGroup)) throw notUpgraded(groupId, 'it is of another kind')
  return upgrade(shard, known, records)
}

function upgrade(shard: ConsumerShard, classic: ClassicGroup, records: ShardRecord[]): JoinedGroup {
  const { groupId, generationId } = classic
  checkUpgrade(shard, classic)
  const { context } = shard
  const members = Array.from(classic.members.values(), (member) =>
    converted(classic, member, context.image),
  )
  answerParked(classic)
  const group = new ConsumerGroup(groupId, context.env.clock)
  group.groupEpoch = generationId
  group.assignmentEpoch = generationId
  for (const member of members) {
    group.putMember(member)
    group.targets.set(member.memberId, targetLike(member))
  }
  const nowMs = context.env.clock.nowMs()
  records.push(
    ...classic.tombstones(),
    ...members.map((member) => memberRecord(groupId, member)),
    groupEpochRecord(groupId, { epoch: generationId, metadataHash: 0 }),
    ...members.map((member) => targetRecord(groupId, member.memberId, targetLike(member))),
    targetEpochRecord(groupId, { epoch: generationId, nowMs }),
    ...members.map((member) => currentRecord(groupId, member)),
  )
  context.env.log.info('group upgraded', { group: groupId, members: members.length })
  return {
    group,
    onCommitted: () => {
      for (const { memberId } of members) startSession(shard, groupId, memberId)
    },
  }
}

/**
 * Whoever waits for the classic rebalance is told of its next step. A join is answered with what the
 * member is now: it goes on to SyncGroup, and that sends it into the new rebalance. Kafka answers it
 * with REBALANCE_IN_PROGRESS, which librdkafka hands on to the application as an error.
 */
function answerParked(classic: ClassicGroup): void {
  const { generationId } = classic
  for (const member of classic.members.values()) {
    const { memberId, protocols } = member
    const protocolName = protocols[0]?.name ?? ''
    const protocolType = consumerProtocolType
    classic.answerJoin(member, { memberId, generationId, protocolType, protocolName })
    classic.answerSync(member, { errorCode: errorCode('REBALANCE_IN_PROGRESS') })
  }
}

function checkUpgrade(shard: ConsumerShard, classic: ClassicGroup): void {
  const { groupId, members } = classic
  const config = shard.context.config()
  const policy = config['group.consumer.migration.policy']
  const max = config['group.consumer.max.size']
  if (policy !== 'upgrade' && policy !== 'bidirectional') {
    throw notUpgraded(groupId, `group.consumer.migration.policy is ${policy}`)
  }
  if (!classic.isConsumers) throw notUpgraded(groupId, `its members are ${classic.protocolType}`)
  if (members.size > max) throw notUpgraded(groupId, `it has more than ${max} members`)
}

function notUpgraded(groupId: string, reason: string): KafkaError {
  return new KafkaError(
    'GROUP_ID_NOT_FOUND',
    `${groupId} is a classic group and cannot become a consumer group: ${reason}`,
  )
}

function converted(
  classic: ClassicGroup,
  member: ClassicMember,
  image: ClusterImage,
): ConsumerMember {
  const { groupId, generationId, protocolName } = classic
  // A member that has just joined may lack the protocol that the others last agreed on.
  const isShared = member.protocols.some(({ name }) => name === protocolName)
  const metadata = member.metadata(isShared ? protocolName : (member.protocols[0]?.name ?? null))
  let said: { topics: readonly string[]; rackId: string | null; owned: TopicPartitions[] }
  try {
    const { topics, rackId } = decodeSubscription(metadata)
    said = { topics, rackId, owned: ownedByAssignment(groupId, member, image) }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw notUpgraded(groupId, `what member ${member.memberId} wrote cannot be read`)
  }
  const listedOwned = said.owned.map((one) => ({ ...one, assignmentEpochs: null }))
  return {
    ...newMember(member.memberId),
    instanceId: member.groupInstanceId,
    rackId: said.rackId,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: sortedNames(said.topics),
    classic: {
      sessionTimeoutMs: member.sessionTimeoutMs,
      supportedProtocols: member.protocols,
    },
    memberEpoch: generationId,
    previousMemberEpoch: generationId,
    assigned: ownedOf(listedOwned, generationId),
  }
}

function ownedByAssignment(
  groupId: string,
  { assignment }: ClassicMember,
  image: ClusterImage,
): TopicPartitions[] {
  if (assignment.length === 0) return []
  const { assignedPartitions, userData } = decodeAssignment(assignment)
  if (userData !== null && userData.length > 0) {
    throw notUpgraded(groupId, 'its assignor keeps data of its own in assignments')
  }
  return withIds(assignedPartitions, image)
}

/** Without topics that have gone. */
export function withIds(
  named: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
  image: ClusterImage,
): TopicPartitions[] {
  return named.flatMap(({ topic, partitions }) => {
    const known = image.topics.get(topic)
    return known === undefined ? [] : [{ topicId: known.topicId, partitions }]
  })
}

function targetLike({ assigned }: ConsumerMember): ReadonlyMap<TopicId, ReadonlySet<number>> {
  return assignmentOf(
    Array.from(assigned, ([topicId, partitions]) => ({
      topicId,
      partitions: [...partitions.keys()],
    })),
  )
}
