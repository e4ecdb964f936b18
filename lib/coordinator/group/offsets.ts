/**
 * Committing, reading and deleting the offsets of a group: operations over its shard. Topics come
 * with their names, and are known to exist where that matters; that is the handlers' part.
 *
 * - Whoever commits without a member id and with a negative generation is a simple consumer; its
 *   group is made by the first offset, and may have no members.
 * - An offset that was never committed reads as -1, and so do all offsets of a group nobody knows.
 * - An offset that an open transaction may change is UNSTABLE_OFFSET_COMMIT for those who ask for
 *   stable ones. Only logs of Apache Kafka have such transactions so far.
 * Source: KIP-211, KIP-447, KIP-496; apache/kafka: .../coordinator/group/OffsetMetadataManager.java.
 */

import { errorCode, KafkaError } from '../../base/errors.ts'
import type { LeaderEpoch, Offset, TopicId } from '../../base/types.ts'
import { encodeGroupRecord } from '../../protocol/coordinator/group-records.ts'
import { OffsetCommit } from '../../protocol/coordinator/offset-records.ts'
import { int64Max } from '../../protocol/schema.ts'
import type { ShardRecord, ShardResult } from '../../shard/shard.ts'
import type { Committer, Group } from './group.ts'
import { groupBytes } from './group-memory.ts'
import { type CommittedOffset, heldBytesOf } from './group-offsets.ts'
import type { GroupShard } from './group-shard.ts'
import { nothingToUndo, offsetTombstone } from './offset-expiry.ts'

export interface PartitionCommit {
  readonly partitionIndex: number
  readonly committedOffset: Offset
  readonly committedLeaderEpoch: LeaderEpoch
  /** When it was committed, by the client's account; -1 = now. */
  readonly commitTimestamp: number
  readonly committedMetadata: string | null
}

export interface CommitRequest {
  readonly groupId: string
  readonly committer: Committer
  /** How long the offsets are kept, from now; -1 = as long as the broker keeps them. */
  readonly retentionTimeMs: number
  readonly topics: readonly {
    readonly name: string
    readonly topicId: TopicId
    readonly partitions: readonly PartitionCommit[]
  }[]
}

/** Per topic, in the order of the request; per partition an error code. */
export type PartitionErrors = readonly {
  readonly name: string
  readonly partitions: readonly { readonly partitionIndex: number; readonly errorCode: number }[]
}[]

export interface PartitionOffset {
  readonly partitionIndex: number
  readonly committedOffset: Offset
  readonly committedLeaderEpoch: LeaderEpoch
  readonly metadata: string
  readonly errorCode: number
}

export interface FetchRequest {
  readonly groupId: string
  readonly memberId: string | null
  readonly memberEpoch: number
  /** null = everything that was committed. */
  readonly topics:
    | readonly { readonly name: string; readonly partitionIndexes: readonly number[] }[]
    | null
  readonly requireStable: boolean
}

export type TopicOffsetList = readonly {
  readonly name: string
  readonly partitions: readonly PartitionOffset[]
}[]

/** OffsetCommit's first version that may be told that there is no such group. */
const groupNotFoundVersion = 9

/**
 * Stores offsets. GROUP_ID_NOT_FOUND or ILLEGAL_GENERATION for a generation of a group that is not
 * there, and what the group's checkCommit throws; per partition OFFSET_METADATA_TOO_LARGE,
 * and INVALID_COMMIT_OFFSET_SIZE when all groups of the broker together hold as much as they may.
 */
export function commitOffsets(
  shard: GroupShard,
  request: CommitRequest,
): ShardResult<PartitionErrors> {
  const { groupId } = request
  checkCommitter(shard.groups.get(groupId), request)
  const { config, env } = shard.context
  const metadataMax = config()['offset.metadata.max.bytes']
  const commit = { groupId, retentionTimeMs: request.retentionTimeMs, nowMs: env.clock.nowMs() }
  const records: ShardRecord[] = []
  const response = request.topics.map(({ name, topicId, partitions }) => ({
    name,
    partitions: partitions.map((partition) => {
      const { partitionIndex, committedMetadata } = partition
      // Java counts UTF-16 units here, not bytes, whatever the setting's name says.
      const isTooLarge = committedMetadata !== null && committedMetadata.length > metadataMax
      const error = isTooLarge
        ? 'OFFSET_METADATA_TOO_LARGE'
        : hasRoomFor(shard, { groupId, name, partition })
          ? 'NONE'
          : 'INVALID_COMMIT_OFFSET_SIZE'
      if (error === 'NONE') records.push(commitRecord({ ...commit, name, topicId }, partition))
      return { partitionIndex, errorCode: errorCode(error) }
    }),
  }))
  return { records, response, onRefused: nothingToUndo }
}

/** An offset that is committed already may be replaced, whatever all groups hold. */
function hasRoomFor(
  { context, groups, offsets }: GroupShard,
  {
    groupId,
    name,
    partition,
  }: {
    groupId: string
    name: string
    partition: PartitionCommit
  },
): boolean {
  const known = offsets.get(groupId, name, partition.partitionIndex)
  const more = heldBytesOf(partition.committedMetadata ?? '') - heldBytesOf(known?.metadata)
  return more <= 0 || context.memory.take(groups.has(groupId) ? more : more + groupBytes)
}

function checkCommitter(
  group: Group | undefined,
  { groupId, committer, topics }: CommitRequest,
): void {
  if (group !== undefined) return group.checkCommit(committer, topics)
  const { generationIdOrMemberEpoch, apiVersion } = committer
  if (generationIdOrMemberEpoch < 0) return
  throw new KafkaError(
    apiVersion >= groupNotFoundVersion ? 'GROUP_ID_NOT_FOUND' : 'ILLEGAL_GENERATION',
    `there is no group ${groupId}`,
  )
}

function commitRecord(
  commit: {
    groupId: string
    retentionTimeMs: number
    nowMs: number
    name: string
    topicId: TopicId
  },
  partition: PartitionCommit,
): ShardRecord {
  const { groupId, retentionTimeMs, nowMs, name, topicId } = commit
  const { partitionIndex, committedOffset, committedLeaderEpoch, commitTimestamp } = partition
  const key = { group: groupId, topic: name, partition: partitionIndex }
  const value = {
    offset: committedOffset,
    metadata: partition.committedMetadata ?? '',
    commitTimestamp: commitTimestamp === -1 ? nowMs : commitTimestamp,
  }
  if (retentionTimeMs !== -1) {
    const expireTimestamp = expiryOf(nowMs, retentionTimeMs)
    return encodeGroupRecord(ExpiringOffsetCommit, key, { ...value, expireTimestamp })
  }
  return encodeGroupRecord(OffsetCommit, key, {
    ...value,
    leaderEpoch: committedLeaderEpoch,
    topicId,
  })
}

/** Any int64 may come from a client; what no clock will reach stands for never. */
function expiryOf(nowMs: number, retentionTimeMs: number): number {
  const expireTimestamp = Math.max(nowMs + retentionTimeMs, 0)
  return Number.isSafeInteger(expireTimestamp) ? expireTimestamp : int64Max
}

/** Only version 1 of the record has a place for the commit's own time to expire. */
const ExpiringOffsetCommit = { ...OffsetCommit, written: 1 }

/** Offsets as they are now. What the group's checkFetch throws. */
export function fetchOffsets(shard: GroupShard, request: FetchRequest): TopicOffsetList {
  const { groupId, memberId, memberEpoch, topics, requireStable } = request
  const group = shard.groups.get(groupId)
  group?.checkFetch(memberId, memberEpoch)
  const known = group === undefined ? null : shard.offsets.ofGroup(groupId)
  const isUnstable = (topic: string, partition: number) =>
    requireStable && shard.offsets.isPending(groupId, topic, partition)
  const read = (topic: string, partition: number, offset: CommittedOffset | undefined) =>
    isUnstable(topic, partition) ? unstable(partition) : offsetOf(partition, offset)
  if (topics === null) {
    return [...(known ?? [])].map(([name, partitions]) => ({
      name,
      partitions: [...partitions].map(([partition, offset]) => read(name, partition, offset)),
    }))
  }
  return topics.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partition) =>
      read(name, partition, known?.get(name)?.get(partition)),
    ),
  }))
}

function offsetOf(partitionIndex: number, committed: CommittedOffset | undefined): PartitionOffset {
  if (committed === undefined) return noOffset(partitionIndex, 0)
  const { offset, leaderEpoch, metadata } = committed
  return {
    partitionIndex,
    committedOffset: offset,
    committedLeaderEpoch: leaderEpoch,
    metadata,
    errorCode: 0,
  }
}

function unstable(partitionIndex: number): PartitionOffset {
  return noOffset(partitionIndex, errorCode('UNSTABLE_OFFSET_COMMIT'))
}

/** What reads where there is no offset, or none that may be told. */
export function noOffset(partitionIndex: number, code: number): PartitionOffset {
  return {
    partitionIndex,
    committedOffset: -1,
    committedLeaderEpoch: -1,
    metadata: '',
    errorCode: code,
  }
}

/**
 * Takes offsets back. GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP for members that are no consumers;
 * GROUP_SUBSCRIBED_TO_TOPIC per partition.
 */
export function deleteOffsets(
  shard: GroupShard,
  request: {
    readonly groupId: string
    readonly topics: readonly {
      readonly name: string
      readonly partitions: readonly { readonly partitionIndex: number }[]
    }[]
  },
): ShardResult<PartitionErrors> {
  const { groupId, topics } = request
  const { offsets } = shard
  const group = shard.groups.get(groupId)
  checkOffsetDelete(group, groupId)
  const records: ShardRecord[] = []
  const response = topics.map(({ name, partitions }) => {
    const isRead = group.isSubscribedTo(name)
    const code = errorCode(isRead ? 'GROUP_SUBSCRIBED_TO_TOPIC' : 'NONE')
    for (const { partitionIndex } of isRead ? [] : partitions) {
      const isThere =
        offsets.get(groupId, name, partitionIndex) !== null ||
        offsets.isPending(groupId, name, partitionIndex)
      if (isThere) records.push(offsetTombstone(groupId, name, partitionIndex))
    }
    return {
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: code })),
    }
  })
  return { records, response, onRefused: nothingToUndo }
}

function checkOffsetDelete(group: Group | undefined, groupId: string): asserts group is Group {
  if (group === undefined || group.state === 'Dead') {
    throw new KafkaError('GROUP_ID_NOT_FOUND', `there is no group ${groupId}`)
  }
  if (group.type === 'classic' && !group.isEmpty && group.protocolType !== 'consumer') {
    throw new KafkaError(
      'NON_EMPTY_GROUP',
      `group ${groupId} has members of which nobody knows what they read`,
    )
  }
}
