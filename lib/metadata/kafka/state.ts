/**
 * What Kafka's metadata records add up to, as far as a directory that is adopted needs it: topics,
 * partitions, settings, producer ids. Records of a metadata transaction count when it ends (KIP-868).
 * Source: apache/kafka: .../image/*Delta.java, .../metadata/PartitionRegistration.java (merge).
 */

import { DecodeError } from '../../base/errors.ts'
import type { BrokerId, LeaderEpoch, ProducerId, TopicId } from '../../base/types.ts'
import type { MetadataRecord } from '../../protocol/metadata/frame.ts'

export interface KafkaPartition {
  readonly partition: number
  /** -1 = none. */
  readonly leader: BrokerId
  readonly leaderEpoch: LeaderEpoch
  readonly replicas: readonly BrokerId[]
  readonly isr: readonly BrokerId[]
  readonly elr: readonly BrokerId[]
}

export interface KafkaTopic {
  readonly name: string
  readonly id: TopicId
  readonly partitions: readonly KafkaPartition[]
  readonly configs: Readonly<Record<string, string>>
}

type RecordNamed<N extends MetadataRecord['name']> = Extract<
  MetadataRecord,
  { readonly name: N }
>['value']

interface Topic {
  readonly name: string
  readonly partitions: Map<number, KafkaPartition>
}

const topicResource = 2
const brokerResource = 4
/** Of a PartitionChangeRecord: the leader stays. */
const sameLeader = -2

export class KafkaMetadataState {
  readonly #topics = new Map<TopicId, Topic>()
  readonly #topicConfigs = new Map<string, Map<string, string>>()
  readonly #brokerConfigs = new Map<string, Map<string, string>>()
  #nextProducerId: ProducerId = 0
  #transaction: MetadataRecord[] | null = null

  get nextProducerId(): ProducerId {
    return this.#nextProducerId
  }

  /** Sorted by name, partitions by number. Throws DecodeError when a topic has a gap. */
  topics(): KafkaTopic[] {
    return [...this.#topics]
      .map(([id, { name, partitions }]): KafkaTopic => {
        const sorted = [...partitions.values()].sort((a, b) => a.partition - b.partition)
        const gap = sorted.findIndex(({ partition }, index) => partition !== index)
        if (gap >= 0) throw new DecodeError(`topic ${name} has no partition ${gap}`)
        const configs = Object.fromEntries(this.#topicConfigs.get(name) ?? [])
        return { name, id, partitions: sorted, configs }
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** By broker id; '' = of all brokers. */
  brokerConfigs(): ReadonlyMap<string, Readonly<Record<string, string>>> {
    return new Map(
      [...this.#brokerConfigs].map(([name, configs]) => [name, Object.fromEntries(configs)]),
    )
  }

  apply(record: MetadataRecord): void {
    if (record.name === 'BeginTransactionRecord') this.#transaction = []
    else if (record.name === 'AbortTransactionRecord') this.#transaction = null
    else if (record.name === 'EndTransactionRecord') this.#endTransaction()
    else if (this.#transaction) this.#transaction.push(record)
    else this.#applyNow(record)
  }

  #endTransaction(): void {
    for (const record of this.#transaction ?? []) this.#applyNow(record)
    this.#transaction = null
  }

  /** All but these are left out: brokers, features, users, quotas belong to the cluster that was. */
  #applyNow({ name, value }: MetadataRecord): void {
    if (name === 'TopicRecord') {
      this.#topics.set(value.topicId, { name: value.name, partitions: new Map() })
    } else if (name === 'RemoveTopicRecord') this.#removeTopic(value.topicId)
    else if (name === 'PartitionRecord') this.#setPartition(value)
    else if (name === 'PartitionChangeRecord') this.#changePartition(value)
    else if (name === 'ConfigRecord') this.#setConfig(value)
    else if (name === 'ProducerIdsRecord') this.#nextProducerId = value.nextProducerId
    else if (name === 'ClearElrRecord') this.#clearElr(value.topicName)
  }

  #removeTopic(topicId: TopicId): void {
    this.#topicConfigs.delete(this.#topic(topicId).name)
    this.#topics.delete(topicId)
  }

  #topic(topicId: TopicId): Topic {
    const topic = this.#topics.get(topicId)
    if (topic) return topic
    throw new DecodeError(`a record names the topic id ${topicId}, which no record has made`)
  }

  #setPartition(record: RecordNamed<'PartitionRecord'>): void {
    const { partitionId: partition, topicId, leader, leaderEpoch, replicas, isr } = record
    const elr = record.eligibleLeaderReplicas ?? []
    const { partitions } = this.#topic(topicId)
    partitions.set(partition, { partition, leader, leaderEpoch, replicas, isr, elr })
  }

  #changePartition(record: RecordNamed<'PartitionChangeRecord'>): void {
    const { partitions, name } = this.#topic(record.topicId)
    const before = partitions.get(record.partitionId)
    if (!before) {
      throw new DecodeError(`a record changes ${name}-${record.partitionId}, which does not exist`)
    }
    const isSameLeader = record.leader === sameLeader
    partitions.set(record.partitionId, {
      partition: before.partition,
      leader: isSameLeader ? before.leader : record.leader,
      leaderEpoch: isSameLeader ? before.leaderEpoch : before.leaderEpoch + 1,
      replicas: record.replicas ?? before.replicas,
      isr: record.isr ?? before.isr,
      elr: record.eligibleLeaderReplicas ?? before.elr,
    })
  }

  #setConfig({ resourceType, resourceName, name, value }: RecordNamed<'ConfigRecord'>): void {
    const all =
      resourceType === topicResource
        ? this.#topicConfigs
        : resourceType === brokerResource
          ? this.#brokerConfigs
          : null
    if (!all) return
    const configs = all.get(resourceName) ?? new Map<string, string>()
    all.set(resourceName, configs)
    if (value === null) configs.delete(name)
    else configs.set(name, value)
    if (configs.size === 0) all.delete(resourceName)
  }

  /** Of one topic; '' = of all. */
  #clearElr(topicName: string): void {
    for (const { name, partitions } of this.#topics.values()) {
      if (topicName !== '' && name !== topicName) continue
      for (const [number, partition] of partitions)
        partitions.set(number, { ...partition, elr: [] })
    }
  }
}
