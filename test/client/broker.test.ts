/** The client against the broker of this project, both in memory: what they tell each other fits. */

import { Broker } from '../../lib/broker/broker.ts'
import { Admin, Client, Consumer, Producer } from '../../lib/index.ts'
import { type MemoryEnv, memoryEnv } from '../../lib/io/memory/env.ts'
import { assert, suite } from '../support/suite.ts'
import { drive, driveToFailure } from './support/drive.ts'

const test = suite('client with broker')

interface World {
  env: MemoryEnv
  client: Client
  admin: Admin
  restart(): Promise<void>
  stop(): Promise<void>
}

async function world(): Promise<World> {
  const env = memoryEnv()
  const start = () =>
    drive(
      env,
      Broker.start({
        env,
        dataPath: '/data',
        nodeId: 1,
        clusterId: null,
        configs: {},
        listen: { host: '127.0.0.1', port: 9092 },
        advertise: null,
        topics: [],
        adopt: false,
        process: null,
      }),
    )
  let broker = await start()
  const client = new Client({ env, brokers: ['127.0.0.1:9092'] })
  const stop = () => drive(env, broker.stop())
  const restart = async () => {
    await stop()
    broker = await start()
  }
  return { env, client, admin: new Admin(client), restart, stop }
}

async function read({ env, client }: World, topic: string, to: number): Promise<string[]> {
  const consumer = new Consumer(client)
  consumer.assign([{ topic, partition: 0, from: 0, to }])
  const values: string[] = []
  const all = async () => {
    for await (const batch of consumer) {
      for (const { value } of batch.records()) values.push(String(value))
    }
  }
  await drive(env, all())
  consumer.close()
  return values
}

test('a topic is made, filled over a restart, read, trimmed, grown, configured and deleted', async () => {
  const all = await world()
  const { env, client, admin } = all
  const ask = <T>(promise: Promise<T>) => drive(env, promise)
  const [made] = await ask(admin.createTopics([{ name: 't', partitions: 1 }]))
  assert.equal([made?.error, made?.partitions, made?.replicationFactor], [null, 1, 1])
  const [again] = await ask(admin.createTopics([{ name: 't' }]))
  assert.is(again?.error?.name, 'TOPIC_ALREADY_EXISTS')
  await ask(admin.waitForLeaders(['t']))

  const producer = new Producer(client, { batchBytes: 500 })
  const errors: unknown[] = []
  producer.onDelivery = ({ error }) => error !== null && errors.push(error)
  const expected = Array.from({ length: 60 }, (_, index) => `value ${index}`)
  for (const [index, value] of expected.entries()) {
    producer.append({ topic: 't', value: Buffer.from(value) })
    if (index === 30) {
      await ask(producer.flush())
      await all.restart()
    }
  }
  await ask(producer.close())
  assert.equal(errors, [])
  assert.equal(await read(all, 't', 60), expected)

  const offsets = await ask(
    admin.listOffsets([
      { topic: 't', partition: 0, at: 'earliest' },
      { topic: 't', partition: 0, at: 'latest' },
      { topic: 't', partition: 1, at: 'latest' },
    ]),
  )
  assert.equal(
    offsets.map(({ offset, error }) => [offset, error?.name ?? null]),
    [
      [0, null],
      [60, null],
      [-1, 'UNKNOWN_TOPIC_OR_PARTITION'],
    ],
  )
  const [trimmed] = await ask(admin.deleteRecords([{ topic: 't', partition: 0, offset: 10 }]))
  assert.equal([trimmed?.lowWatermark, trimmed?.error], [10, null])
  const [grown] = await ask(admin.createPartitions([{ name: 't', count: 3 }]))
  assert.is(grown?.error, null)
  await ask(admin.waitForLeaders(['t']))
  const [described] = await ask(admin.describeTopics(['t', 'nope']))
  assert.is(described?.partitions.length, 3)

  const resource = { type: 'topic', name: 't' } as const
  const change = { key: 'retention.ms', operation: 'set', value: '5000' } as const
  const [altered] = await ask(admin.alterConfigs([{ ...resource, changes: [change] }]))
  assert.is(altered?.error, null)
  const [configs] = await ask(admin.describeConfigs([{ ...resource, keys: ['retention.ms'] }]))
  const [entry] = configs?.entries ?? []
  assert.equal([entry?.value, entry?.source, entry?.type], ['5000', 'topic', 'long'])

  const results = await ask(admin.deleteTopics(['t', 'nope']))
  assert.equal(
    results.map(({ error }) => error?.name ?? null),
    [null, 'UNKNOWN_TOPIC_OR_PARTITION'],
  )
  assert.equal((await ask(admin.listTopics())).length, 0)
  client.close()
  await all.stop()
})

test('the cluster describes itself', async () => {
  const all = await world()
  const cluster = await drive(all.env, all.admin.describeCluster())
  assert.equal(
    cluster.brokers.map(({ id, port, isFenced }) => [id, port, isFenced]),
    [[1, 9092, false]],
  )
  assert.is(cluster.controllerId, 1)
  const [apis] = await drive(all.env, all.admin.apiVersions())
  assert.ok(apis?.apis.some(({ name, min }) => name === 'Produce' && min === 0))
  all.client.close()
  await all.stop()
})

test('following, and an offset that retention took', async () => {
  const all = await world()
  const { env, client, admin } = all
  await drive(env, admin.createTopics([{ name: 't', partitions: 1 }]))
  const consumer = new Consumer(client)
  consumer.assign([{ topic: 't', partition: 0, from: 0 }])
  const next = consumer.next()
  const producer = new Producer(client)
  await drive(env, producer.send({ topic: 't', value: 'live' }))
  const [batch] = await drive(env, next)
  assert.is(String(batch?.records()[0]?.value), 'live')
  await drive(env, admin.deleteRecords([{ topic: 't', partition: 0, offset: -1 }]))
  consumer.assign([{ topic: 't', partition: 0, from: 0 }])
  const error = await driveToFailure(env, consumer.next())
  assert.is(error.message, 't-0: offset 0 is out of range: the log has 1 to 1')
  consumer.close()
  await drive(env, producer.close())
  client.close()
  await all.stop()
})
