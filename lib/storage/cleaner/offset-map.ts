/**
 * Key -> the last offset it was seen at, for the dirty part of a log. Of bounded size: 24 bytes per
 * slot, nothing per key, open addressing with double hashing over a prime number of slots. Keys are
 * represented by 128 bits of keyed hash (key-hash.ts).
 *
 *   words     4 x int32 per slot    the hash
 *   offsets   float64 per slot      offset + 1; 0 = the slot is free
 *
 * When it is full, the cleaning covers only what came before, and the rest is a further pass.
 * Source: apache/kafka: storage/.../log/SkimpyOffsetMap.java.
 */

import { assert } from '../../base/assert.ts'
import type { Offset } from '../../base/types.ts'
import { KeyHash } from './key-hash.ts'

/** Bytes of memory per slot. */
export const slotBytes = 24

export interface OffsetMapOptions {
  /** Memory at most. */
  readonly maxBytes: number
  /** Part of the slots that may be taken, above 0 and below 1. */
  readonly loadFactor: number
  /** No more keys than this will come: takes less memory where it can. */
  readonly keysMax: number
  /** hashKeyBytes bytes of chance. */
  readonly hashKey: Uint8Array
}

/** A record by its key, as a RecordCursor stands at it. */
export interface KeyedRecord {
  readonly bytes: Uint8Array
  readonly keyPosition: number
  readonly keySize: number
  readonly offset: Offset
}

export class OffsetMap {
  /** Keys that fit. */
  readonly capacity: number
  readonly #slots: number
  readonly #words: Int32Array
  readonly #offsets: Float64Array
  readonly #hash: KeyHash
  #size = 0
  /** All records up to here are in the map; -1 = none. */
  latestOffset: Offset = -1

  constructor({ maxBytes, loadFactor, keysMax, hashKey }: OffsetMapOptions) {
    const wanted = Math.ceil((keysMax + 1) / loadFactor)
    const affordable = Math.floor(maxBytes / slotBytes)
    this.#slots = primeUpTo(Math.max(Math.min(wanted, affordable), 5))
    this.capacity = Math.min(Math.floor(this.#slots * loadFactor), this.#slots - 1)
    this.#words = new Int32Array(this.#slots * 4)
    this.#offsets = new Float64Array(this.#slots)
    this.#hash = new KeyHash(hashKey)
  }

  get size(): number {
    return this.#size
  }

  get isFull(): boolean {
    return this.#size >= this.capacity
  }

  /** Notes the offset of the record's key. `isFull` must be false. */
  put(record: KeyedRecord): void {
    const slot = this.#find(record)
    if (this.#offsets[slot] === 0) {
      assert(this.#size < this.capacity, `offset map: more than ${this.capacity} keys`)
      this.#size++
      const { first, second } = this.#hash
      const at = slot * 4
      this.#words[at] = first.low
      this.#words[at + 1] = first.high
      this.#words[at + 2] = second.low
      this.#words[at + 3] = second.high
    }
    this.#offsets[slot] = record.offset + 1
  }

  /** The last offset of the record's key; -1 when it is not in the map. */
  get(record: KeyedRecord): Offset {
    return (this.#offsets[this.#find(record)] ?? 0) - 1
  }

  /** The slot of the key, or the free one where it would go. Ends, as one slot is always free. */
  #find({ bytes, keyPosition, keySize }: KeyedRecord): number {
    this.#hash.hash(bytes, keyPosition, keyPosition + keySize)
    const { first, second } = this.#hash
    const { low, high } = first
    const words = this.#words
    const offsets = this.#offsets
    const slots = this.#slots
    let slot = (low >>> 0) % slots
    const step = 1 + ((high >>> 0) % (slots - 1))
    for (;;) {
      const at = slot * 4
      const isHere =
        words[at] === low &&
        words[at + 1] === high &&
        words[at + 2] === second.low &&
        words[at + 3] === second.high
      if (offsets[slot] === 0 || isHere) return slot
      slot += step
      if (slot >= slots) slot -= slots
    }
  }
}

/** The largest prime not above `limit`, which is 2 or more. */
function primeUpTo(limit: number): number {
  let candidate = limit
  while (!isPrime(candidate)) candidate--
  return candidate
}

function isPrime(value: number): boolean {
  for (let divisor = 2; divisor * divisor <= value; divisor++) {
    if (value % divisor === 0) return false
  }
  return true
}
