import { KafkaError } from '../../lib/base/errors.ts'
import { parseBrokerAddress } from '../../lib/client/addresses.ts'
import { Client, type ClientOptions } from '../../lib/client/client.ts'
import { UnavailableError } from '../../lib/client/errors.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import { InitProducerId } from '../../lib/protocol/apis/init-producer-id.ts'
import { assert, suite } from '../support/suite.ts'
import { drive, driveToFailure } from './support/drive.ts'
import { FakeCluster, type Reaction } from './support/fake-cluster.ts'

const test = suite('client')

async function world(options: Partial<ClientOptions> = {}, nodes = 1) {
  const cluster = await FakeCluster.start({ nodes })
  const { env, brokers } = cluster
  return { cluster, env, client: new Client({ env, brokers, ...options }) }
}

for (const [text, address] of [
  ['localhost:9092', { host: 'localhost', port: 9092 }],
  ['localhost', { host: 'localhost', port: 9092 }],
  ['[::1]:19092', { host: '::1', port: 19092 }],
  ['[fe80::1]', { host: 'fe80::1', port: 9092 }],
  [' a.b-c:1 ', { host: 'a.b-c', port: 1 }],
] as const) {
  test(`address "${text}"`, () => assert.equal(parseBrokerAddress(text), address))
}

for (const [text, why] of [
  ['kafka:http', 'port must be 1-65535'],
  ['kafka:0', 'port must be 1-65535'],
  ['kafka:65536', 'port must be 1-65535'],
  ['kafka:', 'port must be 1-65535'],
  [':9092', 'expected host:port'],
  ['', 'expected host:port'],
  ['a b:1', 'expected host:port'],
  ['http://kafka:9092', 'port must be 1-65535'],
  ['::1:9092', 'expected host:port'],
] as const) {
  test(`address "${text}" is refused`, () => {
    assert.throws(
      () => new Client({ brokers: [text], env: memoryEnv() }),
      (error: Error) => error.message === `bad broker address "${text}": ${why}`,
    )
  })
}

test('nobody there: two rounds, then the reason, in under a second', async () => {
  const env = memoryEnv()
  const client = new Client({ env, brokers: ['127.0.0.1:1', '127.0.0.1:2'] })
  const error = await driveToFailure(env, client.metadata())
  assert.instance(error, UnavailableError)
  assert.is(error.message, 'cannot reach 127.0.0.1:1, 127.0.0.1:2: connection refused (2 tries)')
  assert.ok(env.clock.monotonicMs() < 1000)
})

test('retryForMs goes on until the broker is there, or the time is over', async () => {
  const cluster = new FakeCluster()
  const { env } = cluster
  const client = new Client({ env, brokers: ['127.0.0.1:9091'], retryForMs: 20_000 })
  env.clock.timer(15_000, () => void cluster.startNode(1))
  assert.is((await drive(env, client.metadata())).brokers.length, 1)
  assert.ok(env.clock.monotonicMs() >= 15_000)
  const other = new Client({ env, brokers: ['127.0.0.1:9092'], retryForMs: 20_000 })
  const beganMs = env.clock.monotonicMs()
  const error = await driveToFailure(env, other.metadata())
  assert.instance(error, UnavailableError)
  const tookMs = env.clock.monotonicMs() - beganMs
  assert.ok(tookMs >= 20_000 && tookMs < 27_000, `${tookMs} ms`)
})

test('a silent peer is given up after the time-out, with what was asked', async () => {
  const { cluster, env, client } = await world({ timeoutMs: 5000 })
  cluster.react = () => 'silence'
  const error = await driveToFailure(env, client.metadata())
  assert.instance(error, UnavailableError)
  assert.ok(error.message.startsWith('cannot reach 127.0.0.1:9091: no answer to ApiVersions'))
  const tookMs = env.clock.monotonicMs()
  assert.ok(tookMs >= 5000 && tookMs < 6000, `${tookMs} ms`)
})

test('of several addresses one that answers is enough', async () => {
  const { cluster, env } = await world({}, 2)
  cluster.react = ({ node }) => (node === 2 ? 'silence' : undefined)
  const brokers = ['127.0.0.1:1', '127.0.0.1:9092', '127.0.0.1:9091']
  const client = new Client({ env, brokers })
  assert.is((await drive(env, client.metadata())).clusterId, 'fake')
})

for (const [what, reaction] of [
  ['close', 'close'],
  ['apply-and-close', 'apply-and-close'],
  ['a cut', { cutAt: 10 }],
  ['garbage', { bytes: Buffer.from('????????????????') }],
] as const satisfies readonly (readonly [string, Reaction])[]) {
  test(`a request is sent again over another connection after ${what}`, async () => {
    const { cluster, env, client } = await world()
    cluster.react = ({ api, count }) => (api === 'Metadata' && count < 2 ? reaction : undefined)
    await drive(env, client.metadata())
    assert.is(cluster.callsOf('Metadata').length, 3)
  })
}

test('what may have taken effect is not sent twice unless that does no harm', async () => {
  const { cluster, env, client } = await world()
  cluster.react = ({ api }) => (api === 'InitProducerId' ? 'apply-and-close' : undefined)
  const request = client.request(InitProducerId, () => ({ transactionTimeoutMs: 1 }), {
    isRepeatable: false,
  })
  const error = await driveToFailure(env, request)
  assert.is(
    error.message,
    'lost 127.0.0.1:9091 after InitProducerId was sent: connection closed by the peer; whether it took effect is not known',
  )
  assert.is(cluster.callsOf('InitProducerId').length, 1)
})

test('metadata of topics asked for in one turn comes in one request', async () => {
  const { cluster, env, client } = await world()
  for (const name of ['a', 'b', 'c']) cluster.topic(name)
  await drive(env, Promise.all(['a', 'b', 'c', 'a'].map((name) => client.topic(name))))
  assert.is(cluster.callsOf('Metadata').length, 1)
  await drive(env, client.topic('a'))
  assert.is(cluster.callsOf('Metadata').length, 1)
  await env.clock.advance(300_000)
  await drive(env, client.topic('a'))
  assert.is(cluster.callsOf('Metadata').length, 2)
})

test('a leader epoch that went back is not believed, unless the topic is another one', async () => {
  const { cluster, env, client } = await world({}, 2)
  const partition = cluster.single('t')
  partition.leader = 2
  partition.leaderEpoch = 5
  const leader = async () => {
    await drive(env, client.refresh(['t']))
    const { leader: id, leaderEpoch } = client.partition({ topic: 't', partition: 0 })
    return [id, leaderEpoch]
  }
  assert.equal(await leader(), [2, 5])
  partition.leader = 1
  partition.leaderEpoch = 4
  assert.equal(await leader(), [2, 5])
  const topic = cluster.topics.get('t')
  if (topic !== undefined) topic.id = 'AAAAAAAAAAAAAAAAAAAAAQ'
  assert.equal(await leader(), [1, 4])
})

test('a partition that the topic lacks is named with those it has', async () => {
  const { cluster, env, client } = await world()
  cluster.topic('one', 1)
  cluster.topic('three', 3)
  await drive(env, client.metadata())
  for (const [topic, partition, text] of [
    ['one', 1, 'topic "one" has partition 0, not 1'],
    ['three', 9, 'topic "three" has partitions 0-2, not 9'],
    ['none', 0, 'no such topic "none"'],
  ] as const) {
    assert.throws(
      () => client.partition({ topic, partition }),
      (error: Error) => error instanceof KafkaError && error.message === text,
    )
  }
})

test('closing ends every wait', async () => {
  const { cluster, env, client } = await world({ retryForMs: 60_000 })
  await cluster.stopNode(1)
  const waiting = client.metadata()
  waiting.catch(() => {})
  await env.clock.advance(1000)
  client.close()
  await driveToFailure(env, waiting, 0)
  assert.is(client.isClosed, true)
})

test('old brokers are asked in words they know', async () => {
  const { cluster, env, client } = await world()
  cluster.topic('t')
  cluster.highest.set('Metadata', 1).set('ApiVersions', 0)
  const { topics } = await drive(env, client.metadata())
  assert.equal(
    topics.map(({ name, topicId }) => [name, topicId]),
    [['t', null]],
  )
})
