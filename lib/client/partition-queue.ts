/**
 * The batches of one partition on their way to its leader, in order.
 *
 *   open (takes records) -> waiting (sealed, or to be sent again) -> inFlight -> settled
 *
 * Invariants: `waiting` is sorted by the order in which batches were sealed. At most five batches
 * with sequence numbers are in flight, since a broker recognises the last five. After a failure the
 * queue is `isRecovering`: nothing goes out until every batch in flight has come back, then the
 * first goes alone; so what an idempotent producer sends is stored in order and once.
 */

import type { ProducerEpoch, ProducerId } from '../base/types.ts'
import { type ProduceBatch, sequenceAfter } from './produce-batch.ts'

/*
 * A leader that knows nothing of a producer takes any sequence number, so were the first of several
 * batches in flight refused and the second taken, the first could never be stored in order. Hence
 * the first batch goes alone, and so does the first to each new leader and in each new epoch.
 */

/** Batches that a broker remembers of each producer (Kafka's NUM_BATCHES_TO_RETAIN). */
const inFlightMax = 5
/** The last epoch before a producer needs another id (Short.MAX_VALUE - 1, as in Kafka). */
const epochMax = 32766

export class PartitionQueue {
  readonly topic: string
  readonly partition: number
  open: ProduceBatch | null = null
  waiting: ProduceBatch[] = []
  readonly inFlight = new Set<ProduceBatch>()
  isRecovering = false
  /** While recovering: not before this monotonic time. */
  retryAtMs = 0
  /** Failures in a row. */
  failures = 0
  /** Size of the batch sealed last, before compression: the next one is made as large. */
  lastBatchBytes = 0
  /** Whether a batch was given up, so that the broker misses its sequence numbers. */
  hasGap = false
  /** The leader that has taken a batch of the current epoch; -1 = none yet. */
  #establishedLeader = -1
  /** Where the batches in flight are; another leader gets nothing before they are back. */
  inFlightLeader = -1
  producerId: ProducerId = -1
  producerEpoch: ProducerEpoch = -1
  /** Whether what waits must be numbered from 0 in a new epoch before anything is sent. */
  needsNewEpoch = false
  #nextSequence = 0
  #nextOrder = 0

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  get isEmpty(): boolean {
    return this.open === null && this.waiting.length === 0 && this.inFlight.size === 0
  }

  /** The open batch takes no more records. */
  seal(): void {
    const batch = this.open
    if (batch === null) return
    batch.order = this.#nextOrder++
    this.lastBatchBytes = batch.builder.sizeBytes
    this.waiting.push(batch)
    this.open = null
  }

  /** Whether more may be sent to `leader` now, leaving aside whether there is something. */
  maySend(leader: number, nowMs: number): boolean {
    if (this.isRecovering) return this.inFlight.size === 0 && nowMs >= this.retryAtMs
    if (this.inFlight.size === 0) return true
    if (this.inFlightLeader !== leader) return false
    const isNumbered = this.producerId >= 0
    if (isNumbered && this.#establishedLeader !== leader) return false
    return this.inFlight.size < inFlightMax
  }

  /** Takes the first waiting batch and marks it as sent. */
  send(leader: number): ProduceBatch | null {
    const batch = this.waiting.shift() ?? null
    if (batch === null) return null
    batch.attempts++
    this.inFlight.add(batch)
    this.inFlightLeader = leader
    return batch
  }

  /** Gives the first waiting batch its place in the sequence, unless it has one. */
  number(identity: { id: ProducerId; epoch: ProducerEpoch }): void {
    if (this.producerId < 0) {
      this.producerId = identity.id
      this.producerEpoch = identity.epoch
      this.#nextSequence = 0
    }
    const [batch] = this.waiting
    if (batch !== undefined && batch.baseSequence < 0) this.#number(batch)
  }

  /** The batch comes back to be sent again, in its old place. */
  requeue(batch: ProduceBatch, retryAtMs: number): void {
    this.inFlight.delete(batch)
    this.insert(batch)
    this.isRecovering = true
    this.retryAtMs = Math.max(this.retryAtMs, retryAtMs)
  }

  insert(batch: ProduceBatch): void {
    let at = this.waiting.length
    while (at > 0 && (this.waiting[at - 1]?.order ?? -1) > batch.order) at--
    this.waiting.splice(at, 0, batch)
  }

  /** The broker has taken a batch: what was wrong is over. */
  onDelivered(batch: ProduceBatch): void {
    this.inFlight.delete(batch)
    this.#establishedLeader = this.inFlightLeader
    this.failures = 0
    if (this.inFlight.size > 0) return
    this.hasGap = false
    // Batches that were sent before go one at a time until they are through.
    this.isRecovering = (this.waiting[0]?.attempts ?? 0) > 0
  }

  /** The batch is given up; those behind it find a gap in the sequence. */
  onFailed(batch: ProduceBatch): void {
    this.inFlight.delete(batch)
    if (batch.baseSequence < 0) return
    this.hasGap = true
    if (this.inFlight.size > 0) this.isRecovering = true
  }

  /** Whether a batch sealed before this one is still on its way. */
  hasEarlier(batch: ProduceBatch): boolean {
    for (const other of this.inFlight) if (other.order < batch.order) return true
    return (this.waiting[0]?.order ?? Number.POSITIVE_INFINITY) < batch.order
  }

  /**
   * Numbers everything that waits from 0 in the next epoch: the broker then takes it whatever it
   * has or lost. Only when nothing is in flight. False when the epochs of this id are used up and
   * the next `number` must bring another id.
   */
  startNewEpoch(): boolean {
    this.needsNewEpoch = false
    this.#nextSequence = 0
    this.#establishedLeader = -1
    const hasEpoch = this.producerEpoch < epochMax
    if (hasEpoch) this.producerEpoch++
    else this.producerId = -1
    for (const batch of this.waiting) {
      if (batch.baseSequence < 0) continue
      batch.wasRenumbered = true
      if (hasEpoch) this.#number(batch)
      else batch.baseSequence = -1
    }
    return hasEpoch
  }

  #number(batch: ProduceBatch): void {
    batch.renumber(this.producerId, this.producerEpoch, this.#nextSequence)
    this.#nextSequence = sequenceAfter(this.#nextSequence, batch.recordCount)
  }
}
