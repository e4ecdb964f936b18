/**
 * How far a group consumer's reader has come in each of its partitions, and what of that is
 * committed.
 *
 * What is handed out counts as processed, markers and compacted ranges behind it too, unless the
 * reader says that it got only so far: that holds until it asks for more.
 */

import type { LeaderEpoch, Offset, TopicPartition } from '../base/types.ts'
import type { Consumer } from './consumer.ts'
import type { FetchedBatch } from './fetched-batch.ts'
import type { GroupStartOffset } from './group-start.ts'
import type { CommitOffset } from './member-offsets.ts'
import { keyOf } from './per-leader.ts'

interface Position extends TopicPartition {
  /** null = nothing. */
  committed: Offset | null
  /** Where it stood before what was handed out last. */
  before: Offset
  /** The reader has come no further. */
  limit: Offset | null
  leaderEpoch: LeaderEpoch
}

export class GroupPositions {
  readonly #consumer: Consumer
  readonly #positions = new Map<string, Position>()
  /** What was handed out last is of these. */
  #touched: Position[] = []

  constructor(consumer: Consumer) {
    this.#consumer = consumer
  }

  begin(starts: readonly GroupStartOffset[]): void {
    for (const { topic, partition, from: before, committed } of starts) {
      const position = { topic, partition, committed, before, limit: null, leaderEpoch: -1 }
      this.#positions.set(keyOf(topic, partition), position)
    }
  }

  drop(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) this.#positions.delete(keyOf(topic, partition))
  }

  /** The reader is through with everything. */
  settle(): void {
    for (const position of this.#touched) position.limit = null
    this.#touched = []
  }

  /** To be called before the consumer is asked for more. */
  beforeNext(): void {
    for (const position of this.#positions.values()) {
      position.before = this.#consumer.position(position)
    }
  }

  onHandedOut(batches: readonly FetchedBatch[]): void {
    const touched = new Set<Position>()
    for (const { topic, partition, leaderEpoch } of batches) {
      const position = this.#positions.get(keyOf(topic, partition))
      if (position === undefined) continue
      position.leaderEpoch = leaderEpoch
      touched.add(position)
    }
    this.#touched = [...touched]
  }

  /** Of what was handed out last, the reader has done these, and nothing of the other partitions. */
  limit(done: readonly CommitOffset[]): void {
    const offsets = new Map(
      done.map(({ topic, partition, offset }) => [keyOf(topic, partition), offset]),
    )
    for (const position of this.#touched) {
      position.limit = offsets.get(keyOf(position.topic, position.partition)) ?? position.before
    }
  }

  /** What is processed and not committed. */
  uncommitted(): CommitOffset[] {
    const offsets: CommitOffset[] = []
    for (const position of this.#positions.values()) {
      const { topic, partition, limit, committed, leaderEpoch } = position
      const offset = limit ?? this.#consumer.position(position)
      if (offset < 0 || offset === committed) continue
      offsets.push({ topic, partition, offset, leaderEpoch: limit === null ? leaderEpoch : -1 })
    }
    return offsets
  }

  onCommitted(offsets: readonly CommitOffset[]): void {
    for (const { topic, partition, offset } of offsets) {
      const position = this.#positions.get(keyOf(topic, partition))
      if (position !== undefined) position.committed = offset
    }
  }
}
