/**
 * Creating, growing and deleting topics.
 *
 * - Creation: `tid/` creating, `p/` in batches, then one transaction makes `tid/` live and puts
 *   `t/`: the commit point. A topic whose keys fit into one transaction is made by that alone.
 * - What a controller that died left half done is swept by the next one: the dead one cannot go on,
 *   since each of its writes compares its epoch.
 * - Deletion: `t/` and its configuration go, `tid/` becomes deleting; the topic is out of sight at
 *   once. The `p/` keys stay until the brokers have dropped their replicas, by topic id.
 */

import { crc32c } from '../base/crc32c.ts'
import { KafkaError } from '../base/errors.ts'
import { SettingError } from '../base/setting.ts'
import type { BrokerId, TopicId } from '../base/types.ts'
import { randomUuid } from '../base/uuid.ts'
import { type Configs, checkTopicConfigs, effectiveMinIsr } from '../config/config.ts'
import { type ConfigEntry, describeTopicConfigs } from '../config/describe.ts'
import type { ClusterImage, TopicIdImage, TopicImage } from '../metadata/image.ts'
import type { ConfigValue, TopicIdValue, TopicValue } from '../metadata/keys.ts'
import type { Revision } from '../metadata/store.ts'
import type { Desk } from './desk.ts'
import { isElectable } from './elections.ts'
import { unchanged, type Write } from './office.ts'
import { checkAssignments, placeReplicas } from './placement.ts'
import { checkSchemas, schemaSettings } from './schemas.ts'
import { checkNewTopicName } from './topic-names.ts'

export interface NewTopic {
  readonly name: string
  /** -1 = the broker's default, or given by `assignments`. */
  readonly numPartitions: number
  readonly replicationFactor: number
  /** Brokers per partition; null or empty = placed by the controller. */
  readonly assignments?:
    | readonly { readonly partitionIndex: number; readonly brokerIds: readonly BrokerId[] }[]
    | null
  /** A value of null is refused. */
  readonly configs?: Readonly<Record<string, string | null>>
  readonly validateOnly?: boolean
}

export interface CreatedTopic {
  /** The zero uuid when nothing was written. */
  readonly topicId: TopicId
  readonly numPartitions: number
  readonly replicationFactor: number
  /** All settings of the topic, as DescribeConfigs shows them. */
  readonly configs: readonly ConfigEntry[]
  readonly revision: Revision
}

export interface NewPartitions {
  readonly name: string
  /** In total. */
  readonly count: number
  readonly assignments?: readonly (readonly BrokerId[])[] | null
  readonly validateOnly?: boolean
}

/** Kafka's limit for one request. */
const partitionsMax = 10_000
const batchSize = 100
const valueBytesMax = 4096

/** Throws KafkaError with the codes of CreateTopics. */
export async function createTopic(desk: Desk, topic: NewTopic): Promise<CreatedTopic> {
  const { name } = topic
  // First of all, since this waits: what follows looks and acts within one turn.
  await checkSchemas(name, topic.configs ?? {}, {})
  const { image } = desk
  checkNewTopicName(name, image, desk)
  const layers = desk.layers()
  const overrides = checkedConfigs(desk, topic.configs ?? {})
  const replicas = newReplicas(desk, topic)
  const replicationFactor = replicas[0]?.length ?? 0
  const configs = describeTopicConfigs({ layers, overrides, names: null })
  const answer = { numPartitions: replicas.length, replicationFactor, configs }
  if (topic.validateOnly) {
    return { ...answer, topicId: 'AAAAAAAAAAAAAAAAAAAAAA', revision: image.revision }
  }
  const topicId = randomUuid((count) => desk.env.random.bytes(count))
  const minIsr = effectiveMinIsr({ layers, overrides, replicationFactor })
  desk.pending.add(name)
  try {
    const partitions = replicas.map((ids, partition) =>
      newPartition(desk, { topicId, partition, replicas: ids, minIsr }),
    )
    const revision = await writeTopic(desk, { name, topicId, overrides, partitions })
    await desk.follow(revision)
    return { ...answer, topicId, revision }
  } finally {
    desk.pending.delete(name)
  }
}

/** The overrides to store. Throws INVALID_CONFIG. */
export function checkedConfigs(
  desk: Desk,
  configs: Readonly<Record<string, string | null>>,
): Configs {
  const texts: Record<string, string> = {}
  for (const [name, text] of Object.entries(configs)) {
    if (text === null) throw new KafkaError('INVALID_CONFIG', `${name}: a value is missing`)
    texts[name] = text
  }
  const kept = asInvalidConfig(() => checkTopicConfigs(texts, desk.brokerConfig()))
  const size = JSON.stringify(withoutSchemas(kept)).length
  if (size > valueBytesMax) {
    throw new KafkaError(
      'INVALID_CONFIG',
      `the configuration has ${size} characters, at most ${valueBytesMax} are possible`,
    )
  }
  return kept
}

/** Schemas have a limit of their own. */
function withoutSchemas(configs: Configs): Configs {
  const isOther = ([name]: [string, string]) => !schemaSettings.some((schema) => schema === name)
  return Object.fromEntries(Object.entries(configs).filter(isOther))
}

/** What `fn` gives; its SettingError as INVALID_CONFIG. */
export function asInvalidConfig<T>(fn: () => T): T {
  try {
    return fn()
  } catch (error) {
    if (!(error instanceof SettingError)) throw error
    throw new KafkaError('INVALID_CONFIG', error.message, { cause: error })
  }
}

function newReplicas(desk: Desk, topic: NewTopic): BrokerId[][] {
  const { assignments } = topic
  if (assignments && assignments.length > 0) return manualReplicas(desk, topic, assignments)
  const config = desk.brokerConfig()
  const { numPartitions, replicationFactor } = topic
  if (replicationFactor === 0 || replicationFactor < -1) {
    throw new KafkaError(
      'INVALID_REPLICATION_FACTOR',
      `got a replication factor of ${replicationFactor}, expected at least 1, or -1 for the default`,
    )
  }
  if (numPartitions === 0 || numPartitions < -1) {
    throw new KafkaError(
      'INVALID_PARTITIONS',
      `got ${numPartitions} partitions, expected at least 1, or -1 for the default`,
    )
  }
  const count = numPartitions === -1 ? config['num.partitions'] : numPartitions
  checkPartitionCount(count)
  return placeReplicas({
    random: desk.env.random,
    brokers: liveBrokers(desk.image),
    count,
    replicationFactor:
      replicationFactor === -1 ? config['default.replication.factor'] : replicationFactor,
  })
}

function manualReplicas(
  desk: Desk,
  { numPartitions, replicationFactor }: NewTopic,
  assignments: NonNullable<NewTopic['assignments']>,
): BrokerId[][] {
  if (numPartitions !== -1 || replicationFactor !== -1) {
    throw new KafkaError(
      'INVALID_REQUEST',
      'with an assignment of replicas, the number of partitions and the replication factor must be -1',
    )
  }
  checkPartitionCount(assignments.length)
  const sorted = [...assignments].sort((a, b) => a.partitionIndex - b.partitionIndex)
  for (const [index, { partitionIndex }] of sorted.entries()) {
    if (partitionIndex === index) continue
    const isTwice = index > 0 && sorted[index - 1]?.partitionIndex === partitionIndex
    throw new KafkaError(
      'INVALID_REPLICA_ASSIGNMENT',
      isTwice
        ? `partition ${partitionIndex} is assigned twice`
        : `partitions must be numbered from 0 without a gap: got ${partitionIndex}, expected ${index}`,
    )
  }
  const replicas = sorted.map(({ brokerIds }) => [...brokerIds])
  checkAssignments(replicas, desk.image.brokers, null)
  return replicas
}

function checkPartitionCount(count: number): void {
  if (count <= partitionsMax) return
  throw new KafkaError(
    'POLICY_VIOLATION',
    `got ${count} partitions in one request, at most ${partitionsMax} are possible`,
  )
}

function liveBrokers(image: ClusterImage) {
  return [...image.brokers.values()].filter(isElectable)
}

/** The key of a fresh partition: led by its first live replica, with all live ones in sync. */
export function newPartition(
  { image, keys }: Desk,
  options: { topicId: TopicId; partition: number; replicas: readonly BrokerId[]; minIsr: number },
): Write {
  const { topicId, partition, replicas, minIsr } = options
  const live = replicas.filter((id) => isElectable(image.brokers.get(id)))
  const leader = live[0] ?? -1
  return {
    key: keys.partition(topicId, partition),
    value: {
      v: 1,
      leader,
      leaderEpoch: 0,
      leaderBrokerEpoch: image.brokers.get(leader)?.epoch ?? -1,
      isr: live.length > 0 ? live : replicas,
      replicas,
      adding: [],
      removing: [],
      elr: [],
      minIsr,
    },
  }
}

async function writeTopic(
  desk: Desk,
  options: { name: string; topicId: TopicId; overrides: Configs; partitions: readonly Write[] },
): Promise<Revision> {
  const { name, topicId, overrides, partitions } = options
  const { keys, env } = desk
  const topicIdKey = keys.topicId(topicId)
  const isSmall = partitions.length <= batchSize
  let topicIdRevision: Revision | null = null
  if (!isSmall) {
    const creating: TopicIdValue = { v: 1, name, state: 'creating', since: env.clock.nowMs() }
    topicIdRevision = await desk.commit(
      [unchanged(topicIdKey, null)],
      [{ key: topicIdKey, value: creating }],
    )
    await writeInBatches(desk, partitions)
  }
  const live: TopicIdValue = { v: 1, name, state: 'live', since: env.clock.nowMs() }
  const topic: TopicValue = {
    v: 1,
    topicId,
    partitions: partitions.length,
    configsDigest: configsDigest(overrides),
  }
  const writes: Write[] = [
    ...(isSmall ? partitions : []),
    ...configWrites(desk, name, overrides),
    { key: topicIdKey, value: live },
    { key: keys.topic(name), value: topic },
  ]
  const committed = await desk
    .office()
    .commit([unchanged(topicIdKey, topicIdRevision), unchanged(keys.topic(name), null)], writes)
  if (committed !== null) return committed
  throw new KafkaError('TOPIC_ALREADY_EXISTS', `topic '${name}' already exists`)
}

/** Keys nobody sees yet. Several transactions at a time: the store writes them as one group. */
async function writeInBatches(desk: Desk, writes: readonly Write[]): Promise<void> {
  const batches: Write[][] = []
  for (let at = 0; at < writes.length; at += batchSize) {
    batches.push(writes.slice(at, at + batchSize))
  }
  await Promise.all(batches.map((batch) => desk.commit([], batch)))
}

function configWrites(desk: Desk, name: string, configs: Configs): Write[] {
  if (Object.keys(configs).length === 0) return []
  const value: ConfigValue = { v: 1, configs }
  return [{ key: desk.keys.topicConfig(name), value }]
}

/** Changes with the overrides, whatever their order. */
export function configsDigest(configs: Configs): string {
  const sorted = Object.entries(configs).sort(([a], [b]) => (a < b ? -1 : 1))
  return crc32c(Buffer.from(JSON.stringify(sorted)))
    .toString(16)
    .padStart(8, '0')
}

/** Throws TOPIC_DELETION_DISABLED, UNKNOWN_TOPIC_OR_PARTITION. */
export async function deleteTopic(desk: Desk, name: string): Promise<Revision> {
  if (!desk.brokerConfig()['delete.topic.enable']) {
    throw new KafkaError('TOPIC_DELETION_DISABLED')
  }
  return desk.retrying(async () => {
    const topic = knownTopic(desk.image, name)
    const { keys, env, image } = desk
    const { topicId } = topic
    const byId = image.topicIds.get(topicId)
    const deleting: TopicIdValue = {
      v: 1,
      ...byId?.value,
      name,
      state: 'deleting',
      since: env.clock.nowMs(),
    }
    return desk.office().commit(
      [
        unchanged(keys.topic(name), topic.modRevision),
        unchanged(keys.topicId(topicId), byId?.modRevision ?? null),
      ],
      [
        { key: keys.topic(name), value: null },
        { key: keys.topicConfig(name), value: null },
        { key: keys.topicId(topicId), value: deleting },
      ],
    )
  })
}

/** Throws UNKNOWN_TOPIC_OR_PARTITION. */
export function knownTopic(image: ClusterImage, name: string): TopicImage {
  const topic = image.topics.get(name)
  if (topic) return topic
  throw unknownTopic(name)
}

function unknownTopic(name: string): KafkaError {
  return new KafkaError(
    'UNKNOWN_TOPIC_OR_PARTITION',
    `topic '${name.slice(0, 249)}' does not exist`,
  )
}

/** Throws UNKNOWN_TOPIC_OR_PARTITION, INVALID_PARTITIONS, INVALID_REPLICA_ASSIGNMENT, INVALID_REPLICATION_FACTOR. */
export async function createPartitions(desk: Desk, wanted: NewPartitions): Promise<Revision> {
  const { name, count } = wanted
  const growing = desk.growing
  if (growing.has(name)) {
    throw new KafkaError('REASSIGNMENT_IN_PROGRESS', `topic '${name}' is being grown already`)
  }
  growing.add(name)
  try {
    const topic = knownTopic(desk.image, name)
    const replicas = addedReplicas(desk, topic, wanted)
    if (wanted.validateOnly) return desk.image.revision
    const { topicId } = topic
    const replicationFactor = replicas[0]?.length ?? 0
    const minIsr = effectiveMinIsr({
      layers: desk.layers(),
      overrides: topic.configs,
      replicationFactor,
    })
    const first = topic.partitions.length
    const writes = replicas.map((ids, index) =>
      newPartition(desk, { topicId, partition: first + index, replicas: ids, minIsr }),
    )
    const isSmall = writes.length <= batchSize
    if (!isSmall) await writeInBatches(desk, writes)
    return await desk.retrying(async () => {
      const now = knownTopic(desk.image, name)
      if (now.topicId !== topicId) throw unknownTopic(name)
      return desk
        .office()
        .commit(
          [unchanged(desk.keys.topic(name), now.modRevision)],
          [
            ...(isSmall ? writes : []),
            { key: desk.keys.topic(name), value: { ...now.value, partitions: count } },
          ],
        )
    })
  } finally {
    growing.delete(name)
  }
}

function addedReplicas(
  desk: Desk,
  topic: TopicImage,
  { count, assignments }: NewPartitions,
): BrokerId[][] {
  const existing = topic.partitions.length
  if (count <= existing) {
    throw new KafkaError(
      'INVALID_PARTITIONS',
      `topic '${topic.name}' has ${existing} partitions already; ${count} would not be an increase`,
    )
  }
  const added = count - existing
  checkPartitionCount(added)
  const replicationFactor = topic.partitions[0]?.replicas.length ?? 1
  if (!assignments) {
    return placeReplicas({
      random: desk.env.random,
      brokers: liveBrokers(desk.image),
      count: added,
      replicationFactor,
    })
  }
  if (assignments.length !== added) {
    throw new KafkaError(
      'INVALID_REPLICA_ASSIGNMENT',
      `got ${assignments.length} assignments for ${added} additional partitions`,
    )
  }
  checkAssignments(assignments, desk.image.brokers, replicationFactor)
  return assignments.map((ids) => [...ids])
}

/** Erases topic ids: their partitions first, the id last. */
export async function eraseTopicId(desk: Desk, { topicId }: TopicIdImage): Promise<void> {
  const { keys } = desk
  const partitions = desk.image.partitionsOf.get(topicId) ?? []
  const erased = partitions.map(
    ({ partition }): Write => ({ key: keys.partition(topicId, partition), value: null }),
  )
  await writeInBatches(desk, erased)
  await desk.commit([], [{ key: keys.topicId(topicId), value: null }])
}
