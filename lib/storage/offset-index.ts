/**
 * Offset index of one segment: where in the log file a batch lies. Sparse: one entry after more
 * than index.interval.bytes of log.
 *
 *   | lastOffset - baseOffset: int32 | position: int32 |    8 bytes each, both rising
 *
 * The entry names the *last* offset of the batch that begins at `position`. No checksum: after a
 * crash it is rebuilt. Kafka preallocates the file, so zeros may follow the last entry.
 * Source: apache/kafka: storage/.../log/OffsetIndex.java, AbstractIndex.java.
 */

import { asBuffer } from '../base/bytes.ts'
import type { Offset } from '../base/types.ts'

export const offsetEntrySize = 8

export class OffsetIndex {
  readonly baseOffset: Offset
  #bytes: Buffer
  #count: number

  constructor(baseOffset: Offset, bytes: Uint8Array = new Uint8Array(0)) {
    this.baseOffset = baseOffset
    this.#bytes = asBuffer(bytes)
    this.#count = Math.floor(bytes.length / offsetEntrySize)
  }

  get entryCount(): number {
    return this.#count
  }

  /** What the file is to hold. A view: it changes with the next append. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#count * offsetEntrySize)
  }

  entry(n: number): { offset: Offset; position: number } {
    const at = n * offsetEntrySize
    return {
      offset: this.baseOffset + this.#bytes.readInt32BE(at),
      position: this.#bytes.readInt32BE(at + 4),
    }
  }

  /** `offset` is the last of the batch at `position`; both above the last entry's. */
  append(offset: Offset, position: number): void {
    const at = this.#count * offsetEntrySize
    if (at + offsetEntrySize > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(this.#bytes.length * 2, 32 * offsetEntrySize))
      this.#bytes.copy(grown)
      this.#bytes = grown
    }
    this.#bytes.writeInt32BE(offset - this.baseOffset, at)
    this.#bytes.writeInt32BE(position, at + 4)
    this.#count++
  }

  /** A position at or before the batch that holds `offset`: the last entry not above it, else 0. */
  floor(offset: Offset): number {
    return this.floorEntry(offset)?.position ?? 0
  }

  /** The last entry not above `offset`; null without one. */
  floorEntry(offset: Offset): { offset: Offset; position: number } | null {
    let low = 0
    let high = this.#count
    const relative = offset - this.baseOffset
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#bytes.readInt32BE(middle * offsetEntrySize) <= relative) low = middle + 1
      else high = middle
    }
    return low === 0 ? null : this.entry(low - 1)
  }

  /** Position of the last entry; 0 without one. */
  get lastPosition(): number {
    return this.#count === 0 ? 0 : this.entry(this.#count - 1).position
  }

  /** Drops the entries whose batch begins at or after `position`. */
  truncateToPosition(position: number): void {
    while (this.#count > 0 && this.entry(this.#count - 1).position >= position) this.#count--
  }
}

/**
 * The index in `bytes` for a log file of `logBytes`, or null when it cannot be right: entries that
 * do not rise, or that point past the end. Zeros after the last entry are cut off.
 */
export function readOffsetIndex(
  baseOffset: Offset,
  bytes: Uint8Array,
  logBytes: number,
): OffsetIndex | null {
  const buffer = asBuffer(bytes)
  const countMax = Math.floor(bytes.length / offsetEntrySize)
  let lastOffset = -1
  let lastPosition = -1
  let count = 0
  for (; count < countMax; count++) {
    const offset = buffer.readInt32BE(count * offsetEntrySize)
    const position = buffer.readInt32BE(count * offsetEntrySize + 4)
    if (offset === 0 && position === 0 && count > 0) break
    if (offset === 0 && position === 0 && isZero(buffer)) break
    if (offset <= lastOffset || position <= lastPosition || position >= logBytes) return null
    lastOffset = offset
    lastPosition = position
  }
  if (!isZero(buffer.subarray(count * offsetEntrySize))) return null
  return new OffsetIndex(baseOffset, buffer.subarray(0, count * offsetEntrySize))
}

/** Whether all bytes are 0. */
export function isZero(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0) return false
  return true
}
