/**
 * The steps of a member's report that members of both protocols share: who joins, what that changes
 * of the group, the new target, and the member's own next step. Each only adds records.
 * Source: KIP-848; apache/kafka: .../group/GroupMetadataManager.java.
 */

import { KafkaError } from '../../base/errors.ts'
import type { ShardRecord } from '../../shard/shard.ts'
import type { Assignment, TopicPartitions } from './assignment.ts'
import { noAssignment } from './assignment.ts'
import type { ConsumerGroup, ResolvedRegex } from './consumer-group.ts'
import {
  type ConsumerMember,
  isReconciledTo,
  isSameList,
  isSamePosition,
  newMember,
  staticLeaveEpoch,
} from './consumer-member.ts'
import { reconcile } from './consumer-reconcile.ts'
import {
  currentRecord,
  groupEpochRecord,
  memberRecord,
  memberTombstones,
  targetRecord,
  topicsTombstone,
} from './consumer-records.ts'
import { type ConsumerShard, servedAssignors } from './consumer-shard.ts'
import { refreshRegexes } from './consumer-subscription.ts'
import { assignTargets, membersWith, metadataHash, subscribedTopicIds } from './consumer-target.ts'

/** Kafka's first epoch with an assignment: 1 is that of a group whose expression is not resolved. */
const firstEpoch = 2

/** A member's report on its way through the steps. */
export interface Report {
  /** As the log has it, or new. */
  readonly before: ConsumerMember
  /** As the request has it. */
  readonly updated: ConsumerMember
  /** What it says it owns. */
  readonly reported: readonly TopicPartitions[] | null
  /** Whether `updated` is `before`. */
  readonly isSame: boolean
}

/**
 * The member that joins: known, new, or in the place of the static member that its instance was.
 * UNRELEASED_INSTANCE_ID while the old one has not left.
 */
export function memberToJoin(
  group: ConsumerGroup,
  joining: { memberId: string; instanceId: string | null; isClassic: boolean },
  records: ShardRecord[],
): ConsumerMember {
  const { memberId, instanceId, isClassic } = joining
  if (instanceId === null) return group.members.get(memberId) ?? newMember(memberId)
  const before = group.staticMember(instanceId)
  if (before === undefined) return group.members.get(memberId) ?? newMember(memberId)
  const isFree = before.memberEpoch === staticLeaveEpoch
  if (!isFree && !isClassic && before.classic === null) {
    throw new KafkaError(
      'UNRELEASED_INSTANCE_ID',
      `instance ${instanceId} is in use by member ${before.memberId}`,
    )
  }
  const { groupId } = group
  const next = { ...before, memberId, memberEpoch: 0, previousMemberEpoch: 0 }
  if (before.memberId !== memberId) records.push(...memberTombstones(groupId, before.memberId))
  records.push(
    memberRecord(groupId, next),
    targetRecord(groupId, memberId, group.targetOf(before)),
    currentRecord(groupId, next),
  )
  return next
}

/** All that follows from a report: `after` is the member as the records make it. */
export function advance(
  shard: ConsumerShard,
  group: ConsumerGroup,
  report: Report,
  records: ShardRecord[],
): { after: ConsumerMember; hasMoved: boolean } {
  const { before, updated, isSame } = report
  if (!isSame) records.push(memberRecord(group.groupId, updated))
  const isRenamed = !isSameList(before.subscribedTopicNames, updated.subscribedTopicNames)
  const regexes = refreshRegexes(shard, group, report, records)
  const changed = { mustBump: isRenamed || regexes.hasChanged || group.groupEpoch === 0 }
  const epoch = updateEpoch(
    shard,
    group,
    { ...changed, updated, resolved: regexes.resolved },
    records,
  )
  const target = updateTarget(shard, group, { epoch, updated, resolved: regexes.resolved }, records)
  return step(
    shard,
    group,
    {
      ...report,
      ...target,
      resolved: regexes.resolved,
      isSubscriptionChanged:
        isRenamed || before.subscribedTopicRegex !== updated.subscribedTopicRegex,
    },
    records,
  )
}

/** The group epoch, one up if the group depends on something else than before. */
export function updateEpoch(
  shard: ConsumerShard,
  group: ConsumerGroup,
  change: {
    mustBump: boolean
    updated: ConsumerMember
    resolved: ReadonlyMap<string, ResolvedRegex>
  },
  records: ShardRecord[],
): number {
  const { image } = shard.context
  if (!change.mustBump && group.checkedTopics === image.topics) return group.groupEpoch
  const topics = group.subscribedTopicsOf(
    membersWith(group, change.updated).values(),
    change.resolved,
  )
  const hash = metadataHash(image, topics)
  if (group.hasTopicRecord) records.push(topicsTombstone(group.groupId))
  if (!change.mustBump && hash === group.metadataHash) {
    // Nothing to look at until the topics are others. After a change it is looked at once more.
    group.checkedTopics = image.topics
    return group.groupEpoch
  }
  const epoch = group.groupEpoch === 0 ? firstEpoch : group.groupEpoch + 1
  records.push(groupEpochRecord(group.groupId, { epoch, metadataHash: hash }))
  return epoch
}

/** The target of the member, and of which epoch it is. */
export function updateTarget(
  shard: ConsumerShard,
  group: ConsumerGroup,
  change: {
    epoch: number
    updated: ConsumerMember
    resolved: ReadonlyMap<string, ResolvedRegex>
  },
  records: ShardRecord[],
): { targetEpoch: number; target: Assignment } {
  const { epoch, updated, resolved } = change
  if (epoch <= group.assignmentEpoch) {
    return { targetEpoch: group.assignmentEpoch, target: group.targetOf(updated) }
  }
  const { context } = shard
  const { records: made, targets } = assignTargets(
    group,
    { members: membersWith(group, updated), resolved },
    {
      image: context.image,
      epoch,
      served: servedAssignors(context.config()),
      nowMs: context.env.clock.nowMs(),
    },
  )
  records.push(...made)
  return { targetEpoch: epoch, target: targets.get(updated.memberId) ?? noAssignment }
}

/** Moves the member towards its target. */
export function step(
  shard: ConsumerShard,
  group: ConsumerGroup,
  aim: Pick<Report, 'updated' | 'reported'> & {
    targetEpoch: number
    target: Assignment
    isSubscriptionChanged: boolean
    resolved: ReadonlyMap<string, ResolvedRegex>
  },
  records: ShardRecord[],
): { after: ConsumerMember; hasMoved: boolean } {
  const { updated, targetEpoch, isSubscriptionChanged, resolved } = aim
  if (!isSubscriptionChanged && isReconciledTo(updated, targetEpoch)) {
    return { after: updated, hasMoved: false }
  }
  const after = reconcile(updated, {
    ...aim,
    subscribed: subscribedTopicIds(updated, shard.context.image, resolved),
    isOwned: (topicId, partition) => group.isOwned(topicId, partition),
  })
  if (isSamePosition(after, updated)) return { after: updated, hasMoved: false }
  records.push(currentRecord(group.groupId, after))
  return { after, hasMoved: true }
}
