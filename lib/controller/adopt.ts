/**
 * Takes over what Apache Kafka knew about its data: topics with their ids, partitions, settings and
 * leader epochs go into an empty store, in batches, and `meta` last: only with it the store counts,
 * and an import that was cut short is made again. To be called before `ensureCluster`, with no
 * broker registered.
 *
 * The broker becomes the only replica, so it must have been in sync: a partition of which it may
 * lack records is refused. Partitions are without a leader at first; the first election gives each
 * a leader epoch above Kafka's.
 */

import { assert } from '../base/assert.ts'
import { KafkaError } from '../base/errors.ts'
import type { BrokerId } from '../base/types.ts'
import { brokerSetting } from '../config/broker.ts'
import type { Configs } from '../config/config.ts'
import { isTopicSetting, topicSettings } from '../config/topic.ts'
import type { Env } from '../io/env.ts'
import {
  type KafkaMetadata,
  type KafkaPartition,
  type KafkaTopic,
  readKafkaMetadata,
} from '../metadata/kafka/reader.ts'
import {
  type ConfigValue,
  Keys,
  type MetaValue,
  type PartitionValue,
  type ProducerIdValue,
  type TopicIdValue,
  type TopicValue,
} from '../metadata/keys.ts'
import type { Compare, MetadataStore } from '../metadata/store.ts'
import { configsDigest } from './topics.ts'

interface Put {
  readonly key: string
  readonly value: object
}

const batchSize = 100

/** Throws KafkaError INVALID_REPLICA_ASSIGNMENT, Error when the store holds a cluster already. */
export async function adoptKafkaMetadata(options: {
  env: Env
  store: MetadataStore
  metadata: KafkaMetadata
  brokerId: BrokerId
}): Promise<{ topics: number; partitions: number; ignoredConfigs: readonly string[] }> {
  const { env, store, metadata, brokerId } = options
  const keys = new Keys(metadata.clusterId)
  const ignored: string[] = []
  const puts = metadata.topics.flatMap((topic) => {
    const configs = keptConfigs(topic.configs, ignored, (name) =>
      isTopicSetting(name) ? topicSettings[name] : undefined,
    )
    return topicPuts(keys, { topic, configs, brokerId, nowMs: env.clock.nowMs() })
  })
  puts.push(...configPuts(keys, metadata, ignored))
  const next: ProducerIdValue = { v: 1, next: metadata.nextProducerId }
  puts.push({ key: keys.producerIds, value: next })
  await checkEmpty(store, keys)
  for (let at = 0; at < puts.length; at += batchSize) {
    await write(store, keys, puts.slice(at, at + batchSize))
  }
  const meta: MetaValue & { adoptedFrom: string } = {
    v: 1,
    clusterId: metadata.clusterId,
    createdAt: env.clock.nowMs(),
    featureLevel: 1,
    generation: 1,
    adoptedFrom: 'kafka',
  }
  await write(store, keys, [{ key: keys.meta, value: meta }])
  for (const config of ignored) env.log.warn('adopt.config_ignored', { config })
  const partitions = metadata.topics.reduce((sum, topic) => sum + topic.partitions.length, 0)
  return { topics: metadata.topics.length, partitions, ignoredConfigs: ignored }
}

/**
 * For `broker start --adopt`, before `ensureCluster`: takes over the metadata that Kafka left in
 * `dataPath`. Null when there is nothing to do: the store knows the cluster already, or there is no
 * metadata of Kafka. Throws DecodeError and what `adoptKafkaMetadata` throws.
 */
export async function adoptDirectory(options: {
  env: Env
  store: MetadataStore
  dataPath: string
  clusterId: string
  brokerId: BrokerId
}): Promise<{ topics: number; partitions: number } | null> {
  const { env, store, dataPath, clusterId, brokerId } = options
  const { keyValues } = await store.range(new Keys(clusterId).meta)
  if (keyValues.length > 0) return null
  const entries = await env.disk.list(dataPath)
  if (!entries.some(({ name }) => name === '__cluster_metadata-0')) return null
  const metadata = await readKafkaMetadata(env, dataPath)
  assert(metadata.clusterId === clusterId, `${metadata.clusterId} became ${clusterId}`)
  const { topics, partitions } = await adoptKafkaMetadata({ env, store, metadata, brokerId })
  env.log.info('kafka.adopted', { dataPath, clusterId, topics, partitions })
  return { topics, partitions }
}

async function checkEmpty(store: MetadataStore, keys: Keys): Promise<void> {
  const { keyValues } = await store.range(keys.meta)
  if (keyValues.length === 0) return
  throw new Error('the metadata store holds this cluster already: start without --adopt')
}

/** `meta` absent is compared each time: whoever finishes first wins, the other stops. */
async function write(store: MetadataStore, keys: Keys, puts: readonly Put[]): Promise<void> {
  const compares: Compare[] = [{ kind: 'absent', key: keys.meta }]
  const result = await store.txn(
    compares,
    puts.map(({ key, value }) => ({ kind: 'put', key, value: JSON.stringify(value) })),
  )
  if (result.outcome === 'ok') return
  throw new Error(`the metadata of Kafka was not stored (${result.outcome}): start once more`)
}

function topicPuts(
  keys: Keys,
  options: { topic: KafkaTopic; configs: Configs; brokerId: BrokerId; nowMs: number },
): Put[] {
  const { topic, configs, brokerId, nowMs } = options
  const { name, id: topicId, partitions } = topic
  const minIsr = 1
  const byId: TopicIdValue = { v: 1, name, state: 'live', since: nowMs }
  const value: TopicValue = {
    v: 1,
    topicId,
    partitions: partitions.length,
    configsDigest: configsDigest(configs),
  }
  const config: ConfigValue = { v: 1, configs }
  return [
    { key: keys.topicId(topicId), value: byId },
    ...partitions.map((partition, index) => {
      assert(partition.partition === index, `${name}: partition ${index} is missing`)
      const key = keys.partition(topicId, index)
      return { key, value: partitionValue(name, partition, { brokerId, minIsr }) }
    }),
    ...(Object.keys(configs).length > 0 ? [{ key: keys.topicConfig(name), value: config }] : []),
    { key: keys.topic(name), value },
  ]
}

function partitionValue(
  topic: string,
  { partition, leaderEpoch, replicas, isr, elr }: KafkaPartition,
  { brokerId, minIsr }: { brokerId: BrokerId; minIsr: number },
): PartitionValue {
  // The last one to stop leaves the ISR empty, and is eligible still.
  const complete = isr.length > 0 ? isr : elr
  if (!replicas.includes(brokerId) || !complete.includes(brokerId)) {
    throw new KafkaError(
      'INVALID_REPLICA_ASSIGNMENT',
      `${topic}-${partition} was in sync on the nodes ${complete.join(', ') || 'none'}, this is node ${brokerId}: only a directory that has all of its data can be adopted`,
    )
  }
  return {
    v: 1,
    leader: -1,
    leaderEpoch,
    leaderBrokerEpoch: -1,
    isr: [brokerId],
    replicas: [brokerId],
    adding: [],
    removing: [],
    elr: [],
    minIsr,
    writer: { broker: brokerId, epoch: 0, nonce: 'adopt' },
  }
}

function configPuts(keys: Keys, metadata: KafkaMetadata, ignored: string[]): Put[] {
  const puts: Put[] = []
  for (const [name, texts] of metadata.brokerConfigs) {
    const configs = keptConfigs(texts, ignored, brokerSetting)
    const value: ConfigValue = { v: 1, configs }
    if (Object.keys(configs).length === 0) continue
    if (name === '') puts.push({ key: keys.defaultBrokerConfig, value })
    else if (Number(name) === metadata.nodeId) {
      puts.push({ key: keys.brokerConfig(metadata.nodeId), value })
    }
  }
  return puts
}

/** The settings that mean something here; the others are noted down. */
function keptConfigs(
  texts: Configs,
  ignored: string[],
  settingOf: (name: string) => { parse(text: string): unknown } | undefined,
): Configs {
  const kept: Record<string, string> = {}
  for (const [name, text] of Object.entries(texts)) {
    if (settingOf(name)?.parse(text) !== undefined) kept[name] = text
    else ignored.push(name)
  }
  return kept
}
