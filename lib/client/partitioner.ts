/**
 * Which partition a record goes to. Equal keys go to equal partitions, and by the rules of the
 * clients that other programs of the same system use: `murmur2` as the Java client (an empty key is
 * a key like any other), `crc32` as librdkafka's consistent_random (an empty key counts as none).
 * Records without a key stay with one partition for a batch, then go on to another (KIP-480):
 * full batches instead of many small ones. `random` and `rr` look at no key.
 */

import { crc32 } from '../base/crc32c.ts'
import { murmur2 } from '../base/murmur2.ts'
import { type Random, randomBelow } from '../io/random.ts'

/** Chooses from 0 to `partitionCount - 1`. */
export type PartitionFunction = (
  key: Uint8Array | null,
  partitionCount: number,
  topic: string,
) => number

export type PartitionerName = 'murmur2' | 'crc32' | 'random' | 'rr'

/** The state of partitioning one topic. */
export class TopicPartitioner {
  readonly #kind: PartitionerName | PartitionFunction
  readonly #random: Random
  readonly #topic: string
  /** Partitions with a leader, for records that may go anywhere; all of them when none has one. */
  #available: readonly number[] = []
  #count = 0
  #sticky = -1
  #next = 0

  constructor(kind: PartitionerName | PartitionFunction, random: Random, topic: string) {
    this.#kind = kind
    this.#random = random
    this.#topic = topic
    this.#next = random.u32() % 1024
  }

  /** Takes what the metadata says. */
  update(count: number, available: readonly number[]): void {
    this.#count = count
    this.#available = available.length > 0 ? available : Array.from({ length: count }, (_, i) => i)
    if (!this.#available.includes(this.#sticky)) this.#sticky = -1
  }

  choose(key: Uint8Array | null): number {
    const kind = this.#kind
    if (typeof kind === 'function') return kind(key, this.#count, this.#topic)
    if (kind === 'murmur2') {
      return key === null ? this.#stick() : (murmur2(key) & 0x7fffffff) % this.#count
    }
    if (kind === 'crc32') {
      return key === null || key.length === 0 ? this.#stick() : crc32(key) % this.#count
    }
    if (kind === 'random') return this.#any()
    return this.#available[this.#next++ % this.#available.length] ?? 0
  }

  /** A batch of `partition` is complete: records without a key move on. */
  onBatchFull(partition: number): void {
    if (partition !== this.#sticky) return
    const count = this.#available.length
    const index = randomBelow(this.#random, count)
    const chosen = this.#available[index]
    this.#sticky =
      (chosen === partition ? this.#available[(index + 1) % count] : chosen) ?? partition
  }

  #stick(): number {
    if (this.#sticky === -1) this.#sticky = this.#any()
    return this.#sticky
  }

  #any(): number {
    return this.#available[randomBelow(this.#random, this.#available.length)] ?? 0
  }
}
