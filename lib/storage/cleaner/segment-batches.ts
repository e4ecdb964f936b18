/**
 * Reads a segment in pieces of whole batches, each batch checked against its CRC. A piece is valid
 * until the next one is asked for. Offsets are outside the CRC, and a cleaning that believed a rotten one
 * would take newer records for older ones: they must rise, and stay within the segment.
 */

import { DecodeError } from '../../base/errors.ts'
import type { Offset } from '../../base/types.ts'
import {
  type BatchHeader,
  entryHeadSize,
  headerSize,
  lastOffsetOf,
  readBatchHeader,
} from '../../record/batch.ts'
import { whyNoBatch } from '../large-batch.ts'
import type { Segment } from '../segment.ts'
import { checkBatch } from './batch-filter.ts'

/** A sound batch. */
export interface SegmentBatch {
  readonly header: BatchHeader
  readonly bytes: Buffer
}

export class SegmentBatches {
  readonly #segment: Segment
  readonly #end: number
  /** Where the next segment begins. */
  readonly #endOffset: Offset
  #nextOffset: Offset
  #position: number
  #buffer: Buffer

  /** From the batch at byte `from` on to what is written now. */
  constructor(
    segment: Segment,
    { from, endOffset, pieceBytes }: { from: number; endOffset: Offset; pieceBytes: number },
  ) {
    this.#segment = segment
    this.#endOffset = endOffset
    this.#nextOffset = segment.baseOffset
    this.#position = from
    this.#end = segment.writtenBytes
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(pieceBytes, headerSize))
  }

  /** The next whole batches as bytes; null at the end. DecodeError where there is none. */
  async nextPiece(): Promise<Buffer | null> {
    while (this.#position < this.#end) {
      const wanted = Math.min(this.#buffer.length, this.#end - this.#position)
      const view = this.#buffer.subarray(0, wanted)
      const count = await this.#segment.use((file) => file.readAt(view, this.#position))
      if (count < wanted) throw this.#bad(`the file ends at byte ${this.#position + count}`)
      const usedBytes = wholeBytes(view)
      if (usedBytes > 0) {
        this.#position += usedBytes
        return view.subarray(0, usedBytes)
      }
      const sizeBytes = wanted < headerSize ? headerSize : view.readInt32BE(8) + entryHeadSize
      if (sizeBytes > this.#end - this.#position) {
        throw this.#bad(`a batch of ${sizeBytes} bytes, ${this.#end - this.#position} left`)
      }
      const why = await this.#segment.use((file) =>
        whyNoBatch(file, this.#position, readBatchHeader(view)),
      )
      if (why !== null) throw this.#bad(why)
      this.#buffer = Buffer.allocUnsafeSlow(sizeBytes)
    }
    return null
  }

  /** The next batch, at `position` of the last piece. DecodeError when its CRC or its offsets cannot be right. */
  batchIn(piece: Buffer, position: number): SegmentBatch {
    const header = readBatchHeader(piece, position)
    const bytes = piece.subarray(position, position + header.sizeBytes)
    checkBatch(header, bytes)
    const { baseOffset } = header
    const lastOffset = lastOffsetOf(header)
    if (baseOffset < this.#nextOffset || lastOffset < baseOffset || lastOffset >= this.#endOffset) {
      throw new DecodeError(
        `${this.#segment.path('.log')}: a batch from ${baseOffset} to ${lastOffset}, expected ${this.#nextOffset} or more, and less than ${this.#endOffset}`,
      )
    }
    this.#nextOffset = lastOffset + 1
    return { header, bytes }
  }

  #bad(why: string): DecodeError {
    return new DecodeError(`${this.#segment.path('.log')} at byte ${this.#position}: ${why}`)
  }
}

/** Bytes of the whole batches that `piece` begins with. */
function wholeBytes(piece: Buffer): number {
  let at = 0
  while (piece.length - at >= headerSize) {
    const { sizeBytes } = readBatchHeader(piece, at)
    if (sizeBytes > piece.length - at) break
    at += sizeBytes
  }
  return at
}
