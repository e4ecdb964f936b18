/**
 * What a consumer gets: a batch as the broker stored it, decoded when it is looked at. The records
 * outside the range that was asked for are passed over: a broker answers with the whole batch in
 * which the wanted offset lies.
 */

import type { LeaderEpoch, Offset, ProducerId } from '../base/types.ts'
import {
  lastOffsetOf,
  type RecordBatch,
  type TimestampType,
  timestampTypeOf,
} from '../record/batch.ts'
import { type Record, RecordCursor } from '../record/record.ts'

/** Where the log of the partition stood when the batch was fetched. */
export interface LogRange {
  readonly logStartOffset: Offset
  readonly highWatermark: Offset
  /** Records below it belong to no open transaction; -1 when the broker does not tell. */
  readonly lastStableOffset: Offset
}

export interface DecodeLimits {
  /** First and last (exclusive) offset that are wanted. */
  readonly from: Offset
  readonly to: Offset
  /** Of the records of one batch, uncompressed. */
  readonly maxBytes: number
}

/** A RecordCursor that stops only at the records of a range. */
class RangeCursor extends RecordCursor {
  readonly #from: Offset
  readonly #to: Offset

  constructor(batch: RecordBatch, { from, to, maxBytes }: DecodeLimits) {
    super(batch, { maxBytes })
    this.#from = from
    this.#to = to
  }

  override next(): boolean {
    while (super.next()) {
      if (this.offset >= this.#to) return false
      if (this.offset >= this.#from) return true
    }
    return false
  }
}

export class FetchedBatch {
  readonly topic: string
  readonly partition: number
  /** The batch as it lies in the log; its header has the offsets before clipping. */
  readonly batch: RecordBatch
  readonly log: LogRange
  readonly #limits: DecodeLimits

  constructor(fields: {
    topic: string
    partition: number
    batch: RecordBatch
    log: LogRange
    limits: DecodeLimits
  }) {
    this.topic = fields.topic
    this.partition = fields.partition
    this.batch = fields.batch
    this.log = fields.log
    this.#limits = fields.limits
  }

  /** The first offset that it may hold for the reader. */
  get firstOffset(): Offset {
    return Math.max(this.batch.header.baseOffset, this.#limits.from)
  }

  /** Where reading goes on after it. */
  get nextOffset(): Offset {
    return Math.min(lastOffsetOf(this.batch.header) + 1, this.#limits.to)
  }

  /** In the log, compressed as it is. */
  get sizeBytes(): number {
    return this.batch.header.sizeBytes
  }

  /** Whether `timestamp` is the producer's or the broker's. */
  get timestampType(): TimestampType {
    return timestampTypeOf(this.batch.header.attributes)
  }

  get leaderEpoch(): LeaderEpoch {
    return this.batch.header.partitionLeaderEpoch
  }

  /** -1 when the producer had none. */
  get producerId(): ProducerId {
    return this.batch.header.producerId
  }

  /**
   * Steps through the records without an object for each; decompresses now. It throws DecodeError,
   * here or in `next`, when the records are malformed.
   */
  cursor(): RecordCursor {
    return new RangeCursor(this.batch, this.#limits)
  }

  /** Calls `visit` at each record; the cursor is the same one every time. Throws as `cursor`. */
  forEachRecord(visit: (record: RecordCursor) => void): void {
    const cursor = this.cursor()
    while (cursor.next()) visit(cursor)
  }

  /** The records as objects. Throws as `cursor`. */
  records(): Record[] {
    const records: Record[] = []
    const cursor = this.cursor()
    while (cursor.next()) records.push(cursor.record())
    return records
  }
}
