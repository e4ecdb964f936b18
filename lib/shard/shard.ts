/**
 * A Shard is the state of one partition of a coordinator's topic: `request -> records + response`.
 * Durable state changes in `replay` only, which the runtime calls for each record: at load, for what
 * is in the log; afterwards, for what an operation returned, as soon as the log has taken it. So the
 * state after a restart is the state before it. What need not outlive a restart (timers, members on
 * their way in) an operation may change itself.
 *
 * When a write fails, or leadership goes, the shard is thrown away and, if this broker still leads,
 * read again from the log: an operation has nothing to undo.
 */

import type { KafkaError } from '../base/errors.ts'
import type { Offset, ProducerId } from '../base/types.ts'
import type { Env } from '../io/env.ts'
import type { ClusterImage } from '../metadata/image.ts'
import type { RecordBatch } from '../record/batch.ts'

/** One record of a coordinator's log. A null value takes back what the key said. */
export interface ShardRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

/** What an operation did. */
export interface ShardResult<R> {
  /** Appended as one batch, all of them or none, unless `isAtomic` is false. */
  readonly records: readonly ShardRecord[]
  /** false: each record counts by itself, so they may go out in as many batches as they need. */
  readonly isAtomic?: boolean
  /** Given to the caller once the records are committed; a promise may keep the caller waiting longer. */
  readonly response: R | Promise<R>
  /** Called when the records are committed, before the caller is answered. */
  readonly onCommitted?: () => void
  /**
   * Called when the log refused the records and took none of them (larger than a batch may be, or
   * the disk is full): puts right what the operation changed itself, if anything, and the shard
   * lives on. Without it the shard is thrown away.
   */
  readonly onRefused?: (error: KafkaError) => void
}

/** Where a replayed record stands. */
export interface ReplayPlace {
  readonly offset: Offset
  readonly timestampMs: number
  /** Of the transaction it belongs to, which is open until replayMarker; -1 = of none. */
  readonly producerId: ProducerId
}

export interface Shard {
  /** Takes one record in. Kinds it does not know are passed over. The value may be kept, the key is only lent. */
  replay(record: ShardRecord, place: ReplayPlace): void
  /** The transaction of a producer ended: its records count from now on, or do not. */
  replayMarker(producerId: ProducerId, isCommitted: boolean): void
  /** The whole log was replayed: from now on there are operations, and timers may start. */
  onLoaded(): void
  /** The picture of the cluster changed: topics may have come, grown or gone. */
  onImage(image: ClusterImage): void
  /** The shard is given up: timers end, and whoever is parked in it gets `error`. */
  close(error: KafkaError): void
}

/** What a shard has of its runtime. */
export interface ShardContext {
  readonly env: Env
  readonly partition: number
  /** The newest picture of the cluster. */
  readonly image: ClusterImage
  /**
   * An operation that nobody asked for, of a timer for instance. It runs at once unless the shard
   * was closed meanwhile; its failure closes the shard like any other. Never from within another
   * operation or replay: from a timer, from onCommitted, or once loaded.
   */
  write(operation: () => ShardResult<void>): void
}

/** The log under a shard: a partition that this broker leads. */
export interface ShardLog {
  /** The largest batch it takes. */
  readonly batchBytesMax: number
  readonly startOffset: Offset
  /** The end of what was appended. */
  readonly endOffset: Offset
  /**
   * Appends one batch; offsets are given out before it returns the offset behind it. Throws
   * KafkaErrors, and has then taken nothing.
   */
  append(batch: Uint8Array): Offset
  /**
   * Resolves when everything before `endOffset` is committed. Rejects with a KafkaError when it
   * never will be under this leader: leadership went, or the disk failed.
   */
  whenCommitted(endOffset: Offset): Promise<void>
  /** Whole batches from the one that holds `offset` on, committed or not; none where nothing is written yet. */
  read(offset: Offset, options: { readonly maxBytes: number }): Promise<ShardLogRead>
}

export interface ShardLogRead {
  readonly batches: readonly RecordBatch[]
  /** Gives the memory under the batches back. */
  release(): void
}
