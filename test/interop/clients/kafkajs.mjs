// kafkajs against a broker: `node kafkajs.mjs BROKER TOPIC JSON`. JSON is { do: 'produce', acks,
// codec, idempotent, messages } or { do: 'admin' }. Prints one line of JSON; fails with exit code 1.
import { createRequire } from 'node:module'
import kafkajs from 'kafkajs'

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs
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

const kafka = new Kafka({
  clientId: 'interop',
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

const asked = JSON.parse(request)
const actions = { produce, admin }
console.log(JSON.stringify(await actions[asked.do](asked)))
process.exit(0)
