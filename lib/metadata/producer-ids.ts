/**
 * Producer ids, in blocks of 1,000 from the key `pid/next`. Any broker takes blocks by itself, and
 * keeps two in reserve, so that idempotent producers start also while the store is away.
 */

import { KafkaError } from '../base/errors.ts'
import type { ProducerId } from '../base/types.ts'
import type { Keys, ProducerIdValue } from './keys.ts'
import type { MetadataStore } from './store.ts'

export interface ProducerIdBlock {
  readonly first: ProducerId
  readonly count: number
}

export const producerIdBlockSize = 1000
const reserveBlocks = 2

/** Takes the next block. An answer that got lost costs a block, never gives one twice. */
export async function allocateProducerIdBlock(
  store: MetadataStore,
  keys: Keys,
): Promise<ProducerIdBlock> {
  const key = keys.producerIds
  for (let attempt = 0; attempt < 20; attempt++) {
    const { keyValues } = await store.range(key)
    const found = keyValues.find((one) => one.key === key)
    const before: ProducerIdValue = found ? JSON.parse(found.value) : { v: 1, next: 0 }
    const value: ProducerIdValue = { ...before, next: before.next + producerIdBlockSize }
    const result = await store.txn(
      [found ? { kind: 'modRevision', key, revision: found.modRevision } : { kind: 'absent', key }],
      [{ kind: 'put', key, value: JSON.stringify(value) }],
    )
    if (result.outcome === 'ok') return { first: before.next, count: producerIdBlockSize }
  }
  throw new KafkaError('COORDINATOR_NOT_AVAILABLE', 'no block of producer ids after 20 attempts')
}

/** Gives out producer ids one by one. */
export class ProducerIds {
  readonly #store: MetadataStore
  readonly #keys: Keys
  readonly #blocks: ProducerIdBlock[] = []
  #used = 0
  #refill: Promise<void> | null = null

  constructor(store: MetadataStore, keys: Keys) {
    this.#store = store
    this.#keys = keys
  }

  /** A fresh id. Awaits the store only when the reserve is used up. */
  async next(): Promise<ProducerId> {
    for (let attempt = 0; attempt < 20; attempt++) {
      const id = this.#take()
      if (id !== null) return id
      await this.#topUp()
    }
    throw new KafkaError(
      'COORDINATOR_NOT_AVAILABLE',
      'producer ids are used up faster than refilled',
    )
  }

  #take(): ProducerId | null {
    const [block] = this.#blocks
    if (!block) return null
    const id = block.first + this.#used++
    if (this.#used === block.count) {
      this.#blocks.shift()
      this.#used = 0
      // The reserve serves meanwhile; without a store the next caller that finds it empty is told.
      void this.#topUp().catch(() => {})
    }
    return id
  }

  #topUp(): Promise<void> {
    this.#refill ??= this.#fetchBlocks().finally(() => {
      this.#refill = null
    })
    return this.#refill
  }

  async #fetchBlocks(): Promise<void> {
    while (this.#blocks.length <= reserveBlocks) {
      this.#blocks.push(await allocateProducerIdBlock(this.#store, this.#keys))
    }
  }
}
