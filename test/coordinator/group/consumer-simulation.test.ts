/**
 * Members of both protocols join, leave, crash, freeze and lose requests and answers at random, while
 * topics grow and the broker restarts. After every step: each partition has one owner at most, and no
 * member holds what the broker does not know it to hold. In the end everything is shared out evenly.
 */

import { KafkaError } from '../../../lib/base/errors.ts'
import {
  heartbeatAnyGroup,
  joinAnyGroup,
  leaveAnyGroup,
  syncAnyGroup,
} from '../../../lib/coordinator/group/consumer-classic.ts'
import { randomBelow } from '../../../lib/io/random.ts'
import { decodeAssignment, encodeSubscription } from '../../../lib/protocol/consumer-protocol.ts'
import { assert, suite } from '../../support/suite.ts'
import { GroupHarness, topicId } from './consumer-harness.ts'

const test = suite('coordinator/group/consumer-simulation')

type Held = Map<string, Set<number>>

const listOf = (held: Held) =>
  [...held].map(([id, partitions]) => ({ topicId: id, partitions: [...partitions] }))

abstract class Client {
  readonly memberId: string
  held: Held = new Map()
  constructor(memberId: string) {
    this.memberId = memberId
  }
  /** One exchange with the broker. `isLost`: the answer does not arrive. */
  abstract exchange(harness: GroupHarness, isLost: boolean): void
  abstract leave(harness: GroupHarness): void

  /** Takes a new assignment on: it lets go first, and only then takes. */
  protected take(assigned: Held): void {
    this.held = new Map([...assigned].map(([id, partitions]) => [id, new Set(partitions)]))
  }
}

class NewClient extends Client {
  #epoch = 0
  #isFull = true
  readonly names: string[]
  readonly instanceId: string | null

  constructor(memberId: string, names: string[], instanceId: string | null = null) {
    super(memberId)
    this.names = names
    this.instanceId = instanceId
  }

  exchange(harness: GroupHarness, isLost: boolean): void {
    try {
      const answer = harness.heartbeat({
        memberId: this.memberId,
        memberEpoch: this.#epoch,
        instanceId: this.instanceId,
        topicPartitions: this.#epoch === 0 ? [] : listOf(this.held),
        ...(this.#isFull && { rebalanceTimeoutMs: 60_000, subscribedTopicNames: this.names }),
      })
      this.#isFull = isLost
      if (isLost) return
      this.#epoch = answer.memberEpoch
      if (answer.assignment === null) return
      this.take(
        new Map(
          answer.assignment.topicPartitions.map((one) => [one.topicId, new Set(one.partitions)]),
        ),
      )
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      assert.ok([110, 25, 69, 82, 111].includes(error.code), error.message)
      this.held = new Map()
      this.#epoch = 0
      this.#isFull = true
    }
  }

  leave(harness: GroupHarness, memberEpoch = -1): void {
    if (this.#epoch === 0) return
    this.held = new Map()
    const { memberId, instanceId } = this
    try {
      harness.heartbeat({ memberId, memberEpoch, instanceId })
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
    }
  }
}

/** A cooperative consumer of the classic protocol. */
class ClassicClient extends Client {
  #generation = -1
  #phase: 'join' | 'sync' | 'stable' = 'join'
  readonly #names: string[]

  constructor(memberId: string, names: string[]) {
    super(memberId)
    this.#names = names
  }

  exchange(harness: GroupHarness, isLost: boolean): void {
    try {
      if (this.#phase === 'join') this.#join(harness, isLost)
      else if (this.#phase === 'sync') this.#sync(harness, isLost)
      else this.#beat(harness)
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      assert.ok([22, 25, 27].includes(error.code), error.message)
      this.#phase = 'join'
      if (error.code !== 27) this.held = new Map()
    }
  }

  #join(harness: GroupHarness, isLost: boolean): void {
    const owned = [...this.held].map(([id, partitions]) => ({
      topic: id.replace(/_+A$/, ''),
      partitions: [...partitions],
    }))
    const subscription = {
      topics: this.#names,
      ownedPartitions: owned,
      generationId: this.#generation,
    }
    const request = {
      groupId: 'group',
      sessionTimeoutMs: 45_000,
      rebalanceTimeoutMs: 60_000,
      memberId: this.memberId,
      groupInstanceId: null,
      protocolType: 'consumer',
      protocols: [{ name: 'cooperative-sticky', metadata: encodeSubscription(subscription) }],
      reason: null,
    }
    const client = { clientId: 'c', clientHost: '/1.2.3.4', apiVersion: 9 }
    const answer = harness.run((shard) => joinAnyGroup(shard, request, client))
    assert.not(answer instanceof Promise)
    if (isLost || answer instanceof Promise) return
    this.#generation = answer.generationId ?? -1
    this.#phase = 'sync'
  }

  #sync(harness: GroupHarness, isLost: boolean): void {
    const request = {
      groupId: 'group',
      generationId: this.#generation,
      memberId: this.memberId,
      groupInstanceId: null,
      protocolType: 'consumer',
      protocolName: 'cooperative-sticky',
      assignments: [],
    }
    const answer = harness.run((shard) => syncAnyGroup(shard, request))
    if (isLost || answer instanceof Promise) return
    const { assignedPartitions } = decodeAssignment(answer.assignment ?? new Uint8Array(0))
    this.take(
      new Map(assignedPartitions.map((one) => [topicId(one.topic), new Set(one.partitions)])),
    )
    this.#phase = 'stable'
  }

  #beat(harness: GroupHarness): void {
    const { memberId } = this
    const request = { groupId: 'group', memberId, groupInstanceId: null }
    void harness.run((shard) =>
      heartbeatAnyGroup(shard, { ...request, generationId: this.#generation }),
    )
  }

  leave(harness: GroupHarness): void {
    this.held = new Map()
    const leaving = { memberId: this.memberId, groupInstanceId: null, reason: null }
    void harness.run((shard) => leaveAnyGroup(shard, { groupId: 'group', members: [leaving] }))
  }
}

function checkOwners(harness: GroupHarness, clients: Iterable<Client>, what: string): void {
  const owners = new Map<string, string>()
  const { members } = harness.group()
  for (const { memberId, assigned, pendingRevocation } of members.values()) {
    for (const owned of [assigned, pendingRevocation]) {
      for (const [id, partitions] of owned) {
        for (const partition of partitions.keys()) {
          const key = `${id}${partition}`
          const other = owners.get(key)
          assert.is(other, undefined, `${what}: ${key} is of ${memberId} and ${other}`)
          owners.set(key, memberId)
        }
      }
    }
  }
  for (const { memberId, held } of clients) {
    if (!members.has(memberId)) continue
    for (const [id, partitions] of held) {
      for (const partition of partitions) {
        const owner = owners.get(`${id}${partition}`)
        assert.is(owner, memberId, `${what}: ${memberId} holds ${id}${partition} of ${owner}`)
      }
    }
  }
}

async function simulate(
  seed: number,
  { steps, withClassic }: { steps: number; withClassic: boolean },
) {
  const harness = new GroupHarness({
    seed,
    config: {
      'group.consumer.migration.policy': 'disabled',
      'group.consumer.assignors': [seed % 2 === 0 ? 'uniform' : 'range'],
    },
  })
  const { random, clock } = harness.env
  const chance = (percent: number) => randomBelow(random, 100) < percent
  const counts: Record<string, number> = { a: 5, b: 3, c: 8 }
  harness.topics(counts)
  const names = ['a', 'b', 'c']
  const clients = new Map<string, Client>()
  const anchor = new NewClient('anchor', names)
  clients.set('anchor', anchor)
  anchor.exchange(harness, false)
  let joined = 0
  for (let step = 0; step < steps; step++) {
    const dice = randomBelow(random, 100)
    const all = [...clients.values()]
    const one = all[randomBelow(random, all.length)] ?? anchor
    let what = `seed ${seed} step ${step}: `
    if (dice < 6 && clients.size < 9) {
      const memberId = `m${joined++}`
      const some = chance(20) ? names.filter(() => chance(50)) : names
      const Made = withClassic && chance(50) ? ClassicClient : NewClient
      const instanceId = chance(30) ? `i-${memberId}` : null
      clients.set(memberId, new Made(memberId, some.length === 0 ? ['a'] : some, instanceId))
      what += `new ${memberId}`
    } else if (dice < 9 && one instanceof NewClient && one.instanceId !== null && chance(70)) {
      const memberId = `m${joined++}`
      one.leave(harness, -2)
      clients.delete(one.memberId)
      clients.set(memberId, new NewClient(memberId, one.names, one.instanceId))
      what += `${one.memberId} is to come back as ${memberId}`
    } else if (dice < 9 && one !== anchor) {
      one.leave(harness)
      clients.delete(one.memberId)
      what += `${one.memberId} leaves`
    } else if (dice < 11 && one !== anchor) {
      clients.delete(one.memberId)
      what += `${one.memberId} crashes`
    } else if (dice < 12) {
      const name = names[randomBelow(random, names.length)] ?? 'a'
      counts[name] = (counts[name] ?? 1) + 1
      harness.topics({ [name]: counts[name] })
      what += `${name} grows`
    } else if (dice < 13) {
      harness.restart()
      what += 'restart'
    } else if (dice < 20) {
      await clock.advance(randomBelow(random, 20_000))
      what += 'time passes'
    } else {
      one.exchange(harness, chance(15))
      what += `${one.memberId} reports`
    }
    checkOwners(harness, clients.values(), what)
  }
  await settle(harness, clients)
  const reads = [...harness.group().members.values()]
  for (const [name, count] of Object.entries(counts)) {
    const owners = reads.flatMap(({ assigned }) => [...(assigned.get(topicId(name))?.keys() ?? [])])
    assert.equal(
      owners.sort((a, b) => a - b),
      Array.from({ length: count }, (_, at) => at),
      name,
    )
  }
  for (const { memberId, held } of clients.values()) {
    const { assigned } = harness.group().member(memberId)
    const known = [...assigned].map(([id, partitions]) => `${id} ${[...partitions.keys()].sort()}`)
    const own = [...held].map(([id, partitions]) => `${id} ${[...partitions].sort()}`)
    assert.equal(own.sort(), known.sort(), memberId)
  }
}

/** Everybody reports until nothing changes; those who crashed are given up. */
async function settle(harness: GroupHarness, clients: ReadonlyMap<string, Client>): Promise<void> {
  for (let round = 0; round < 60; round++) {
    for (const client of clients.values()) {
      client.exchange(harness, false)
      checkOwners(harness, clients.values(), `settling ${client.memberId}`)
    }
    await harness.env.clock.advance(5000)
  }
  assert.is(harness.group().state, 'Stable')
  assert.is(harness.group().members.size, clients.size)
}

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`members of the consumer protocol, seed ${seed}`, () =>
    simulate(seed, { steps: 600, withClassic: false }))
  test(`members of both protocols, seed ${seed}`, () =>
    simulate(seed + 100, { steps: 600, withClassic: true }))
}
