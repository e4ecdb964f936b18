/** Where a member begins to read the partitions that it was given: where the group has committed, else where it was told. */

import { KafkaError } from '../base/errors.ts'
import type { Offset, TopicPartition } from '../base/types.ts'
import { fetchCommitted, type GroupOffsetParts } from './member-offsets.ts'
import { listOffsets, type OffsetAt } from './offsets.ts'
import { keyOf } from './per-leader.ts'

/** `fail`: a partition without a committed offset is an error. A function finds the offsets, in order. */
export type GroupStart =
  | 'earliest'
  | 'latest'
  | 'fail'
  | ((partitions: readonly TopicPartition[]) => Promise<readonly Offset[]>)

export interface GroupStartOffset extends TopicPartition {
  readonly from: Offset
  /** Exclusive; without it the end is followed. */
  readonly to?: Offset
  /** null = nothing. */
  readonly committed: Offset | null
}

/** In the order of the partitions. Rejects with KafkaError or UnavailableError. */
export async function startOffsets(
  parts: GroupOffsetParts,
  partitions: readonly TopicPartition[],
  { startAt, untilEnd }: { startAt: GroupStart; untilEnd: boolean },
): Promise<GroupStartOffset[]> {
  const { client } = parts
  // Before the ends are asked for: what is committed meanwhile lies before them.
  const committed = await fetchCommitted(parts, partitions, client.timeoutMs)
  const isNew = ({ topic, partition }: TopicPartition) => !committed.has(keyOf(topic, partition))
  const fresh = partitions.filter(isNew)
  const starts = fresh.length === 0 ? [] : await freshOffsets(parts, fresh, startAt)
  const ends = untilEnd ? await offsetsAt(parts, partitions, 'latest') : null
  const startOf = new Map(
    fresh.map(({ topic, partition }, index) => [keyOf(topic, partition), starts[index] ?? 0]),
  )
  return partitions.map(({ topic, partition }, index) => {
    const key = keyOf(topic, partition)
    const known = committed.get(key)?.offset ?? null
    const from = known ?? startOf.get(key) ?? 0
    const end = ends?.[index]
    const to = end === undefined ? {} : { to: Math.max(end, from) }
    return { topic, partition, from, committed: known, ...to }
  })
}

async function freshOffsets(
  parts: GroupOffsetParts,
  partitions: readonly TopicPartition[],
  startAt: GroupStart,
): Promise<readonly Offset[]> {
  if (typeof startAt === 'function') return await startAt(partitions)
  if (startAt !== 'fail') return await offsetsAt(parts, partitions, startAt)
  const names = partitions.map(({ topic, partition }) => `${topic}-${partition}`).join(', ')
  const text = `group "${parts.groupId}" has committed no offset of ${names}`
  throw new KafkaError('OFFSET_OUT_OF_RANGE', text)
}

async function offsetsAt(
  { client }: GroupOffsetParts,
  partitions: readonly TopicPartition[],
  at: OffsetAt,
): Promise<Offset[]> {
  const queries = partitions.map(({ topic, partition }) => ({ topic, partition, at }))
  const answers = await listOffsets(client, queries)
  return answers.map(({ offset, error }) => {
    if (error !== null) throw error
    return offset
  })
}
