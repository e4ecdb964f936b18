/**
 * ClusterImage: the cluster's metadata at one revision. Images are immutable; a new one is made
 * from the last by the keys that changed and shares everything else with it, so a component may
 * keep the one it began with and compare two by identity.
 *
 * - A topic is in the image only when its `t/` key is there: one half created is invisible.
 * - `partitions[n].partition === n`, without holes.
 * - A key changes only forwards: an event that is not newer than what the image has is ignored, so
 *   hints that come twice or late do no harm.
 */

import type { BrokerId, LeaderEpoch, ProducerId, TopicId } from '../base/types.ts'
import type { ConfigLayers, Configs } from '../config/config.ts'
import { BucketMap } from './bucket-map.ts'
import type {
  BrokerInfoValue,
  BrokerState,
  BrokerValue,
  ConfigValue,
  ControllerValue,
  ListenerValue,
  MetaValue,
  PartitionValue,
  TopicIdValue,
  TopicValue,
} from './keys.ts'
import type { Revision } from './store.ts'

export interface BrokerImage {
  readonly id: BrokerId
  /** createRevision of its registration. */
  readonly epoch: number
  readonly incarnation: string
  readonly listeners: readonly ListenerValue[]
  readonly rack: string | null
  readonly state: BrokerState
  readonly modRevision: Revision
  readonly value: BrokerValue
}

export interface PartitionImage {
  readonly partition: number
  /** -1 = none. */
  readonly leader: BrokerId
  readonly leaderEpoch: LeaderEpoch
  readonly replicas: readonly BrokerId[]
  readonly isr: readonly BrokerId[]
  readonly elr: readonly BrokerId[]
  readonly minIsr: number
  /** modRevision of its key. */
  readonly partitionEpoch: Revision
  readonly value: PartitionValue
}

export interface TopicImage {
  readonly name: string
  readonly topicId: TopicId
  readonly partitions: readonly PartitionImage[]
  /** Its overrides, as texts. */
  readonly configs: Readonly<Record<string, string>>
  readonly modRevision: Revision
  readonly value: TopicValue
}

/** A topic by its id, in every state of its life. */
export interface TopicIdImage {
  readonly topicId: TopicId
  readonly name: string
  readonly state: TopicIdValue['state']
  readonly modRevision: Revision
  readonly value: TopicIdValue
}

/** One entity with the revision that its next writer must compare. */
export interface Versioned<T> {
  readonly value: T
  readonly createRevision: Revision
  readonly modRevision: Revision
}

export interface ClusterImage {
  readonly revision: Revision
  readonly clusterId: string
  readonly meta: Versioned<MetaValue> | null
  /** -1 while there is none. */
  readonly controllerId: BrokerId
  readonly controller: Versioned<ControllerValue> | null
  readonly brokers: ReadonlyMap<BrokerId, BrokerImage>
  readonly brokerInfos: ReadonlyMap<BrokerId, Versioned<BrokerInfoValue>>
  readonly topics: ReadonlyMap<string, TopicImage>
  readonly topicNames: ReadonlyMap<TopicId, string>
  /** Also those half created and half deleted. */
  readonly topicIds: ReadonlyMap<TopicId, TopicIdImage>
  /** Partitions of every topic id, also of those half created and half deleted; in any order there. */
  readonly partitionsOf: ReadonlyMap<TopicId, readonly PartitionImage[]>
  /** Dynamic settings of one broker. */
  readonly brokerConfigs: ReadonlyMap<BrokerId, Versioned<ConfigValue>>
  /** Dynamic settings of all brokers. */
  readonly defaultBrokerConfig: Versioned<ConfigValue> | null
  readonly topicConfigs: ReadonlyMap<string, Versioned<ConfigValue>>
  /** Of groups that have settings of their own. */
  readonly groupConfigs: ReadonlyMap<string, Versioned<ConfigValue>>
  /** First id of the next block of producer ids. */
  readonly nextProducerId: ProducerId
}

/** The configuration of a broker as the image and its own file and flags (`staticConfigs`) have it. */
export function configLayers(
  image: ClusterImage,
  brokerId: BrokerId,
  staticConfigs: Configs,
): ConfigLayers {
  return {
    dynamicBroker: image.brokerConfigs.get(brokerId)?.value.configs ?? {},
    dynamicDefault: image.defaultBrokerConfig?.value.configs ?? {},
    static: staticConfigs,
  }
}

export function emptyImage(clusterId: string): ClusterImage {
  return {
    revision: 0,
    clusterId,
    meta: null,
    controllerId: -1,
    controller: null,
    brokers: new BucketMap(),
    brokerInfos: new BucketMap(),
    topics: new BucketMap(),
    topicNames: new BucketMap(),
    topicIds: new BucketMap(),
    partitionsOf: new BucketMap(),
    brokerConfigs: new BucketMap(),
    defaultBrokerConfig: null,
    topicConfigs: new BucketMap(),
    groupConfigs: new BucketMap(),
    nextProducerId: 0,
  }
}
