/**
 * Time index of one segment: which offset first reached a time. Written together with the offset
 * index, and once more when the segment is closed.
 *
 *   | timestamp: int64 | offset - baseOffset: int32 |    12 bytes each, both rising
 *
 * An entry (t, o): every record up to offset o has a timestamp <= t; o is the last offset of the
 * first batch that reached t. No checksum: after a crash it is rebuilt. Zeros may follow.
 * Source: apache/kafka: storage/.../log/TimeIndex.java.
 */

import { asBuffer } from '../base/bytes.ts'
import type { Offset } from '../base/types.ts'
import { readInt64, writeInt64 } from '../record/batch.ts'
import { isZero } from './offset-index.ts'

export const timeEntrySize = 12

export interface TimestampOffset {
  readonly timestamp: number
  readonly offset: Offset
}

export class TimeIndex {
  readonly baseOffset: Offset
  #bytes: Buffer
  #count: number

  constructor(baseOffset: Offset, bytes: Uint8Array = new Uint8Array(0)) {
    this.baseOffset = baseOffset
    this.#bytes = asBuffer(bytes)
    this.#count = Math.floor(bytes.length / timeEntrySize)
  }

  get entryCount(): number {
    return this.#count
  }

  /** What the file is to hold. A view: it changes with the next append. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#count * timeEntrySize)
  }

  entry(n: number): TimestampOffset {
    const at = n * timeEntrySize
    return {
      timestamp: readInt64(this.#bytes, at),
      offset: this.baseOffset + this.#bytes.readInt32BE(at + 8),
    }
  }

  /** The last entry; (-1, baseOffset) without one. */
  get last(): TimestampOffset {
    return this.#count === 0
      ? { timestamp: -1, offset: this.baseOffset }
      : this.entry(this.#count - 1)
  }

  /** Adds an entry unless the time has not risen since the last. */
  maybeAppend(timestamp: number, offset: Offset): void {
    if (timestamp <= this.last.timestamp) return
    const at = this.#count * timeEntrySize
    if (at + timeEntrySize > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(this.#bytes.length * 2, 32 * timeEntrySize))
      this.#bytes.copy(grown)
      this.#bytes = grown
    }
    writeInt64(this.#bytes, at, timestamp)
    this.#bytes.writeInt32BE(offset - this.baseOffset, at + 8)
    this.#count++
  }

  /** An offset up to which every record is older than `timestamp`; baseOffset when none is known. */
  floor(timestamp: number): Offset {
    return this.floorEntry(timestamp)?.offset ?? this.baseOffset
  }

  /** The last entry before `timestamp`, up to whose offset every record is older; null without one. */
  floorEntry(timestamp: number): TimestampOffset | null {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (readInt64(this.#bytes, middle * timeEntrySize) < timestamp) low = middle + 1
      else high = middle
    }
    return low === 0 ? null : this.entry(low - 1)
  }

  /** Drops the entries for offsets at or after `offset`. */
  truncateTo(offset: Offset): void {
    while (this.#count > 0 && this.entry(this.#count - 1).offset >= offset) this.#count--
  }
}

/** The index in `bytes`, or null when entries do not rise. Zeros after the last one are cut off. */
export function readTimeIndex(baseOffset: Offset, bytes: Uint8Array): TimeIndex | null {
  const buffer = asBuffer(bytes)
  const countMax = Math.floor(bytes.length / timeEntrySize)
  let lastTimestamp = -1
  let lastOffset = -1
  let count = 0
  for (; count < countMax; count++) {
    const timestamp = readInt64(buffer, count * timeEntrySize)
    const offset = buffer.readInt32BE(count * timeEntrySize + 8)
    if (timestamp === 0 && offset === 0 && isZero(buffer.subarray(count * timeEntrySize))) break
    if (timestamp <= lastTimestamp || offset < lastOffset) return null
    lastTimestamp = timestamp
    lastOffset = offset
  }
  if (!isZero(buffer.subarray(count * timeEntrySize))) return null
  return new TimeIndex(baseOffset, buffer.subarray(0, count * timeEntrySize))
}
