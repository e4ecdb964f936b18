/**
 * Members of a consumer group that leave, are silent, or are too slow: they are taken out, the group
 * epoch goes up, and the others learn of it by their heartbeats. When only members of the classic
 * protocol are left, the group may become a classic one again.
 * Source: KIP-848; apache/kafka: .../group/GroupMetadataManager.java (...FenceMember, schedule...).
 */

import { groupConfig } from '../../config/group.ts'
import type { ShardRecord, ShardResult } from '../../shard/shard.ts'
import { canDowngrade, downgrade } from './consumer-downgrade.ts'
import { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerMember } from './consumer-member.ts'
import { groupEpochRecord, memberTombstones, regexTombstone } from './consumer-records.ts'
import type { ConsumerShard } from './consumer-shard.ts'
import { metadataHash } from './consumer-target.ts'
import { nothingToUndo } from './offset-expiry.ts'

/** Takes members out of the group. */
export function removeMembers<R>(
  shard: ConsumerShard,
  group: ConsumerGroup,
  { leaving, response }: { leaving: readonly ConsumerMember[]; response: R },
): ShardResult<R> {
  if (leaving.length === 0) return { records: [], response }
  if (canDowngrade(shard, group, leaving)) {
    const restore = () => startMemberTimers(shard, group)
    return downgrade(shard, group, { leaving, response, restore })
  }
  return { records: removal(shard, group, leaving), response, onRefused: nothingToUndo }
}

function removal(
  shard: ConsumerShard,
  group: ConsumerGroup,
  leaving: readonly ConsumerMember[],
): ShardRecord[] {
  const { groupId } = group
  const records = leaving.flatMap(({ memberId }) => memberTombstones(groupId, memberId))
  const rest = new Map(group.members)
  for (const { memberId } of leaving) rest.delete(memberId)
  const regexes = new Set([...rest.values()].map((member) => member.subscribedTopicRegex))
  for (const regex of group.resolvedRegexes.keys()) {
    if (!regexes.has(regex)) records.push(regexTombstone(groupId, regex))
  }
  const topics = group.subscribedTopicsOf(rest.values(), group.resolvedRegexes)
  const hash = metadataHash(shard.context.image, topics)
  records.push(groupEpochRecord(groupId, { epoch: group.groupEpoch + 1, metadataHash: hash }))
  return records
}

/** The member has so long to report again. */
export function startSession(shard: ConsumerShard, groupId: string, memberId: string): void {
  const group = shard.groups.get(groupId)
  if (!(group instanceof ConsumerGroup)) return
  const member = group.members.get(memberId)
  if (member === undefined) return
  const ms =
    member.classic?.sessionTimeoutMs ??
    groupConfig(shard.context.config(), shard.context.groupConfigs(groupId)).sessionTimeoutMs
  group.timers.set(memberId, 'session', {
    ms,
    onDue: () => fence(shard, group, { memberId, reason: `silent for ${ms} ms` }),
  })
}

/** The member has its rebalance time-out to let go of what it is to give up. */
export function updateRebalanceTimeout(
  shard: ConsumerShard,
  groupId: string,
  memberId: string,
): void {
  const group = shard.groups.get(groupId)
  if (!(group instanceof ConsumerGroup)) return
  const member = group.members.get(memberId)
  if (member === undefined || member.classic !== null) return
  if (member.state !== 'UNREVOKED_PARTITIONS') {
    group.timers.cancel(memberId, 'rebalance')
    return
  }
  const { memberEpoch, rebalanceTimeoutMs: ms } = member
  group.timers.set(memberId, 'rebalance', {
    ms,
    onDue: () => {
      if (group.members.get(memberId)?.memberEpoch !== memberEpoch) return
      fence(shard, group, { memberId, reason: `partitions not given up within ${ms} ms` })
    },
  })
}

/** Members of the classic protocol have so long to join or sync after they were told to. */
export function startClassicTimeout(
  shard: ConsumerShard,
  group: ConsumerGroup,
  { memberId, kind, ms }: { memberId: string; kind: 'join' | 'sync'; ms: number },
): void {
  const reason = kind === 'join' ? 'did not join again' : 'did not sync'
  group.timers.set(memberId, kind, {
    ms,
    onDue: () => fence(shard, group, { memberId, reason: `${reason} within ${ms} ms` }),
  })
}

/** A timer's end: the member is removed if it is still there. */
function fence(
  shard: ConsumerShard,
  group: ConsumerGroup,
  { memberId, reason }: { memberId: string; reason: string },
): void {
  shard.context.write(() => {
    const member = group.members.get(memberId)
    if (shard.groups.get(group.groupId) !== group || member === undefined) {
      return { records: [], response: undefined }
    }
    shard.context.env.log.info('group member fenced', {
      group: group.groupId,
      member: memberId,
      reason,
    })
    return removeMembers(shard, group, { leaving: [member], response: undefined })
  })
}

/** The log was read. */
export function startMemberTimers(shard: ConsumerShard, group: ConsumerGroup): void {
  for (const memberId of group.members.keys()) {
    startSession(shard, group.groupId, memberId)
    updateRebalanceTimeout(shard, group.groupId, memberId)
  }
}
