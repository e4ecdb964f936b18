/**
 * What the log says of consumer groups. Records of a member may come in any order and, once the log
 * was compacted, without those that stood before them; so each makes what it needs.
 * Source: apache/kafka: .../group/GroupMetadataManager.java (replay).
 */

import type { ClusterImage } from '../../metadata/image.ts'
import type { GroupRecord } from '../../protocol/coordinator/group-records.ts'
import type { ReplayPlace } from '../../shard/shard.ts'
import { assignmentOf, nothingOwned } from './assignment.ts'
import { ConsumerGroup } from './consumer-group.ts'
import {
  type ConsumerMember,
  leaveEpoch,
  memberStateOf,
  newMember,
  sortedNames,
} from './consumer-member.ts'
import { ownedOf } from './consumer-records.ts'
import { loadRegexEngine } from './consumer-regex.ts'
import { startMemberTimers } from './consumer-timeouts.ts'
import type { GroupShard } from './group-shard.ts'

export type ConsumerRecord = Exclude<
  GroupRecord,
  { readonly kind: 'GroupMetadata' | 'OffsetCommit' | 'LegacyOffsetCommit' }
>
type RecordOf<K extends ConsumerRecord['kind']> = Extract<ConsumerRecord, { readonly kind: K }>

export function replayConsumerRecord(
  shard: GroupShard,
  record: ConsumerRecord,
  _place: ReplayPlace,
): void {
  const { groupId } = record.key
  const group = consumerGroupOf(shard, groupId, record.value !== null)
  if (group === null) return
  switch (record.kind) {
    case 'ConsumerGroupMetadata':
      if (record.value === null) {
        group.close()
        shard.groups.delete(groupId)
        return
      }
      group.groupEpoch = record.value.epoch
      group.metadataHash = record.value.metadataHash
      return
    case 'ConsumerGroupPartitionMetadata':
      group.hasTopicRecord = record.value !== null
      return
    case 'ConsumerGroupMemberMetadata':
      return replayMember(group, record)
    case 'ConsumerGroupTargetAssignmentMetadata':
      group.assignmentEpoch = record.value?.assignmentEpoch ?? -1
      return
    case 'ConsumerGroupTargetAssignmentMember':
      if (record.value === null) group.targets.delete(record.key.memberId)
      else group.targets.set(record.key.memberId, assignmentOf(record.value.topicPartitions))
      return
    case 'ConsumerGroupCurrentMemberAssignment':
      return replayCurrentAssignment(group, record)
    case 'ConsumerGroupRegularExpression':
      return replayRegex(group, record)
  }
}

/** A classic group in its place is one that only has offsets, or was taken back in the same batch. */
function consumerGroupOf(
  shard: GroupShard,
  groupId: string,
  isMade: boolean,
): ConsumerGroup | null {
  const known = shard.groups.get(groupId)
  if (known instanceof ConsumerGroup) return known
  if (!isMade) return null
  const made = new ConsumerGroup(groupId, shard.context.env.clock)
  shard.groups.set(groupId, made)
  return made
}

function replayMember(
  group: ConsumerGroup,
  { key, value }: RecordOf<'ConsumerGroupMemberMetadata'>,
): void {
  const { memberId } = key
  if (value === null) return group.removeMember(memberId)
  const { classicMemberMetadata: classic } = value
  group.putMember({
    ...(group.members.get(memberId) ?? newMember(memberId)),
    instanceId: value.instanceId,
    rackId: value.rackId,
    clientId: value.clientId,
    clientHost: value.clientHost,
    subscribedTopicNames: sortedNames(value.subscribedTopicNames),
    subscribedTopicRegex: value.subscribedTopicRegex ?? '',
    rebalanceTimeoutMs: value.rebalanceTimeoutMs,
    serverAssignor: value.serverAssignor,
    classic,
  })
}

function replayCurrentAssignment(
  group: ConsumerGroup,
  { key, value }: RecordOf<'ConsumerGroupCurrentMemberAssignment'>,
): void {
  const { memberId } = key
  const before = group.members.get(memberId)
  if (value === null) {
    if (before !== undefined) group.putMember(withoutAll(before))
    return
  }
  const { memberEpoch } = value
  group.putMember({
    ...(before ?? newMember(memberId)),
    memberEpoch,
    previousMemberEpoch: value.previousMemberEpoch,
    state: memberStateOf(value.state),
    assigned: ownedOf(value.assignedPartitions, memberEpoch),
    pendingRevocation: ownedOf(value.partitionsPendingRevocation, memberEpoch),
  })
}

function withoutAll(member: ConsumerMember): ConsumerMember {
  return {
    ...member,
    memberEpoch: leaveEpoch,
    previousMemberEpoch: leaveEpoch,
    assigned: nothingOwned,
    pendingRevocation: nothingOwned,
  }
}

function replayRegex(
  group: ConsumerGroup,
  { key, value }: RecordOf<'ConsumerGroupRegularExpression'>,
): void {
  group.putRegex(
    key.regularExpression,
    value && {
      topics: new Set(value.topics),
      version: value.version,
      timestampMs: value.timestamp,
    },
  )
}

/** The log was read: sessions of the members in it begin. */
export function startConsumerGroups(shard: GroupShard): void {
  for (const group of shard.groups.values()) {
    if (!(group instanceof ConsumerGroup)) continue
    startMemberTimers(shard, group)
    if (group.resolvedRegexes.size > 0) loadForRefresh(shard)
  }
}

/** Expressions are looked at again when topics come; until the engine is there, they stay as they were. */
function loadForRefresh({ context }: GroupShard): void {
  loadRegexEngine().catch((error) => {
    context.env.log.error('regex engine not loaded', { reason: String(error) })
  })
}

/** Groups look at the topics themselves, when a member reports (consumer-heartbeat.ts). */
export function updateConsumerGroups(_shard: GroupShard, _image: ClusterImage): void {}
