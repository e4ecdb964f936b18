/**
 * Writes primitives of the protocol into a slab of memory; record chunks are put between what is
 * written, uncopied, so the result is a list of chunks.
 *
 *   slab   | ...earlier messages | header, fields | fields after the records | free |
 *   chunks                       [---- [0] -----] [records] [----- [2] ------]
 *
 * Slabs are handed out once and never used again: a message owns its part, nothing is given back,
 * and the garbage collector takes a slab when its last message is gone. Many messages share one
 * slab, so a message costs no allocation of its own beyond the views.
 */

import { assert } from '../base/assert.ts'
import type { Chunks } from '../base/bytes.ts'
import { KafkaError } from '../base/errors.ts'

const twoTo32 = 2 ** 32
const twoTo53 = 2 ** 53
const slabSize = 64 * 1024

const none = Buffer.alloc(0)

/** The newest slab, free from `start` on; none while a writer has it. */
const pool: { slab: Buffer; start: number } = { slab: none, start: 0 }

export class Writer {
  #buffer = pool.slab
  /** Start of the bytes that are in no chunk yet. */
  #start = pool.start
  #position = pool.start
  readonly #chunks: Uint8Array[] = []
  #chunksSize = 0

  constructor() {
    pool.slab = none
    pool.start = 0
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#chunksSize + this.#position - this.#start
  }

  bool(value: boolean): void {
    this.int8(value ? 1 : 0)
  }

  int8(value: number): void {
    const at = this.#take(1)
    this.#buffer.writeInt8(value, at)
  }

  int16(value: number): void {
    const at = this.#take(2)
    this.#buffer.writeInt16BE(value, at)
  }

  uint16(value: number): void {
    const at = this.#take(2)
    this.#buffer.writeUInt16BE(value, at)
  }

  int32(value: number): void {
    const at = this.#take(4)
    this.#buffer.writeInt32BE(value, at)
  }

  uint32(value: number): void {
    const at = this.#take(4)
    this.#buffer.writeUInt32BE(value, at)
  }

  /** Within 2^53 either way; -2^63 and 2^63 stand for Java's smallest and largest long. */
  int64(value: number): void {
    const at = this.#take(8)
    if (value >= -twoTo53 && value < twoTo53) {
      const high = Math.floor(value / twoTo32)
      this.#buffer.writeInt32BE(high, at)
      this.#buffer.writeUInt32BE(value - high * twoTo32, at + 4)
      return
    }
    assert(Math.abs(value) === 2 ** 63, `int64 of ${value}: not exact`)
    this.#buffer.writeUInt32BE(value > 0 ? 0x7fffffff : 0x80000000, at)
    this.#buffer.writeUInt32BE(value > 0 ? 0xffffffff : 0, at + 4)
  }

  float64(value: number): void {
    const at = this.#take(8)
    this.#buffer.writeDoubleBE(value, at)
  }

  uuid(value: string): void {
    const at = this.#take(16)
    const written = value.length === 22 ? this.#buffer.write(value, at, 16, 'base64url') : 0
    assert(written === 16, `uuid "${value}": expected 22 characters of base64url`)
  }

  unsignedVarint(value: number): void {
    let rest = value
    while (rest > 0x7f) {
      this.#byte((rest & 0x7f) | 0x80)
      rest >>>= 7
    }
    this.#byte(rest)
  }

  /** An int16 length, then UTF-8. */
  text(value: string): void {
    const size = Buffer.byteLength(value)
    // It may come from a client that sent it in a newer version, whose strings have no such limit.
    if (size > 0x7fff) {
      throw new KafkaError('UNSUPPORTED_VERSION', `string of ${size} bytes, at most 32767 fit`)
    }
    this.int16(size)
    this.#utf8(value, size)
  }

  /** A compact length, then UTF-8. */
  compactText(value: string): void {
    const size = Buffer.byteLength(value)
    this.unsignedVarint(size + 1)
    this.#utf8(value, size)
  }

  /** Bytes without a length, copied. */
  bytes(value: Uint8Array): void {
    const at = this.#take(value.length)
    this.#buffer.set(value, at)
  }

  /** Chunks without a length, not copied. */
  views(chunks: Chunks): void {
    this.#cut()
    for (const chunk of chunks) {
      this.#chunks.push(chunk)
      this.#chunksSize += chunk.length
    }
  }

  /** What `write` makes of `value`, with the varint of its size in front; no records within. */
  sized<T>(write: (writer: Writer, value: T) => void, value: T): void {
    // One byte is enough for most sizes: room for it first, moved apart when it takes more.
    this.#take(1)
    const before = this.size
    write(this, value)
    const size = this.size - before
    const extra = varintWidth(size) - 1
    this.#take(extra)
    const end = this.#position
    const from = end - extra - size
    assert(from > this.#start, 'records within a tagged field')
    if (extra > 0) this.#buffer.copyWithin(from + extra, from, from + size)
    this.#position = from - 1
    this.unsignedVarint(size)
    this.#position = end
  }

  /** Everything written, in order, its size less 4 in the first four bytes. The writer is at its end. */
  finishFrame(): Uint8Array[] {
    const chunks = this.finish()
    const [first] = chunks
    assert(first !== undefined && first.length >= 4, 'a frame begins with its size')
    const size = this.#chunksSize - 4
    first[0] = size >>> 24
    first[1] = size >>> 16
    first[2] = size >>> 8
    first[3] = size
    return chunks
  }

  /** Everything written, in order. The writer is at its end. */
  finish(): Uint8Array[] {
    this.#cut()
    pool.slab = this.#buffer
    pool.start = this.#position
    return this.#chunks
  }

  #byte(value: number): void {
    const at = this.#take(1)
    this.#buffer.writeUInt8(value, at)
  }

  #utf8(value: string, size: number): void {
    const at = this.#take(size)
    this.#buffer.write(value, at, size, 'utf8')
  }

  #cut(): void {
    if (this.#position === this.#start) return
    this.#chunks.push(this.#buffer.subarray(this.#start, this.#position))
    this.#chunksSize += this.#position - this.#start
    this.#start = this.#position
  }

  #take(size: number): number {
    if (this.#position + size > this.#buffer.length) this.#grow(size)
    const at = this.#position
    this.#position += size
    return at
  }

  /** Goes on in a new slab; what is in no chunk yet moves there. */
  #grow(size: number): void {
    const open = this.#buffer.subarray(this.#start, this.#position)
    const slab = Buffer.allocUnsafeSlow(Math.max(slabSize, 2 * (open.length + size)))
    slab.set(open)
    this.#buffer = slab
    this.#start = 0
    this.#position = open.length
  }
}

function varintWidth(value: number): number {
  let width = 1
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) width++
  return width
}
