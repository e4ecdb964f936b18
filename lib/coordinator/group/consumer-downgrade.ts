/**
 * A consumer group becomes a classic one when its last member of the new protocol has gone. The
 * members that are left keep what they were to have, and rebalance among themselves.
 * Source: KIP-848; apache/kafka: .../GroupMetadataManager.java (convertToClassicGroup),
 * .../classic/ClassicGroup.java (fromConsumerGroup).
 */

import type { ClusterImage } from '../../metadata/image.ts'
import { decodeSubscription, encodeAssignment } from '../../protocol/consumer-protocol.ts'
import type { ShardRecord, ShardResult } from '../../shard/shard.ts'
import { type Assignment, listed, noAssignment, type OwnedPartitions } from './assignment.ts'
import { ClassicGroup } from './classic-group.ts'
import { prepareRebalance, touchMember } from './classic-rebalance.ts'
import { groupRecord } from './classic-records.ts'
import { consumerProtocolType } from './classic-subscription.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerMember } from './consumer-member.ts'
import { groupTombstones } from './consumer-records.ts'
import type { ConsumerShard } from './consumer-shard.ts'

/** Whether without `leaving` the group is one of classic members that may be a classic group. */
export function canDowngrade(
  shard: ConsumerShard,
  group: ConsumerGroup,
  leaving: readonly ConsumerMember[],
): boolean {
  const left = group.members.size - leaving.length
  const classicLeaving = leaving.filter(({ classic }) => classic !== null).length
  const isClassicOnly = group.classicMembers - classicLeaving === left
  return left > 0 && isClassicOnly && isDowngradeAllowed(shard, left)
}

/** Whether a member of the classic protocol that takes the place of `replaced` makes the group classic. */
export function canDowngradeByReplacing(
  shard: ConsumerShard,
  group: ConsumerGroup,
  replaced: ConsumerMember,
): boolean {
  return (
    replaced.classic === null &&
    group.classicMembers === group.members.size - 1 &&
    isDowngradeAllowed(shard, group.members.size)
  )
}

function isDowngradeAllowed(shard: ConsumerShard, size: number): boolean {
  const config = shard.context.config()
  const policy = config['group.consumer.migration.policy']
  const isEnabled = policy === 'downgrade' || policy === 'bidirectional'
  return isEnabled && size <= config['group.max.size']
}

/**
 * The classic group is in its place at once; when the log refuses the records, `restore` starts the
 * time-outs of the consumer group again. With `joining`, a member that stands for one that is gone.
 */
export function downgrade<R>(
  shard: ConsumerShard,
  group: ConsumerGroup,
  options: {
    leaving: readonly ConsumerMember[]
    joining?: { member: ConsumerMember; target: Assignment; needsRebalance: boolean }
    response: R
    restore: () => void
  },
): ShardResult<R> {
  const { leaving, joining, response, restore } = options
  const { groupId } = group
  const { context } = shard
  const classic = classicGroupOf(shard, group, { leaving, joining })
  group.close()
  shard.groups.set(groupId, classic)
  const records: ShardRecord[] = [...groupTombstones(group), groupRecord(classic)]
  for (const member of classic.members.values()) touchMember(shard, classic, member)
  context.env.log.info('group downgraded', { group: groupId, members: classic.members.size })
  if (joining?.needsRebalance !== false) {
    records.push(...prepareRebalance(shard, classic, 'it was a consumer group'))
  }
  return {
    records,
    response,
    onRefused: (error) => {
      classic.close(error)
      shard.groups.set(groupId, group)
      restore()
    },
  }
}

function classicGroupOf(
  shard: ConsumerShard,
  group: ConsumerGroup,
  {
    leaving,
    joining,
  }: {
    leaving: readonly ConsumerMember[]
    joining: { member: ConsumerMember; target: Assignment } | undefined
  },
): ClassicGroup {
  const { groupId, groupEpoch } = group
  const { image, env } = shard.context
  const gone = new Set(leaving.map(({ memberId }) => memberId))
  const members = [...group.members.values()].filter(({ memberId }) => !gone.has(memberId))
  if (joining !== undefined) members.push(joining.member)
  const classic = new ClassicGroup({
    groupId,
    state: 'Stable',
    stateSinceMs: env.clock.nowMs(),
    generationId: groupEpoch,
    protocolType: consumerProtocolType,
  })
  for (const member of members) {
    const { memberId, instanceId, clientId, clientHost, rebalanceTimeoutMs } = member
    const { sessionTimeoutMs, supportedProtocols } = classicOf(member)
    classic.addMember({
      memberId,
      groupInstanceId: instanceId,
      clientId,
      clientHost,
      rebalanceTimeoutMs,
      sessionTimeoutMs,
      protocolType: consumerProtocolType,
      protocols: supportedProtocols,
    })
  }
  classic.protocolName = classic.selectProtocol()
  classic.readSubscriptions()
  for (const member of classic.members.values()) {
    const isJoining = member.memberId === joining?.member.memberId
    const target = isJoining ? joining?.target : group.targets.get(member.memberId)
    const metadata = member.metadata(classic.protocolName)
    member.assignment = assignmentBytes(target ?? noAssignment, { metadata, image })
  }
  return classic
}

function classicOf({ classic }: ConsumerMember) {
  return classic ?? { sessionTimeoutMs: 0, supportedProtocols: [] }
}

/** An assignment as the leader of a classic group would have written it for this member. */
export function assignmentBytes(
  assignment: Assignment | OwnedPartitions,
  { metadata, image }: { metadata: Uint8Array; image: ClusterImage },
): Uint8Array {
  const assignedPartitions = listed(assignment).flatMap(({ topicId, partitions }) => {
    const topic = image.topicNames.get(topicId)
    return topic === undefined ? [] : [{ topic, partitions }]
  })
  return encodeAssignment({ assignedPartitions }, versionOf(metadata))
}

/** The version of the member's own subscription: what it can read. */
function versionOf(metadata: Uint8Array): number {
  decodeSubscription(metadata)
  return Math.min(Buffer.from(metadata).readInt16BE(0), 3)
}
