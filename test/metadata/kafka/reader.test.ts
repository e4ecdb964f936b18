import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DecodeError } from '../../../lib/base/errors.ts'
import { adoptDirectory, adoptKafkaMetadata } from '../../../lib/controller/adopt.ts'
import { Controller } from '../../../lib/controller/controller.ts'
import { type MemoryEnv, memoryEnv } from '../../../lib/io/memory/env.ts'
import { ensureCluster } from '../../../lib/metadata/cluster.ts'
import { MetadataFollower } from '../../../lib/metadata/follower.ts'
import { type KafkaMetadata, readKafkaMetadata } from '../../../lib/metadata/kafka/reader.ts'
import { MemoryStore } from '../../../lib/metadata/memory/store.ts'
import { register } from '../../support/controller.ts'
import { assert, rejection, suite } from '../../support/suite.ts'

const test = suite('kafka-reader')
const fixtures = 'fixtures/logs/kafka-metadata'
const logPath = '/data/__cluster_metadata-0/00000000000000000000.log'
const nodeId = 1

/** The fixture's files on a disk in memory, at /data; `change` may alter each. */
async function envWith(
  fixture: string,
  change: (name: string, bytes: Buffer) => Uint8Array | null = (_name, bytes) => bytes,
): Promise<MemoryEnv> {
  const env = memoryEnv()
  for (const name of readdirSync(join(fixtures, fixture), { recursive: true, encoding: 'utf8' })) {
    if (!name.includes('.')) {
      await env.disk.mkdir(`/data/${name}`)
      continue
    }
    await env.disk.mkdir('/data/__cluster_metadata-0')
    const bytes = change(name, readFileSync(join(fixtures, fixture, name)))
    if (bytes === null) continue
    const file = await env.disk.open(`/data/${name}`, 'create')
    await file.writeAt([bytes], 0)
    await file.close()
  }
  return env
}

function summary({ topics }: KafkaMetadata): unknown[] {
  return topics.map(({ name, id, partitions, configs }) => [name, id, partitions.length, configs])
}

const ordersConfigs = { 'retention.ms': '3600000', 'segment.bytes': '2000000' }

test('a log alone: topics with ids, partitions and settings, as Kafka described them', async () => {
  const env = await envWith('log-only')
  const found = await readKafkaMetadata(env, '/data')
  assert.is(found.nodeId, nodeId)
  assert.match(found.clusterId, /^[A-Za-z0-9_-]{22}$/)
  const [offsets, orders, payments] = found.topics
  assert.equal(
    [offsets?.name, offsets?.partitions.length, offsets?.configs['cleanup.policy']],
    ['__consumer_offsets', 50, 'compact'],
  )
  assert.equal(summary({ ...found, topics: [orders, payments].flatMap((one) => one ?? []) }), [
    ['orders', 'Ep9tLzMbSHSGpK4CfWK5pA', 3, ordersConfigs],
    ['payments.v1', 'tmmNSv_ORNi6jb93EVaeyA', 4, {}],
  ])
  assert.is(found.topics.length, 3)
  for (const { partitions } of found.topics) {
    for (const { replicas, isr, elr } of partitions) {
      // The last replica leaves the ISR when its node stops; it is eligible still.
      assert.equal([replicas, [...isr, ...elr]], [[1], [1]])
    }
  }
  assert.equal(found.brokerConfigs.get('')?.['log.retention.bytes'], '77')
  assert.equal(found.brokerConfigs.get('1'), { 'log.cleaner.threads': '2' })
  assert.is(found.nextProducerId, 1000)
})

test('a snapshot and the log after it', async () => {
  const found = await readKafkaMetadata(await envWith('snapshot'), '/data')
  const named = found.topics.filter(({ name }) => !name.startsWith('__'))
  assert.equal(summary({ ...found, topics: named }), [
    ['after-snapshot', 'p1f7hbvXSM2N9CjfTrz7_Q', 2, {}],
    ['before-snapshot', 'KlnHXtb1Q8e4ilSYkagy2Q', 2, {}],
    ['orders', 'Ep9tLzMbSHSGpK4CfWK5pA', 3, ordersConfigs],
  ])
  const epochs = found.topics.flatMap(({ partitions }) => partitions.map((one) => one.leaderEpoch))
  assert.ok(Math.max(...epochs) >= 2, 'a restart was a new leader epoch')
})

test('with snapshots or without, the log adds up to the same', async () => {
  const withSnapshots = await readKafkaMetadata(await envWith('snapshot'), '/data')
  const without = await envWith('snapshot', (name, bytes) =>
    name.endsWith('.checkpoint') ? null : bytes,
  )
  const fromLog = await readKafkaMetadata(without, '/data')
  assert.equal(JSON.stringify(fromLog), JSON.stringify(withSnapshots))
})

test('space that Kafka keeps in reserve at the end of a log is no damage', async () => {
  const env = await envWith('log-only', (name, bytes) =>
    name.endsWith('.log') ? Buffer.concat([bytes, Buffer.alloc(10_000)]) : bytes,
  )
  assert.is((await readKafkaMetadata(env, '/data')).topics.length, 3)
})

test('a log cut anywhere, or with any bit flipped, is refused or reads as a shorter one', async () => {
  const whole = readFileSync(
    join(fixtures, 'log-only/__cluster_metadata-0/00000000000000000000.log'),
  )
  for (let at = 1; at < whole.length; at += 37) {
    const flipped = Buffer.from(whole)
    flipped[at] = (flipped[at] ?? 0) ^ 0x20
    const bytes = at % 2 === 0 ? flipped : whole.subarray(0, at)
    const env = await envWith('log-only', (name, original) =>
      name.endsWith('.log') ? bytes : original,
    )
    const error = await readKafkaMetadata(env, '/data').then(
      () => null,
      (reason: Error) => reason,
    )
    if (error === null) continue
    assert.instance(error, DecodeError, `byte ${at}`)
    assert.ok(error.message.includes(logPath) || error.message.includes('topic'), error.message)
  }
})

test('a log that begins after its snapshot is refused', async () => {
  const env = await envWith('snapshot', (name, bytes) => {
    if (name.endsWith('.checkpoint')) return null
    // Without its first batch.
    return name.endsWith('.log') ? bytes.subarray(12 + bytes.readInt32BE(8)) : bytes
  })
  const error = await rejection(readKafkaMetadata(env, '/data'))
  assert.match(error.message, 'a part is missing')
})

test('a directory without a cluster id is refused', async () => {
  const env = await envWith('log-only', (name, bytes) =>
    name === 'meta.properties' ? Buffer.from('version=0\nbroker.id=1\n') : bytes,
  )
  assert.match((await rejection(readKafkaMetadata(env, '/data'))).message, 'meta.properties')
})

async function adopted() {
  const env = await envWith('log-only')
  const metadata = await readKafkaMetadata(env, '/data')
  const store = new MemoryStore()
  return { env, metadata, store }
}

test('adopted, every partition is led by this broker under a newer epoch', async () => {
  const { env, metadata, store } = await adopted()
  const result = await adoptKafkaMetadata({ env, store, metadata, brokerId: nodeId })
  assert.is(result.topics, 3)
  assert.is(result.partitions, 57)
  const { clusterId } = metadata
  await ensureCluster({ env, store, clusterId })
  const follower = await MetadataFollower.start({ store, clusterId, env })
  const { session, registration } = await register({ env, store, follower, brokerId: nodeId })
  await Controller.start({
    env,
    store,
    follower,
    session,
    brokerId: nodeId,
    incarnation: registration.incarnation,
    staticConfigs: {},
  })
  const { image } = follower
  for (const { name, id, partitions, configs } of metadata.topics) {
    const topic = image.topics.get(name)
    assert.is(topic?.topicId, id)
    assert.equal(topic?.configs, configs)
    assert.is(topic?.partitions.length, partitions.length)
    for (const [index, before] of partitions.entries()) {
      const after = topic?.partitions[index]
      assert.is(after?.leader, nodeId)
      assert.equal(after?.isr, [nodeId])
      assert.is(after?.leaderEpoch, before.leaderEpoch + 1)
    }
  }
  assert.equal(image.brokerConfigs.get(1)?.value.configs, { 'log.cleaner.threads': '2' })
  assert.is(image.defaultBrokerConfig?.value.configs['log.retention.bytes'], '77')
  assert.is(image.nextProducerId, 1000)
})

test('an import that was cut short does not count, and is made again', async () => {
  const { env, metadata, store } = await adopted()
  const { clusterId } = metadata
  let left = 1
  const failing = new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      if (name === 'txn' && --left < 0) return () => Promise.reject(new Error('power loss'))
      return member.bind(target)
    },
  })
  await rejection(adoptKafkaMetadata({ env, store: failing, metadata, brokerId: nodeId }))
  const error = await rejection(ensureCluster({ env, store, clusterId }))
  assert.match(error.message, '--adopt')
  await adoptKafkaMetadata({ env, store, metadata, brokerId: nodeId })
  await ensureCluster({ env, store, clusterId })
  const twice = await rejection(adoptKafkaMetadata({ env, store, metadata, brokerId: nodeId }))
  assert.match(twice.message, 'already')
})

test('a directory that may lack records is refused', async () => {
  const { env, metadata, store } = await adopted()
  const error = await rejection(adoptKafkaMetadata({ env, store, metadata, brokerId: 2 }))
  assert.match(error.message, 'was in sync on the nodes 1, this is node 2')
  assert.is((await store.range('')).keyValues.length, 0)
})

test('a directory is adopted once; one without metadata of Kafka is left alone', async () => {
  const { env, metadata, store } = await adopted()
  const { clusterId } = metadata
  const options = { env, store, dataPath: '/data', clusterId, brokerId: nodeId }
  assert.equal(await adoptDirectory(options), { topics: 3, partitions: 57 })
  assert.is(await adoptDirectory(options), null)
  const other = memoryEnv()
  await other.disk.mkdir('/data')
  assert.is(await adoptDirectory({ ...options, env: other, store: new MemoryStore() }), null)
})
