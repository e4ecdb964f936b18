/**
 * Zig-zag variable-length integers of the record format: 7 bits a byte, least significant first,
 * the high bit says that more follows. A `varint` is 32 bits in at most 5 bytes, a `varlong` 64 bits
 * in at most 10. Zig-zag folds the sign into bit 0: 0, -1, 1, -2 become 0, 1, 2, 3.
 *
 * Bits beyond the 32nd or 64th are dropped, and encodings longer than needed are read, as Kafka does.
 * Source: apache/kafka: clients/.../common/utils/ByteUtils.java.
 */

import { DecodeError } from './errors.ts'

/** Bytes that `value`, an int32, takes as a varint: 1 to 5. */
export function varintSize(value: number): number {
  const bits = ((value << 1) ^ (value >> 31)) >>> 0
  if (bits < 0x80) return 1
  if (bits < 0x4000) return 2
  if (bits < 0x20_0000) return 3
  return bits < 0x1000_0000 ? 4 : 5
}

/** Bytes that `value`, an int64, takes as a varlong: 1 to 10. */
export function varlongSize(value: number | bigint): number {
  if (typeof value === 'number' && value >= -0x4000_0000 && value < 0x4000_0000) {
    return varintSize(value)
  }
  let bits = zigZag(value)
  let size = 1
  while (bits >= 0x80n) {
    bits >>= 7n
    size++
  }
  return size
}

/** Writes `value`, an int32, at `position`; returns the position after it. */
export function writeVarint(bytes: Uint8Array, position: number, value: number): number {
  let bits = ((value << 1) ^ (value >> 31)) >>> 0
  let end = position
  while (bits >= 0x80) {
    bytes[end++] = (bits & 0x7f) | 0x80
    bits >>>= 7
  }
  bytes[end++] = bits
  return end
}

/** Writes `value`, an int64, at `position`; returns the position after it. */
export function writeVarlong(bytes: Uint8Array, position: number, value: number | bigint): number {
  if (typeof value === 'number' && value >= -0x4000_0000 && value < 0x4000_0000) {
    return writeVarint(bytes, position, value)
  }
  let bits = zigZag(value)
  let end = position
  while (bits >= 0x80n) {
    bytes[end++] = Number(bits & 0x7fn) | 0x80
    bits >>= 7n
  }
  bytes[end++] = Number(bits)
  return end
}

function zigZag(value: number | bigint): bigint {
  const wide = BigInt(value)
  return BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n))
}

/**
 * Reads varints in order. `position` moves past what was read and may be set; nothing at or after
 * `limit` is read.
 */
export class VarintReader {
  readonly bytes: Uint8Array
  position: number
  limit: number

  constructor(bytes: Uint8Array, position = 0, limit = bytes.length) {
    this.bytes = bytes
    this.position = position
    this.limit = limit
  }

  /** An int32. DecodeError when it is cut off or longer than 5 bytes. */
  readVarint(): number {
    const first = this.position < this.limit ? (this.bytes[this.position] ?? 0) : 0x80
    if (first < 0x80) {
      this.position++
      return (first >>> 1) ^ -(first & 1)
    }
    const bits = this.#readBits()
    return (bits >>> 1) ^ -(bits & 1)
  }

  #readBits(): number {
    let bits = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#next()
      bits |= (byte & 0x7f) << shift
      if (byte < 0x80) return bits
    }
    throw new DecodeError(`varint at byte ${this.position - 5} is longer than 5 bytes`)
  }

  /** An int64: a bigint when it is beyond 2^53. DecodeError when cut off or longer than 10 bytes. */
  readVarlong(): number | bigint {
    const first = this.position < this.limit ? (this.bytes[this.position] ?? 0) : 0x80
    if (first < 0x80) {
      this.position++
      return (first >>> 1) ^ -(first & 1)
    }
    let low = 0
    let scale = 1
    // 7 bytes hold 49 bits: as a number they and their half are exact.
    for (let count = 0; count < 7; count++) {
      const byte = this.#next()
      low += (byte & 0x7f) * scale
      if (byte < 0x80) return low % 2 === 0 ? low / 2 : -(low + 1) / 2
      scale *= 0x80
    }
    return this.#readWide(BigInt(low))
  }

  /** The eighth to tenth byte of a varlong whose first seven gave `low`. */
  #readWide(low: bigint): number | bigint {
    let bits = low
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.#next()
      bits |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return narrow(unZigZag(BigInt.asUintN(64, bits)))
    }
    throw new DecodeError(`varlong at byte ${this.position - 10} is longer than 10 bytes`)
  }

  #next(): number {
    if (this.position >= this.limit) {
      throw new DecodeError(`a number is cut off at byte ${this.limit}`)
    }
    return this.bytes[this.position++] ?? 0
  }
}

function unZigZag(bits: bigint): bigint {
  return (bits >> 1n) ^ -(bits & 1n)
}

/** A number where it is exact, else the bigint. */
export function narrow(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
