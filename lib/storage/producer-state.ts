/**
 * What a log knows of its idempotent producers: epoch and the last five batches of each, so that a
 * batch that is sent again gets the answer of the first time, and one that is missing is noticed.
 *
 * Invariants: sequences of the kept batches are contiguous; the state is a function of the batches
 * in the log (replayed after a crash) and of what has expired. Bounded: the least recently written
 * producers go first. Source: KIP-98, KIP-360; apache/kafka: storage/.../log/
 * {ProducerStateManager,ProducerAppendInfo,ProducerStateEntry}.java.
 */

import { KafkaError } from '../base/errors.ts'
import { planted } from '../base/planted.ts'
import type { Offset, ProducerEpoch, ProducerId } from '../base/types.ts'
import { type BatchHeader, isControl, isTransactional, lastOffsetOf } from '../record/batch.ts'

/** Batches kept per producer: as many as a client may have in flight. */
export const batchesKeptMax = 5
/** Producers kept per log. */
export const producersMax = 100_000

export interface ProducerBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly firstOffset: Offset
  readonly lastOffset: Offset
  /** The batch's maxTimestamp. */
  readonly timestamp: number
}

export interface ProducerEntry {
  readonly producerId: ProducerId
  producerEpoch: ProducerEpoch
  /** Oldest first, at most five; empty after an epoch bump by a marker. */
  batches: ProducerBatch[]
  coordinatorEpoch: number
  /** First offset of the open transaction; -1 without one. */
  currentTxnFirstOffset: Offset
  /** When it last wrote, by this broker's wall clock. Decides expiry. */
  lastWriteMs: number
}

const sequenceModulus = 0x8000_0000

/** The sequence `delta` records after `sequence`: 2^31-1 is followed by 0. */
export function sequenceAfter(sequence: number, delta: number): number {
  return (sequence + delta) % sequenceModulus
}

/** What is kept of a batch. */
export function producerBatchOf(header: BatchHeader): ProducerBatch {
  return {
    firstSequence: header.baseSequence,
    lastSequence: sequenceAfter(header.baseSequence, header.lastOffsetDelta),
    firstOffset: header.baseOffset,
    lastOffset: lastOffsetOf(header),
    timestamp: header.maxTimestamp,
  }
}

export class ProducerStates {
  readonly #entries = new Map<ProducerId, ProducerEntry>()
  readonly #countMax: number

  constructor(countMax: number = producersMax) {
    this.#countMax = countMax
  }

  get size(): number {
    return this.#entries.size
  }

  entries(): Iterable<ProducerEntry> {
    return this.#entries.values()
  }

  get(producerId: ProducerId): ProducerEntry | undefined {
    return this.#entries.get(producerId)
  }

  /**
   * Whether a client's batch may be appended. Gives the earlier batch when it is that one sent
   * again, null when it is new. INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER.
   */
  check(header: BatchHeader, where: string): ProducerBatch | null {
    const entry = this.#entries.get(header.producerId)
    if (entry === undefined) return null
    const { producerId, producerEpoch, baseSequence } = header
    if (producerEpoch < entry.producerEpoch) {
      throw new KafkaError(
        'INVALID_PRODUCER_EPOCH',
        `producer ${producerId} sent epoch ${producerEpoch} to ${where}, its epoch is ${entry.producerEpoch}`,
      )
    }
    if (producerEpoch > entry.producerEpoch) {
      if (baseSequence === 0) return null
      throw outOfOrder(header, where, `0, as the epoch is new (was ${entry.producerEpoch})`)
    }
    const lastSequence = sequenceAfter(baseSequence, header.lastOffsetDelta)
    const known = entry.batches.find(
      (batch) => batch.firstSequence === baseSequence && batch.lastSequence === lastSequence,
    )
    if (known !== undefined) return known
    const last = entry.batches.at(-1)
    const expected = last === undefined ? 0 : sequenceAfter(last.lastSequence, 1)
    if (baseSequence !== expected) throw outOfOrder(header, where, String(expected))
    return null
  }

  /** Takes in a batch that is in the log: appended just now, or read back. */
  update(header: BatchHeader, nowMs: number): void {
    if (header.producerId < 0) return
    const entry = this.#entryFor(header, nowMs)
    if (isControl(header.attributes)) {
      entry.currentTxnFirstOffset = -1
      return
    }
    entry.batches.push(producerBatchOf(header))
    const keptMax = planted.sequenceWindowOfFour ? 4 : batchesKeptMax
    if (entry.batches.length > keptMax) entry.batches.shift()
    if (isTransactional(header.attributes) && entry.currentTxnFirstOffset < 0) {
      entry.currentTxnFirstOffset = header.baseOffset
    }
  }

  #entryFor({ producerId, producerEpoch }: BatchHeader, nowMs: number): ProducerEntry {
    const known = this.#entries.get(producerId)
    const entry = known ?? {
      producerId,
      producerEpoch,
      batches: [],
      coordinatorEpoch: -1,
      currentTxnFirstOffset: -1,
      lastWriteMs: nowMs,
    }
    if (entry.producerEpoch !== producerEpoch) {
      entry.producerEpoch = producerEpoch
      entry.batches = []
    }
    entry.lastWriteMs = nowMs
    // Last in the map = written last, so the first is the one to drop.
    if (known !== undefined) this.#entries.delete(producerId)
    this.#entries.set(producerId, entry)
    if (this.#entries.size > this.#countMax) this.#dropOldest()
    return entry
  }

  #dropOldest(): void {
    for (const entry of this.#entries.values()) {
      if (entry.currentTxnFirstOffset >= 0) continue
      this.#entries.delete(entry.producerId)
      return
    }
  }

  /** Takes in an entry of a snapshot. */
  restore(entry: ProducerEntry): void {
    this.#entries.set(entry.producerId, entry)
  }

  /** Forgets producers that last wrote `expirationMs` ago, unless a transaction is open. */
  expire(nowMs: number, expirationMs: number): void {
    for (const entry of this.#entries.values()) {
      if (entry.currentTxnFirstOffset >= 0) continue
      if (nowMs - entry.lastWriteMs >= expirationMs) this.#entries.delete(entry.producerId)
    }
  }

  clear(): void {
    this.#entries.clear()
  }
}

function outOfOrder(header: BatchHeader, where: string, expected: string): KafkaError {
  return new KafkaError(
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
    `producer ${header.producerId} epoch ${header.producerEpoch} sent sequence ${header.baseSequence} to ${where}, expected ${expected}`,
  )
}
