/**
 * Cuts a stream of bytes into pieces at a delimiter of one or more bytes. Bytes only: nothing is
 * decoded, CR is data. A piece that lies in one chunk is a view over it; only a piece that a chunk
 * border cuts is copied. The last piece without a delimiter counts.
 *
 * Invariant: `#held` is the beginning of a piece and holds no whole delimiter.
 */

import { assert } from '../../lib/base/assert.ts'
import { asBuffer } from '../../lib/base/bytes.ts'

/** A piece that outgrew the bound before its delimiter came. */
export class PieceTooLargeError extends Error {
  override readonly name = 'PieceTooLargeError'
  readonly maxBytes: number

  constructor(maxBytes: number) {
    super(`longer than ${maxBytes} bytes`)
    this.maxBytes = maxBytes
  }
}

export class PieceSplitter {
  readonly #delimiter: Buffer
  readonly #single: number
  readonly #maxBytes: number
  #chunk: Buffer = Buffer.alloc(0)
  #position = 0
  #held: Buffer = Buffer.alloc(0)
  #heldBytes = 0

  /** A piece larger than `maxBytes` makes `next` throw PieceTooLargeError. */
  constructor(delimiter: Uint8Array, maxBytes: number) {
    assert(delimiter.length > 0, 'a delimiter has at least one byte')
    this.#delimiter = asBuffer(delimiter)
    this.#single = delimiter.length === 1 ? (delimiter[0] ?? 0) : -1
    this.#maxBytes = maxBytes
  }

  /** Gives it the next bytes; all pieces of the chunk before must have been taken with `next`. */
  push(chunk: Uint8Array): void {
    assert(this.#position === this.#chunk.length, 'the last chunk was used up')
    this.#chunk = asBuffer(chunk)
    this.#position = 0
  }

  /** The next whole piece without its delimiter, or null when more bytes are needed. */
  next(): Uint8Array | null {
    if (this.#heldBytes > 0) return this.#nextFromHeld()
    const start = this.#position
    const end = this.#find(this.#chunk, start)
    if (end === -1) {
      this.#hold(this.#chunk.subarray(start))
      this.#position = this.#chunk.length
      return null
    }
    this.#position = end + this.#delimiter.length
    if (end - start > this.#maxBytes) throw new PieceTooLargeError(this.#maxBytes)
    return new Uint8Array(this.#chunk.buffer, this.#chunk.byteOffset + start, end - start)
  }

  /** What stands after the last delimiter, or null when nothing does. The stream has ended. */
  finish(): Uint8Array | null {
    const rest = this.#heldBytes === 0 ? null : this.#held.subarray(0, this.#heldBytes)
    this.#heldBytes = 0
    this.#held = Buffer.alloc(0)
    return rest
  }

  #find(bytes: Buffer, from: number): number {
    return this.#single === -1
      ? bytes.indexOf(this.#delimiter, from)
      : bytes.indexOf(this.#single, from)
  }

  #nextFromHeld(): Uint8Array | null {
    const chunk = this.#chunk
    const size = this.#delimiter.length
    const before = this.#heldBytes
    // A delimiter may begin in what is held and end in this chunk, so its first bytes come over.
    this.#hold(chunk.subarray(this.#position, this.#position + size - 1))
    const searchFrom = Math.max(0, before - size + 1)
    const inHeld = this.#held.subarray(0, this.#heldBytes).indexOf(this.#delimiter, searchFrom)
    if (inHeld !== -1) {
      this.#position += inHeld + size - before
      return this.#takeHeld(inHeld)
    }
    this.#heldBytes = before
    const end = this.#find(chunk, this.#position)
    const stop = end === -1 ? chunk.length : end
    this.#hold(chunk.subarray(this.#position, stop))
    this.#position = end === -1 ? chunk.length : end + size
    return end === -1 ? null : this.#takeHeld(this.#heldBytes)
  }

  /** The first `size` bytes of what is held, which is then empty; the memory goes with the piece. */
  #takeHeld(size: number): Uint8Array {
    const piece = this.#held.subarray(0, size)
    this.#held = Buffer.alloc(0)
    this.#heldBytes = 0
    return piece
  }

  #hold(bytes: Uint8Array): void {
    const needed = this.#heldBytes + bytes.length
    // The bytes over the bound may be the beginning of a delimiter.
    if (needed > this.#maxBytes + this.#delimiter.length) {
      throw new PieceTooLargeError(this.#maxBytes)
    }
    if (needed > this.#held.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(256, needed, this.#held.length * 2))
      larger.set(this.#held.subarray(0, this.#heldBytes))
      this.#held = larger
    }
    this.#held.set(bytes, this.#heldBytes)
    this.#heldBytes = needed
  }
}
