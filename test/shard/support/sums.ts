/** A shard that adds up numbers under names: the simplest that shows what a runtime does. */

import { deferred } from '../../../lib/base/deferred.ts'
import type { KafkaError } from '../../../lib/base/errors.ts'
import { type MemoryEnv, memoryEnv } from '../../../lib/io/memory/env.ts'
import { emptyImage } from '../../../lib/metadata/image.ts'
import { ShardRuntime } from '../../../lib/shard/runtime.ts'
import type {
  ReplayPlace,
  Shard,
  ShardContext,
  ShardRecord,
  ShardResult,
} from '../../../lib/shard/shard.ts'
import { MemoryLog } from './memory-log.ts'

export class Sums implements Shard {
  readonly context: ShardContext
  readonly sums = new Map<string, number>()
  readonly pending = new Map<number, [name: string, amount: number][]>()
  readonly places: ReplayPlace[] = []
  readonly images: number[] = []
  isLoaded = false
  closed: KafkaError | null = null
  readonly parked = deferred<number>()

  constructor(context: ShardContext) {
    this.context = context
    this.parked.promise.catch(() => {})
  }

  replay({ key, value }: ShardRecord, place: ReplayPlace): void {
    const name = Buffer.from(key).toString()
    if (name === 'poison') throw new Error('poison')
    this.places.push(place)
    if (value === null) return void this.sums.delete(name)
    const amount = Number(Buffer.from(value).toString())
    if (place.producerId === -1) return this.#add(name, amount)
    const pending = this.pending.get(place.producerId) ?? []
    this.pending.set(place.producerId, [...pending, [name, amount]])
  }

  replayMarker(producerId: number, isCommitted: boolean): void {
    const pending = this.pending.get(producerId) ?? []
    this.pending.delete(producerId)
    if (isCommitted) for (const [name, amount] of pending) this.#add(name, amount)
  }

  onLoaded(): void {
    this.isLoaded = true
  }

  onImage(image: { revision: number }): void {
    this.images.push(image.revision)
  }

  close(error: KafkaError): void {
    this.closed = error
    this.parked.reject(error)
  }

  #add(name: string, amount: number): void {
    this.sums.set(name, (this.sums.get(name) ?? 0) + amount)
  }
}

export function record(name: string, amount: number | null): ShardRecord {
  return { key: Buffer.from(name), value: amount === null ? null : Buffer.from(String(amount)) }
}

/** Adds, and answers with the sum as it was before. */
export function add(name: string, amount: number, rest: Partial<ShardResult<number>> = {}) {
  return (shard: Sums): ShardResult<number> => ({
    records: [record(name, amount)],
    response: shard.sums.get(name) ?? 0,
    ...rest,
  })
}

export const sumOf = (name: string) => (shard: Sums) => shard.sums.get(name) ?? 0

export class SumsWorld {
  readonly env: MemoryEnv = memoryEnv()
  readonly fatal: Error[] = []
  readonly made: Sums[] = []
  readonly runtime = new ShardRuntime<Sums>({
    env: this.env,
    name: 'sums',
    image: emptyImage(''),
    makeShard: (context) => {
      const shard = new Sums(context)
      this.made.push(shard)
      return shard
    },
    loadBytes: () => 1000,
    timeoutMs: () => 5000,
    onFatal: (error) => void this.fatal.push(error),
  })

  /** A runtime that leads partition 0 over the log, loaded. */
  static async leading(log = new MemoryLog()): Promise<{ world: SumsWorld; log: MemoryLog }> {
    const world = new SumsWorld()
    world.runtime.lead(0, 0, log)
    await world.settle()
    return { world, log }
  }

  /** The shard of partition 0. */
  get shard(): Sums | null {
    return [...this.runtime.shards()][0] ?? null
  }

  settle(): Promise<void> {
    return this.env.clock.settle()
  }
}
