/**
 * Members that come, go and die at random, in memory: one owner per partition at every moment, every
 * record read, none twice unless somebody died, and nothing committed that was not read.
 */

import type { AssignorName } from '../../lib/client/assignors/assignor.ts'
import { Client } from '../../lib/client/client.ts'
import { GroupConsumer } from '../../lib/client/group-consumer.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import { seededRandom } from '../../lib/io/memory/random.ts'
import { randomBelow } from '../../lib/io/random.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeCluster, type FakePartition } from './support/fake-cluster.ts'
import { FakeCoordinator } from './support/fake-coordinator.ts'

const test = suite('group chaos')
const partitionCount = 5
const membersMax = 6

class Life {
  readonly client: Client
  readonly group: GroupConsumer
  isKilled = false
  isLeaving = false
  readonly ended: Promise<void>

  constructor(chaos: Chaos, assignors: readonly AssignorName[]) {
    const { cluster } = chaos
    this.client = new Client({ env: cluster.env, brokers: cluster.brokers })
    const options = { groupId: 'g', assignors, autoCommitIntervalMs: 700, maxWaitMs: 100 }
    this.group = new GroupConsumer(this.client, options)
    this.group.subscribe(['t'])
    this.ended = this.#read(chaos)
  }

  async #read(chaos: Chaos): Promise<void> {
    try {
      while (!this.isLeaving) {
        for (const batch of await this.group.next({ timeoutMs: 150 })) {
          if (this.isKilled) return
          for (const { offset } of batch.records()) chaos.onRead(batch.partition, offset)
        }
      }
      await this.group.close()
    } catch (error) {
      if (!this.isKilled) throw error
    } finally {
      this.client.close()
    }
  }
}

class Chaos {
  readonly cluster: FakeCluster
  readonly coordinator: FakeCoordinator
  readonly partitions: FakePartition[]
  readonly lives = new Set<Life>()
  /** How often each record was read, by partition and offset. */
  readonly reads = Array.from({ length: partitionCount }, () => [] as number[])
  failure: Error | null = null

  constructor(cluster: FakeCluster) {
    this.cluster = cluster
    this.coordinator = new FakeCoordinator(cluster)
    this.partitions = cluster.topic('t', partitionCount)
  }

  onRead(partition: number, offset: number): void {
    const counts = this.reads[partition] ?? []
    counts[offset] = (counts[offset] ?? 0) + 1
  }

  join(assignors: readonly AssignorName[]): void {
    const life = new Life(this, assignors)
    this.lives.add(life)
    life.ended.catch((error: unknown) => {
      this.failure ??= error instanceof Error ? error : new Error(String(error))
    })
  }

  append(partition: number): void {
    const builder = new BatchBuilder()
    builder.append(1, null, Buffer.from('x'))
    this.partitions[partition]?.append(builder.build())
  }

  kill(life: Life): void {
    life.isKilled = true
    this.lives.delete(life)
    const { memberId } = life.group.identity
    life.client.close()
    this.coordinator.remove(memberId)
  }

  check(): void {
    if (this.failure !== null) throw this.failure
    const owners = new Set<number>()
    for (const life of this.lives) {
      for (const { partition } of life.group.assignment) {
        assert.not.ok(owners.has(partition), `partition ${partition} has two owners`)
        owners.add(partition)
      }
    }
    for (const [key, committed] of this.coordinator.committed) {
      const counts = this.reads[Number(key.slice(2))] ?? []
      for (let offset = 0; offset < committed; offset++) {
        assert.ok(counts[offset], `${key}: ${committed} is committed, ${offset} was not read`)
      }
    }
  }

  get isAllRead(): boolean {
    return this.partitions.every(({ highWatermark }, partition) => {
      const counts = this.reads[partition] ?? []
      return Array.from({ length: highWatermark }, (_, offset) => counts[offset] ?? 0).every(
        Boolean,
      )
    })
  }
}

async function run(seed: number, kills: boolean, assignors: readonly AssignorName[]) {
  const env = memoryEnv({ seed })
  const random = seededRandom(seed)
  const chaos = new Chaos(await FakeCluster.start({ env }))
  for (let step = 0; step < 60; step++) {
    const lives = [...chaos.lives].filter(({ isLeaving }) => !isLeaving)
    const one = lives[randomBelow(random, Math.max(lives.length, 1))]
    const dice = randomBelow(random, 10)
    if (one === undefined || (dice < 3 && lives.length < membersMax)) chaos.join(assignors)
    else if (dice === 3) {
      one.isLeaving = true
      one.ended.finally(() => chaos.lives.delete(one)).catch(() => {})
    } else if (dice === 4 && kills) chaos.kill(one)
    for (let count = randomBelow(random, 6); count > 0; count--) {
      chaos.append(randomBelow(random, partitionCount))
    }
    await env.clock.advance(randomBelow(random, 1500))
    chaos.check()
  }
  chaos.join(assignors)
  for (let waits = 0; waits < 100 && !chaos.isAllRead; waits++) {
    await env.clock.advance(500)
    chaos.check()
  }
  assert.ok(chaos.isAllRead, 'records were lost')
  const repeats = chaos.reads.flat().filter((count) => count > 1).length
  if (!kills) assert.is(repeats, 0, 'records were read twice although nobody died')
  for (const life of chaos.lives) chaos.kill(life)
}

for (const kills of [false, true]) {
  for (const assignors of [['range'], ['sticky'], ['cooperative-sticky']] as const) {
    test(`${assignors.join()}, ${kills ? 'with' : 'without'} members that die`, async () => {
      for (let seed = 1; seed <= 2; seed++) await run(seed, kills, assignors)
    })
  }
}
