// kafkajs against a broker: `node kafkajs.mjs BROKER TOPIC JSON`. JSON is { do: 'produce', acks,
// codec, idempotent, messages }, { do: 'consume', groupId, count } or { do: 'admin' }. Prints one
// line of JSON; fails with exit code 1. { do: 'member', groupId, clientId } is a member of a group
// until SIGTERM, and prints `partition offset` for each record.
import { createRequire } from 'node:module'
import kafkajs from 'kafkajs'

const { AssignerProtocol, CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs
const [brokers, topic, request] = process.argv.slice(2)
const root = createRequire(new URL('../../../package.json', import.meta.url))

// Only gzip is built in; the others are plugged in with the packages that ottla uses itself.
const plug = (compress) => () => ({
  compress,
  decompress: () => Promise.reject(new Error('not used')),
})
CompressionCodecs[CompressionTypes.Snappy] = plug(async ({ buffer }) =>
  root('snappy').compressSync(buffer),
)
CompressionCodecs[CompressionTypes.LZ4] = plug(async ({ buffer }) =>
  root('lz4-napi').compressFrameSync(buffer),
)
CompressionCodecs[CompressionTypes.ZSTD] = plug(async ({ buffer }) => {
  const wasm = root('@foxglove/wasm-zstd')
  await wasm.isLoaded
  return wasm.compress(buffer, 3)
})
const codecs = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

const asked = JSON.parse(request)
const kafka = new Kafka({
  clientId: asked.clientId ?? 'interop',
  brokers: [brokers],
  logLevel: logLevel.NOTHING,
  retry: { retries: 3 },
})

async function produce({ acks = -1, codec = 'none', idempotent = false, messages }) {
  const producer = kafka.producer({ idempotent, allowAutoTopicCreation: false })
  await producer.connect()
  const sent = await producer.send({ topic, acks, compression: codecs[codec], messages })
  await producer.disconnect()
  return sent
}

/** What a member of the group reads up to `count` records, which it then commits. */
async function consume({ groupId, count }) {
  const consumer = kafka.consumer({ groupId })
  const values = []
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
    const eachMessage = async ({ message }) => {
      values.push(message.value.toString())
      if (values.length === count) resolve()
    }
    consumer.run({ eachMessage, autoCommit: true }).catch(reject)
  })
  await consumer.disconnect()
  return { values }
}

/** Deals partitions out one by one, under the name that Java and librdkafka use. */
const roundrobin = ({ cluster }) => ({
  name: 'roundrobin',
  version: 0,
  async assign({ members, topics }) {
    const ids = members.map(({ memberId }) => memberId).sort()
    const places = topics.flatMap((name) =>
      cluster.findTopicPartitionMetadata(name).map(({ partitionId }) => ({ name, partitionId })),
    )
    return ids.map((memberId, at) => {
      const assignment = {}
      for (const [index, { name, partitionId }] of places.entries()) {
        if (index % ids.length !== at) continue
        assignment[name] = [...(assignment[name] ?? []), partitionId]
      }
      const encoded = AssignerProtocol.MemberAssignment.encode({ version: 0, assignment })
      return { memberId, memberAssignment: encoded }
    })
  },
  protocol: ({ topics }) => ({
    name: 'roundrobin',
    metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics }),
  }),
})

async function member({ groupId }) {
  const consumer = kafka.consumer({
    groupId,
    partitionAssigners: [roundrobin],
    sessionTimeout: 6000,
    heartbeatInterval: 500,
    rebalanceTimeout: 10_000,
    retry: { retries: 20, initialRetryTime: 100, maxRetryTime: 1000 },
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommitInterval: 300,
    eachMessage: async ({ partition, message }) => {
      process.stdout.write(`${partition} ${message.offset}\n`)
    },
  })
  await new Promise((resolve) => process.once('SIGTERM', resolve))
  await consumer.disconnect()
}

async function admin() {
  const client = kafka.admin()
  await client.connect()
  const created = await client.createTopics({
    topics: [
      { topic, numPartitions: 3, configEntries: [{ name: 'retention.ms', value: '86400000' }] },
    ],
  })
  await client.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
  const metadata = await client.fetchTopicMetadata({ topics: [topic] })
  const cluster = await client.describeCluster()
  await client.alterConfigs({ validateOnly: true, resources: [] }).catch(() => {})
  const configs = await client.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: 2, name: topic, configNames: ['retention.ms'] }],
  })
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({
    topic,
    messages: Array.from({ length: 10 }, (_, index) => ({ value: `v${index}`, partition: 0 })),
  })
  await producer.disconnect()
  await client.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] })
  const offsets = await client.fetchTopicOffsets(topic)
  await client.deleteTopics({ topics: [topic] })
  const left = await client.listTopics()
  await client.disconnect()
  return {
    created,
    partitions: metadata.topics[0].partitions.length,
    brokers: cluster.brokers.length,
    retention: configs.resources[0].configEntries[0].configValue,
    offsets: offsets.find(({ partition }) => partition === 0),
    isGone: !left.includes(topic),
  }
}

const actions = { produce, consume, member, admin }
const answer = await actions[asked.do](asked)
if (answer !== undefined) console.log(JSON.stringify(answer))
process.exit(0)
