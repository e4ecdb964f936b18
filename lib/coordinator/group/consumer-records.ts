/**
 * The records that consumer groups write to `__consumer_offsets`, and what their values say.
 * Source: apache/kafka: .../group/GroupCoordinatorRecordHelpers.java.
 */

import type { TopicId } from '../../base/types.ts'
import {
  ConsumerGroupCurrentMemberAssignment as CurrentAssignmentRecord,
  ConsumerGroupMetadata as GroupEpochRecord,
  ConsumerGroupMemberMetadata as MemberRecord,
  ConsumerGroupRegularExpression as RegexRecord,
  ConsumerGroupTargetAssignmentMetadata as TargetEpochRecord,
  ConsumerGroupTargetAssignmentMember as TargetRecord,
  ConsumerGroupPartitionMetadata as TopicsRecord,
} from '../../protocol/coordinator/consumer-group-records.ts'
import { encodeGroupRecord } from '../../protocol/coordinator/group-records.ts'
import type { ShardRecord } from '../../shard/shard.ts'
import { type Assignment, listed, type OwnedPartitions } from './assignment.ts'
import type { ConsumerGroup, ResolvedRegex } from './consumer-group.ts'
import { type ConsumerMember, memberStates } from './consumer-member.ts'

export function memberRecord(groupId: string, member: ConsumerMember): ShardRecord {
  const { memberId, classic } = member
  return encodeGroupRecord(
    MemberRecord,
    { groupId, memberId },
    {
      instanceId: member.instanceId,
      rackId: member.rackId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: [...member.subscribedTopicNames],
      subscribedTopicRegex: member.subscribedTopicRegex,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
      serverAssignor: member.serverAssignor,
      classicMemberMetadata: classic && {
        sessionTimeoutMs: classic.sessionTimeoutMs,
        supportedProtocols: [...classic.supportedProtocols],
      },
    },
  )
}

export function groupEpochRecord(
  groupId: string,
  { epoch, metadataHash }: { epoch: number; metadataHash: number },
): ShardRecord {
  return encodeGroupRecord(GroupEpochRecord, { groupId }, { epoch, metadataHash })
}

export function targetRecord(groupId: string, memberId: string, target: Assignment): ShardRecord {
  const value = { topicPartitions: listed(target) }
  return encodeGroupRecord(TargetRecord, { groupId, memberId }, value)
}

export function targetEpochRecord(
  groupId: string,
  { epoch, nowMs }: { epoch: number; nowMs: number },
): ShardRecord {
  const value = { assignmentEpoch: epoch, assignmentTimestamp: nowMs }
  return encodeGroupRecord(TargetEpochRecord, { groupId }, value)
}

export function currentRecord(groupId: string, member: ConsumerMember): ShardRecord {
  const { memberId } = member
  return encodeGroupRecord(
    CurrentAssignmentRecord,
    { groupId, memberId },
    {
      memberEpoch: member.memberEpoch,
      previousMemberEpoch: member.previousMemberEpoch,
      state: memberStates[member.state],
      assignedPartitions: withEpochs(member.assigned),
      partitionsPendingRevocation: withEpochs(member.pendingRevocation),
    },
  )
}

function withEpochs(owned: OwnedPartitions) {
  return listed(owned).map(({ topicId, partitions }) => ({
    topicId,
    partitions,
    assignmentEpochs: partitions.map((partition) => owned.get(topicId)?.get(partition) ?? 0),
  }))
}

export function regexRecord(groupId: string, regex: string, resolved: ResolvedRegex): ShardRecord {
  const { topics, version, timestampMs } = resolved
  return encodeGroupRecord(
    RegexRecord,
    { groupId, regularExpression: regex },
    { topics: [...topics].sort(), version, timestamp: timestampMs },
  )
}

export function regexTombstone(groupId: string, regex: string): ShardRecord {
  return encodeGroupRecord(RegexRecord, { groupId, regularExpression: regex }, null)
}

export function topicsTombstone(groupId: string): ShardRecord {
  return encodeGroupRecord(TopicsRecord, { groupId }, null)
}

/** Takes a member back: what it owns, what it was to own, itself. */
export function memberTombstones(groupId: string, memberId: string): ShardRecord[] {
  return [
    encodeGroupRecord(CurrentAssignmentRecord, { groupId, memberId }, null),
    encodeGroupRecord(TargetRecord, { groupId, memberId }, null),
    encodeGroupRecord(MemberRecord, { groupId, memberId }, null),
  ]
}

/** Takes all of a group back. Members of `others` may have been written before it in the same batch. */
export function groupTombstones(
  group: ConsumerGroup,
  others: readonly string[] = [],
): ShardRecord[] {
  const { groupId } = group
  const memberIds = [...new Set([...group.members.keys(), ...others])]
  const each = (kind: typeof CurrentAssignmentRecord | typeof TargetRecord | typeof MemberRecord) =>
    memberIds.map((memberId) => memberTombstone(kind, groupId, memberId))
  return [
    ...each(CurrentAssignmentRecord),
    ...each(TargetRecord),
    encodeGroupRecord(TargetEpochRecord, { groupId }, null),
    ...each(MemberRecord),
    ...[...group.resolvedRegexes.keys()].map((regex) => regexTombstone(groupId, regex)),
    ...(group.hasTopicRecord ? [topicsTombstone(groupId)] : []),
    encodeGroupRecord(GroupEpochRecord, { groupId }, null),
  ]
}

function memberTombstone(
  kind: typeof CurrentAssignmentRecord | typeof TargetRecord | typeof MemberRecord,
  groupId: string,
  memberId: string,
): ShardRecord {
  const key = { groupId, memberId }
  switch (kind.name) {
    case 'ConsumerGroupCurrentMemberAssignment':
      return encodeGroupRecord(kind, key, null)
    case 'ConsumerGroupTargetAssignmentMember':
      return encodeGroupRecord(kind, key, null)
    case 'ConsumerGroupMemberMetadata':
      return encodeGroupRecord(kind, key, null)
  }
}

/** What a ConsumerGroupCurrentMemberAssignment lists; epochs that an older broker did not write are the member's. */
export function ownedOf(
  listedPartitions: readonly {
    readonly topicId: TopicId
    readonly partitions: readonly number[]
    readonly assignmentEpochs: readonly number[] | null
  }[],
  memberEpoch: number,
): OwnedPartitions {
  const owned = new Map<TopicId, Map<number, number>>()
  for (const { topicId, partitions, assignmentEpochs } of listedPartitions) {
    const epochs = owned.get(topicId) ?? new Map<number, number>()
    partitions.forEach((partition, index) => {
      epochs.set(partition, assignmentEpochs?.[index] ?? memberEpoch)
    })
    if (epochs.size > 0) owned.set(topicId, epochs)
  }
  return owned
}
