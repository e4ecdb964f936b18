/**
 * The client library against a real broker: `node build/test/interop/client.mjs HOST:PORT`. Makes
 * topics of its own, deletes them, prints a line per check, ends with 1 when one fails. Works
 * against Apache Kafka, Redpanda and ottla.
 */

import {
  Admin,
  Client,
  type Codec,
  Consumer,
  type ConsumerOptions,
  type FetchedBatch,
  KafkaError,
  Producer,
  type ProducerOptions,
  UnavailableError,
} from '../../lib/index.ts'

const broker = process.argv[2] ?? '127.0.0.1:9092'
const client = new Client({ brokers: [broker] })
const admin = new Admin(client)
const prefix = `interop-${process.pid}-${Date.now().toString(36)}`
const topics: string[] = []
let failures = 0

async function topic(partitions = 1, configs: { [key: string]: string } = {}): Promise<string> {
  const name = `${prefix}-${topics.length}`
  topics.push(name)
  const [result] = await admin.createTopics([{ name, partitions, configs }])
  if (result?.error) throw result.error
  await admin.waitForLeaders([name])
  return name
}

function same(got: unknown, expected: unknown, what = 'value'): void {
  const [a, b] = [JSON.stringify(got, plain), JSON.stringify(expected, plain)]
  if (a === b) return
  let at = 0
  while (a?.[at] === b?.[at]) at++
  const near = (text: string | undefined) => text?.slice(Math.max(at - 40, 0), at + 80)
  throw new Error(`${what}: at ${at} got ...${near(a)}..., expected ...${near(b)}...`)
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

async function check(what: string, run: () => Promise<unknown>): Promise<void> {
  const beganMs = performance.now()
  try {
    const note = await run()
    const ms = Math.round(performance.now() - beganMs)
    console.log(`ok    ${what} (${ms} ms)${typeof note === 'string' ? `: ${note}` : ''}`)
  } catch (error) {
    failures++
    console.log(`FAIL  ${what}:`, error)
  }
}

/** Every record of a topic, once. */
async function readAll(
  name: string,
  partitions = 1,
  options: ConsumerOptions = {},
): Promise<
  { partition: number; batch: FetchedBatch; records: ReturnType<FetchedBatch['records']> }[]
> {
  const queries = Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition }))
  const ranges = await admin.offsetRanges(queries)
  const consumer = new Consumer(client, options)
  consumer.assign(
    ranges.map(({ start, end }) => ({
      topic: name,
      partition: start.partition,
      from: start.offset,
      to: end.offset,
    })),
  )
  const read = []
  for await (const batch of consumer) {
    read.push({ partition: batch.partition, batch, records: batch.records() })
  }
  consumer.close()
  return read
}

async function produce(
  name: string,
  values: readonly (string | null)[],
  options: ProducerOptions = {},
): Promise<void> {
  const producer = new Producer(client, options)
  const sent = values.map((value) =>
    producer.send({ topic: name, value: value === null ? null : Buffer.from(value) }),
  )
  await Promise.all(sent)
  await producer.close()
}

await check('cluster, api-versions', async () => {
  const cluster = await admin.describeCluster()
  const [apis] = await admin.apiVersions()
  if (apis === undefined || apis.error !== null) throw apis?.error ?? new Error('no broker')
  return `cluster ${cluster.clusterId}, ${cluster.brokers.length} brokers, ${apis.apis.length} APIs`
})

for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] satisfies Codec[]) {
  for (const acks of ['all', 1, 0] as const) {
    await check(`produce and consume, ${codec}, acks=${acks}`, async () => {
      const name = await topic()
      const values = Array.from(
        { length: 1000 },
        (_, index) => `value ${index} ${'x'.repeat(index % 50)}`,
      )
      // Once a leader has acknowledged something, it is there for those who do not ask.
      await produce(name, [values[0] ?? ''], { codec })
      await produce(name, values.slice(1), { codec, acks, batchBytes: 8 * 1024 })
      // With less than acks=all the records may become readable a moment later.
      let read = await readAll(name)
      const got = () => read.flatMap(({ records }) => records.map(({ value }) => value?.toString()))
      const untilMs = acks === 'all' ? 0 : performance.now() + 5000
      while (got().length < 1000 && performance.now() < untilMs) {
        read = await readAll(name)
      }
      same(got(), values)
      const codecs = new Set(read.map(({ batch }) => batch.batch.header.attributes & 7))
      same([...codecs], [['none', 'gzip', 'snappy', 'lz4', 'zstd'].indexOf(codec)], 'codec bits')
      return `${read.length} batches`
    })
  }
}

await check('headers, tombstones, empty and null keys, timestamps', async () => {
  const name = await topic()
  const producer = new Producer(client)
  const records = [
    { key: null, value: null, headers: [], timestamp: 0 },
    {
      key: Buffer.from(''),
      value: Buffer.from(''),
      headers: [{ key: 'a', value: null }],
      timestamp: 1,
    },
    {
      key: Buffer.from([0, 255]),
      value: Buffer.from([128]),
      headers: [
        { key: 'a', value: Buffer.from('1') },
        { key: 'a', value: Buffer.from('') },
      ],
      timestamp: 1_700_000_000_123,
    },
  ]
  await Promise.all(
    records.map((record) => producer.send({ topic: name, partition: 0, ...record })),
  )
  await producer.close()
  const read = (await readAll(name)).flatMap(({ records: got }) => got)
  same(
    read.map(({ key, value, headers, timestamp }) => ({ timestamp, key, value, headers })),
    records.map(({ key, value, headers, timestamp }) => ({ timestamp, key, value, headers })),
  )
})

await check('murmur2 puts keys where the Java client does', async () => {
  const name = await topic(6)
  const producer = new Producer(client)
  const placed = await Promise.all(
    ['a', 'b', 'order-17', ''].map((key) =>
      producer.send({ topic: name, key: Buffer.from(key), value: Buffer.from(key) }),
    ),
  )
  await producer.close()
  return placed.map(({ partition }) => partition).join(' ')
})

await check('a topic that does not exist is named', async () => {
  const producer = new Producer(client)
  const error = await producer.send({ topic: `${prefix}-nope`, value: null }).then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!(error instanceof KafkaError) || error.name !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error
  await producer.close()
  return error.message
})

await check('a broker that refuses is reported in under a second', async () => {
  const beganMs = performance.now()
  const other = new Client({ brokers: ['127.0.0.1:1'] })
  const error = await other.metadata().then(
    () => null,
    (reason: unknown) => reason,
  )
  const ms = performance.now() - beganMs
  if (!(error instanceof UnavailableError) || ms > 1000) throw error
  other.close()
  return `${error.message} after ${Math.round(ms)} ms`
})

await check('a batch over max.message.bytes is halved, a record over it is refused', async () => {
  const name = await topic(1, { 'max.message.bytes': '10000' })
  const values = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(1000, '.'))
  await produce(name, values)
  const read = await readAll(name)
  same(
    read.flatMap(({ records }) => records.map(({ value }) => value?.toString())),
    values,
  )
  const error = await produce(name, ['x'.repeat(20_000)]).then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!(error instanceof KafkaError) || error.name !== 'MESSAGE_TOO_LARGE') throw error
  return `${read.length} batches; ${error.message}`
})

await check('a record that a compacted topic refuses is named', async () => {
  const name = await topic(1, { 'cleanup.policy': 'compact' })
  const producer = new Producer(client)
  const reports: string[] = []
  producer.onDelivery = ({ error, recordErrors, tags }) =>
    reports.push(`${error?.name} ${JSON.stringify(recordErrors)} ${tags.join(' ')}`)
  producer.append({ topic: name, key: Buffer.from('k'), value: Buffer.from('1') }, 1)
  producer.append({ topic: name, key: null, value: Buffer.from('2') }, 2)
  await producer.close()
  return reports.join('; ')
})

await check('offsets by time, trim, grow', async () => {
  const name = await topic(2)
  const producer = new Producer(client)
  for (let index = 0; index < 10; index++) {
    await producer.send({
      topic: name,
      partition: 1,
      value: Buffer.from('v'),
      timestamp: 1000 + index,
    })
  }
  await producer.close()
  const answers = await admin.listOffsets([
    { topic: name, partition: 1, at: 'earliest' },
    { topic: name, partition: 1, at: 'latest' },
    { topic: name, partition: 1, at: 1005 },
    { topic: name, partition: 1, at: 2000 },
    { topic: name, partition: 1, at: 'max-timestamp' },
    { topic: name, partition: 9, at: 'latest' },
  ])
  same(
    answers.map(({ offset, timestamp, error }) => [offset, timestamp, error?.name ?? null]),
    [
      [0, -1, null],
      [10, -1, null],
      [5, 1005, null],
      [-1, -1, null],
      [9, 1009, null],
      [-1, -1, 'UNKNOWN_TOPIC_OR_PARTITION'],
    ],
  )
  const [trimmed] = await admin.deleteRecords([{ topic: name, partition: 1, offset: 4 }])
  same([trimmed?.lowWatermark, trimmed?.error], [4, null])
  const [grown] = await admin.createPartitions([{ name, count: 3 }])
  same(grown?.error, null)
  const [shrunk] = await admin.createPartitions([{ name, count: 1 }])
  same(shrunk?.error?.name, 'INVALID_PARTITIONS')
  const consumer = new Consumer(client)
  consumer.assign([{ topic: name, partition: 1, from: 0, to: 10 }])
  const error = await consumer.next().then(
    () => null,
    (reason: unknown) => reason,
  )
  consumer.close()
  if (!(error instanceof KafkaError) || error.name !== 'OFFSET_OUT_OF_RANGE') throw error
  return error.message
})

await check('configs: set, describe, unset, refuse', async () => {
  const name = await topic()
  const resource = { type: 'topic', name } as const
  const set = await admin.alterConfigs([
    { ...resource, changes: [{ key: 'retention.ms', operation: 'set', value: '12345' }] },
  ])
  same(
    set.map(({ error }) => error),
    [null],
  )
  const [described] = await admin.describeConfigs([{ ...resource, keys: ['retention.ms'] }])
  const [entry] = described?.entries ?? []
  same([entry?.value, entry?.source], ['12345', 'topic'])
  const bad = await admin.alterConfigs([
    { ...resource, changes: [{ key: 'no.such.key', operation: 'set', value: '1' }] },
  ])
  same(
    bad.map(({ error }) => error?.name),
    ['INVALID_CONFIG'],
  )
  const { brokers } = await admin.describeCluster()
  const [ofBroker] = await admin.describeConfigs([{ type: 'broker', name: String(brokers[0]?.id) }])
  if (ofBroker === undefined || ofBroker.entries.length < 10)
    throw ofBroker?.error ?? new Error('few')
  return `${bad[0]?.error?.message}; broker has ${ofBroker.entries.length} keys`
})

await check('following: a record arrives while the reader waits', async () => {
  const name = await topic()
  const consumer = new Consumer(client)
  consumer.assign([{ topic: name, partition: 0, from: 0 }])
  same((await consumer.next({ timeoutMs: 300 })).length, 0)
  const beganMs = performance.now()
  const next = consumer.next()
  await produce(name, ['live'], { lingerMs: 0 })
  const [batch] = await next
  same(batch?.records()[0]?.value?.toString(), 'live')
  consumer.close()
  return `${Math.round(performance.now() - beganMs)} ms`
})

await check('deleting', async () => {
  const results = await admin.deleteTopics([...topics, `${prefix}-nope`])
  same(
    results.map(({ error }) => error?.name ?? null),
    [...topics.map(() => null), 'UNKNOWN_TOPIC_OR_PARTITION'],
  )
})

client.close()
console.log(failures === 0 ? 'all passed' : `${failures} failed`)
process.exitCode = failures === 0 ? 0 : 1
