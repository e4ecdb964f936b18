// @platformatic/kafka against a broker: `node platformatic.mjs BROKER TOPIC JSON`. JSON is
// { do: 'produce', acks, codec, idempotent, messages }, { do: 'consume', groupId, count } or
// { do: 'admin' }. Prints one line of JSON. { do: 'member', groupId, clientId, protocol } is a member
// of a group until SIGTERM, and prints `partition offset` for each record.
import { Admin, Consumer, Producer } from '@platformatic/kafka'

const [brokers, topic, request] = process.argv.slice(2)
const asked = JSON.parse(request)
const { clientId = 'interop' } = asked
const common = { clientId, bootstrapBrokers: [brokers], retries: 3, timeout: 10_000 }
const bytes = (text) => (text === null || text === undefined ? undefined : Buffer.from(text))

async function produce({ acks = -1, codec = 'none', idempotent = false, messages }) {
  const producer = new Producer({ ...common, autocreateTopics: false })
  const sent = await producer.send({
    acks,
    compression: codec,
    idempotent,
    messages: messages.map(({ key, value, headers = {}, timestamp, partition }) => ({
      topic,
      key: bytes(key),
      value: value === null ? null : bytes(value),
      headers: new Map(
        Object.entries(headers).map(([name, text]) => [Buffer.from(name), bytes(text)]),
      ),
      ...(timestamp === undefined ? {} : { timestamp: BigInt(timestamp) }),
      ...(partition === undefined ? {} : { partition }),
    })),
  })
  await producer.close()
  return {
    offsets: (sent.offsets ?? []).map(({ partition, offset }) => ({
      partition,
      offset: String(offset),
    })),
  }
}

/** What a member of the group reads up to `count` records, each committed. */
async function consume({ groupId, count }) {
  const consumer = new Consumer({ ...common, groupId, autocommit: false })
  const stream = await consumer.consume({
    topics: [topic],
    mode: 'committed',
    fallbackMode: 'earliest',
  })
  const values = []
  for await (const message of stream) {
    values.push(message.value.toString())
    await message.commit()
    if (values.length === count) break
  }
  await consumer.close(true)
  return { values }
}

async function member({ groupId, protocol = 'classic' }) {
  const consumer = new Consumer({
    ...common,
    retries: 50,
    groupId,
    groupProtocol: protocol,
    // It says version 1 by default, and leaves out what that has: librdkafka then gives it nothing.
    protocols: [{ name: 'roundrobin', version: 0 }],
    sessionTimeout: 6000,
    rebalanceTimeout: 10_000,
    heartbeatInterval: 500,
    autocommit: false,
  })
  const options = { topics: [topic], mode: 'committed', fallbackMode: 'earliest', maxWaitTime: 200 }
  const stream = await consumer.consume(options)
  process.once('SIGTERM', () => consumer.close(true).then(() => process.exit(0)))
  for await (const message of stream) {
    process.stdout.write(`${message.partition} ${message.offset}\n`)
    await message.commit()
  }
}

async function admin() {
  const client = new Admin(common)
  const created = await client.createTopics({ topics: [topic], partitions: 3, replicas: 1 })
  const metadata = await client.metadata({ topics: [topic] })
  const listed = await client.listTopics()
  await client.deleteTopics({ topics: [topic] })
  const left = await client.listTopics()
  await client.close()
  return {
    created: created.length,
    partitions: metadata.topics.get(topic).partitionsCount,
    wasListed: listed.includes(topic),
    isGone: !left.includes(topic),
    brokers: metadata.brokers.size,
  }
}

const actions = { produce, consume, member, admin }
const answer = await actions[asked.do](asked)
if (answer !== undefined) console.log(JSON.stringify(answer))
process.exit(0)
