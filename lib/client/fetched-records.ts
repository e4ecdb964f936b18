/**
 * From the bytes of a fetched partition to the batches that a reader sees: partial batches at the
 * end dropped, checksums checked, old formats converted, markers and aborted transactions hidden.
 * Sources: KIP-98 (aborted transactions); apache/kafka: .../consumer/internals/CompletedFetch.java.
 */

import { type Chunks, chunksSize, sliceChunks } from '../base/bytes.ts'
import { KafkaError } from '../base/errors.ts'
import type { Offset, ProducerId } from '../base/types.ts'
import {
  batchCrc,
  entryHeadSize,
  isControl,
  isTransactional,
  lastOffsetOf,
  type RecordBatch,
  splitBatches,
} from '../record/batch.ts'
import { readControlBatch } from '../record/control.ts'
import { upConvert } from '../record/message-set.ts'

export interface AbortedTransaction {
  readonly producerId: ProducerId
  readonly firstOffset: Offset
}

export interface ReadableOptions {
  /** What messages of old formats are converted with: bytes that they may expand to. */
  readonly maxBytes: number
  readonly checkCrcs: boolean
  /** null: show aborted transactions too. */
  readonly aborted: readonly AbortedTransaction[] | null
}

export interface Readable {
  /** Batches with records for the reader. */
  readonly batches: RecordBatch[]
  /** The offset after everything that was there, hidden or not; -1 when nothing whole was. */
  readonly nextOffset: Offset
  /** Of the last batch; -1 when there was none. */
  readonly leaderEpoch: number
}

/** Throws KafkaError CORRUPT_MESSAGE for a wrong checksum, DecodeError for malformed batches. */
export function readableBatches(records: Chunks, options: ReadableOptions): Readable {
  const whole = wholeBatches(records)
  let all = splitBatches(whole)
  if (all.some(({ header }) => header.magic !== 2)) {
    all = upConvert(whole, { maxBytes: options.maxBytes, offsets: 'keep' })
  }
  const filter = options.aborted === null ? null : new AbortedFilter(options.aborted)
  const batches: RecordBatch[] = []
  let nextOffset = -1
  let leaderEpoch = -1
  for (const batch of all) {
    const { header } = batch
    if (options.checkCrcs && batchCrc(batch) !== header.crc) {
      throw new KafkaError(
        'CORRUPT_MESSAGE',
        `the batch at offset ${header.baseOffset} fails its checksum`,
      )
    }
    nextOffset = lastOffsetOf(header) + 1
    leaderEpoch = header.partitionLeaderEpoch
    const isHidden = filter?.hides(batch) ?? false
    if (!isHidden && !isControl(header.attributes) && header.recordCount > 0) batches.push(batch)
  }
  return { batches, nextOffset, leaderEpoch }
}

/** Follows which producers are inside an aborted transaction. */
class AbortedFilter {
  readonly #waiting: AbortedTransaction[]
  readonly #producers = new Set<ProducerId>()

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  }

  hides(batch: RecordBatch): boolean {
    const { header } = batch
    const lastOffset = lastOffsetOf(header)
    let [next] = this.#waiting
    while (next !== undefined && next.firstOffset <= lastOffset) {
      this.#producers.add(next.producerId)
      this.#waiting.shift()
      next = this.#waiting[0]
    }
    if (isControl(header.attributes)) {
      // One that compaction emptied says nothing any more.
      const isMarker = header.recordCount > 0
      if (isMarker && readControlBatch(batch).type === 'abort') {
        this.#producers.delete(header.producerId)
      }
      return true
    }
    return isTransactional(header.attributes) && this.#producers.has(header.producerId)
  }
}

/** The whole batches at the beginning: a broker may cut the last one where the size limit was. */
export function wholeBatches(records: Chunks): Chunks {
  const totalBytes = chunksSize(records)
  let index = 0
  let chunkStart = 0
  let end = 0
  const byteAt = (position: number): number => {
    let chunk = records[index]
    while (chunk !== undefined && position >= chunkStart + chunk.length) {
      chunkStart += chunk.length
      chunk = records[++index]
    }
    return chunk?.[position - chunkStart] ?? 0
  }
  while (end + entryHeadSize <= totalBytes) {
    const high = (byteAt(end + 8) << 24) | (byteAt(end + 9) << 16)
    const sizeBytes = entryHeadSize + (high | (byteAt(end + 10) << 8) | byteAt(end + 11))
    // What is no size is left for splitBatches to refuse.
    if (sizeBytes <= entryHeadSize) return records
    if (end + sizeBytes > totalBytes) break
    end += sizeBytes
  }
  return end === totalBytes ? records : sliceChunks(records, 0, end)
}
