/**
 * Reads primitives of the protocol from a list of chunks without joining it: only a primitive that
 * crosses from one chunk to the next is copied. All bounds are checked here, once; what does not
 * fit is a DecodeError that says what was read and at which byte.
 *
 * Lengths: plain = int16 (string) or int32 (the rest), -1 for null; compact = unsigned varint of
 * the length + 1, 0 for null. A length never exceeds the bytes that are left, so a small message
 * cannot ask for much memory. A large one could: an element of two bytes becomes an object of a
 * hundred, so where a peer is not trusted the elements are counted as well. Source: Kafka protocol guide, "Protocol Primitive Types"; KIP-482.
 */

import { asBuffer, type Chunks, chunksSize } from '../base/bytes.ts'
import { DecodeError } from '../base/errors.ts'
import { zeroUuid } from '../base/uuid.ts'

const twoTo32 = 2 ** 32
const empty = Buffer.alloc(0)

export class Reader {
  readonly #chunks: Chunks
  readonly #size: number
  /** What is read at the moment: a chunk, the rest of one, or a primitive joined from several. */
  #window: Buffer
  #position = 0
  /** Bytes before the window. */
  #windowOffset = 0
  #nextChunk = 1
  /** What a joined primitive left of the last chunk it touched: the window after this one. */
  #rest: Buffer | null = null
  /** Elements of lists that may still come. */
  #elementsLeft: number
  readonly #elementsMax: number

  /** `elementsMax`: list elements and tagged fields, all together. */
  constructor(chunks: Chunks, { elementsMax = Number.POSITIVE_INFINITY } = {}) {
    this.#elementsMax = elementsMax
    this.#elementsLeft = elementsMax
    this.#chunks = chunks
    const [first = empty] = chunks
    this.#window = asBuffer(first)
    this.#size = chunks.length === 1 ? first.length : chunksSize(chunks)
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#windowOffset + this.#position
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#size - this.#windowOffset - this.#position
  }

  bool(): boolean {
    return this.int8() !== 0
  }

  int8(): number {
    const at = this.#take(1)
    return this.#window.readInt8(at)
  }

  int16(): number {
    const at = this.#take(2)
    return this.#window.readInt16BE(at)
  }

  uint16(): number {
    const at = this.#take(2)
    return this.#window.readUInt16BE(at)
  }

  int32(): number {
    const at = this.#take(4)
    return this.#window.readInt32BE(at)
  }

  uint32(): number {
    const at = this.#take(4)
    return this.#window.readUInt32BE(at)
  }

  /** Exact within 2^53 either way; Java's smallest and largest long read as -2^63 and 2^63. */
  int64(): number {
    const at = this.#take(8)
    const high = this.#window.readInt32BE(at)
    const low = this.#window.readUInt32BE(at + 4)
    if (high >= -0x200000 && high < 0x200000) return high * twoTo32 + low
    if (high === 0x7fffffff && low === 0xffffffff) return 2 ** 63
    if (high === -0x80000000 && low === 0) return -(2 ** 63)
    const value = this.#window.readBigInt64BE(at)
    throw this.malformed(`an int64 of ${value}, beyond the 2^53 that is exact here`, 8)
  }

  float64(): number {
    const at = this.#take(8)
    return this.#window.readDoubleBE(at)
  }

  uuid(): string {
    const at = this.#take(16)
    const window = this.#window
    if (window.readUInt32BE(at) === 0 && window.readUInt32BE(at + 4) === 0) {
      if (window.readUInt32BE(at + 8) === 0 && window.readUInt32BE(at + 12) === 0) return zeroUuid
    }
    return window.toString('base64url', at, at + 16)
  }

  /** An unsigned varint of at most 32 bits, 5 bytes. */
  unsignedVarint(): number {
    let byte = this.#byte()
    if (byte < 0x80) return byte
    let value = byte & 0x7f
    for (let shift = 7; shift < 28; shift += 7) {
      byte = this.#byte()
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    byte = this.#byte()
    if (byte > 0x0f) throw this.malformed('a varint of more than 32 bits', 5)
    return value + byte * 0x10000000
  }

  /** How many tagged fields follow: each takes two bytes at least. */
  taggedCount(): number {
    const count = this.unsignedVarint()
    return this.#countElements(this.#checkLength(count, 2))
  }

  /** Length of a plain list whose elements take `leastBytes` each; -1 = null. */
  listLength(leastBytes: number): number {
    return this.#countElements(this.length(leastBytes))
  }

  /** Length of a compact list; -1 = null. */
  compactListLength(leastBytes: number): number {
    return this.#countElements(this.compactLength(leastBytes))
  }

  /** Length of a plain string; -1 = null. */
  shortLength(): number {
    return this.#checkLength(this.int16(), 1)
  }

  /** Any plain length, of elements that take `leastBytes` each; -1 = null. */
  length(leastBytes = 1): number {
    return this.#checkLength(this.int32(), leastBytes)
  }

  /** Any compact length, of elements that take `leastBytes` each; -1 = null. */
  compactLength(leastBytes = 1): number {
    return this.#checkLength(this.unsignedVarint() - 1, leastBytes)
  }

  /** `size` bytes of UTF-8. */
  text(size: number): string {
    if (size === 0) return ''
    const at = this.#take(size)
    return this.#window.toString('utf8', at, at + size)
  }

  /** `size` bytes: a view where they are contiguous, else a copy. */
  bytes(size: number): Uint8Array {
    const at = this.#take(size)
    return this.#window.subarray(at, at + size)
  }

  /** `size` bytes as views, never copied. */
  views(size: number): Uint8Array[] {
    if (size > this.remaining) throw this.#short(size)
    const views: Uint8Array[] = []
    for (let missing = size; missing > 0; ) {
      if (this.#position === this.#window.length) this.#openNext()
      const end = Math.min(this.#position + missing, this.#window.length)
      if (end > this.#position) views.push(this.#window.subarray(this.#position, end))
      missing -= end - this.#position
      this.#position = end
    }
    return views
  }

  /** Passes over `size` bytes. */
  skip(size: number): void {
    if (size > this.remaining) throw this.#short(size)
    for (let missing = size; missing > 0; ) {
      if (this.#position === this.#window.length) this.#openNext()
      const step = Math.min(missing, this.#window.length - this.#position)
      this.#position += step
      missing -= step
    }
  }

  /** The error for `what`, which ended here and began `bytesBack` earlier. */
  malformed(what: string, bytesBack = 0): DecodeError {
    return new DecodeError(`${what}, at byte ${this.offset - bytesBack} of ${this.#size}`)
  }

  #byte(): number {
    const at = this.#take(1)
    return this.#window.readUInt8(at)
  }

  #countElements(count: number): number {
    if (count > 0) this.#elementsLeft -= count
    if (this.#elementsLeft < 0) {
      throw this.malformed(`more than ${this.#elementsMax} elements in one message`)
    }
    return count
  }

  #checkLength(length: number, leastBytes: number): number {
    if (length < -1) throw this.malformed(`a length of ${length}`)
    if (length * leastBytes > this.remaining) {
      throw this.malformed(`a length of ${length} with ${this.remaining} bytes left`)
    }
    return length
  }

  /** Moves past `size` contiguous bytes and returns where in the window they begin. */
  #take(size: number): number {
    let at = this.#position
    if (at + size > this.#window.length) at = this.#gather(size)
    this.#position = at + size
    return at
  }

  /** Makes the window begin with at least `size` bytes from here on; joins chunks where it must. */
  #gather(size: number): number {
    if (size > this.remaining) throw this.#short(size)
    while (this.#position === this.#window.length) this.#openNext()
    if (this.#position + size <= this.#window.length) return this.#position
    const joined = Buffer.allocUnsafe(size)
    const offset = this.offset
    for (let filled = 0; filled < size; ) {
      if (this.#position === this.#window.length) this.#openNext()
      const copied = this.#window.copy(joined, filled, this.#position)
      filled += copied
      this.#position += copied
    }
    if (this.#position < this.#window.length) this.#rest = this.#window.subarray(this.#position)
    this.#window = joined
    this.#windowOffset = offset
    this.#position = 0
    return 0
  }

  #openNext(): void {
    this.#windowOffset += this.#window.length
    this.#window = this.#rest ?? asBuffer(this.#chunks[this.#nextChunk++] ?? empty)
    this.#rest = null
    this.#position = 0
  }

  #short(size: number): DecodeError {
    return this.malformed(`${size} bytes wanted, ${this.remaining} left`)
  }
}
