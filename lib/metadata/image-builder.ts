/**
 * Makes the next ClusterImage from the last one and what changed. Work is in proportion to what
 * changed; the maps of the new image copy only the buckets they must.
 */

import { DecodeError } from '../base/errors.ts'
import type { BrokerId, TopicId } from '../base/types.ts'
import { BucketMap } from './bucket-map.ts'
import type {
  BrokerImage,
  ClusterImage,
  PartitionImage,
  TopicIdImage,
  TopicImage,
  Versioned,
} from './image.ts'
import type {
  BrokerInfoValue,
  BrokerValue,
  ConfigValue,
  ControllerValue,
  Keys,
  MetaValue,
  PartitionValue,
  ProducerIdValue,
  TopicIdValue,
  TopicValue,
} from './keys.ts'
import type { KeyValue, Revision, WatchEvent } from './store.ts'

type Changes<K, V> = Map<K, V | undefined>

/** The image after `events`, at `revision`. Throws DecodeError when a value is no JSON object. */
export function applyEvents(
  image: ClusterImage,
  keys: Keys,
  { events, revision }: { events: readonly WatchEvent[]; revision: Revision },
): ClusterImage {
  const builder = new ImageBuilder(image)
  for (const event of events) builder.apply(keys, event)
  return builder.build(revision)
}

/** What changes between two reads of everything: `image` becomes what `keyValues` say. */
export function eventsToReach(
  image: ClusterImage,
  known: ReadonlyMap<string, Revision>,
  { keyValues, revision }: { keyValues: readonly KeyValue[]; revision: Revision },
): WatchEvent[] {
  const present = new Set(keyValues.map(({ key }) => key))
  const gone: WatchEvent[] = [...known.keys()]
    .filter((key) => !present.has(key))
    .map((key) => ({ key, value: null, modRevision: Math.max(revision, image.revision) }))
  const changed = keyValues
    .filter(({ key, modRevision }) => known.get(key) !== modRevision)
    .map((value): WatchEvent => ({ key: value.key, value, modRevision: value.modRevision }))
  return [...gone, ...changed]
}

function decode<T>(found: KeyValue): Versioned<T> {
  let value: unknown
  try {
    value = JSON.parse(found.value)
  } catch (cause) {
    throw new DecodeError(`${found.key} is not JSON: ${found.value.slice(0, 80)}`, { cause })
  }
  if (typeof value !== 'object' || value === null) {
    throw new DecodeError(`${found.key}: got ${found.value.slice(0, 80)}, expected an object`)
  }
  const { createRevision, modRevision } = found
  return { value: value as T, createRevision, modRevision }
}

class ImageBuilder {
  readonly #image: ClusterImage
  readonly #brokers: Changes<BrokerId, BrokerImage> = new Map()
  readonly #brokerInfos: Changes<BrokerId, Versioned<BrokerInfoValue>> = new Map()
  readonly #topicIds: Changes<TopicId, TopicIdImage> = new Map()
  readonly #topicValues: Changes<string, Versioned<TopicValue>> = new Map()
  readonly #topicConfigs: Changes<string, Versioned<ConfigValue>> = new Map()
  readonly #brokerConfigs: Changes<BrokerId, Versioned<ConfigValue>> = new Map()
  readonly #groupConfigs: Changes<string, Versioned<ConfigValue>> = new Map()
  /** Per topic id a copy of its partitions, changed in place until `build`. */
  readonly #partitions = new Map<TopicId, PartitionImage[]>()
  readonly #touchedTopics = new Set<string>()
  #meta: Versioned<MetaValue> | null
  #controller: Versioned<ControllerValue> | null
  #defaultBrokerConfig: Versioned<ConfigValue> | null
  #nextProducerId: number

  constructor(image: ClusterImage) {
    this.#image = image
    this.#meta = image.meta
    this.#controller = image.controller
    this.#defaultBrokerConfig = image.defaultBrokerConfig
    this.#nextProducerId = image.nextProducerId
  }

  apply(keys: Keys, { key, value }: WatchEvent): void {
    const parsed = keys.parse(key)
    switch (parsed.kind) {
      case 'meta':
        this.#meta = value && decode<MetaValue>(value)
        break
      case 'controller':
        this.#controller = value && decode<ControllerValue>(value)
        break
      case 'producerIds':
        this.#nextProducerId = value ? decode<ProducerIdValue>(value).value.next : 0
        break
      case 'defaultBrokerConfig':
        this.#defaultBrokerConfig = value && decode<ConfigValue>(value)
        break
      case 'brokerConfig':
        this.#brokerConfigs.set(parsed.brokerId, value ? decode<ConfigValue>(value) : undefined)
        break
      case 'brokerInfo':
        this.#brokerInfos.set(parsed.brokerId, value ? decode<BrokerInfoValue>(value) : undefined)
        break
      case 'broker':
        this.#brokers.set(parsed.brokerId, value ? brokerImage(parsed.brokerId, value) : undefined)
        break
      case 'topic':
        this.#topicValues.set(parsed.name, value ? decode<TopicValue>(value) : undefined)
        this.#touchedTopics.add(parsed.name)
        break
      case 'topicConfig':
        this.#topicConfigs.set(parsed.name, value ? decode<ConfigValue>(value) : undefined)
        this.#touchedTopics.add(parsed.name)
        break
      case 'groupConfig':
        this.#groupConfigs.set(parsed.name, value ? decode<ConfigValue>(value) : undefined)
        break
      case 'topicId':
        this.#applyTopicId(parsed.topicId, value)
        break
      case 'partition':
        this.#applyPartition(parsed.topicId, parsed.partition, value)
        break
      case 'unknown':
        break
    }
  }

  #applyTopicId(topicId: TopicId, found: KeyValue | null): void {
    if (!found) {
      this.#topicIds.set(topicId, undefined)
      return
    }
    const { value, modRevision } = decode<TopicIdValue>(found)
    const { name, state } = value
    this.#topicIds.set(topicId, { topicId, name, state, modRevision, value })
  }

  #applyPartition(topicId: TopicId, partition: number, found: KeyValue | null): void {
    let partitions = this.#partitions.get(topicId)
    if (partitions === undefined) {
      partitions = [...(this.#image.partitionsOf.get(topicId) ?? [])]
      this.#partitions.set(topicId, partitions)
    }
    // Keys of a live topic come in the order of their numbers or change in place; only those of a
    // topic that is not visible may be sparse.
    const at = positionOf(partitions, partition)
    if (!found) {
      if (at >= 0) partitions.splice(at, 1)
      return
    }
    const image = partitionImage(partition, found)
    if (at >= 0) partitions[at] = image
    else partitions.push(image)
  }

  build(revision: Revision): ClusterImage {
    const image = this.#image
    for (const topicId of this.#partitions.keys()) this.#sortPartitions(topicId)
    const topics: Changes<string, TopicImage> = new Map()
    const topicNames: Changes<TopicId, string> = new Map()
    const topicConfigs = bucket(image.topicConfigs).with(this.#topicConfigs)
    for (const name of this.#touchedTopics) {
      const before = image.topics.get(name)
      const after = this.#topic(name, topicConfigs)
      if (before && before.topicId !== after?.topicId) topicNames.set(before.topicId, undefined)
      if (after) topicNames.set(after.topicId, name)
      topics.set(name, after)
    }
    return {
      revision: Math.max(revision, image.revision),
      clusterId: image.clusterId,
      meta: this.#meta,
      controllerId: this.#controller?.value.brokerId ?? -1,
      controller: this.#controller,
      brokers: bucket(image.brokers).with(this.#brokers),
      brokerInfos: bucket(image.brokerInfos).with(this.#brokerInfos),
      topics: bucket(image.topics).with(topics),
      topicNames: bucket(image.topicNames).with(topicNames),
      topicIds: bucket(image.topicIds).with(this.#topicIds),
      partitionsOf: bucket(image.partitionsOf).with(this.#partitionChanges()),
      brokerConfigs: bucket(image.brokerConfigs).with(this.#brokerConfigs),
      defaultBrokerConfig: this.#defaultBrokerConfig,
      topicConfigs,
      groupConfigs: bucket(image.groupConfigs).with(this.#groupConfigs),
      nextProducerId: this.#nextProducerId,
    }
  }

  #sortPartitions(topicId: TopicId): void {
    const partitions = this.#partitions.get(topicId) ?? []
    const isSorted = partitions.every((one, index) => one.partition === index)
    if (!isSorted) partitions.sort((a, b) => a.partition - b.partition)
    const name = this.#image.topicNames.get(topicId)
    if (name !== undefined) this.#touchedTopics.add(name)
  }

  #partitionChanges(): Changes<TopicId, readonly PartitionImage[]> {
    const changes: Changes<TopicId, readonly PartitionImage[]> = new Map()
    for (const [topicId, partitions] of this.#partitions) {
      changes.set(topicId, partitions.length === 0 ? undefined : partitions)
    }
    return changes
  }

  /** The topic of this name as it is to be; undefined when it is not visible. */
  #topic(
    name: string,
    topicConfigs: ReadonlyMap<string, Versioned<ConfigValue>>,
  ): TopicImage | undefined {
    const before = this.#image.topics.get(name)
    const found = this.#topicValues.has(name) ? this.#topicValues.get(name) : before
    if (found === undefined) return undefined
    const { value, modRevision } = found
    const { topicId } = value
    const all = this.#partitions.get(topicId) ?? this.#image.partitionsOf.get(topicId) ?? []
    // New partitions are written before the count that makes them visible.
    const partitions = all.length === value.partitions ? all : all.slice(0, value.partitions)
    const configs = topicConfigs.get(name)?.value.configs ?? {}
    return { name, topicId, partitions, configs, modRevision, value }
  }
}

/** Where a partition stands; -1 = nowhere. Looks only where order does not tell. */
function positionOf(partitions: readonly PartitionImage[], partition: number): number {
  if (partitions[partition]?.partition === partition) return partition
  if ((partitions.at(-1)?.partition ?? -1) < partition) return -1
  return partitions.findIndex((one) => one.partition === partition)
}

function bucket<K extends string | number, V>(map: ReadonlyMap<K, V>): BucketMap<K, V> {
  return map instanceof BucketMap ? map : new BucketMap<K, V>().with(map)
}

function brokerImage(id: BrokerId, found: KeyValue): BrokerImage {
  const { value, createRevision, modRevision } = decode<BrokerValue>(found)
  const { incarnation, listeners, rack, state } = value
  return { id, epoch: createRevision, incarnation, listeners, rack, state, modRevision, value }
}

function partitionImage(partition: number, found: KeyValue): PartitionImage {
  const { value, modRevision } = decode<PartitionValue>(found)
  const { leader, leaderEpoch, replicas, isr, elr, minIsr } = value
  return {
    partition,
    leader,
    leaderEpoch,
    replicas,
    isr,
    elr,
    minIsr,
    partitionEpoch: modRevision,
    value,
  }
}
