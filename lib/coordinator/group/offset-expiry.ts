/**
 * Offsets that nobody needs any more: of topics that were deleted, and those past their time
 * (KIP-211). A group that has neither members nor offsets is removed with its last offset.
 *
 * | group | its offsets expire offsets.retention.minutes after |
 * |---|---|
 * | classic, empty | it became empty |
 * | classic, stable, of consumers; consumer | the commit, of topics that no member reads |
 * | classic in a rebalance; or members not of consumers | never |
 * | only offsets | the commit |
 *
 * A commit of OffsetCommit v2 to v4 may say itself when it expires.
 * Source: apache/kafka: group-coordinator/.../group/OffsetMetadataManager.java, ClassicGroup.java.
 */

import type { KafkaError } from '../../base/errors.ts'
import { zeroUuid } from '../../base/uuid.ts'
import type { ClusterImage } from '../../metadata/image.ts'
import { encodeGroupRecord } from '../../protocol/coordinator/group-records.ts'
import { OffsetCommit } from '../../protocol/coordinator/offset-records.ts'
import type { ShardRecord, ShardResult } from '../../shard/shard.ts'
import type { Group } from './group.ts'
import type { CommittedOffset } from './group-offsets.ts'
import type { GroupShard } from './group-shard.ts'

const minuteMs = 60_000
/** For operations that only write records. */
export const nothingToUndo = (_error: KafkaError): void => {}

/** What takes a committed offset back. */
export function offsetTombstone(groupId: string, topic: string, partition: number): ShardRecord {
  return encodeGroupRecord(OffsetCommit, { group: groupId, topic, partition }, null)
}

/** What takes back everything that a group has committed. */
export function offsetTombstones(shard: GroupShard, groupId: string): ShardRecord[] {
  const records: ShardRecord[] = []
  const { offsets } = shard
  for (const [topic, partitions] of offsets.ofGroup(groupId) ?? []) {
    for (const partition of partitions.keys()) {
      records.push(offsetTombstone(groupId, topic, partition))
    }
  }
  for (const [topic, partition] of offsets.pendingOf(groupId)) {
    if (offsets.get(groupId, topic, partition) !== null) continue
    records.push(offsetTombstone(groupId, topic, partition))
  }
  return records
}

/** Looks for expired offsets now and then, for as long as the shard lives. */
export function scheduleOffsetExpiry(shard: GroupShard): void {
  const { context } = shard
  const timer = context.env.clock.timer(
    context.config()['offsets.retention.check.interval.ms'],
    () => {
      shard.timers.delete(timer)
      scheduleOffsetExpiry(shard)
      context.write(() => expireOffsets(shard))
    },
    { unref: true },
  )
  shard.timers.add(timer)
}

/** Takes back what is past its time, and the groups that have nothing left. */
export function expireOffsets(shard: GroupShard): ShardResult<void> {
  const { env, config } = shard.context
  const now = env.clock.nowMs()
  const retentionMs = config()['offsets.retention.minutes'] * minuteMs
  const records: ShardRecord[] = []
  let removedGroups = 0
  for (const group of shard.groups.values()) {
    const isLeft = expireGroup(shard, group, { now, retentionMs, records })
    if (isLeft || !group.isEmpty) continue
    records.push(...group.tombstones())
    removedGroups++
  }
  if (records.length > 0) {
    const { partition } = shard.context
    env.log.info('offsets expired', { partition, records: records.length, removedGroups })
  }
  return { records, isAtomic: false, response: undefined, onRefused: nothingToUndo }
}

/** Whether any offset of the group is left, or may come of an open transaction. */
function expireGroup(
  { offsets }: GroupShard,
  group: Group,
  { now, retentionMs, records }: { now: number; retentionMs: number; records: ShardRecord[] },
): boolean {
  const { groupId } = group
  let isLeft = false
  for (const [topic, partitions] of offsets.ofGroup(groupId) ?? []) {
    const isRead = group.isSubscribedTo(topic)
    for (const [partition, committed] of partitions) {
      const isPending = offsets.isPending(groupId, topic, partition)
      if (isRead || isPending || now < expiryOf(group, committed, retentionMs)) isLeft = true
      else records.push(offsetTombstone(groupId, topic, partition))
    }
  }
  for (const _pending of offsets.pendingOf(groupId)) return true
  return isLeft
}

/** When an offset of a topic that nobody reads expires; Infinity for never. */
function expiryOf(group: Group, committed: CommittedOffset, retentionMs: number): number {
  const { expireTimestampMs, commitTimestampMs } = committed
  const isMoving = group.type === 'classic' && !group.isEmpty && group.state !== 'Stable'
  const isForeign = !group.isEmpty && group.protocolType !== 'consumer'
  if (isMoving || isForeign) return Number.POSITIVE_INFINITY
  if (expireTimestampMs !== -1) return expireTimestampMs
  const isKnownEmpty = group.type === 'classic' && group.protocolType !== '' && group.isEmpty
  const since = isKnownEmpty ? (group.emptySinceMs ?? commitTimestampMs) : commitTimestampMs
  return since + retentionMs
}

/** Takes back the offsets of topics that are no more, or are others under the same name. */
export function purgeDeletedTopics(shard: GroupShard): void {
  const { context } = shard
  const { image } = context
  const isAnyGone = [...shard.offsets.groupIds()].some((groupId) => {
    const topics = shard.offsets.ofGroup(groupId) ?? new Map<string, never>()
    return [...topics].some(([topic, partitions]) => isGone(image, topic, partitions))
  })
  if (isAnyGone) context.write(() => purge(shard))
}

function purge(shard: GroupShard): ShardResult<void> {
  const { env, image, partition } = shard.context
  const records: ShardRecord[] = []
  for (const groupId of shard.offsets.groupIds()) {
    for (const [topic, partitions] of shard.offsets.ofGroup(groupId) ?? []) {
      if (!isGone(image, topic, partitions)) continue
      for (const index of partitions.keys()) records.push(offsetTombstone(groupId, topic, index))
    }
  }
  env.log.info('offsets of deleted topics removed', { partition, records: records.length })
  return { records, isAtomic: false, response: undefined, onRefused: nothingToUndo }
}

/** The newest commit decides: all of a topic's partitions are of the same topic. */
function isGone(
  image: ClusterImage,
  topic: string,
  partitions: ReadonlyMap<number, CommittedOffset>,
): boolean {
  const known = image.topics.get(topic)
  if (known === undefined) return true
  for (const { topicId } of partitions.values()) {
    if (topicId !== zeroUuid && topicId !== known.topicId) return true
  }
  return false
}
