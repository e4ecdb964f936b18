/** A cluster inside the test's process, and what its hooks do to a real client. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errorCode, errorName } from '../../lib/base/errors.ts'
import { handlers } from '../../lib/broker/handlers/index.ts'
import { Admin, Client, Consumer, Producer } from '../../lib/index.ts'
import { nodeEnv } from '../../lib/io/node/env.ts'
import { encodeResponse } from '../../lib/protocol/codec.ts'
import { errorAnswer } from '../../lib/testing/error-answers.ts'
import { startCluster, type TestCluster } from '../../lib/testing/index.ts'
import { openConnection } from '../../lib/wire/connection.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('start cluster')

async function withCluster(
  use: (cluster: TestCluster, client: Client) => Promise<void>,
): Promise<void> {
  const cluster = await startCluster({ topics: ['orders:3', 'plain'] })
  const client = new Client({ brokers: cluster.brokers })
  try {
    await use(cluster, client)
  } finally {
    client.close()
    await cluster.stop()
  }
}

async function sendOne(client: Client, value = 'one'): Promise<number> {
  const producer = new Producer(client, { lingerMs: 0 })
  try {
    return (await producer.send({ topic: 'plain', value })).offset
  } finally {
    await producer.close()
  }
}

async function readAll(client: Client): Promise<string[]> {
  const [range] = await new Admin(client).offsetRanges([{ topic: 'plain', partition: 0 }])
  const to = range?.end.offset ?? 0
  const consumer = new Consumer(client)
  consumer.assign([{ topic: 'plain', partition: 0, from: 0, to }])
  const values: string[] = []
  for await (const batch of consumer) {
    for (const { value } of batch.records()) values.push(Buffer.from(value ?? []).toString())
  }
  consumer.close()
  return values
}

test('it serves the topics it was told of, in memory', () =>
  withCluster(async (cluster, client) => {
    assert.is(cluster.brokers.join(','), cluster.bootstrapServers)
    const topics = await new Admin(client).listTopics()
    assert.equal(topics.map(({ name, partitions }) => [name, partitions.length]).sort(), [
      ['orders', 3],
      ['plain', 1],
    ])
    assert.is(await sendOne(client), 0)
    assert.equal(await readAll(client), ['one'])
    assert.ok(cluster.count('Produce') === 1 && cluster.count('Metadata') >= 1)
  }))

test('two clusters do not know of each other', () =>
  withCluster(async (first, client) => {
    const second = await startCluster()
    assert.not(first.bootstrapServers === second.bootstrapServers)
    const other = new Client({ brokers: second.brokers })
    assert.equal(await new Admin(other).listTopics(), [])
    assert.is((await new Admin(client).listTopics()).length, 2)
    other.close()
    await second.stop()
  }))

test('with a directory the data outlive the cluster', async () => {
  const data = mkdtempSync(join(tmpdir(), 'ottla-testing-'))
  try {
    for (const [offset, value] of ['one', 'two'].entries()) {
      const cluster = await startCluster({ topics: ['plain'], data })
      const client = new Client({ brokers: cluster.brokers })
      assert.is(await sendOne(client, value), offset)
      client.close()
      await cluster.stop()
    }
    const cluster = await startCluster({ data })
    const client = new Client({ brokers: cluster.brokers })
    assert.equal(await readAll(client), ['one', 'two'])
    client.close()
    await cluster.stop()
  } finally {
    rmSync(data, { recursive: true })
  }
})

test('a request that is delayed is carried out after that time', () =>
  withCluster(async (cluster, client) => {
    cluster.on('Produce', () => ({ delayMs: 60 }), { times: 1 })
    const began = performance.now()
    assert.is(await sendOne(client), 0)
    assert.ok(performance.now() - began >= 59)
  }))

test('a delay comes before what else a hook says', () =>
  withCluster(async (cluster, client) => {
    const began = performance.now()
    cluster.on('Produce', () => ({ delayMs: 60, error: 'TOPIC_AUTHORIZATION_FAILED' }))
    assert.is((await rejection(sendOne(client))).name, 'TOPIC_AUTHORIZATION_FAILED')
    assert.ok(performance.now() - began >= 59)
  }))

test('a hook that only looks leaves the word to the next', () =>
  withCluster(async (cluster, client) => {
    const seen: (string | null)[] = []
    cluster.on('Produce', ({ clientId }) => {
      seen.push(clientId)
    })
    cluster.on('Produce', ({ count }) => (count === 1 ? { error: 'NOT_ENOUGH_REPLICAS' } : {}))
    assert.is(await sendOne(client), 0)
    assert.is(seen.length, 2)
  }))

test('a hook answers in the place of any API, over the wire', () =>
  withCluster(async (cluster) => {
    const [host = '', port = ''] = cluster.bootstrapServers.split(':')
    const address = { host, port: Number(port) }
    const options = { env: nodeEnv(), address, clientId: 'test', connectTimeoutMs: 5000 }
    const connection = await openConnection(options)
    for (const { api } of handlers) {
      const before = cluster.count(api.name)
      cluster.on(api.name, () => ({ error: 'UNKNOWN_SERVER_ERROR' }), { times: 1 })
      await connection.request(api, {}, { timeoutMs: 5000 })
      assert.is(cluster.count(api.name), before + 1, api.name)
    }
    connection.close()
  }))

test('an error that may pass is retried, as many times as it is given', () =>
  withCluster(async (cluster, client) => {
    cluster.on('Produce', () => ({ error: 'NOT_ENOUGH_REPLICAS' }), { times: 2 })
    assert.is(await sendOne(client), 0)
    assert.is(cluster.count('Produce'), 3)
  }))

test('an error that stays reaches the caller; without the hook all is well', () =>
  withCluster(async (cluster, client) => {
    const off = cluster.on('Produce', () => ({ error: 'TOPIC_AUTHORIZATION_FAILED' }))
    const error = await rejection(sendOne(client))
    assert.is(error.name, 'TOPIC_AUTHORIZATION_FAILED')
    off()
    assert.is(await sendOne(client), 0)
  }))

test('an answer that is lost does not write twice', () =>
  withCluster(async (cluster, client) => {
    cluster.on('Produce', () => ({ lose: 'answer' }), { times: 1 })
    await sendOne(client)
    assert.is(cluster.count('Produce'), 2)
    assert.equal(await readAll(client), ['one'])
  }))

test('a request that is lost is sent again', () =>
  withCluster(async (cluster, client) => {
    cluster.on('Produce', () => ({ lose: 'request' }), { times: 1 })
    assert.is(await sendOne(client), 0)
    assert.equal(await readAll(client), ['one'])
  }))

test('a request that is never answered does not keep the cluster from stopping', () =>
  withCluster(async (cluster) => {
    let asked = () => {}
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve
    })
    cluster.on('Metadata', () => {
      asked()
      return { lose: 'silence' }
    })
    const client = new Client({ brokers: cluster.brokers, timeoutMs: 60_000 })
    const listing = rejection(new Admin(client).listTopics())
    await isAsked
    await cluster.stop()
    client.close()
    await listing
  }))

test('a hook sees the request, and may answer in the place of the broker', () =>
  withCluster(async (cluster, client) => {
    const seen: unknown[] = []
    cluster.on('CreateTopics', (request) => {
      seen.push([
        request.api,
        request.count,
        (request.body as { validateOnly: boolean }).validateOnly,
      ])
      return undefined
    })
    cluster.on('CreateTopics', async () => ({
      answer: { topics: [{ name: 'a', errorCode: errorCode('POLICY_VIOLATION') }] },
    }))
    const [result] = await new Admin(client).createTopics([{ name: 'a', partitions: 1 }])
    assert.is(result?.error?.name, 'POLICY_VIOLATION')
    assert.equal(seen, [['CreateTopics', 1, false]])
  }))

const wrong: readonly (readonly [string, () => Promise<unknown>, RegExp])[] = [
  ['an unknown setting', () => startCluster({ configs: { 'no.such': 1 } }), /no\.such/],
  ['a bad value', () => startCluster({ configs: { 'num.partitions': 0 } }), /num\.partitions/],
  ['a bad topic', () => startCluster({ topics: ['a b'] }), /a b/],
  ['several brokers', () => startCluster({ brokers: 3 as unknown as 1 }), /brokers: 3/],
]
for (const [what, start, message] of wrong) {
  test(`${what} is refused`, async () => assert.match((await rejection(start())).message, message))
}

test('an API that does not exist is refused', () =>
  withCluster(async (cluster) => {
    assert.throws(() => cluster.on('Prodce', () => undefined), /no API "Prodce"/)
  }))

test('every API that is served has an answer that says an error, in every version', () => {
  const code = errorCode('UNKNOWN_SERVER_ERROR')
  assert.is(errorName(code), 'UNKNOWN_SERVER_ERROR')
  for (const { api, served } of handlers) {
    for (let version = served[0]; version <= served[1]; version++) {
      const answer = errorAnswer(api, {}, code, version)
      encodeResponse(api, version, 1, answer)
    }
  }
})

const items: readonly (readonly [api: string, version: number, request: object, answer: object])[] =
  [
    [
      'Produce',
      9,
      { acks: 1, topicData: [{ name: 'a', partitionData: [{ index: 3, records: null }] }] },
      { responses: [{ name: 'a', partitionResponses: [{ index: 3, errorCode: 7 }] }] },
    ],
    [
      'Fetch',
      11,
      {
        sessionId: 0,
        topics: [{ topic: 'a', partitions: [{ partition: 2 }] }],
        forgottenTopicsData: [],
      },
      {
        sessionId: 0,
        responses: [{ topic: 'a', partitions: [{ partitionIndex: 2, errorCode: 7 }] }],
      },
    ],
    ['Metadata', 9, { topics: [{ name: 'a' }] }, { topics: [{ name: 'a', errorCode: 7 }] }],
    [
      'DeleteTopics',
      4,
      { topics: [], topicNames: ['a'] },
      { responses: [{ name: 'a', errorCode: 7 }] },
    ],
    ['InitProducerId', 4, { transactionalId: null }, { errorCode: 7 }],
  ]
for (const [name, version, request, expected] of items) {
  test(`${name} v${version} says an error for each item`, () => {
    const handler = handlers.find(({ api }) => api.name === name)
    if (handler === undefined) throw new Error(`${name} is not served`)
    assert.equal(errorAnswer(handler.api, request, 7, version), expected)
  })
}
