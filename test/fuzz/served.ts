/**
 * Requests through a whole broker on a machine in memory: made from the schemas of what it serves,
 * some changed byte by byte, on connections of their own. Whatever they say, the broker goes on,
 * answers the next client, logs no error of its own, and starts again from what they left on disk.
 */

import { handlers } from '../../lib/broker/handlers/index.ts'
import type { LogFields, Logger } from '../../lib/io/logger.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import { seededRandom } from '../../lib/io/memory/random.ts'
import { type Random, randomBelow } from '../../lib/io/random.ts'
import { encodeRequest } from '../../lib/protocol/codec.ts'
import { batch, type RawClient, Scenario } from '../broker/support/scenario.ts'
import { changed } from './frame-bytes.ts'
import { structValue } from './message-values.ts'

/** Requests between two looks at the broker. */
const groupSize = 50
const groupsPerBroker = 40

export interface ServedCounts {
  requests: number
  answered: number
  closed: number
  restarts: number
  slowestMs: number
  slowest: string
}

const cells = handlers.flatMap(({ api, served: [min, max] }) =>
  Array.from({ length: max - min + 1 }, (_, index) => ({ api, version: min + index })),
)

/** APIs times versions. */
export const servedCellCount = cells.length

const configs = {
  'auto.create.topics.enable': 'false',
  'offsets.topic.num.partitions': '2',
  'offsets.topic.replication.factor': '1',
  'group.initial.rebalance.delay.ms': '0',
}

/** Errors that the broker logged: each is a find. */
class ErrorLog implements Logger {
  readonly errors: string[] = []
  error(event: string, fields?: LogFields): void {
    this.errors.push(`${event} ${JSON.stringify(fields ?? {})}`)
  }
  warn(): void {}
  info(): void {}
  debug(): void {}
}

function makeRequest(random: Random, uuids: readonly string[]): { name: string; bytes: Buffer } {
  const cell = cells[randomBelow(random, cells.length)]
  if (cell === undefined) throw new Error('nothing is served')
  const { api, version } = cell
  const records = () => Uint8Array.from(changedBatch(random))
  const body = structValue(api.request.fields, { random, version, records, uuids })
  const header = { correlationId: 1, clientId: 'fuzz' }
  const whole = Buffer.concat(encodeRequest(api, version, header, body))
  const count = Math.max(randomBelow(random, 6) - 3, 0)
  const frame = changed(whole.subarray(4), random, { count, from: 4 })
  const size = Buffer.alloc(4)
  size.writeInt32BE(frame.length)
  return { name: `${api.name} v${version}`, bytes: Buffer.concat([size, frame]) }
}

function changedBatch(random: Random): Uint8Array {
  const codec = randomBelow(random, 3) === 0 ? 'gzip' : 'none'
  const made = Buffer.from(batch(['one', null, 'three'], { codec, key: 'k' }))
  return randomBelow(random, 3) === 0 ? changed(made, random, { count: 1, from: 0 }) : made
}

class Campaign {
  readonly counts: ServedCounts = {
    requests: 0,
    answered: 0,
    closed: 0,
    restarts: 0,
    slowestMs: 0,
    slowest: '',
  }
  readonly #log: ErrorLog
  readonly #world: Scenario
  readonly #good: RawClient[] = []
  #uuids: string[] = []

  private constructor(world: Scenario, log: ErrorLog) {
    this.#world = world
    this.#log = log
  }

  static async start(seed: number): Promise<Campaign> {
    const log = new ErrorLog()
    const env = memoryEnv({ seed, log })
    const world = await Scenario.start({ env, topics: ['a:2', 'b:1'], configs })
    const campaign = new Campaign(world, log)
    campaign.#uuids = [await world.topicId('a'), await world.topicId('b')]
    return campaign
  }

  /** Sends it on a connection of its own, and lets all work end that it led to at once. */
  async send(bytes: Buffer, name: string): Promise<void> {
    const { counts } = this
    const client = await this.#world.connect()
    const began = performance.now()
    client.stream.write([bytes])
    await this.#world.env.clock.settle()
    const ms = performance.now() - began
    counts.requests++
    if (client.isClosed) counts.closed++
    else if (client.frames.length > 0) counts.answered++
    if (ms > counts.slowestMs) Object.assign(counts, { slowestMs: ms, slowest: name })
    client.stream.destroy()
    this.check()
  }

  check(): void {
    const { failure } = this.#world.broker
    if (failure !== null) throw new Error(`the broker gave up: ${failure.stack ?? failure.message}`)
    // Anybody may store records that do not read; that is told once.
    const error = this.#log.errors.find((text) => !text.startsWith('log.read.damaged'))
    if (error !== undefined) throw new Error(`the broker logged ${error.slice(0, 3000)}`)
  }

  get uuids(): readonly string[] {
    return this.#uuids
  }

  async pass(ms: number): Promise<void> {
    await this.#world.env.clock.advance(ms)
    this.check()
  }

  /** A client that means well is served. */
  async lookAround(): Promise<void> {
    this.#good[0] ??= await this.#world.connect()
    if (!(await this.#good[0].isAlive())) throw new Error('a client beside was not answered')
  }

  async restart(): Promise<void> {
    this.counts.restarts++
    this.#good.length = 0
    await this.#world.restart()
    this.check()
  }

  async stop(): Promise<void> {
    await this.#world.stop()
    this.check()
  }
}

/** Runs `count` requests; a find names its seed. Every 2,000 requests meet a broker that is new. */
export async function fuzzServed({
  seed,
  count,
}: {
  seed: number
  count: number
}): Promise<ServedCounts> {
  const total = { requests: 0, answered: 0, closed: 0, restarts: 0, slowestMs: 0, slowest: '' }
  for (let from = 0; from < count; from += groupSize * groupsPerBroker) {
    const ofBroker = Math.min(groupSize * groupsPerBroker, count - from)
    const counts = await fuzzBroker(seed + from, ofBroker)
    for (const key of ['requests', 'answered', 'closed', 'restarts'] as const) {
      total[key] += counts[key]
    }
    if (counts.slowestMs > total.slowestMs) {
      total.slowestMs = counts.slowestMs
      total.slowest = counts.slowest
    }
  }
  return total
}

async function fuzzBroker(seed: number, count: number): Promise<ServedCounts> {
  const random = seededRandom(seed)
  const campaign = await Campaign.start(seed)
  let last = ''
  try {
    for (let index = 1; index <= count; index++) {
      const { name, bytes } = makeRequest(random, campaign.uuids)
      last = `${name} ${bytes.subarray(4, 1000).toString('hex')}`
      await campaign.send(bytes, name)
      if (index % groupSize > 0) continue
      last = 'what follows the requests'
      await campaign.lookAround()
      await campaign.pass([0, 10, 1000, 60_000][randomBelow(random, 4)] ?? 0)
      if (index % (groupSize * 10) === 0) await campaign.restart()
    }
    await campaign.stop()
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const again = `npm run fuzz -- --frames 0 --served ${count} --seed ${seed}`
    throw new Error(
      `${message}\n  after request ${campaign.counts.requests}: ${last}\n  again: ${again}`,
      {
        cause: error,
      },
    )
  }
  return campaign.counts
}
