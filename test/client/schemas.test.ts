/** A producer of the library and a topic that refuses some of its records for their form. */

import { Admin, Client, KafkaError, Producer } from '../../lib/index.ts'
import { startCluster } from '../../lib/testing/index.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('client with schemas')

test('each record of a refused batch hears its own reason, and the producer goes on', async () => {
  const cluster = await startCluster()
  const client = new Client({ brokers: cluster.brokers })
  const schema = JSON.stringify({ type: 'object', required: ['id'] })
  const configs = { 'ottla.value.schema': schema }
  await new Admin(client).createTopics([{ name: 'orders', partitions: 1, configs }])
  const producer = new Producer(client, { lingerMs: 20 })
  const send = (value: string) => producer.send({ topic: 'orders', value })
  const [good, bad] = await Promise.all([rejection(send('{"id":1}')), rejection(send('{}'))])
  assert.ok(good instanceof KafkaError && good.name === 'INVALID_RECORD' && !good.isRetriable)
  assert.match(
    good.message,
    /^orders-0: 1 of 2 records do not fit the schema of orders-0; record 1:/,
  )
  assert.is(bad.message, "orders-0: value: must have required property 'id'")
  assert.is((await send('{"id":2}')).offset, 0)
  assert.is((await send('{"id":3}')).offset, 1)
  await producer.close()
  client.close()
  await cluster.stop()
})
