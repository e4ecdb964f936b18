/**
 * Brings one member a step nearer to what it is to own. A partition is given only when nobody has it:
 * its old owner must have said, by no longer listing it, that it has let go. So each partition has
 * one owner at any time, whatever is lost or repeated on the way.
 * Source: KIP-848; apache/kafka: .../group/modern/consumer/CurrentAssignmentBuilder.java.
 */

import { KafkaError } from '../../base/errors.ts'
import type { TopicId } from '../../base/types.ts'
import {
  type Assignment,
  nothingOwned,
  type OwnedPartitions,
  type TopicPartitions,
} from './assignment.ts'
import { atEpoch, type ConsumerMember } from './consumer-member.ts'

export interface Aim {
  readonly targetEpoch: number
  readonly target: Assignment
  /** Whether this request changed what the member reads: it loses at once what it no longer reads. */
  readonly isSubscriptionChanged: boolean
  /** The ids of the topics that it reads and that exist. */
  readonly subscribed: ReadonlySet<TopicId>
  /** Whether anybody has the partition, also if only to give it up. */
  isOwned(topicId: TopicId, partition: number): boolean
  /** What the member says it has; null = it did not say. */
  readonly reported: readonly TopicPartitions[] | null
}

type Owned = Map<TopicId, Map<number, number>>

/** The member after this step; the same object when there is none. FENCED_MEMBER_EPOCH. */
export function reconcile(member: ConsumerMember, aim: Aim): ConsumerMember {
  switch (member.state) {
    case 'STABLE':
      if (member.memberEpoch !== aim.targetEpoch) return nextStep(member, aim)
      return aim.isSubscriptionChanged ? withoutUnsubscribed(member, aim) : member
    case 'UNREVOKED_PARTITIONS':
      if (!holdsAny(aim.reported, member.pendingRevocation)) return nextStep(member, aim)
      return aim.isSubscriptionChanged ? withoutUnsubscribed(member, aim) : member
    case 'UNRELEASED_PARTITIONS':
      return nextStep(member, aim)
    case 'UNKNOWN':
      if (aim.reported === null || aim.reported.length > 0) {
        throw new KafkaError(
          'FENCED_MEMBER_EPOCH',
          `member ${member.memberId} is in a state that this version does not know: it must give up its partitions and join again`,
        )
      }
      return nextStep({ ...member, memberEpoch: aim.targetEpoch }, aim)
  }
}

/** A member that does not say may still have everything. */
function holdsAny(reported: readonly TopicPartitions[] | null, owned: OwnedPartitions): boolean {
  if (reported === null) return true
  return reported.some(({ topicId, partitions }) => {
    const some = owned.get(topicId)
    return some !== undefined && partitions.some((partition) => some.has(partition))
  })
}

function nextStep(member: ConsumerMember, aim: Aim): ConsumerMember {
  const { kept, revoked, free, hasUnreleased } = differences(member, aim)
  if (revoked.size > 0 && holdsAny(aim.reported, revoked)) {
    // It stays at its epoch until it has let go.
    return {
      ...atEpoch(member, member.memberEpoch),
      state: 'UNREVOKED_PARTITIONS',
      assigned: kept,
      pendingRevocation: revoked,
    }
  }
  for (const [topicId, partition] of free) put(kept, topicId, [partition, aim.targetEpoch])
  return {
    ...atEpoch(member, aim.targetEpoch),
    state: hasUnreleased ? 'UNRELEASED_PARTITIONS' : 'STABLE',
    assigned: kept,
    pendingRevocation: nothingOwned,
  }
}

function differences(member: ConsumerMember, aim: Aim) {
  const kept: Owned = new Map()
  const revoked: Owned = new Map()
  for (const [topicId, partitions] of member.assigned) {
    const target = aim.subscribed.has(topicId) ? aim.target.get(topicId) : undefined
    for (const entry of partitions) put(target?.has(entry[0]) ? kept : revoked, topicId, entry)
  }
  const free: [TopicId, number][] = []
  let hasUnreleased = false
  for (const [topicId, partitions] of aim.target) {
    if (!aim.subscribed.has(topicId)) continue
    for (const partition of partitions) {
      if (kept.get(topicId)?.has(partition)) continue
      // What it had itself to give up has no other owner.
      const wasOwn = member.pendingRevocation.get(topicId)?.has(partition) ?? false
      if (aim.isOwned(topicId, partition) && !wasOwn) hasUnreleased = true
      else free.push([topicId, partition])
    }
  }
  return { kept, revoked, free, hasUnreleased }
}

function put(owned: Owned, topicId: TopicId, [partition, epoch]: [number, number]): void {
  const partitions = owned.get(topicId)
  if (partitions === undefined) owned.set(topicId, new Map([[partition, epoch]]))
  else partitions.set(partition, epoch)
}

/** At its epoch, without the topics that it no longer reads. */
function withoutUnsubscribed(member: ConsumerMember, aim: Aim): ConsumerMember {
  const assigned = new Map(member.assigned)
  const pending: Owned = new Map()
  for (const [topicId, partitions] of member.pendingRevocation) {
    pending.set(topicId, new Map(partitions))
  }
  for (const [topicId, partitions] of member.assigned) {
    if (aim.subscribed.has(topicId)) continue
    assigned.delete(topicId)
    for (const entry of partitions) put(pending, topicId, entry)
  }
  if (assigned.size === member.assigned.size) return member
  const next = atEpoch(member, member.memberEpoch)
  if (!holdsAny(aim.reported, pending)) return { ...next, assigned }
  return { ...next, state: 'UNREVOKED_PARTITIONS', assigned, pendingRevocation: pending }
}
