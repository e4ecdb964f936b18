/**
 * The transactions met while a log is walked, in order: whose data was aborted, and which markers
 * are of no more use. A marker may go (by the delete horizon) once the walk has met no batch of its
 * transaction: until then a reader needs it.
 *
 * Aborted transactions come from the transaction indexes. A marker of an abort that no index names,
 * with data before it, is kept with its data: an index that is missing must not turn aborted data
 * into committed data.
 * Source: apache/kafka: LogCleaner (CleanedTransactionMetadata).
 */

import type { Offset, ProducerId } from '../../base/types.ts'
import {
  type BatchHeader,
  isTransactional,
  lastOffsetOf,
  type RecordBatch,
} from '../../record/batch.ts'
import { readControlBatch } from '../../record/control.ts'
import type { TransactionIndexEntry } from '../transaction-index.ts'

interface Ongoing {
  readonly entry: TransactionIndexEntry
  hasBatches: boolean
}

export class CleanedTransactions {
  /** By their first offset, the smallest last: taken from the end. */
  #aborted: TransactionIndexEntry[] = []
  readonly #ongoingAborted = new Map<ProducerId, Ongoing>()
  /** Producers with data since their last marker that was not aborted, as far as is known. */
  readonly #ongoing = new Set<ProducerId>()
  /** Aborted transactions of which something is left: for the index of the segment that is written. */
  #kept: TransactionIndexEntry[] = []

  /** Aborted transactions that the walk is going to meet. */
  add(entries: readonly TransactionIndexEntry[]): void {
    if (entries.length === 0) return
    this.#aborted = [...this.#aborted, ...entries].sort((a, b) => b.firstOffset - a.firstOffset)
  }

  /** Takes in a batch of data; whether all of it may go, having been aborted. */
  onBatch(header: BatchHeader): boolean {
    this.#beginUpTo(lastOffsetOf(header))
    if (!isTransactional(header.attributes)) return false
    const aborted = this.#ongoingAborted.get(header.producerId)
    if (aborted === undefined) {
      this.#ongoing.add(header.producerId)
      return false
    }
    aborted.hasBatches = true
    return true
  }

  /** Takes in a control batch; whether it may go once its delete horizon has passed. */
  onControlBatch(batch: RecordBatch): boolean {
    const { header } = batch
    this.#beginUpTo(lastOffsetOf(header))
    // One that was emptied only stands for its producer's epoch.
    if (header.recordCount === 0) return true
    const { type } = readControlBatch(batch)
    if (type === null) return false
    const hasData = this.#ongoing.delete(header.producerId)
    if (type === 'commit') return !hasData
    const aborted = this.#ongoingAborted.get(header.producerId)
    this.#ongoingAborted.delete(header.producerId)
    if (aborted?.hasBatches === true) {
      this.#kept.push(aborted.entry)
      return false
    }
    return !hasData
  }

  #beginUpTo(offset: Offset): void {
    for (let next = this.#aborted.at(-1); next !== undefined; next = this.#aborted.at(-1)) {
      if (next.firstOffset > offset) return
      this.#aborted.pop()
      if (!this.#ongoingAborted.has(next.producerId)) {
        this.#ongoingAborted.set(next.producerId, { entry: next, hasBatches: false })
      }
    }
  }

  /** What the segment written so far needs in its transaction index; the next one starts anew. */
  takeKept(): TransactionIndexEntry[] {
    const kept = this.#kept
    this.#kept = []
    return kept
  }
}
