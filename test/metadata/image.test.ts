import { memoryEnv } from '../../lib/io/memory/env.ts'
import { seededRandom } from '../../lib/io/memory/random.ts'
import { randomBelow } from '../../lib/io/random.ts'
import { BucketMap } from '../../lib/metadata/bucket-map.ts'
import { ensureCluster } from '../../lib/metadata/cluster.ts'
import { MetadataFollower } from '../../lib/metadata/follower.ts'
import type { ClusterImage } from '../../lib/metadata/image.ts'
import { Keys } from '../../lib/metadata/keys.ts'
import { MemoryStore } from '../../lib/metadata/memory/store.ts'
import { ProducerIds } from '../../lib/metadata/producer-ids.ts'
import type { MetadataStore, WatchHandlers } from '../../lib/metadata/store.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('image')
const clusterId = 'c'
const keys = new Keys(clusterId)

test('keys are read as they are made, and no name reaches into another key', () => {
  const made = [
    [keys.meta, { kind: 'meta' }],
    [keys.controller, { kind: 'controller' }],
    [keys.producerIds, { kind: 'producerIds' }],
    [keys.defaultBrokerConfig, { kind: 'defaultBrokerConfig' }],
    [keys.broker(7), { kind: 'broker', brokerId: 7 }],
    [keys.brokerInfo(7), { kind: 'brokerInfo', brokerId: 7 }],
    [keys.brokerConfig(7), { kind: 'brokerConfig', brokerId: 7 }],
    [keys.topic('a.b'), { kind: 'topic', name: 'a.b' }],
    [keys.topicConfig('a.b'), { kind: 'topicConfig', name: 'a.b' }],
    [keys.topicId('x'), { kind: 'topicId', topicId: 'x' }],
    [keys.partition('x', 12), { kind: 'partition', topicId: 'x', partition: 12 }],
  ] as const
  for (const [key, parsed] of made) assert.equal(keys.parse(key), parsed)
  for (const key of ['', 'ottla/v1/c', 'ottla/v1/d/meta', `${keys.prefix}cfg/quota/x`]) {
    assert.is(keys.parse(key).kind, 'unknown')
  }
})

test('a bucket map behaves as a map, and never changes', () => {
  const random = seededRandom(1)
  const below = (bound: number) => randomBelow(random, bound)
  let expected = new Map<string, number>()
  let actual = new BucketMap<string, number>()
  for (let step = 0; step < 2000; step++) {
    const changes = new Map<string, number | undefined>()
    for (let count = below(4); count >= 0; count--) {
      changes.set(`key-${below(500)}`, below(3) === 0 ? undefined : step)
    }
    const before = [...actual].length
    const next = actual.with(changes)
    assert.is([...actual].length, before, 'the old map is as it was')
    actual = next
    expected = new Map(expected)
    for (const [key, value] of changes) {
      if (value === undefined) expected.delete(key)
      else expected.set(key, value)
    }
    assert.is(actual.size, expected.size)
  }
  const byKey = (map: ReadonlyMap<string, number>) =>
    new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)))
  assert.equal(byKey(actual), byKey(expected))
  assert.equal([...actual.keys()].sort(), [...expected.keys()].sort())
  assert.ok([...expected].every(([key, value]) => actual.get(key) === value && actual.has(key)))
  assert.is(actual.get('none'), undefined)
})

async function put(store: MetadataStore, key: string, value: object | null): Promise<number> {
  const result = await store.txn(
    [],
    [value ? { kind: 'put', key, value: JSON.stringify(value) } : { kind: 'delete', key }],
  )
  assert.is(result.outcome, 'ok')
  return result.outcome === 'ok' ? result.revision : -1
}

function partitionValue(leader: number): object {
  return { v: 1, leader, leaderEpoch: 0, isr: [leader], replicas: [leader], elr: [], minIsr: 1 }
}

test('a topic is in the image from its last key on, and with all its partitions', async () => {
  const store = new MemoryStore()
  const env = memoryEnv()
  const follower = await MetadataFollower.start({ store, clusterId, env })
  const visible = () => follower.image.topics.get('t')?.partitions.map(({ leader }) => leader)
  await put(store, keys.topicId('id'), { v: 1, name: 't', state: 'creating', since: 0 })
  for (const partition of [2, 0, 1])
    await put(store, keys.partition('id', partition), partitionValue(partition))
  await put(store, keys.topicConfig('t'), { v: 1, configs: { 'retention.ms': '1' } })
  assert.is(visible(), undefined)
  const revision = await put(store, keys.topic('t'), { v: 1, topicId: 'id', partitions: 3 })
  await follower.waitFor(revision, 10)
  assert.equal(visible(), [0, 1, 2])
  assert.equal(follower.image.topics.get('t')?.configs, { 'retention.ms': '1' })
  const changed = await put(store, keys.partition('id', 1), partitionValue(9))
  await follower.waitFor(changed, 10)
  assert.equal(visible(), [0, 9, 2])
  assert.is(follower.image.topics.get('t')?.partitions[1]?.partitionEpoch, changed)
  await put(store, keys.partition('id', 3), partitionValue(3))
  assert.equal(visible(), [0, 9, 2], 'more partitions show with their count')
  await follower.waitFor(
    await put(store, keys.topic('t'), { v: 1, topicId: 'id', partitions: 4 }),
    10,
  )
  assert.equal(visible(), [0, 9, 2, 3])
})

/** All that an image says, to be compared. */
function plain(image: ClusterImage): Record<string, unknown> {
  const sorted = <T>(map: ReadonlyMap<string | number, T>) =>
    [...map].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
  return {
    revision: image.revision,
    controllerId: image.controllerId,
    nextProducerId: image.nextProducerId,
    brokers: sorted(image.brokers),
    topics: sorted(image.topics),
    topicNames: sorted(image.topicNames),
    topicIds: sorted(image.topicIds),
    partitionsOf: sorted(image.partitionsOf),
    topicConfigs: sorted(image.topicConfigs),
    brokerConfigs: sorted(image.brokerConfigs),
    defaultBrokerConfig: image.defaultBrokerConfig,
  }
}

/** A store whose watch tells events twice, and now and then only that some were missed. */
function nastyWatch(store: MemoryStore, below: (bound: number) => number): MetadataStore {
  const watch: MetadataStore['watch'] = (prefix, from, handlers) => {
    let isOver = false
    const nasty: WatchHandlers = {
      onReset: () => handlers.onReset(),
      onEvents(events, revision) {
        if (isOver) return
        if (below(10) === 0) {
          isOver = true
          handlers.onReset()
          return
        }
        handlers.onEvents(events, revision)
        if (below(3) === 0) handlers.onEvents(events, revision)
      },
    }
    return store.watch(prefix, from, nasty)
  }
  return new Proxy(store, {
    get(target, name) {
      if (name === 'watch') return watch
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

test('an image that followed every change equals one made at the end, also over a bad watch', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed)
    const below = (bound: number) => randomBelow(random, bound)
    const store = new MemoryStore()
    const env = memoryEnv()
    const follower = await MetadataFollower.start({
      store: nastyWatch(store, below),
      clusterId,
      env,
    })
    for (let step = 0; step < 300; step++) await randomChange(store, below)
    await env.clock.settle()
    const fresh = await MetadataFollower.start({ store, clusterId, env })
    const expected = plain(fresh.image)
    for (const [name, value] of Object.entries(plain(follower.image))) {
      assert.is(JSON.stringify(value), JSON.stringify(expected[name]), `seed ${seed}: ${name}`)
    }
  }
})

async function randomChange(store: MemoryStore, below: (bound: number) => number): Promise<void> {
  const name = `t${below(5)}`
  const id = `id-${name}-${below(2)}`
  const isDelete = below(4) === 0
  const choices: [key: string, value: object][] = [
    [keys.topic(name), { v: 1, topicId: id, partitions: below(5) }],
    [keys.topicId(id), { v: 1, name, state: 'live', since: below(100) }],
    [keys.partition(id, below(5)), partitionValue(below(3))],
    [keys.partition(id, below(5)), partitionValue(below(3))],
    [keys.topicConfig(name), { v: 1, configs: { 'retention.ms': String(below(9)) } }],
    [keys.brokerConfig(below(3)), { v: 1, configs: { 'log.retention.ms': String(below(9)) } }],
    [keys.defaultBrokerConfig, { v: 1, configs: {} }],
    [keys.controller, { v: 1, brokerId: below(3), incarnation: 'i' }],
    [keys.producerIds, { v: 1, next: below(10) * 1000 }],
    [
      keys.broker(below(3)),
      {
        v: 1,
        incarnation: 'i',
        listeners: [],
        rack: null,
        dirs: [],
        state: 'active',
        cleanSince: null,
      },
    ],
  ]
  const [key = '', value = {}] = choices[below(choices.length)] ?? []
  await put(store, key, isDelete ? null : value)
}

test('waiting for a revision that does not come ends in time', async () => {
  const env = memoryEnv()
  const follower = await MetadataFollower.start({ store: new MemoryStore(), clusterId, env })
  const waiting = rejection(follower.waitFor(5, 1000))
  await env.clock.advance(1000)
  assert.is((await waiting).name, 'REQUEST_TIMED_OUT')
  const other = rejection(follower.waitFor(5, 1000))
  follower.close()
  assert.is((await other).name, 'REQUEST_TIMED_OUT')
})

test('a store keeps to its cluster', async () => {
  const env = memoryEnv()
  const store = new MemoryStore()
  const first = await ensureCluster({ env, store, clusterId })
  assert.is(first.isNew, true)
  const again = await ensureCluster({ env, store, clusterId })
  assert.is(again.isNew, false)
  assert.equal(again.meta, first.meta)
  const error = await rejection(ensureCluster({ env, store, clusterId: 'other' }))
  assert.match(error.message, 'belongs to cluster c')
})

test('producer ids never come twice, and outlast an outage of the store for two blocks', async () => {
  const store = new MemoryStore()
  const brokers = [new ProducerIds(store, keys), new ProducerIds(store, keys)]
  const given = new Set<number>()
  for (let index = 0; index < 5000; index++) {
    const broker = brokers[index % 2]
    if (broker) given.add(await broker.next())
  }
  assert.is(given.size, 5000)
  await store.close()
  let more = 0
  try {
    for (; more < 10_000; more++) given.add((await brokers[0]?.next()) ?? -1)
  } catch {
    // The reserve is used up.
  }
  assert.ok(more >= 2000, `${more} ids without a store`)
  assert.is(given.size, 5000 + more)
})
