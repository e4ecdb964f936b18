import type { ErrorName } from '../../lib/base/errors.ts'
import { zeroUuid } from '../../lib/base/uuid.ts'
import { reportDeletions } from '../../lib/controller/deletions.ts'
import type { NewTopic } from '../../lib/controller/topics.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import { openEmbeddedStore } from '../../lib/metadata/embedded/store.ts'
import { startController } from '../support/controller.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('topics')

function topic(fields: Partial<NewTopic> = {}): NewTopic {
  return { name: 'orders', numPartitions: 1, replicationFactor: 1, ...fields }
}

const one = (partitionIndex: number, ...brokerIds: number[]) => ({ partitionIndex, brokerIds })
const assigned = (...assignments: NonNullable<NewTopic['assignments']>): NewTopic =>
  topic({ numPartitions: -1, replicationFactor: -1, assignments })

const refused: readonly [what: string, request: NewTopic, error: ErrorName, text: string][] = [
  ['an empty name', topic({ name: '' }), 'INVALID_TOPIC_EXCEPTION', 'empty'],
  ['the name .', topic({ name: '.' }), 'INVALID_TOPIC_EXCEPTION', 'directory'],
  ['the name ..', topic({ name: '..' }), 'INVALID_TOPIC_EXCEPTION', 'directory'],
  ['250 characters', topic({ name: 'x'.repeat(250) }), 'INVALID_TOPIC_EXCEPTION', '250'],
  ['a slash', topic({ name: 'a/b' }), 'INVALID_TOPIC_EXCEPTION', 'a/b'],
  [
    'a letter with an accent',
    topic({ name: 'caf\u00e9' }),
    'INVALID_TOPIC_EXCEPTION',
    'only letters',
  ],
  ['the metadata topic', topic({ name: '__cluster_metadata' }), 'INVALID_REQUEST', '__cluster'],
  ['a name that exists', topic({ name: 'has.dot' }), 'TOPIC_ALREADY_EXISTS', 'has.dot'],
  ['_ for .', topic({ name: 'has_dot' }), 'INVALID_TOPIC_EXCEPTION', "'has.dot'"],
  ['0 partitions', topic({ numPartitions: 0 }), 'INVALID_PARTITIONS', '0'],
  ['-2 partitions', topic({ numPartitions: -2 }), 'INVALID_PARTITIONS', '-2'],
  ['10,001 partitions', topic({ numPartitions: 10_001 }), 'POLICY_VIOLATION', '10001'],
  ['0 replicas', topic({ replicationFactor: 0 }), 'INVALID_REPLICATION_FACTOR', '0'],
  ['-2 replicas', topic({ replicationFactor: -2 }), 'INVALID_REPLICATION_FACTOR', '-2'],
  [
    'more replicas than brokers',
    topic({ replicationFactor: 4 }),
    'INVALID_REPLICATION_FACTOR',
    '3',
  ],
  [
    'an assignment and a number of partitions',
    topic({ replicationFactor: -1, assignments: [one(0, 1)] }),
    'INVALID_REQUEST',
    '-1',
  ],
  [
    'an assignment and a replication factor',
    topic({ numPartitions: -1, assignments: [one(0, 1)] }),
    'INVALID_REQUEST',
    '-1',
  ],
  ['a partition twice', assigned(one(0, 1), one(0, 2)), 'INVALID_REPLICA_ASSIGNMENT', 'twice'],
  ['a gap', assigned(one(0, 1), one(2, 2)), 'INVALID_REPLICA_ASSIGNMENT', 'got 2, expected 1'],
  ['partitions from 1', assigned(one(1, 1)), 'INVALID_REPLICA_ASSIGNMENT', 'got 1, expected 0'],
  ['no replicas', assigned(one(0)), 'INVALID_REPLICA_ASSIGNMENT', 'empty'],
  [
    'a replica twice',
    assigned(one(0, 2, 2)),
    'INVALID_REPLICA_ASSIGNMENT',
    'broker 2 stands twice',
  ],
  ['an unknown broker', assigned(one(0, 9)), 'INVALID_REPLICA_ASSIGNMENT', 'broker 9'],
  [
    'lists of different lengths',
    assigned(one(0, 1, 2), one(1, 1)),
    'INVALID_REPLICA_ASSIGNMENT',
    'got 1 replicas, expected 2',
  ],
  [
    'an unknown setting',
    topic({ configs: { 'retention.msec': '1' } }),
    'INVALID_CONFIG',
    'retention.ms?',
  ],
  [
    'a value out of range',
    topic({ configs: { 'segment.bytes': '14' } }),
    'INVALID_CONFIG',
    '1048576',
  ],
  ['a missing value', topic({ configs: { 'retention.ms': null } }), 'INVALID_CONFIG', 'missing'],
  [
    'settings that exclude each other',
    topic({ configs: { 'min.compaction.lag.ms': '5', 'max.compaction.lag.ms': '4' } }),
    'INVALID_CONFIG',
    'max.compaction.lag.ms',
  ],
  [
    'more settings than fit',
    topic({ configs: { 'leader.replication.throttled.replicas': `${'10:10,'.repeat(700)}1:1` } }),
    'INVALID_CONFIG',
    '4096',
  ],
]

for (const [what, request, error, text] of refused) {
  test(`${what}: ${error}`, async () => {
    const { controller, store } = await startController({ others: [2, 3] })
    await controller.createTopic(topic({ name: 'has.dot' }))
    const { revision } = await store.range('')
    for (const validateOnly of [true, false]) {
      const found = await rejection(controller.createTopic({ ...request, validateOnly }))
      assert.is(found.name, error)
      assert.ok(found.message.includes(text), found.message)
    }
    assert.is((await store.range('')).revision, revision, 'nothing was written')
  })
}

test('names that differ in case are refused only where the file system takes them for one', async () => {
  const { controller } = await startController({ ignoresCase: true })
  await controller.createTopic(topic({ name: 'Orders' }))
  const error = await rejection(controller.createTopic(topic({ name: 'orders' })))
  assert.is(error.name, 'INVALID_TOPIC_EXCEPTION')
  const other = await startController()
  await other.controller.createTopic(topic({ name: 'Orders' }))
  await other.controller.createTopic(topic({ name: 'orders' }))
})

test('what it answers is in the image, with all settings', async () => {
  const { controller, follower } = await startController({ others: [2, 3] })
  const created = await controller.createTopic(
    topic({ numPartitions: 6, replicationFactor: 3, configs: { 'retention.ms': '1000' } }),
  )
  assert.is(created.numPartitions, 6)
  assert.is(created.replicationFactor, 3)
  const retention = created.configs.find(({ name }) => name === 'retention.ms')
  assert.is(retention?.value, '1000')
  assert.is(retention?.source, 1)
  assert.ok(created.configs.length > 30)
  const image = follower.image.topics.get('orders')
  assert.is(image?.topicId, created.topicId)
  assert.equal(image?.configs, { 'retention.ms': '1000' })
  assert.is(follower.image.topicNames.get(created.topicId), 'orders')
  const leaders = new Map<number, number>()
  for (const [index, partition] of (image?.partitions ?? []).entries()) {
    assert.is(partition.partition, index)
    assert.is(partition.leaderEpoch, 0)
    assert.is(new Set(partition.replicas).size, 3)
    assert.equal(partition.isr, partition.replicas)
    assert.is(partition.minIsr, 2, 'the majority of three')
    leaders.set(partition.leader, (leaders.get(partition.leader) ?? 0) + 1)
  }
  assert.equal([...leaders.values()], [2, 2, 2])
})

test('-1 stands for the defaults, and validateOnly writes nothing', async () => {
  const { controller, follower } = await startController({
    others: [2],
    staticConfigs: { 'num.partitions': '4', 'default.replication.factor': '2' },
  })
  const request = topic({ numPartitions: -1, replicationFactor: -1, validateOnly: true })
  const validated = await controller.createTopic(request)
  assert.equal([validated.numPartitions, validated.replicationFactor], [4, 2])
  assert.is(validated.topicId, zeroUuid)
  assert.is(follower.image.topics.size, 0)
})

test('an assignment is taken as it is', async () => {
  const { controller, follower } = await startController({ others: [2, 3] })
  await controller.createTopic(assigned(one(1, 1, 3), one(0, 3, 2)))
  const partitions = follower.image.topics.get('orders')?.partitions ?? []
  assert.equal(
    partitions.map(({ leader, replicas }) => [leader, ...replicas]),
    [
      [3, 3, 2],
      [1, 1, 3],
    ],
  )
})

test('settings that left Kafka are taken and forgotten', async () => {
  const { controller, follower } = await startController()
  await controller.createTopic(topic({ configs: { 'message.format.version': '2.8' } }))
  assert.equal(follower.image.topics.get('orders')?.configs, {})
})

test('of two creations of colliding names at a time one is refused', async () => {
  const { controller } = await startController()
  const results = await Promise.allSettled([
    controller.createTopic(topic({ name: 'a.b' })),
    controller.createTopic(topic({ name: 'a_b' })),
    controller.createTopic(topic({ name: 'a.b' })),
  ])
  assert.equal(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected'],
  )
})

test('a deleted topic is gone at once, and comes back with another id', async () => {
  const { controller, follower } = await startController()
  const first = await controller.createTopic(topic({ configs: { 'retention.ms': '5' } }))
  await controller.deleteTopic('orders')
  assert.is(follower.image.topics.has('orders'), false)
  assert.is(follower.image.topicNames.has(first.topicId), false)
  assert.is(follower.image.topicIds.get(first.topicId)?.state, 'deleting')
  const second = await controller.createTopic(topic())
  assert.is.not(second.topicId, first.topicId)
  assert.equal(follower.image.topics.get('orders')?.configs, {})
  assert.is((await rejection(controller.deleteTopic('none'))).name, 'UNKNOWN_TOPIC_OR_PARTITION')
})

test('the last keys of a deleted topic go when every live replica has dropped it', async () => {
  const { controller, follower, store } = await startController({ others: [2] })
  const { topicId } = await controller.createTopic(
    topic({ numPartitions: 3, replicationFactor: 2 }),
  )
  await controller.deleteTopic('orders')
  await controller.reportDropped(1, [topicId])
  assert.ok(follower.image.topicIds.has(topicId))
  await controller.reportDropped(2, [topicId])
  const { keyValues, revision } = await store.range('')
  await follower.waitFor(revision, 1000)
  assert.equal(
    keyValues.filter(({ key }) => key.includes(topicId)),
    [],
  )
  assert.is(follower.image.partitionsOf.has(topicId), false)
})

test('a broker that follows the image reports by itself, also what was deleted before', async () => {
  const { controller, follower, env, store } = await startController()
  const first = await controller.createTopic(topic())
  await controller.deleteTopic('orders')
  const applied: number[] = []
  const stop = reportDeletions({
    env,
    follower,
    controller,
    brokerId: 1,
    whenApplied: async (revision) => {
      applied.push(revision)
    },
  })
  const second = await controller.createTopic(topic())
  await controller.deleteTopic('orders')
  for (let turn = 0; turn < 200 && follower.image.topicIds.size > 0; turn++) {
    await new Promise<void>((resolve) => env.clock.endOfTurn(resolve))
  }
  assert.is(follower.image.topicIds.size, 0)
  assert.ok(applied.length >= 2)
  const { keyValues } = await store.range('')
  const ids = [first.topicId, second.topicId]
  assert.not.ok(keyValues.some(({ key }) => ids.some((id) => key.includes(id))))
  stop()
})

test('delete.topic.enable=false forbids it', async () => {
  const { controller } = await startController({
    staticConfigs: { 'delete.topic.enable': 'false' },
  })
  await controller.createTopic(topic())
  assert.is((await rejection(controller.deleteTopic('orders'))).name, 'TOPIC_DELETION_DISABLED')
})

const notGrown: readonly [
  what: string,
  count: number,
  assignments: number[][] | null,
  ErrorName,
][] = [
  ['fewer', 2, null, 'INVALID_PARTITIONS'],
  ['as many', 3, null, 'INVALID_PARTITIONS'],
  ['none', 0, null, 'INVALID_PARTITIONS'],
  ['too few assignments', 5, [[1]], 'INVALID_REPLICA_ASSIGNMENT'],
  ['an assignment to an unknown broker', 4, [[9]], 'INVALID_REPLICA_ASSIGNMENT'],
  ['an assignment of another length', 4, [[1, 2]], 'INVALID_REPLICA_ASSIGNMENT'],
  ['too many', 10_004, null, 'POLICY_VIOLATION'],
]

for (const [what, count, assignments, error] of notGrown) {
  test(`growing to ${what} partitions: ${error}`, async () => {
    const { controller } = await startController({ others: [2] })
    await controller.createTopic(topic({ numPartitions: 3 }))
    const found = await rejection(
      controller.createPartitions({ name: 'orders', count, assignments }),
    )
    assert.is(found.name, error)
  })
}

test('a topic grows, in one transaction or in many', async () => {
  const { controller, follower } = await startController({ others: [2] })
  const { topicId } = await controller.createTopic(topic({ numPartitions: 1 }))
  await controller.createPartitions({ name: 'orders', count: 2, validateOnly: true })
  assert.is(follower.image.topics.get('orders')?.partitions.length, 1)
  for (const count of [3, 350]) {
    await controller.createPartitions({ name: 'orders', count })
    const grown = follower.image.topics.get('orders')
    assert.is(grown?.partitions.length, count)
    assert.is(grown?.topicId, topicId)
    assert.ok(grown?.partitions.every(({ partition }, index) => partition === index))
  }
  const missing = controller.createPartitions({ name: 'none', count: 3 })
  assert.is((await rejection(missing)).name, 'UNKNOWN_TOPIC_OR_PARTITION')
})

test('a topic that a dead controller left half created is swept, and its name is free', async () => {
  const env = memoryEnv()
  const first = await startController({ env })
  let transactions = 0
  const store = new Proxy(first.store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        if (name === 'txn' && ++transactions === 3) return Promise.resolve({ outcome: 'unknown' })
        return (member as (...all: unknown[]) => unknown).apply(target, args)
      }
    },
  })
  await first.controller.close()
  await first.session.end()
  const second = await startController({ env, store, brokerId: 2 })
  transactions = 0
  await rejection(second.controller.createTopic(topic({ numPartitions: 500 })))
  assert.is(second.follower.image.topics.size, 0, 'not visible')
  await second.controller.close()
  await second.session.end()
  const third = await startController({ env, store: first.store, brokerId: 3 })
  const { keyValues, revision } = await first.store.range('')
  await third.follower.waitFor(revision, 1000)
  assert.equal(
    keyValues.filter(({ key }) => key.includes('/p/') || key.includes('/tid/')),
    [],
  )
  const { numPartitions } = await third.controller.createTopic(topic({ numPartitions: 500 }))
  assert.is(numPartitions, 500)
})

test('a thousand topics and a thousand partitions take a few syncs each', async () => {
  const env = memoryEnv()
  await env.disk.mkdir('/data')
  const store = await openEmbeddedStore({ env, path: '/data/metadata' })
  const { controller, follower } = await startController({ env, store })
  let syncs = 0
  env.disk.beforeEach = (operation) => {
    if (operation === 'sync') syncs++
  }
  await controller.createTopic(topic({ numPartitions: 1000 }))
  assert.ok(syncs <= 3, `${syncs} syncs for a topic of 1000 partitions`)
  syncs = 0
  const names = Array.from({ length: 1000 }, (_, index) => `topic-${index}`)
  await Promise.all(names.map((name) => controller.createTopic(topic({ name }))))
  assert.ok(syncs <= 4, `${syncs} syncs for 1000 topics`)
  assert.is(follower.image.topics.size, 1001)
})
