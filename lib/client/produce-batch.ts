/**
 * A batch of records for one partition, from the first append to its delivery report. Until it is
 * sent for the first time it takes records; from then on its bytes stay the same through every
 * retry, so that a broker can tell a repeated batch from a new one.
 */

import { assert } from '../base/assert.ts'
import type { Deferred } from '../base/deferred.ts'
import { KafkaError } from '../base/errors.ts'
import type { Offset, ProducerEpoch, ProducerId } from '../base/types.ts'
import { batchAt, batchCrc, headOf, writeInt64 } from '../record/batch.ts'
import { BatchBuilder, type BuilderOptions } from '../record/builder.ts'
import { RecordCursor } from '../record/record.ts'

/** Where a record went. */
export interface DeliveredRecord {
  readonly topic: string
  readonly partition: number
  /** -1 when the broker did not say: acks=0, or a retry it had taken before. */
  readonly offset: Offset
  /** Ms since 1970: the record's own, or the broker's with LogAppendTime. */
  readonly timestamp: number | bigint
}

/** One record that a broker named as the reason for refusing its batch (KIP-467). */
export interface RecordError {
  /** Within the batch, from 0. */
  readonly index: number
  readonly message: string | null
}

/** What became of a batch: all of it, or nothing of it, is in the log. */
export interface DeliveryReport {
  readonly topic: string
  /** -1 when it failed before a partition was chosen. */
  readonly partition: number
  /** Of the first record; the others follow without gaps. -1 when not known. */
  readonly baseOffset: Offset
  /** -1 unless the topic stamps records at arrival (LogAppendTime). */
  readonly logAppendTimeMs: number
  readonly count: number
  /** What `append` was given with each record, in order. */
  readonly tags: readonly number[]
  /** KafkaError, UnavailableError, or null when it was delivered. */
  readonly error: Error | null
  /** Which records are to blame for `error`, when the broker named them. */
  readonly recordErrors: readonly RecordError[]
}

/** Someone who waits for one record of the batch. */
interface Waiter {
  readonly index: number
  readonly timestamp: number | bigint
  readonly delivery: Deferred<DeliveredRecord>
}

const noErrors: readonly RecordError[] = []
/** A batch that was sent is decompressed only to be split; it was made here, so this bound is ample. */
const splitBytesMax = 1 << 30

export class ProduceBatch {
  readonly topic: string
  readonly partition: number
  /** Monotonic, of the first record. */
  readonly createdMs: number
  /** Flushes wait for the batches of their generation and before. */
  readonly generation: number
  readonly builder: BatchBuilder
  readonly #builderOptions: BuilderOptions
  readonly tags: number[] = []
  /** What it takes of the producer's buffer. */
  bufferedBytes = 0
  /** Place in the order of its partition; -1 while it takes records. */
  order = -1
  producerId: ProducerId = -1
  producerEpoch: ProducerEpoch = -1
  /** -1 until it is first sent by an idempotent producer. */
  baseSequence = -1
  /** Whether an attempt ended without an answer: it may be in the log. */
  isUncertain = false
  /** Whether its sequence was numbered anew after the broker refused it. */
  wasRenumbered = false
  /** Times it was sent. */
  attempts = 0
  lastError: Error | null = null
  /** Whether its report was given. */
  isSettled = false
  #bytes: Uint8Array | null = null
  #waiters: Waiter[] | null = null
  /** Times that it was halved. */
  #splits = 0

  constructor(fields: {
    topic: string
    partition: number
    createdMs: number
    generation: number
    builder: BuilderOptions
  }) {
    this.topic = fields.topic
    this.partition = fields.partition
    this.createdMs = fields.createdMs
    this.generation = fields.generation
    this.#builderOptions = fields.builder
    this.builder = new BatchBuilder(fields.builder)
  }

  get recordCount(): number {
    return this.builder.recordCount
  }

  /** Whether its bytes are fixed. */
  get isBuilt(): boolean {
    return this.#bytes !== null
  }

  /** Someone waits for the record added last. */
  addWaiter(delivery: Deferred<DeliveredRecord>, timestamp: number | bigint): void {
    this.#waiters ??= []
    this.#waiters.push({ index: this.recordCount - 1, timestamp, delivery })
  }

  /** The bytes to send; compressed and given their checksum the first time. */
  bytes(): Uint8Array {
    const { producerId, producerEpoch, baseSequence } = this
    this.#bytes ??= this.builder.build({ producerId, producerEpoch, baseSequence })
    return this.#bytes
  }

  /** Gives it another place in the producer's sequence; only while no attempt can be in the log. */
  renumber(producerId: ProducerId, producerEpoch: ProducerEpoch, baseSequence: number): void {
    this.producerId = producerId
    this.producerEpoch = producerEpoch
    this.baseSequence = baseSequence
    if (this.#bytes === null) return
    const batch = batchAt(this.#bytes)
    const head = headOf(batch)
    writeInt64(head, 43, producerId)
    head.writeInt16BE(producerEpoch, 51)
    head.writeInt32BE(baseSequence, 53)
    head.writeUInt32BE(batchCrc(batch), 17)
  }

  /** Two halves in its place (KIP-126), which keep its sequence numbers and its waiters. */
  split(): [ProduceBatch, ProduceBatch] {
    assert(this.recordCount > 1, 'a batch of one record cannot be split')
    assert(!this.isUncertain, 'a batch that may be in the log cannot be split')
    const firstCount = Math.ceil(this.recordCount / 2)
    const first = this.#half()
    const second = this.#half()
    const cursor = new RecordCursor(this.bytes(), { maxBytes: splitBytesMax })
    for (let index = 0; cursor.next(); index++) {
      const half = index < firstCount ? first : second
      half.builder.append(cursor.timestamp, cursor.key(), cursor.value(), cursor.headers())
      half.tags.push(this.tags[index] ?? -1)
    }
    first.bufferedBytes = Math.ceil(this.bufferedBytes / 2)
    second.bufferedBytes = this.bufferedBytes - first.bufferedBytes
    first.order = this.order
    // Orders are whole numbers: halves of halves find their place between them.
    second.order = this.order + 2 ** -(this.#splits + 1)
    first.#splits = second.#splits = this.#splits + 1
    if (this.baseSequence >= 0) {
      const { producerId, producerEpoch, baseSequence } = this
      first.renumber(producerId, producerEpoch, baseSequence)
      second.renumber(producerId, producerEpoch, sequenceAfter(baseSequence, firstCount))
    }
    for (const { index, timestamp, delivery } of this.#waiters ?? []) {
      const half = index < firstCount ? first : second
      half.#waiters ??= []
      half.#waiters.push({
        index: index < firstCount ? index : index - firstCount,
        timestamp,
        delivery,
      })
    }
    return [first, second]
  }

  #half(): ProduceBatch {
    const { topic, partition, createdMs, generation } = this
    const builder = this.#builderOptions
    const half = new ProduceBatch({ topic, partition, createdMs, generation, builder })
    half.attempts = this.attempts
    half.lastError = this.lastError
    return half
  }

  /** Settles those who wait for single records, and makes the report. */
  report(outcome: {
    baseOffset: Offset
    logAppendTimeMs: number
    error: Error | null
    recordErrors?: readonly RecordError[]
  }): DeliveryReport {
    const { topic, partition, tags } = this
    const { baseOffset, logAppendTimeMs, error, recordErrors = noErrors } = outcome
    for (const { index, timestamp, delivery } of this.#waiters ?? []) {
      if (error !== null) {
        delivery.reject(errorOfRecord({ topic, partition, error, recordErrors }, index))
        continue
      }
      delivery.resolve({
        topic,
        partition,
        offset: baseOffset < 0 ? -1 : baseOffset + index,
        timestamp: logAppendTimeMs >= 0 ? logAppendTimeMs : timestamp,
      })
    }
    const count = this.recordCount
    return { topic, partition, baseOffset, logAppendTimeMs, count, tags, error, recordErrors }
  }
}

/**
 * Why a record of a failed batch failed: for one that the broker named its own reason, for the
 * others that of their batch.
 */
export function errorOfRecord(
  {
    topic,
    partition,
    error,
    recordErrors,
  }: Pick<DeliveryReport, 'topic' | 'partition' | 'recordErrors'> & { readonly error: Error },
  index: number,
): Error {
  if (!(error instanceof KafkaError)) return error
  const named = recordErrors.find((each) => each.index === index)
  if (named === undefined || named.message === null) return error
  return new KafkaError(error.code, `${topic}-${partition}: ${named.message}`, { cause: error })
}

/** The sequence number that follows a batch: they wrap after 2^31 - 1. */
export function sequenceAfter(baseSequence: number, recordCount: number): number {
  return (baseSequence + recordCount) % 0x8000_0000
}
