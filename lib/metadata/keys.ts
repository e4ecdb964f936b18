/**
 * The keys of a cluster in the metadata store and what stands in their values. All keys begin with
 * `ottla/v1/<clusterId>/`. Values are JSON with a version field `v`; fields that a newer version of
 * ottla wrote are kept when an older one rewrites a value (`{ ...value, changed }`).
 *
 *   meta                clusterId, createdAt, featureLevel, generation       once; absent
 *   controller          brokerId, incarnation            (session)           absent; controllerEpoch = createRevision
 *   brokers/<id>        incarnation, listeners, rack, dirs, state (session)  absent, or the same incarnation;
 *                                                                            brokerEpoch = createRevision
 *   brokerinfo/<id>     last incarnation, clean stop, dirs                   the broker, in the same transaction
 *   t/<name>            topicId, partitions, configsDigest                   controller; last key written on creation
 *   tid/<topicId>       name, state = creating | live | deleting             controller
 *   p/<topicId>/<n>     leader, leaderEpoch, isr, replicas, ...              controller or leader;
 *                                                                            partitionEpoch = modRevision
 *   cfg/topic/<name>, cfg/broker/<id>, cfg/brokers, cfg/group/<id>           controller
 *   pid/next            next producer-id block                               any broker; modRevision
 *
 * Topic names hold no slash (checked before any key is made of them), so no name can reach into
 * another's key. Group ids may hold anything, and stand percent-encoded in theirs.
 */

import type { BrokerId, LeaderEpoch, ProducerId, TopicId } from '../base/types.ts'

export interface MetaValue {
  readonly v: 1
  readonly clusterId: string
  readonly createdAt: number
  readonly featureLevel: number
  /** Counts imports: a store brought back from a backup differs. */
  readonly generation: number
}

export interface ControllerValue {
  readonly v: 1
  readonly brokerId: BrokerId
  readonly incarnation: string
}

export interface ListenerValue {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly securityProtocol?: string
}

export type BrokerState = 'starting' | 'active' | 'draining'

export interface BrokerValue {
  readonly v: 1
  readonly incarnation: string
  readonly listeners: readonly ListenerValue[]
  readonly rack: string | null
  readonly dirs: readonly string[]
  readonly state: BrokerState
  /**
   * The oldest brokerEpoch since which this broker stopped only in good order; null = this
   * registration's own. A leader elected before it may have lost the end of its log.
   */
  readonly cleanSince: number | null
}

export interface BrokerInfoValue {
  readonly v: 1
  readonly incarnation: string
  /** The brokerEpoch that ended with a clean stop; null while running and after a crash. */
  readonly cleanShutdownEpoch: number | null
  readonly cleanSince: number | null
  readonly dirs: readonly string[]
}

export interface TopicValue {
  readonly v: 1
  readonly topicId: TopicId
  readonly partitions: number
  readonly configsDigest: string
}

export interface TopicIdValue {
  readonly v: 1
  readonly name: string
  readonly state: 'creating' | 'live' | 'deleting'
  /** Wall clock, ms, of the last change of `state`. */
  readonly since: number
}

export interface WriterValue {
  readonly broker: BrokerId
  readonly epoch: number
  readonly nonce: string
}

export interface PartitionValue {
  readonly v: 1
  /** -1 = none. */
  readonly leader: BrokerId
  readonly leaderEpoch: LeaderEpoch
  /** The brokerEpoch under which the leader was elected; -1 without a leader. */
  readonly leaderBrokerEpoch: number
  readonly isr: readonly BrokerId[]
  readonly replicas: readonly BrokerId[]
  readonly adding: readonly BrokerId[]
  readonly removing: readonly BrokerId[]
  readonly elr: readonly BrokerId[]
  readonly minIsr: number
  readonly writer: WriterValue
}

export interface ConfigValue {
  readonly v: 1
  readonly configs: Readonly<Record<string, string>>
}

export interface ProducerIdValue {
  readonly v: 1
  readonly next: ProducerId
}

/** What a key is about. */
export type ParsedKey =
  | { readonly kind: 'meta' | 'controller' | 'producerIds' | 'defaultBrokerConfig' }
  | { readonly kind: 'broker' | 'brokerInfo' | 'brokerConfig'; readonly brokerId: BrokerId }
  | { readonly kind: 'topic' | 'topicConfig' | 'groupConfig'; readonly name: string }
  | { readonly kind: 'topicId'; readonly topicId: TopicId }
  | { readonly kind: 'partition'; readonly topicId: TopicId; readonly partition: number }
  | { readonly kind: 'unknown' }

/** Makes and reads the keys of one cluster. */
export class Keys {
  readonly prefix: string

  constructor(clusterId: string) {
    this.prefix = `ottla/v1/${clusterId}/`
  }

  get meta(): string {
    return `${this.prefix}meta`
  }
  get controller(): string {
    return `${this.prefix}controller`
  }
  get producerIds(): string {
    return `${this.prefix}pid/next`
  }
  get defaultBrokerConfig(): string {
    return `${this.prefix}cfg/brokers`
  }
  broker(id: BrokerId): string {
    return `${this.prefix}brokers/${id}`
  }
  brokerInfo(id: BrokerId): string {
    return `${this.prefix}brokerinfo/${id}`
  }
  brokerConfig(id: BrokerId): string {
    return `${this.prefix}cfg/broker/${id}`
  }
  topic(name: string): string {
    return `${this.prefix}t/${name}`
  }
  topicConfig(name: string): string {
    return `${this.prefix}cfg/topic/${name}`
  }
  groupConfig(groupId: string): string {
    return `${this.prefix}cfg/group/${encodeURIComponent(groupId)}`
  }
  topicId(topicId: TopicId): string {
    return `${this.prefix}tid/${topicId}`
  }
  partition(topicId: TopicId, partition: number): string {
    return `${this.prefix}p/${topicId}/${partition}`
  }

  parse(key: string): ParsedKey {
    if (!key.startsWith(this.prefix)) return { kind: 'unknown' }
    const [area = '', first = '', second = ''] = key.slice(this.prefix.length).split('/')
    switch (area) {
      case 'meta':
      case 'controller':
        return { kind: area }
      case 'brokers':
        return { kind: 'broker', brokerId: Number(first) }
      case 'brokerinfo':
        return { kind: 'brokerInfo', brokerId: Number(first) }
      case 't':
        return { kind: 'topic', name: first }
      case 'tid':
        return { kind: 'topicId', topicId: first }
      case 'p':
        return { kind: 'partition', topicId: first, partition: Number(second) }
      case 'pid':
        return { kind: 'producerIds' }
      case 'cfg':
        if (first === 'topic') return { kind: 'topicConfig', name: second }
        if (first === 'group') return { kind: 'groupConfig', name: decodeURIComponent(second) }
        if (first === 'broker') return { kind: 'brokerConfig', brokerId: Number(second) }
        return first === 'brokers' ? { kind: 'defaultBrokerConfig' } : { kind: 'unknown' }
      default:
        return { kind: 'unknown' }
    }
  }
}

/** Where a store that holds one cluster says which; for an embedded store, whose files name no cluster. */
export const clustersPrefix = 'ottla/v1/'
