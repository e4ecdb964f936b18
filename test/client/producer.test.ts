import { type ErrorName, KafkaError } from '../../lib/base/errors.ts'
import { Client } from '../../lib/client/client.ts'
import { UnavailableError } from '../../lib/client/errors.ts'
import type { DeliveryReport } from '../../lib/client/produce-batch.ts'
import { Producer, type ProducerOptions } from '../../lib/client/producer.ts'
import { seededRandom } from '../../lib/io/memory/random.ts'
import { randomBelow } from '../../lib/io/random.ts'
import { assert, suite } from '../support/suite.ts'
import { drive, driveToFailure } from './support/drive.ts'
import { type Call, FakeCluster, type Reaction } from './support/fake-cluster.ts'

const test = suite('producer')

interface World {
  cluster: FakeCluster
  client: Client
  producer: Producer
  reports: DeliveryReport[]
}

async function world(options: ProducerOptions = {}, nodes = 1): Promise<World> {
  const cluster = await FakeCluster.start({ nodes })
  const client = new Client({ env: cluster.env, brokers: cluster.brokers })
  const producer = new Producer(client, { batchBytes: 400, maxBatchBytes: 400, ...options })
  const reports: DeliveryReport[] = []
  producer.onDelivery = (report) => reports.push(report)
  return { cluster, client, producer, reports }
}

function value(index: number): string {
  return `value ${index} `.padEnd(90, '.')
}

/** Appends `count` records, three in a turn: as many as a batch takes, and several requests are in flight. */
async function appendAll({ producer }: World, topic: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    producer.append({ topic, value: Buffer.from(value(index)) }, index)
    if (index % 3 === 2) await new Promise((resolve) => setImmediate(resolve))
  }
}

function values(count: number): string[] {
  return Array.from({ length: count }, (_, index) => value(index))
}

function failuresOf(reports: readonly DeliveryReport[]): string[] {
  return reports.flatMap(({ error }) => error?.message ?? [])
}

test('records are delivered in order, with one report per batch', async () => {
  const all = await world()
  const partition = all.cluster.single('t')
  await drive(all.cluster.env, all.client.topic('t'))
  for (let index = 0; index < 30; index++) {
    all.producer.append({ topic: 't', value: Buffer.from(value(index)) }, index)
    if (index % 3 === 2) await all.cluster.env.clock.settle()
  }
  await drive(all.cluster.env, all.producer.close())
  assert.equal(partition.values(), values(30))
  assert.is(all.reports.length, 10)
  assert.equal(
    all.reports.flatMap(({ tags }) => tags),
    values(30).map((_, index) => index),
  )
  assert.equal(
    all.reports.map(({ baseOffset, count }) => [baseOffset, count]),
    Array.from({ length: 10 }, (_, index) => [index * 3, 3]),
  )
})

test('send resolves with where the record went', async () => {
  const { cluster, producer } = await world()
  cluster.single('t')
  const sent = [1, 2].map((timestamp) =>
    producer.send({ topic: 't', key: Buffer.from('k'), value: null, timestamp }),
  )
  assert.equal(await drive(cluster.env, Promise.all(sent)), [
    { topic: 't', partition: 0, offset: 0, timestamp: 1 },
    { topic: 't', partition: 0, offset: 1, timestamp: 2 },
  ])
})

/** Faults of one request, all of which an idempotent producer must ride out. */
const faults: readonly (readonly [string, Reaction])[] = [
  ['silence', 'silence'],
  ['a closed connection', 'close'],
  ['a connection closed after the append', 'apply-and-close'],
  ['a reply cut off', { cutAt: 20 }],
  ['a garbled reply', { bytes: Buffer.from('GET / HTTP/1.1\r\n\r\n') }],
  ['a reply to another request', { correlationShift: 5 }],
  ['throttling', { throttleTimeMs: 700 }],
  ...(
    [
      'NOT_LEADER_OR_FOLLOWER',
      'LEADER_NOT_AVAILABLE',
      'REQUEST_TIMED_OUT',
      'NOT_ENOUGH_REPLICAS',
      'KAFKA_STORAGE_ERROR',
      'CORRUPT_MESSAGE',
      'UNKNOWN_TOPIC_OR_PARTITION',
      'UNKNOWN_TOPIC_ID',
      'FENCED_LEADER_EPOCH',
    ] as const
  ).map((error): [string, Reaction] => [error, { error }]),
]

for (const [what, reaction] of faults) {
  test(`stored once and in order after ${what}, whichever request it hits`, async () => {
    for (const hit of [0, 1, 3]) {
      const all = await world({ requestTimeoutMs: 2000 })
      const partition = all.cluster.single('t')
      all.cluster.react = ({ api, count }) =>
        api === 'Produce' && count === hit ? reaction : undefined
      await appendAll(all, 't', 45)
      await drive(all.cluster.env, all.producer.close())
      assert.equal(failuresOf(all.reports), [])
      assert.equal(partition.values(), values(45), `${what} at request ${hit}`)
    }
  })
}

test(
  'stored once and in order under random faults',
  async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const all = await world({ requestTimeoutMs: 1000, deliveryTimeoutMs: 300_000 }, 2)
      const partition = all.cluster.single('t')
      const random = seededRandom(seed)
      let left = 12
      all.cluster.react = ({ api }: Call) => {
        if (api !== 'Produce' || left === 0 || randomBelow(random, 3) > 0) return undefined
        left--
        if (randomBelow(random, 4) === 0) {
          partition.leader = 3 - partition.leader
          partition.leaderEpoch++
        }
        return faults[randomBelow(random, faults.length)]?.[1]
      }
      await appendAll(all, 't', 60)
      await drive(all.cluster.env, all.producer.close(), 600_000)
      assert.equal(failuresOf(all.reports), [], `seed ${seed}`)
      assert.equal(partition.values(), values(60), `seed ${seed}`)
    }
  },
  { timeoutMs: 60_000 },
)

test('at most five batches of a partition are in flight', async () => {
  const all = await world({ maxInFlight: 50 })
  all.cluster.single('t')
  const produced = () => all.cluster.callsOf('Produce').length
  all.cluster.react = ({ api }) => (api === 'Produce' && produced() > 1 ? 'silence' : undefined)
  await drive(all.cluster.env, all.producer.send({ topic: 't', value: null }))
  await appendAll(all, 't', 90)
  await all.cluster.env.clock.settle()
  assert.is(produced(), 6)
})

test('the first batch to a leader goes alone: one that knows nothing takes any sequence', async () => {
  const all = await world()
  all.cluster.single('t')
  all.cluster.react = ({ api }) => (api === 'Produce' ? 'silence' : undefined)
  await appendAll(all, 't', 90)
  await all.cluster.env.clock.settle()
  assert.is(all.cluster.callsOf('Produce').length, 1)
})

test('a leader that moves is followed by its hint, without asking for metadata', async () => {
  const all = await world({}, 2)
  const partition = all.cluster.single('t')
  await appendAll(all, 't', 3)
  await drive(all.cluster.env, all.producer.flush())
  const asked = all.cluster.callsOf('Metadata').length
  partition.leader = 2
  partition.leaderEpoch = 1
  all.cluster.react = ({ api, node }) =>
    api === 'Produce' && node === 1
      ? { error: 'NOT_LEADER_OR_FOLLOWER', hint: { leader: 2, epoch: 1 } }
      : undefined
  const sent = all.producer.send({ topic: 't', value: Buffer.from('after') })
  assert.is((await drive(all.cluster.env, sent)).offset, 3)
  assert.is(all.cluster.callsOf('Metadata').length, asked)
})

test('a broker that restarts is waited for', async () => {
  const all = await world()
  const partition = all.cluster.single('t')
  await appendAll(all, 't', 6)
  await drive(all.cluster.env, all.producer.flush())
  await all.cluster.stopNode(1)
  for (let index = 6; index < 30; index++) {
    all.producer.append({ topic: 't', value: Buffer.from(value(index)) }, index)
  }
  await all.cluster.env.clock.advance(8000)
  await all.cluster.startNode(1)
  await drive(all.cluster.env, all.producer.close())
  assert.equal(failuresOf(all.reports), [])
  assert.equal(partition.values(), values(30))
})

test('a broker that lost the end of its log takes what follows, in a new epoch', async () => {
  const all = await world()
  const partition = all.cluster.single('t')
  const send = async (text: string) => {
    const sent = all.producer.send({ topic: 't', value: Buffer.from(text) })
    return (await drive(all.cluster.env, sent)).offset
  }
  for (const text of ['a', 'b', 'c']) await send(text)
  partition.batches.pop()
  partition.highWatermark--
  for (const state of partition.producers.values()) state.batches.pop()
  assert.is(await send('d'), 2)
  assert.is(await send('e'), 3)
  assert.equal(partition.values(), ['a', 'b', 'd', 'e'])
  assert.is([...partition.producers.values()][0]?.epoch, 1)
})

test('a full batch that has to wait grows on, until the topic refuses one of that size', async () => {
  const all = await world({ maxBatchBytes: 1_000_000 })
  const partition = all.cluster.single('t')
  const burst = async () => {
    for (let index = 0; index < 100; index++) {
      all.producer.append({ topic: 't', value: Buffer.from(value(index)) })
    }
    await drive(all.cluster.env, all.producer.flush())
    return all.reports.splice(0).map(({ count }) => count)
  }
  assert.equal(await burst(), [3, 97])
  all.cluster.maxBatchBytes = 5000
  assert.equal(await burst(), [3, 49, 48])
  assert.equal(new Set(await burst()).has(3), true)
  assert.is(partition.values().length, 300)
})

for (const error of [
  'INVALID_RECORD',
  'TOPIC_AUTHORIZATION_FAILED',
  'INVALID_TIMESTAMP',
] as const) {
  test(`a batch refused with ${error} fails alone; those behind it arrive in order`, async () => {
    const all = await world()
    const partition = all.cluster.single('t')
    all.cluster.react = ({ api, count }) =>
      api === 'Produce' && count === 1 ? { error } : undefined
    await appendAll(all, 't', 30)
    await drive(all.cluster.env, all.producer.close())
    const failed = all.reports.filter((report) => report.error !== null)
    assert.equal(
      failed.map(({ error: reason, count }) => [reason?.name, count]),
      [[error, 3]],
    )
    const lost = new Set(failed[0]?.tags)
    assert.equal(
      partition.values(),
      values(30).filter((_, index) => !lost.has(index)),
    )
  })
}

test('a batch that is too large is halved until it fits', async () => {
  const all = await world({ batchBytes: 2000 })
  const partition = all.cluster.single('t')
  all.cluster.maxBatchBytes = 450
  for (let index = 0; index < 60; index++) {
    all.producer.append({ topic: 't', value: Buffer.from(value(index)) }, index)
  }
  await drive(all.cluster.env, all.producer.close())
  assert.equal(failuresOf(all.reports), [])
  assert.equal(partition.values(), values(60))
  assert.equal(
    all.reports.flatMap(({ tags }) => tags),
    values(60).map((_, index) => index),
  )
})

test('a record that is too large fails, with its tag; the others of its batch arrive', async () => {
  const all = await world({ batchBytes: 2000 })
  const partition = all.cluster.single('t')
  all.cluster.maxBatchBytes = 450
  for (let index = 0; index < 8; index++) {
    const size = index === 5 ? 500 : 90
    all.producer.append({ topic: 't', value: Buffer.from(`${index}`.padEnd(size)) }, index)
  }
  await drive(all.cluster.env, all.producer.close())
  const failed = all.reports.filter(({ error }) => error !== null)
  assert.equal(
    failed.map(({ error, tags }) => [error?.name, tags]),
    [['MESSAGE_TOO_LARGE', [5]]],
  )
  assert.equal(
    partition.values().map((text) => text.trim()),
    ['0', '1', '2', '3', '4', '6', '7'],
  )
  assert.throws(() => all.producer.append({ topic: 't', value: Buffer.alloc(70 << 20) }), /closed/)
})

test('what cannot be delivered in time fails with the reason', async () => {
  for (const [reaction, errorClass, text] of [
    ['silence', UnavailableError, 'no answer to Produce within 1500 ms; it may have been stored'],
    ['close', UnavailableError, 'connection closed by the peer; it may have been stored'],
    [{ error: 'NOT_ENOUGH_REPLICAS' }, KafkaError, 'NOT_ENOUGH_REPLICAS: t-0: fewer replicas'],
  ] as const) {
    const all = await world({ deliveryTimeoutMs: 5000, requestTimeoutMs: 1000 })
    all.cluster.single('t')
    all.cluster.react = ({ api }) => (api === 'Produce' ? reaction : undefined)
    const sent = all.producer.send({ topic: 't', value: null })
    const error = await driveToFailure(all.cluster.env, sent)
    assert.instance(error, errorClass)
    assert.ok(error.message.startsWith('t-0: not delivered within 5000 ms: '), error.message)
    assert.ok(error.message.includes(text), error.message)
    assert.ok(all.cluster.env.clock.monotonicMs() < 7500)
  }
})

test('after a batch was given up, the next ones are still taken', async () => {
  const all = await world({ deliveryTimeoutMs: 3000, requestTimeoutMs: 1000 })
  const partition = all.cluster.single('t')
  await drive(all.cluster.env, all.producer.send({ topic: 't', value: Buffer.from('before') }))
  all.cluster.react = ({ api }) => (api === 'Produce' ? 'close' : undefined)
  await driveToFailure(
    all.cluster.env,
    all.producer.send({ topic: 't', value: Buffer.from('lost') }),
  )
  all.cluster.react = () => undefined
  await drive(all.cluster.env, all.producer.send({ topic: 't', value: Buffer.from('after') }))
  assert.equal(partition.values(), ['before', 'after'])
})

test('an unknown topic fails its records after a moment; one that appears in time takes them', async () => {
  const all = await world()
  const error = await driveToFailure(
    all.cluster.env,
    all.producer.send({ topic: 'nope', value: null }),
  )
  assert.is(error.message, 'topic "nope": no such topic or partition here')
  assert.ok(all.cluster.env.clock.monotonicMs() < 3000)
  assert.is(all.reports[0]?.partition, -1)
  const sent = all.producer.send({ topic: 'late', value: Buffer.from('v') })
  all.cluster.env.clock.timer(500, () => all.cluster.topic('late'))
  assert.is((await drive(all.cluster.env, sent)).offset, 0)
})

test('a topic deleted under way fails what is meant for it', async () => {
  const all = await world()
  all.cluster.single('t')
  await drive(all.cluster.env, all.producer.send({ topic: 't', value: null }))
  all.cluster.topics.delete('t')
  const error = await driveToFailure(
    all.cluster.env,
    all.producer.send({ topic: 't', value: null }),
  )
  assert.is(error.name, 'UNKNOWN_TOPIC_OR_PARTITION')
})

test('a partition that the topic lacks is refused with those it has', async () => {
  const all = await world()
  all.cluster.topic('t', 3)
  const before = await driveToFailure(
    all.cluster.env,
    all.producer.send({ topic: 't', partition: 9, value: null }),
  )
  assert.is(before.message, 'topic "t" has partitions 0-2, not 9')
  assert.throws(() => all.producer.append({ topic: 't', partition: 3, value: null }), 'not 3')
})

test('nobody to reach: failed with the address and the reason', async () => {
  const all = await world()
  await all.cluster.stopNode(1)
  const sent = all.producer.send({ topic: 't', value: null })
  const error = await driveToFailure(all.cluster.env, sent)
  assert.instance(error, UnavailableError)
  assert.is(error.message, 'cannot reach 127.0.0.1:9091: connection refused (2 tries)')
  assert.ok(all.cluster.env.clock.monotonicMs() < 1000)
})

test('a full buffer says so, and again when half of it is free', async () => {
  const all = await world({ bufferBytes: 3000 })
  const partition = all.cluster.single('t')
  let count = 0
  let isFree = true
  while (isFree)
    isFree = all.producer.append({ topic: 't', value: Buffer.from(value(count)) }, count++)
  assert.ok(count > 20 && count < 32, `${count}`)
  await drive(all.cluster.env, all.producer.drained())
  assert.ok(all.producer.bufferedBytes <= 1500)
  await drive(all.cluster.env, all.producer.close())
  assert.is(partition.values().length, count)
  assert.is(all.producer.bufferedBytes, 0)
})

test('a source that does not wait is stopped at twice the buffer', async () => {
  const all = await world({ bufferBytes: 3000 })
  all.cluster.single('t')
  const flood = () => {
    for (;;) all.producer.append({ topic: 't', value: Buffer.from(value(0)) })
  }
  assert.throws(flood, /await drained/)
})

test('send waits for room by itself', async () => {
  const all = await world({ bufferBytes: 1000 })
  const partition = all.cluster.single('t')
  const sent = values(50).map((text) => all.producer.send({ topic: 't', value: Buffer.from(text) }))
  await drive(all.cluster.env, Promise.all(sent))
  assert.equal(partition.values(), values(50))
})

test('linger: a batch waits for more records, not longer than asked; sendNow and flush do not', async () => {
  const all = await world({ lingerMs: 100 })
  all.cluster.single('t')
  const { clock } = all.cluster.env
  await drive(all.cluster.env, all.producer.send({ topic: 't', value: null }))
  const produced = () => all.cluster.callsOf('Produce').length
  all.producer.append({ topic: 't', value: null })
  await clock.advance(99)
  assert.is(produced(), 1)
  await clock.advance(1)
  assert.is(produced(), 2)
  all.producer.append({ topic: 't', value: null })
  all.producer.sendNow()
  await clock.settle()
  assert.is(produced(), 3)
  all.producer.append({ topic: 't', value: null })
  const flushed = all.producer.flush()
  await clock.settle()
  await flushed
  assert.is(produced(), 4)
})

test('abort gives up what is under way and counts it', async () => {
  const all = await world()
  all.cluster.single('t')
  all.cluster.react = ({ api }) => (api === 'Produce' ? 'silence' : undefined)
  await appendAll(all, 't', 20)
  assert.is(all.producer.abort(), 20)
  await all.cluster.env.clock.advance(60_000)
  assert.is(
    all.reports.reduce((sum, { count }) => sum + count, 0),
    20,
  )
  assert.throws(() => all.producer.append({ topic: 't', value: null }), /closed/)
})

test('closing the client gives up what is under way', async () => {
  const all = await world()
  all.cluster.single('t')
  all.cluster.react = ({ api }) => (api === 'Produce' ? 'silence' : undefined)
  const sent = all.producer.send({ topic: 't', value: null })
  sent.catch(() => {})
  await all.cluster.env.clock.settle()
  all.client.close()
  const error = await driveToFailure(all.cluster.env, sent, 100)
  assert.is(error.message, 'given up: the client was closed')
  await drive(all.cluster.env, all.producer.close(), 100)
})

test('a leader at an address that nobody gave us: the error says where it comes from', async () => {
  const cluster = await FakeCluster.start({ nodes: 2 })
  cluster.single('t').leader = 2
  await cluster.hideNode(2)
  const client = new Client({ env: cluster.env, brokers: ['127.0.0.1:9091'] })
  const producer = new Producer(client, { deliveryTimeoutMs: 3000 })
  const sent = producer.send({ topic: 't', value: null })
  sent.catch(() => {})
  const error = await driveToFailure(cluster.env, sent)
  assert.instance(error, UnavailableError)
  assert.ok(
    error.message.includes(
      'cannot reach 127.0.0.1:9092: connection refused (it is the address that the cluster gives for broker 2)',
    ),
    error.message,
  )
})

test('acks=0 and acks=1 are delivered without sequence numbers', async () => {
  for (const acks of [0, 1] as const) {
    const all = await world({ acks })
    const partition = all.cluster.single('t')
    await appendAll(all, 't', 12)
    await drive(all.cluster.env, all.producer.close())
    await all.cluster.env.clock.settle()
    assert.equal(partition.values(), values(12))
    assert.is(all.cluster.callsOf('InitProducerId').length, 0)
    assert.is(all.reports[0]?.baseOffset, acks === 0 ? -1 : 0)
  }
})

test('an idempotent producer with less than acks=all is refused', async () => {
  const { client } = await world()
  assert.throws(() => new Producer(client, { acks: 1, idempotent: true }), /needs acks=all/)
})

test('a producer id that the broker refuses fails everything, with the reason', async () => {
  const all = await world()
  all.cluster.single('t')
  const refusal: ErrorName = 'CLUSTER_AUTHORIZATION_FAILED'
  all.cluster.react = ({ api }) => (api === 'InitProducerId' ? { error: refusal } : undefined)
  const error = await driveToFailure(
    all.cluster.env,
    all.producer.send({ topic: 't', value: null }),
  )
  assert.is(error.name, refusal)
  assert.ok(error.message.includes('gives no producer id'))
})

for (const versions of [
  { Produce: 12 },
  { Produce: 9, Metadata: 9 },
  { Produce: 3, Metadata: 1, InitProducerId: 0, ApiVersions: 0 },
]) {
  test(`brokers that know less are spoken to as they can: ${JSON.stringify(versions)}`, async () => {
    const all = await world()
    for (const [api, highest] of Object.entries(versions)) all.cluster.highest.set(api, highest)
    const partition = all.cluster.single('t')
    await appendAll(all, 't', 6)
    await drive(all.cluster.env, all.producer.close())
    assert.equal(failuresOf(all.reports), [])
    assert.equal(partition.values(), values(6))
  })
}

test('a broker from before record batches is refused, with what it lacks', async () => {
  const all = await world()
  all.cluster.highest.set('Produce', 2)
  all.cluster.single('t')
  const error = await driveToFailure(
    all.cluster.env,
    all.producer.send({ topic: 't', value: null }),
  )
  assert.is(error.name, 'UNSUPPORTED_VERSION')
  assert.is(error.message, '127.0.0.1:9091 serves Produce in versions 0-2; 3-13 is needed')
})

test('records of many partitions share requests, one batch each', async () => {
  const all = await world()
  const partitions = all.cluster.topic('t', 4)
  await drive(all.cluster.env, all.producer.send({ topic: 't', partition: 0, value: null }))
  const before = all.cluster.callsOf('Produce').length
  for (let index = 0; index < 8; index++) {
    all.producer.append({ topic: 't', partition: index % 4, value: Buffer.from(`${index}`) })
  }
  await drive(all.cluster.env, all.producer.close())
  assert.is(all.cluster.callsOf('Produce').length, before + 1)
  assert.equal(
    partitions.map((partition) => partition.values().length),
    [3, 2, 2, 2],
  )
})

test('many producers of one client are no leak that Node warns of', async () => {
  const warnings: Error[] = []
  const note = (warning: Error) => void warnings.push(warning)
  process.on('warning', note)
  const { client } = await world()
  for (let count = 0; count < 20; count++) void new Producer(client)
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', note)
  assert.equal(warnings, [])
  client.close()
})
