/**
 * Our members and our coordinator on one machine in memory: members of both protocols come, leave,
 * die, freeze; the broker is started anew. One owner per partition, every record read, and
 * nothing committed that was not read; none twice where nobody died or froze.
 */

import { KafkaError } from '../../lib/base/errors.ts'
import type { AssignorName } from '../../lib/client/assignors/assignor.ts'
import { Client } from '../../lib/client/client.ts'
import { GroupConsumer } from '../../lib/client/group-consumer.ts'
import type { GroupConsumerOptions } from '../../lib/client/group-options.ts'
import { Producer } from '../../lib/client/producer.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import { seededRandom } from '../../lib/io/memory/random.ts'
import { addressText } from '../../lib/io/network.ts'
import { type Random, randomBelow } from '../../lib/io/random.ts'
import { Scenario } from '../broker/support/scenario.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('group simulation')
const partitionCount = 6
const membersMax = 8
/** One each; $SEEDS says how many more. */
const seeds = (first: number) =>
  Array.from({ length: 1 + Number(process.env['SEEDS'] ?? 0) }, (_, n) => first + 10 * n)
const slow = { timeoutMs: 60_000 }

class Life {
  readonly client: Client
  readonly group: GroupConsumer
  state: 'reading' | 'leaving' | 'frozen' | 'dead' = 'reading'
  readonly ended: Promise<void>

  constructor(world: World, options: Partial<GroupConsumerOptions>) {
    this.client = world.newClient()
    this.group = new GroupConsumer(this.client, {
      groupId: 'g',
      autoCommitIntervalMs: 700,
      maxWaitMs: 200,
      sessionTimeoutMs: 10_000,
      maxPollIntervalMs: 15_000,
      ...options,
    })
    this.group.subscribe(['t'])
    this.ended = this.#read(world)
  }

  async #read(world: World): Promise<void> {
    try {
      while (this.state !== 'leaving') {
        const batches = await this.group.next({ timeoutMs: 200 })
        if (this.state === 'dead') return
        for (const batch of batches) {
          for (const { offset } of batch.records()) world.onRead(batch.partition, offset)
        }
        while (this.state === 'frozen') await this.client.pause(100)
      }
      await this.group.close()
    } catch (error) {
      // What was read last could not be committed any more: somebody reads it again.
      const isFenced = error instanceof KafkaError && [22, 25].includes(error.code)
      if (this.state !== 'dead' && !isFenced) throw error
    } finally {
      this.client.close()
    }
  }
}

class World {
  readonly scenario: Scenario
  readonly random: Random
  readonly lives = new Set<Life>()
  readonly reads = Array.from({ length: partitionCount }, () => [] as number[])
  readonly producer: Producer
  readonly #admin: Client
  written = 0
  failure: Error | null = null

  constructor(scenario: Scenario, seed: number) {
    this.scenario = scenario
    this.random = seededRandom(seed)
    this.#admin = this.newClient()
    this.producer = new Producer(this.#admin, { lingerMs: 0, deliveryTimeoutMs: 120_000 })
  }

  static async start(seed: number): Promise<World> {
    const configs = {
      'group.initial.rebalance.delay.ms': '0',
      'offsets.topic.replication.factor': '1',
      'offsets.topic.num.partitions': '2',
    }
    const topics = [`t:${partitionCount}`]
    // On a port of its own, which a broker that is started anew finds again.
    const listen = { host: '127.0.0.1', port: 9099 }
    const listeners = [{ name: 'FIXED', listen, advertise: null }]
    const env = memoryEnv({ seed })
    return new World(await Scenario.start({ env, configs, topics, listeners }), seed)
  }

  newClient(): Client {
    const { env } = this.scenario
    return new Client({ env, brokers: [addressText(this.scenario.listener('FIXED'))] })
  }

  onRead(partition: number, offset: number): void {
    const counts = this.reads[partition] ?? []
    counts[offset] = (counts[offset] ?? 0) + 1
  }

  join(options: Partial<GroupConsumerOptions>): void {
    const life = new Life(this, options)
    this.lives.add(life)
    life.ended
      .catch((error: unknown) => {
        this.failure ??= error instanceof Error ? error : new Error(String(error))
      })
      .finally(() => this.lives.delete(life))
  }

  produce(count: number): void {
    for (let n = 0; n < count; n++) {
      const partition = randomBelow(this.random, partitionCount)
      this.written++
      this.producer.send({ topic: 't', partition, key: null, value: 'x' }).catch((error: Error) => {
        this.failure ??= error
      })
    }
  }

  kill(life: Life): void {
    life.state = 'dead'
    this.lives.delete(life)
    life.client.close()
  }

  check(): void {
    if (this.failure !== null) throw this.failure
    const owners = new Map<number, Life>()
    for (const life of this.lives) {
      // Who is frozen may learn a moment late that its time is over; it commits nothing any more.
      if (life.state === 'frozen') continue
      for (const { partition } of life.group.assignment) {
        assert.not.ok(owners.has(partition), `partition ${partition} has two owners`)
        owners.set(partition, life)
      }
    }
  }

  get isAllRead(): boolean {
    const count = this.reads.reduce((sum, counts) => sum + counts.filter(Boolean).length, 0)
    return count === this.written
  }

  get repeats(): number {
    return this.reads.flat().filter((count) => count > 1).length
  }
}

interface Plan {
  readonly kinds: readonly Partial<GroupConsumerOptions>[]
  readonly dies: boolean
  readonly restarts: boolean
}

async function simulate(seed: number, { kinds, dies, restarts }: Plan): Promise<World> {
  const world = await World.start(seed)
  const { random, scenario } = world
  const { clock } = scenario.env
  const kind = () => kinds[randomBelow(random, kinds.length)] ?? {}
  for (let step = 0; step < 80; step++) {
    const lives = [...world.lives].filter(({ state }) => state === 'reading')
    const one = lives[randomBelow(random, Math.max(lives.length, 1))]
    const dice = randomBelow(random, 12)
    if (one === undefined || (dice < 3 && world.lives.size < membersMax)) world.join(kind())
    else if (dice === 3 || dice === 4) one.state = 'leaving'
    else if (dice === 5 && dies) world.kill(one)
    else if (dice === 6 && dies) {
      one.state = 'frozen'
      clock.timer(randomBelow(random, 30_000), () => {
        if (one.state === 'frozen') one.state = 'reading'
      })
    } else if (dice === 7 && restarts) await scenario.restart()
    world.produce(randomBelow(random, 6))
    await clock.advance(randomBelow(random, 3000))
    world.check()
  }
  world.join(kind())
  for (let waits = 0; waits < 240 && !world.isAllRead; waits++) {
    await clock.advance(500)
    world.check()
  }
  const read = world.reads.map((counts) => counts.filter(Boolean).length).join()
  assert.ok(
    world.isAllRead,
    `seed ${seed}: records were lost: ${world.written} written, read ${read}`,
  )
  for (const life of world.lives) world.kill(life)
  return world
}

const classic = (...assignors: AssignorName[]) => ({ assignors })
const consumer = { protocol: 'consumer' } as const

for (const [title, kinds] of [
  ['range', [classic('range')]],
  ['cooperative-sticky', [classic('cooperative-sticky')]],
  ['the consumer protocol', [consumer]],
  [
    'both protocols',
    [consumer, classic('cooperative-sticky'), classic('range', 'cooperative-sticky')],
  ],
] as const) {
  test(
    `${title}: members come and leave, every record is read`,
    async () => {
      for (const seed of seeds(1)) {
        const world = await simulate(seed, { kinds, dies: false, restarts: false })
        // A group that changes its protocol fences classic members that are an epoch behind, as Kafka's.
        if (kinds.length === 1) assert.is(world.repeats, 0, `seed ${seed}`)
        await world.scenario.stop()
      }
    },
    slow,
  )

  test(
    `${title}: members die and freeze, no record is lost`,
    async () => {
      for (const seed of seeds(3)) {
        const world = await simulate(seed, { kinds, dies: true, restarts: false })
        await world.scenario.stop()
      }
    },
    slow,
  )
}

test(
  'the broker is started anew under members of both protocols',
  async () => {
    for (const seed of seeds(5)) {
      const kinds = [consumer, classic('cooperative-sticky')]
      const world = await simulate(seed, { kinds, dies: false, restarts: true })
      await world.scenario.stop()
    }
  },
  slow,
)
