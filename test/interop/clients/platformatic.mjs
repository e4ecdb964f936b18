// @platformatic/kafka against a broker: `node platformatic.mjs BROKER TOPIC JSON`. JSON is
// { do: 'produce', acks, codec, idempotent, messages } or { do: 'admin' }. Prints one line of JSON.
import { Admin, Producer } from '@platformatic/kafka'

const [brokers, topic, request] = process.argv.slice(2)
const common = { clientId: 'interop', bootstrapBrokers: [brokers], retries: 3, timeout: 10_000 }
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

const asked = JSON.parse(request)
const actions = { produce, admin }
console.log(JSON.stringify(await actions[asked.do](asked)))
process.exit(0)
