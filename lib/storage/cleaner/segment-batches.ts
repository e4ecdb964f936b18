/**
 * Reads a segment in pieces of whole batches, each batch checked against its CRC. A piece is valid
 * until the next one is asked for.
 */

import { DecodeError } from '../../base/errors.ts'
import { type BatchHeader, entryHeadSize, headerSize, readBatchHeader } from '../../record/batch.ts'
import { batchBytesMax } from '../scan.ts'
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
  #position: number
  #buffer: Buffer

  /** From the batch at byte `from` on to what is written now. */
  constructor(segment: Segment, { from, pieceBytes }: { from: number; pieceBytes: number }) {
    this.#segment = segment
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
      if (sizeBytes > this.#end - this.#position || sizeBytes > batchBytesMax) {
        throw this.#bad(`a batch of ${sizeBytes} bytes, ${this.#end - this.#position} left`)
      }
      this.#buffer = Buffer.allocUnsafeSlow(sizeBytes)
    }
    return null
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

/** The batch at `position` of a piece. DecodeError when its CRC is not that of its bytes. */
export function batchIn(piece: Buffer, position: number): SegmentBatch {
  const header = readBatchHeader(piece, position)
  const bytes = piece.subarray(position, position + header.sizeBytes)
  checkBatch(header, bytes)
  return { header, bytes }
}
