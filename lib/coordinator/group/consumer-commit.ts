/**
 * Who may commit and read the offsets of a consumer group: members at their epoch, and simple
 * consumers while there are no members.
 * Source: KIP-848, KIP-1251; apache/kafka: .../modern/consumer/ConsumerGroup.java (validateOffset...).
 */

import { KafkaError } from '../../base/errors.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { assignmentEpochOf, type ConsumerMember } from './consumer-member.ts'
import type { CommittedTopics, Committer } from './group.ts'

/** OffsetCommit's first version that knows member epochs. */
const epochVersion = 9

/**
 * A commit on its way while the member went to a newer epoch still counts for partitions that the
 * member has had since then. UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, ILLEGAL_GENERATION,
 * UNSUPPORTED_VERSION.
 */
export function checkMemberCommit(
  group: ConsumerGroup,
  committer: Committer,
  topics: CommittedTopics,
): void {
  const { memberId, generationIdOrMemberEpoch: epoch, apiVersion } = committer
  if (epoch < 0 && group.isEmpty) return
  const member = group.member(memberId)
  if (member.classic === null && apiVersion < epochVersion) {
    throw new KafkaError(
      'UNSUPPORTED_VERSION',
      `OffsetCommit v${apiVersion}: members of the consumer protocol need v${epochVersion} or above`,
    )
  }
  if (epoch < member.memberEpoch && topics.every((topic) => hasHad(member, topic, epoch))) return
  checkEpoch(member, epoch)
}

function hasHad(
  member: ConsumerMember,
  { topicId, partitions }: CommittedTopics[number],
  epoch: number,
): boolean {
  return partitions.every(({ partitionIndex }) => {
    const since = assignmentEpochOf(member, topicId, partitionIndex)
    return since !== undefined && since <= epoch
  })
}

/** UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, ILLEGAL_GENERATION. */
export function checkMemberFetch(
  group: ConsumerGroup,
  memberId: string | null,
  memberEpoch: number,
): void {
  if (memberId === null && memberEpoch < 0) return
  checkEpoch(group.member(memberId ?? ''), memberEpoch)
}

function checkEpoch(member: ConsumerMember, epoch: number): void {
  if (epoch === member.memberEpoch) return
  throw new KafkaError(
    member.classic === null ? 'STALE_MEMBER_EPOCH' : 'ILLEGAL_GENERATION',
    `member ${member.memberId} is at epoch ${member.memberEpoch}, the request at ${epoch}`,
  )
}
