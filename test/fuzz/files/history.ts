/**
 * One data directory, made by a whole broker on a machine in memory, from a seed: topics of several
 * kinds, segments, indexes, snapshots of producers, epochs, a journal, checkpoints, cleaned logs,
 * groups; stopped cleanly or cut off. And what it holds for its clients.
 */

import { Broker } from '../../../lib/broker/broker.ts'
import { singleNodeConfigs } from '../../../lib/config/broker-groups.ts'
import { type Logger, silentLogger } from '../../../lib/io/logger.ts'
import { type MemoryEnv, memoryEnv } from '../../../lib/io/memory/env.ts'
import { seededRandom } from '../../../lib/io/memory/random.ts'
import { type Random, randomBelow } from '../../../lib/io/random.ts'
import { DeleteRecords } from '../../../lib/protocol/apis/delete-records.ts'
import { DeleteTopics } from '../../../lib/protocol/apis/delete-topics.ts'
import { FindCoordinator } from '../../../lib/protocol/apis/find-coordinator.ts'
import { OffsetCommit } from '../../../lib/protocol/apis/offset-commit.ts'
import { Produce } from '../../../lib/protocol/apis/produce.ts'
import { BatchBuilder } from '../../../lib/record/builder.ts'
import { Scenario } from '../../broker/support/scenario.ts'
import { diskWith, root, type Tree, TreeDisk, treeOf } from './tree.ts'

export const group = 'g'
export const offsetsTopic = '__consumer_offsets'
export const firstMs = Date.UTC(2026, 0, 1)

/** What clients were told of one partition. */
export interface Known {
  readonly topic: string
  readonly partition: number
  /** By offset; each was acknowledged. */
  readonly values: Map<number, string>
  /** Keys of a compacted topic, by offset. */
  readonly keys: Map<number, string>
  start: number
  end: number
  /** A power cut may have taken what was acknowledged: nobody promised more. */
  mayLackEnd: boolean
}

export interface History {
  readonly tree: Tree
  readonly known: ReadonlyMap<string, Known>
  /** What the group committed last for a-0; -1 for nothing. */
  readonly committed: number
  readonly wasClean: boolean
}

export const topics = [
  'a:2:internal.segment.bytes=2500,index.interval.bytes=300',
  'b:1:internal.segment.bytes=4000,ottla.durability=replicated,index.interval.bytes=500',
  'c:1:cleanup.policy=compact,internal.segment.bytes=1500,segment.ms=1000,min.cleanable.dirty.ratio=0.1',
  'd:2:index.interval.bytes=400',
  'x:1',
]
const partitions: readonly (readonly [string, number])[] = [
  ['a', 0],
  ['a', 1],
  ['b', 0],
  ['c', 0],
  ['d', 0],
  ['d', 1],
]
const configs = {
  ...singleNodeConfigs,
  'auto.create.topics.enable': 'false',
  'offsets.topic.num.partitions': '1',
  'ottla.journal.file.bytes': '65536',
  'ottla.journal.max.bytes': '196608',
  'log.cleaner.dedupe.buffer.size': '1048576',
}

export function machine(disk: TreeDisk, seed: number, log: Logger = silentLogger): MemoryEnv {
  return { ...memoryEnv({ seed, log }), disk }
}

export function startBroker(env: MemoryEnv): Promise<Broker> {
  return Broker.start({
    env,
    dataPath: root,
    nodeId: 1,
    clusterId: null,
    configs,
    listen: { host: '127.0.0.1', port: 0 },
    advertise: null,
    topics: [],
    adopt: false,
    process: { pid: 4711, bootId: 'boot' },
  })
}

/** What a power cut leaves of files: what was synced, all that was written, or some pages. */
export function crashOf(random: Random): (durable: Uint8Array, current: Uint8Array) => Uint8Array {
  const kind = randomBelow(random, 3)
  return (durable, current) => {
    if (kind === 0) return durable
    if (kind === 1) return current
    const bytes = new Uint8Array(randomBelow(random, 2) === 0 ? current.length : durable.length)
    for (let at = 0; at < bytes.length; at += 4096) {
      const from = randomBelow(random, 2) === 0 ? current : durable
      bytes.set(from.subarray(at, Math.min(at + 4096, bytes.length)), at)
    }
    return bytes
  }
}

class Builder {
  readonly #random: Random
  readonly #seed: number
  readonly known = new Map<string, Known>()
  committed = -1
  #world: Scenario | null = null
  #disk = new TreeDisk()
  #count = 0
  #sequence = 0

  constructor(seed: number) {
    this.#seed = seed
    this.#random = seededRandom(seed)
    for (const [topic, partition] of partitions) {
      this.known.set(`${topic}-${partition}`, {
        topic,
        partition,
        values: new Map(),
        keys: new Map(),
        start: 0,
        end: 0,
        mayLackEnd: false,
      })
    }
  }

  #below(limit: number): number {
    return randomBelow(this.#random, limit)
  }

  get #live(): Scenario {
    if (this.#world === null) throw new Error('no broker runs')
    return this.#world
  }

  async begin(): Promise<void> {
    const env = machine(this.#disk, this.#seed)
    this.#world = await Scenario.start({ env, topics, configs })
    await this.#live.call(FindCoordinator, 4, { coordinatorKeys: [group] })
  }

  async rounds(count: number): Promise<void> {
    for (let round = 0; round < count; round++) {
      await this.#round()
      if (this.#below(10) === 0) await this.#live.env.clock.advance(this.#below(6000))
      if (this.#below(8) === 0) await this.#commit()
    }
    if (this.#below(2) === 0) await this.#live.env.clock.advance(20_000)
  }

  /** A batch into each partition, in one request: the journal then serves them. */
  async #round(): Promise<void> {
    const made = [...this.known].map(([name, known]) => this.#batchFor(name, known))
    const topicData = made.map(({ known, records }) => ({
      name: known.topic,
      partitionData: [{ index: known.partition, records: [records] }],
    }))
    const answer = await this.#live.call(Produce, 9, { acks: -1, timeoutMs: 1000, topicData })
    for (const [at, { known, values, keys }] of made.entries()) {
      const told = answer.responses[at]?.partitionResponses[0]
      if (told?.errorCode !== 0)
        throw new Error(`produce: ${told?.errorCode} ${told?.errorMessage}`)
      for (const [index, value] of values.entries()) {
        const offset = told.baseOffset + index
        known.values.set(offset, value)
        known.keys.set(offset, keys[index] ?? '')
        known.end = offset + 1
      }
    }
    this.#sequence++
  }

  #batchFor(name: string, known: Known) {
    const builder = new BatchBuilder({ codec: this.#below(4) === 0 ? 'gzip' : 'none' })
    const values: string[] = []
    const keys: string[] = []
    const isIdempotent = name === 'd-0'
    for (let n = isIdempotent ? 1 : 1 + this.#below(3); n > 0; n--) {
      const number = this.#count++
      const key = `k${this.#below(5)}`
      const value = `${this.#seed} ${name} ${number} ${'.'.repeat(this.#below(200))}`
      builder.append(firstMs + number * 10, Buffer.from(key), Buffer.from(value), [])
      values.push(value)
      keys.push(key)
    }
    const producer = { producerId: 77, producerEpoch: 0, baseSequence: this.#sequence }
    return { known, values, keys, records: builder.build(isIdempotent ? producer : {}) }
  }

  async #commit(): Promise<void> {
    const committedOffset = this.known.get('a-0')?.end ?? 0
    const answer = await this.#live.call(OffsetCommit, 2, {
      groupId: group,
      topics: [{ name: 'a', partitions: [{ partitionIndex: 0, committedOffset }] }],
    })
    if (answer.topics[0]?.partitions[0]?.errorCode === 0) this.committed = committedOffset
  }

  async change(): Promise<void> {
    if (this.#below(2) === 0) await this.#deleteRecords()
    if (this.#below(3) === 0) {
      await this.#live.until(
        this.#live.call(DeleteTopics, 5, { topicNames: ['x'], timeoutMs: 1000 }),
      )
    }
  }

  async #deleteRecords(): Promise<void> {
    const known = this.known.get(this.#below(2) === 0 ? 'a-0' : 'd-1')
    if (known === undefined) return
    const offset = this.#below(known.end)
    const answer = await this.#live.call(DeleteRecords, 2, {
      timeoutMs: 1000,
      topics: [{ name: known.topic, partitions: [{ partitionIndex: known.partition, offset }] }],
    })
    if (answer.topics[0]?.partitions[0]?.errorCode === 0)
      known.start = Math.max(known.start, offset)
  }

  /** Ends the broker; whether it was stopped in good order. */
  async end(): Promise<boolean> {
    const isClean = this.#below(2) === 0
    if (isClean) await this.#live.stop()
    else {
      this.#disk.crash(crashOf(this.#random))
      const replicated = this.known.get('b-0')
      if (replicated !== undefined) replicated.mayLackEnd = true
    }
    this.#world = null
    return isClean
  }

  /** Another broker on what the one before left. */
  async again(): Promise<void> {
    this.#disk = await diskWith(await this.tree())
    const env = machine(this.#disk, this.#seed + 1)
    env.clock.jumpWall(this.#count * 10)
    this.#world = new Scenario(env, await startBroker(env), {})
    for (const known of this.known.values()) await this.#follow(known)
    this.#sequence = this.known.get('d-0')?.end ?? 0
  }

  /** What was acknowledged and not promised may be gone: on from there. */
  async #follow(known: Known): Promise<void> {
    if (!known.mayLackEnd) return
    const { highWatermark } = await this.#live.fetch(known.topic, known.start, {
      partition: known.partition,
    })
    for (let offset = known.end; offset >= highWatermark; offset--) known.values.delete(offset)
    known.end = highWatermark
    known.mayLackEnd = false
  }

  tree(): Promise<Tree> {
    return treeOf(this.#disk)
  }

  get chance(): Random {
    return this.#random
  }
}

export async function makeHistory(seed: number): Promise<History> {
  const builder = new Builder(seed)
  await builder.begin()
  await builder.rounds(18 + randomBelow(builder.chance, 12))
  await builder.change()
  if (randomBelow(builder.chance, 3) === 0) {
    await builder.end()
    await builder.again()
    await builder.rounds(5 + randomBelow(builder.chance, 20))
  }
  const wasClean = await builder.end()
  const { known, committed } = builder
  return { tree: await builder.tree(), known, committed, wasClean }
}
