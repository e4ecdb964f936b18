/**
 * The committed offsets of the groups of a shard, as replay of the log makes them.
 *
 *   group -> topic -> partition -> CommittedOffset
 *
 * Offsets that belong to a transaction wait beside them until its marker comes. Those are read from
 * logs that Apache Kafka wrote; this broker writes none yet.
 * Source: apache/kafka: group-coordinator/.../group/OffsetMetadataManager.java.
 */

import type { LeaderEpoch, Offset, ProducerId, TopicId } from '../../base/types.ts'
import { zeroUuid } from '../../base/uuid.ts'
import type { GroupRecord } from '../../protocol/coordinator/group-records.ts'
import type { ReplayPlace } from '../../shard/shard.ts'
import { offsetBytes } from './group-memory.ts'

export interface CommittedOffset {
  readonly offset: Offset
  /** Of the last record that was read; -1 = unknown. */
  readonly leaderEpoch: LeaderEpoch
  readonly metadata: string
  readonly commitTimestampMs: number
  /** When it expires, whatever the broker's retention; -1 = by the broker's retention. */
  readonly expireTimestampMs: number
  /** Of the topic it was committed for; the zero uuid when the record does not say. */
  readonly topicId: TopicId
  /** Of the record in the log. */
  readonly recordOffset: Offset
}

export type PartitionOffsets = ReadonlyMap<number, CommittedOffset>
export type TopicOffsets = ReadonlyMap<string, PartitionOffsets>
type OffsetRecord = Extract<GroupRecord, { readonly kind: 'OffsetCommit' | 'LegacyOffsetCommit' }>

export class GroupOffsets {
  readonly #committed = new OffsetTable()
  /** By the producer of the open transaction. */
  readonly #pending = new Map<ProducerId, OffsetTable>()

  /** About the memory that they take. */
  get heldBytes(): number {
    let bytes = this.#committed.heldBytes
    for (const table of this.#pending.values()) bytes += table.heldBytes
    return bytes
  }

  /** null for a group without any. */
  ofGroup(groupId: string): TopicOffsets | null {
    return this.#committed.groups.get(groupId) ?? null
  }

  get(groupId: string, topic: string, partition: number): CommittedOffset | null {
    return this.#committed.get(groupId, topic, partition)
  }

  groupIds(): Iterable<string> {
    return this.#committed.groups.keys()
  }

  /** Whether an open transaction may still change the offset. */
  isPending(groupId: string, topic: string, partition: number): boolean {
    for (const table of this.#pending.values()) {
      if (table.get(groupId, topic, partition) !== null) return true
    }
    return false
  }

  /** Topics and partitions of the group that open transactions may still change. */
  *pendingOf(groupId: string): Iterable<readonly [topic: string, partition: number]> {
    for (const table of this.#pending.values()) {
      for (const [topic, partitions] of table.groups.get(groupId) ?? []) {
        for (const partition of partitions.keys()) yield [topic, partition]
      }
    }
  }

  replay(record: OffsetRecord, { offset: recordOffset, producerId }: ReplayPlace): void {
    const { group, topic, partition } = record.key
    if (record.value === null) {
      this.#committed.remove(group, topic, partition)
      for (const table of this.#pending.values()) table.remove(group, topic, partition)
      return
    }
    const { offset, metadata, commitTimestamp } = record.value
    this.#tableOf(producerId).set([group, topic, partition], {
      offset,
      metadata,
      commitTimestampMs: commitTimestamp,
      recordOffset,
      ...laterFields(record),
    })
  }

  /** Of a mix of commits with and without transactions the one later in the log holds. */
  replayMarker(producerId: ProducerId, isCommitted: boolean): void {
    const table = this.#pending.get(producerId)
    this.#pending.delete(producerId)
    if (table === undefined || !isCommitted) return
    for (const [group, topics] of table.groups) {
      for (const [topic, partitions] of topics) {
        for (const [partition, pending] of partitions) {
          const known = this.#committed.get(group, topic, partition)
          if (known !== null && known.recordOffset > pending.recordOffset) continue
          this.#committed.set([group, topic, partition], pending)
        }
      }
    }
  }

  #tableOf(producerId: ProducerId): OffsetTable {
    if (producerId === -1) return this.#committed
    const table = this.#pending.get(producerId) ?? new OffsetTable()
    this.#pending.set(producerId, table)
    return table
  }
}

/** What the oldest records do not have. */
function laterFields({
  kind,
  value,
}: OffsetRecord): Pick<CommittedOffset, 'leaderEpoch' | 'expireTimestampMs' | 'topicId'> {
  if (kind === 'LegacyOffsetCommit' || value === null) {
    return { leaderEpoch: -1, expireTimestampMs: -1, topicId: zeroUuid }
  }
  const { leaderEpoch, expireTimestamp, topicId } = value
  return { leaderEpoch, expireTimestampMs: expireTimestamp, topicId }
}

/** About what an offset with this metadata takes; 0 for none. */
export function heldBytesOf(metadata: string | undefined): number {
  return metadata === undefined ? 0 : offsetBytes + metadata.length
}

class OffsetTable {
  readonly groups = new Map<string, Map<string, Map<number, CommittedOffset>>>()
  heldBytes = 0

  get(groupId: string, topic: string, partition: number): CommittedOffset | null {
    return this.groups.get(groupId)?.get(topic)?.get(partition) ?? null
  }

  set([groupId, topic, partition]: readonly [string, string, number], offset: CommittedOffset) {
    const topics = this.groups.get(groupId) ?? new Map<string, Map<number, CommittedOffset>>()
    const partitions = topics.get(topic) ?? new Map<number, CommittedOffset>()
    this.groups.set(groupId, topics)
    topics.set(topic, partitions)
    this.heldBytes +=
      heldBytesOf(offset.metadata) - heldBytesOf(partitions.get(partition)?.metadata)
    partitions.set(partition, offset)
  }

  remove(groupId: string, topic: string, partition: number): void {
    const topics = this.groups.get(groupId)
    const partitions = topics?.get(topic)
    if (topics === undefined || partitions === undefined) return
    this.heldBytes -= heldBytesOf(partitions.get(partition)?.metadata)
    partitions.delete(partition)
    if (partitions.size === 0) topics.delete(topic)
    if (topics.size === 0) this.groups.delete(groupId)
  }
}
