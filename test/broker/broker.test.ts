import { type ErrorName, errorCode } from '../../lib/base/errors.ts'
import { Broker } from '../../lib/broker/broker.ts'
import { singleNodeConfigs } from '../../lib/config/broker-groups.ts'
import { noLayers, resolveBrokerConfig } from '../../lib/config/config.ts'
import { readFile } from '../../lib/io/disk.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import { FindCoordinator } from '../../lib/protocol/apis/find-coordinator.ts'
import { Metadata } from '../../lib/protocol/apis/metadata.ts'
import { OffsetCommit } from '../../lib/protocol/apis/offset-commit.ts'
import { readBatchHeader } from '../../lib/record/batch.ts'
import { logConfigWith } from '../../lib/storage/log-config.ts'
import { LogDir } from '../../lib/storage/log-dir.ts'
import { assert, rejection, suite } from '../support/suite.ts'
import { batch, Scenario } from './support/scenario.ts'

function byText(a: string, b: string): number {
  return a < b ? -1 : 1
}

const test = suite('broker')

async function leaderEpoch(world: Scenario, topic: string): Promise<number> {
  const { topics } = await world.call(Metadata, 9, { topics: [{ name: topic }] })
  return topics[0]?.partitions[0]?.leaderEpoch ?? -1
}

test('a restart keeps topics, records, cluster id and epochs', async () => {
  const world = await Scenario.start({ topics: ['a:3'] })
  const { clusterId } = world.broker
  const topicId = await world.topicId('a')
  let epoch = await leaderEpoch(world, 'a')
  for (let round = 0; round < 4; round++) {
    assert.is((await world.produce('a', batch([`r${round}`]))).baseOffset, round)
    await world.restart()
    assert.is(world.broker.clusterId, clusterId)
    assert.is(await world.topicId('a'), topicId)
    const next = await leaderEpoch(world, 'a')
    assert.ok(next >= epoch, `epoch ${next} after ${epoch}`)
    epoch = next
    const answer = await world.fetch('a', 0)
    assert.is(answer.highWatermark, round + 1)
    for (let index = 0; index <= round; index++) assert.ok(answer.bytes.includes(`r${index}`))
  }
  await world.stop()
})

test('what was acknowledged with acks=all survives a power cut, under a new epoch', async () => {
  const env = memoryEnv()
  const world = await Scenario.start({ env, topics: ['a:1'] })
  await world.produce('a', batch(['kept']))
  const epoch = await leaderEpoch(world, 'a')
  env.disk.crash()
  env.network.cut()
  const after = await Scenario.start({ env, topics: ['a:1'] })
  const { bytes, highWatermark } = await after.fetch('a', 0)
  assert.is(highWatermark, 1)
  assert.ok(bytes.includes('kept'))
  assert.ok((await leaderEpoch(after, 'a')) > epoch)
  await after.produce('a', batch(['new']))
  const second = readBatchHeader((await after.fetch('a', 1)).bytes)
  assert.ok(second.partitionLeaderEpoch > epoch)
})

test('with durability=fsync nothing is visible before it is synced', async () => {
  const world = await Scenario.start({ topics: ['safe:1', 'fast:1:ottla.durability=replicated'] })
  world.env.disk.beforeEach = (operation) => {
    if (operation === 'sync') return new Promise(() => {})
    return undefined
  }
  const client = await world.connect()
  const { Produce } = await import('../../lib/protocol/apis/produce.ts')
  const send = (name: string, acks: number) =>
    client.send(Produce, 9, {
      acks,
      timeoutMs: 5000,
      topicData: [{ name, partitionData: [{ index: 0, records: [batch(['x'])] }] }],
    })
  send('fast', -1)
  const fast = await client.answer(Produce, 9)
  assert.is(fast.responses[0]?.partitionResponses[0]?.errorCode, 0)
  assert.is((await world.fetch('fast', 0)).highWatermark, 1)
  send('safe', 1)
  const written = await client.answer(Produce, 9)
  assert.is(written.responses[0]?.partitionResponses[0]?.errorCode, 0)
  assert.is((await world.fetch('safe', 0)).highWatermark, 0)
  send('safe', -1)
  await world.env.clock.advance(5000)
  const timedOut = await client.answer(Produce, 9)
  assert.is(timedOut.responses[0]?.partitionResponses[0]?.errorCode, errorCode('REQUEST_TIMED_OUT'))
})

test('a log dir that fails takes its partitions offline, not the broker', async () => {
  const world = await Scenario.start({ topics: ['a:1', 'b:1'] })
  await world.produce('a', batch(['kept']))
  world.env.disk.beforeEach = (operation, path) => {
    if (operation === 'sync' && path.endsWith('.log')) throw failure('EIO')
    return undefined
  }
  const answer = await world.produce('a', batch(['x']))
  assert.is(answer.errorCode, errorCode('KAFKA_STORAGE_ERROR'))
  // The disk seems well again: what it says now is not believed.
  world.env.disk.beforeEach = () => undefined
  for (const topic of ['a', 'b']) {
    const again = await world.produce(topic, batch(['y']))
    assert.is(again.errorCode, errorCode('KAFKA_STORAGE_ERROR'))
    assert.is((await world.fetch(topic, 0)).errorCode, errorCode('KAFKA_STORAGE_ERROR'))
  }
  assert.is(world.broker.failure, null)
  const { topics } = await world.call(Metadata, 9, { topics: null })
  assert.equal(topics.map(({ name }) => name ?? '').sort(byText), ['a', 'b'])
  const parked = await world.connect()
  assert.ok(await parked.isAlive())

  await world.restart()
  assert.is((await world.produce('a', batch(['after']))).errorCode, 0)
  assert.ok((await world.fetch('a', 0)).bytes.includes('kept'))
  await world.stop()
})

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: as planned`), { code })
}

test('a group keeps to COORDINATOR_NOT_AVAILABLE while its log dir is offline', async () => {
  const configs = { ...singleNodeConfigs, 'offsets.topic.num.partitions': '1' }
  const world = await Scenario.start({ topics: ['a:1'], configs })
  await world.call(FindCoordinator, 4, { coordinatorKeys: ['g'] })
  const partitions = [{ partitionIndex: 0, committedOffset: 1 }]
  const commit = () =>
    world.call(OffsetCommit, 2, { groupId: 'g', topics: [{ name: 'a', partitions }] })
  assert.is((await commit()).topics[0]?.partitions[0]?.errorCode, 0)
  world.env.disk.beforeEach = (operation, path) => {
    if (operation !== 'list' && path.endsWith('.log')) throw failure('EIO')
    return undefined
  }
  const retriable = ['COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR', 'COORDINATOR_LOAD_IN_PROGRESS']
  for (let round = 0; round < 5; round++) {
    const code = (await commit()).topics[0]?.partitions[0]?.errorCode ?? 0
    assert.ok(
      retriable.some((name) => errorCode(name as ErrorName) === code),
      `error ${code}`,
    )
    await world.env.clock.advance(10_000)
  }
  assert.is(world.broker.failure, null)
  world.env.disk.beforeEach = () => undefined
  await world.restart()
  assert.is((await commit()).topics[0]?.partitions[0]?.errorCode, 0)
  await world.stop()
})

test('broker.json is there while it runs', async () => {
  const world = await Scenario.start()
  const bytes = await readFile(world.env.disk, '/data/broker.json')
  const note = JSON.parse(Buffer.from(bytes ?? []).toString())
  assert.equal(note, { v: 1, pid: 4711, bootId: 'boot', nodeId: 1, listeners: [world.address] })
  await world.stop()
  assert.is(await readFile(world.env.disk, '/data/broker.json'), null)
})

test('declared topics: with settings, once, and malformed ones', async () => {
  const world = await Scenario.start({
    topics: ['a:2:retention.ms=5,cleanup.policy=compact,delete', 'b'],
  })
  await world.restart()
  const { topics } = await world.call(Metadata, 9, { topics: null })
  assert.equal(topics.map(({ name, partitions }) => `${name}:${partitions.length}`).sort(byText), [
    'a:2',
    'b:1',
  ])
  await world.stop()
  for (const [text, message] of [
    ['a b:1', 'topic name'],
    ['a:x', 'partitions'],
    ['a:0', 'partitions'],
    ['a:1:retention.ms', 'KEY=VALUE'],
    ['a:1:nope=1', 'nope'],
  ] as const) {
    const error = await rejection(Scenario.start({ topics: [text] }))
    assert.ok(error.message.includes(message), `${text}: ${error.message}`)
  }
})

test('a start that fails leaves the directory and the port free', async () => {
  const env = memoryEnv()
  await rejection(Scenario.start({ env, topics: ['a:1:nope=1'] }))
  const world = await Scenario.start({ env })
  await world.stop()
})

test('a second broker on the same directory is refused', async () => {
  const env = memoryEnv()
  const world = await Scenario.start({ env })
  const error = await rejection(Scenario.start({ env }))
  assert.is(error.name, 'LockedError')
  await world.stop()
})

test('an address that clients cannot use is not advertised', async () => {
  const env = memoryEnv()
  const options = {
    env,
    dataPath: '/data',
    nodeId: 1,
    clusterId: null,
    configs: {},
    listen: { host: '0.0.0.0', port: 0 },
    topics: [],
    adopt: false,
    process: null,
  }
  const error = await rejection(Broker.start({ ...options, advertise: null }))
  assert.match(error.message, /0\.0\.0\.0/)
  const broker = await Broker.start({ ...options, advertise: { host: 'box.example', port: 0 } })
  assert.is(broker.listeners[0]?.host, 'box.example')
  assert.ok((broker.listeners[0]?.port ?? 0) > 0)
  await broker.stop()
})

test('a log of no known topic is put aside, and its name is free again', async () => {
  const env = memoryEnv()
  const world = await Scenario.start({ env })
  await world.stop()
  const config = resolveBrokerConfig(noLayers)
  const logDir = await LogDir.open({ env, path: '/data', nodeId: 1, config })
  await logDir.create({ topic: 'ghost', partition: 0 }, 'QUJDREVGR0hJSktMTU5PUA', logConfigWith({}))
  await logDir.close()
  const after = await Scenario.start({ env, topics: ['ghost:1'] })
  assert.is((await after.produce('ghost', batch(['x']))).baseOffset, 0)
  const names = (await env.disk.list('/data')).map(({ name }) => name)
  assert.is(names.filter((name) => /^ghost-0\..*-stray$/.test(name)).length, 1, names.join(' '))
  await after.restart()
  assert.is((await after.fetch('ghost', 0)).highWatermark, 1)
  await after.stop()
})

test('logs without metadata are left alone', async () => {
  const env = memoryEnv()
  const world = await Scenario.start({ env, topics: ['a:1'] })
  await world.produce('a', batch(['x']))
  await world.stop()
  await env.disk.remove('/data/metadata')
  const error = await rejection(Scenario.start({ env }))
  assert.match(error.message, /metadata/)
  const names = (await env.disk.list('/data')).map(({ name }) => name)
  assert.ok(names.includes('a-0'), names.join(' '))
})

test('metadata that is lost refuses every start, and leaves the clean mark as it was', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  await world.produce('a', batch(['one']))
  world.env.disk.crash()
  await world.env.disk.remove('/data/metadata/log')
  for (let start = 0; start < 2; start++) {
    const env = { ...memoryEnv(), disk: world.env.disk }
    const error = await rejection(Scenario.start({ env }))
    assert.match(error.message, /has 1 partitions but no metadata that knows them/)
    const names = (await env.disk.list('/data')).map(({ name }) => name)
    assert.not.ok(names.includes('.kafka_cleanshutdown'))
  }
})

test('a log of an earlier topic makes room for the one that has its name now', async () => {
  const world = await Scenario.start({ topics: ['a:1', 'b:1'] })
  await world.produce('a', batch(['one']))
  await world.stop()
  const { disk } = world.env
  await disk.rename('/data/a-0/partition.metadata', '/data/a-0/other')
  await disk.rename('/data/b-0/partition.metadata', '/data/a-0/partition.metadata')
  await disk.rename('/data/a-0/other', '/data/b-0/partition.metadata')
  const again = await Scenario.start({ env: { ...memoryEnv(), disk } })
  assert.is((await again.produce('a', batch(['two']))).errorCode, 0)
  const names = (await disk.list('/data')).map(({ name }) => name)
  assert.is(names.filter((name) => name.endsWith('-stray')).length, 2)
  await again.stop()
})

test('a log whose topic id cannot be read is offline, and there again when it can be', async () => {
  const world = await Scenario.start({ topics: ['a:1'] })
  await world.produce('a', batch(['kept']))
  await world.stop()
  world.env.disk.beforeEach = (operation, path) => {
    const isRead = operation === 'read' || operation === 'open'
    if (isRead && path.endsWith('partition.metadata')) {
      throw Object.assign(new Error('EIO'), { code: 'EIO' })
    }
  }
  const second = await Scenario.start({ env: world.env, topics: ['a:1'] })
  assert.is((await second.produce('a', batch(['refused']))).errorCode, 56)
  await second.stop()
  world.env.disk.beforeEach = () => {}
  const third = await Scenario.start({ env: world.env, topics: ['a:1'] })
  assert.ok((await third.fetch('a', 0)).bytes.includes('kept'))
  assert.is((await third.produce('a', batch(['next']))).baseOffset, 1)
})

test('a new directory that only the page cache knew is on the disk after the next start', async () => {
  const env = memoryEnv()
  // Killed before the directory above was synced.
  env.disk.beforeEach = (operation, path) =>
    operation === 'syncDir' && path === '/' ? new Promise(() => {}) : undefined
  void Scenario.start({ env, topics: ['a:1'] })
  await env.clock.settle()
  env.disk.beforeEach = () => {}
  env.disk.killProcess()
  const world = await Scenario.start({
    env: { ...env, network: memoryEnv().network },
    topics: ['a:1'],
  })
  await world.produce('a', batch(['kept']))
  env.disk.crash()
  const after = await Scenario.start({
    env: { ...env, network: memoryEnv().network },
    topics: ['a:1'],
  })
  assert.ok((await after.fetch('a', 0)).bytes.includes('kept'))
})
