import { errorCode, KafkaError } from '../../lib/base/errors.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import type { Stream } from '../../lib/io/network.ts'
import { ApiVersions } from '../../lib/protocol/apis/api-versions.ts'
import { FindCoordinator } from '../../lib/protocol/apis/find-coordinator.ts'
import { Metadata } from '../../lib/protocol/apis/metadata.ts'
import { Produce } from '../../lib/protocol/apis/produce.ts'
import { encodeResponse } from '../../lib/protocol/codec.ts'
import { openConnection } from '../../lib/wire/connection.ts'
import { ConnectionError } from '../../lib/wire/connection-error.ts'
import { FakeCluster, type Reaction } from '../client/support/fake-cluster.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('connection')
const address = { host: '127.0.0.1', port: 9091 }

function open(cluster: { env: FakeCluster['env'] }, more: { maxInFlight?: number } = {}) {
  const { env } = cluster
  return openConnection({ env, address, clientId: 'test', connectTimeoutMs: 5000, ...more })
}

/** The rejection of `promise` while time passes. */
async function failure(
  { env }: { env: FakeCluster['env'] },
  promise: Promise<unknown>,
  ms = 10_000,
): Promise<ConnectionError> {
  const settled = rejection(promise)
  settled.catch(() => {})
  await env.clock.advance(ms)
  const error = await settled
  if (!(error instanceof ConnectionError)) throw error
  return error
}

test('the highest version that both sides know is used', async () => {
  const cluster = await FakeCluster.start()
  cluster.highest.set('Metadata', 9)
  const connection = await open(cluster)
  assert.is(connection.versionOf(Metadata), 9)
  assert.is(connection.versionOf(Produce), 13)
  assert.is(connection.versionOf(Produce, { limit: 12 }), 12)
  assert.is(connection.supports(Metadata, 10), false)
  assert.equal(connection.rangeOf(3), { min: 0, max: 9 })
})

test('what is not served is refused with both ranges in the message', async () => {
  const cluster = await FakeCluster.start()
  cluster.highest.set('Metadata', 2)
  const connection = await open(cluster)
  for (const [ask, text] of [
    [() => connection.versionOf(Metadata, { floor: 4 }), 'serves Metadata in versions 0-2; 4-13'],
    [() => connection.versionOf(FindCoordinator), 'serves FindCoordinator not at all'],
  ] as const) {
    assert.throws(
      ask,
      (error: Error) => error instanceof KafkaError && error.message.includes(text),
    )
  }
  const error = await rejection(connection.request(FindCoordinator, {}, { timeoutMs: 100 }))
  assert.is(error.name, 'UNSUPPORTED_VERSION')
})

test('a broker that knows only older versions of ApiVersions is asked again at one of those', async () => {
  for (const highest of [0, 2, 3]) {
    const cluster = await FakeCluster.start()
    cluster.highest.set('ApiVersions', highest)
    const connection = await open(cluster)
    assert.equal(
      cluster.callsOf('ApiVersions').map(({ version }) => version),
      [highest],
    )
    assert.ok(connection.apiVersions.apiKeys.length > 3)
  }
})

test('a broker that hangs up on a new version is connected to again with the oldest', async () => {
  const cluster = await FakeCluster.start()
  cluster.react = ({ api, version }) => (api === 'ApiVersions' && version > 0 ? 'close' : undefined)
  await open(cluster)
  assert.equal(
    cluster.callsOf('ApiVersions').map(({ version }) => version),
    [4, 0],
  )
})

test('requests are pipelined and each gets its own reply, wherever the bytes are cut', async () => {
  const cluster = await FakeCluster.start()
  for (let index = 0; index < 20; index++) cluster.topic(`t${index}`)
  const connection = await open(cluster)
  cluster.env.network.pieceBytes = 7
  const replies = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      connection.request(Metadata, { topics: [{ name: `t${index}` }] }, { timeoutMs: 1000 }),
    ),
  )
  assert.equal(
    replies.map(({ topics }) => topics[0]?.name),
    Array.from({ length: 20 }, (_, index) => `t${index}`),
  )
  assert.is(connection.inFlight, 0)
})

for (const [what, reaction, reason] of [
  ['is silent', 'silence', 'no answer to Metadata within 1000 ms'],
  ['closes', 'close', 'connection closed by the peer'],
  ['is cut in the middle of a reply', { cutAt: 30 }, 'in the middle of a reply'],
  ['mixes up replies', { correlationShift: 1 }, 'correlation id 3 where 2 (Metadata) was due'],
  [
    'speaks another protocol',
    { bytes: Buffer.from('HTTP/1.1 400 Bad Request\r\n') },
    "it does not speak Kafka's protocol: frame of 1213486160 bytes",
  ],
  [
    'sends a malformed reply',
    { bytes: Buffer.from('0000000a000000020000000000ff', 'hex') },
    'its reply to Metadata v13',
  ],
  ['sends a reply shorter than its header', { bytes: Buffer.alloc(6) }, 'closed by the peer'],
] as const satisfies readonly (readonly [string, Reaction, string])[]) {
  test(`a broker that ${what} fails the request and those behind it, with address and cause`, async () => {
    const cluster = await FakeCluster.start()
    const connection = await open(cluster)
    cluster.react = ({ api, count }) =>
      api === 'Metadata' && (count === 0 || reaction === 'silence') ? reaction : undefined
    const first = connection.request(Metadata, { topics: [] }, { timeoutMs: 1000 })
    const second = connection.request(Metadata, { topics: [] }, { timeoutMs: 3000 })
    if (reaction !== 'silence') cluster.env.clock.timer(500, () => cluster.env.network.cut())
    const [error] = await Promise.all([failure(cluster, first), rejection(second)])
    assert.ok(error.message.startsWith('127.0.0.1:9091: '), error.message)
    if (!what.startsWith('sends a reply shorter'))
      assert.ok(error.message.includes(reason), error.message)
    assert.ok(error.wasSent)
    assert.ok(connection.isClosed)
    const later = await rejection(connection.request(Metadata, {}, { timeoutMs: 1000 }))
    assert.instance(later, ConnectionError)
  })
}

test('nobody listens: refused at once', async () => {
  const error = await failure({ env: memoryEnv() }, open({ env: memoryEnv() }))
  assert.is(error.failure, 'refused')
  assert.is(error.message, '127.0.0.1:9091: connection refused')
})

test('a peer that accepts and says nothing is given up after the connect time-out', async () => {
  const env = memoryEnv()
  await env.network.listen(address, (stream: Stream) => {
    stream.handle({ onData() {}, onClose() {} })
  })
  const opening = open({ env })
  await env.clock.advance(4999)
  const error = await failure({ env }, opening, 1)
  assert.is(error.failure, 'timeout')
  assert.is(error.message, '127.0.0.1:9091: no answer to ApiVersions within 5000 ms')
})

test('a peer that refuses every version of ApiVersions is no broker for us', async () => {
  const env = memoryEnv()
  await env.network.listen(address, (stream: Stream) => {
    let id = 1
    stream.handle({
      onData: () => stream.write(encodeResponse(ApiVersions, 0, id++, { errorCode: 35 })),
      onClose() {},
    })
  })
  const error = await failure({ env }, open({ env }), 0)
  assert.is(error.failure, 'unsupported')
})

test('a throttled connection is given the time of the throttling on top', async () => {
  const cluster = await FakeCluster.start()
  const connection = await open(cluster)
  cluster.react = ({ api, count }) =>
    api !== 'Metadata' ? undefined : count === 0 ? { throttleTimeMs: 3000 } : 'silence'
  await connection.request(Metadata, { topics: [] }, { timeoutMs: 1000 })
  assert.is(connection.throttledUntilMs, 3000)
  const second = connection.request(Metadata, { topics: [] }, { timeoutMs: 1000 })
  const settled = rejection(second)
  await cluster.env.clock.advance(3999)
  assert.is(connection.isClosed, false)
  await cluster.env.clock.advance(1)
  assert.is((await settled).message, '127.0.0.1:9091: no answer to Metadata within 1000 ms')
})

test('more requests than may wait are refused, and not sent', async () => {
  const cluster = await FakeCluster.start()
  const connection = await open(cluster, { maxInFlight: 2 })
  cluster.react = ({ api }) => (api === 'Metadata' ? 'silence' : undefined)
  const requests = [1, 2, 3].map(() =>
    rejection(connection.request(Metadata, { topics: [] }, { timeoutMs: 1000 })),
  )
  const [, , third] = requests
  assert.ok((await third)?.message.includes('2 requests wait for a reply already'))
  await cluster.env.clock.advance(1000)
  await Promise.all(requests)
  assert.is(cluster.callsOf('Metadata').length, 2)
})

test('closing it ourselves rejects what waits', async () => {
  const cluster = await FakeCluster.start()
  const connection = await open(cluster)
  cluster.react = () => 'silence'
  const waiting = rejection(connection.request(Metadata, { topics: [] }, { timeoutMs: 1000 }))
  connection.close()
  assert.is((await waiting).message, '127.0.0.1:9091: closed by this client')
})

test('authentication runs before the connection is given out, and its failure closes it', async () => {
  const cluster = await FakeCluster.start()
  const { env } = cluster
  const error = await rejection(
    openConnection({
      env,
      address,
      clientId: null,
      connectTimeoutMs: 1000,
      authenticate: async () => {
        throw new KafkaError(errorCode('SASL_AUTHENTICATION_FAILED'), 'wrong password')
      },
    }),
  )
  assert.is(error.name, 'SASL_AUTHENTICATION_FAILED')
})
