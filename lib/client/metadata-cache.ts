/**
 * What the client knows of the cluster: brokers, topics, leaders.
 *
 * Invariant: the leader epoch of a partition never goes back while the topic keeps its id. A broker
 * that lags behind would otherwise send us back to an old leader (KAFKA-7738). A topic with another
 * id is another topic: its epochs start anew.
 */

import { KafkaError } from '../base/errors.ts'
import type { BrokerId, LeaderEpoch, TopicId } from '../base/types.ts'
import { zeroUuid } from '../base/uuid.ts'
import type { Address } from '../io/network.ts'
import type { MetadataResponse } from '../protocol/apis/metadata.ts'

export interface BrokerMetadata extends Address {
  readonly id: BrokerId
  readonly rack: string | null
}

export interface PartitionMetadata {
  readonly partition: number
  /** LEADER_NOT_AVAILABLE and the like; null when there is a leader. */
  readonly error: KafkaError | null
  /** -1 = none. */
  readonly leader: BrokerId
  readonly leaderEpoch: LeaderEpoch
  readonly replicas: readonly BrokerId[]
  readonly isr: readonly BrokerId[]
  readonly offlineReplicas: readonly BrokerId[]
}

export interface TopicMetadata {
  readonly name: string
  /** null when the broker is too old to tell. */
  readonly topicId: TopicId | null
  readonly isInternal: boolean
  /** UNKNOWN_TOPIC_OR_PARTITION and the like, with `partitions` then empty; else null. */
  readonly error: KafkaError | null
  /** By partition number. */
  readonly partitions: readonly PartitionMetadata[]
}

export interface ClusterMetadata {
  readonly clusterId: string | null
  /** -1 = unknown. */
  readonly controllerId: BrokerId
  readonly brokers: readonly BrokerMetadata[]
  readonly topics: readonly TopicMetadata[]
}

/** Where a broker says that another one leads now (KIP-951). */
export interface LeaderHint {
  readonly topic: string
  readonly partition: number
  readonly leader: BrokerId
  readonly leaderEpoch: LeaderEpoch
}

interface Entry {
  topic: TopicMetadata
  fetchedAtMs: number
  isStale: boolean
}

export class MetadataCache {
  readonly #brokers = new Map<BrokerId, BrokerMetadata>()
  readonly #topics = new Map<string, Entry>()
  readonly #names = new Map<TopicId, string>()
  clusterId: string | null = null
  controllerId: BrokerId = -1

  broker(id: BrokerId): BrokerMetadata | undefined {
    return this.#brokers.get(id)
  }

  brokers(): BrokerMetadata[] {
    return [...this.#brokers.values()]
  }

  topic(name: string): TopicMetadata | undefined {
    return this.#topics.get(name)?.topic
  }

  topicName(id: TopicId): string | undefined {
    return this.#names.get(id)
  }

  partition(topic: string, partition: number): PartitionMetadata | undefined {
    return this.#topics.get(topic)?.topic.partitions[partition]
  }

  /** Whether what is known of the topic is complete, not older than `maxAgeMs` and not in doubt. */
  isFresh(name: string, nowMs: number, maxAgeMs: number): boolean {
    const entry = this.#topics.get(name)
    return entry !== undefined && !entry.isStale && nowMs - entry.fetchedAtMs < maxAgeMs
  }

  /** A broker's answer put what is known of the topic in doubt. */
  invalidate(name: string): void {
    const entry = this.#topics.get(name)
    if (entry !== undefined) entry.isStale = true
  }

  forget(name: string): void {
    const entry = this.#topics.get(name)
    if (entry?.topic.topicId) this.#names.delete(entry.topic.topicId)
    this.#topics.delete(name)
  }

  /** Takes a Metadata response and returns it in our own form. */
  apply(response: MetadataResponse, nowMs: number): ClusterMetadata {
    if (response.brokers.length > 0) this.#brokers.clear()
    for (const { nodeId, host, port, rack } of response.brokers) {
      this.#brokers.set(nodeId, { id: nodeId, host, port, rack })
    }
    this.clusterId = response.clusterId ?? this.clusterId
    this.controllerId = response.controllerId
    const topics: TopicMetadata[] = []
    for (const answer of response.topics) {
      if (answer.name === null) continue
      const topic = this.#merge(topicOf(answer))
      topics.push(topic)
      const isStale = topic.error !== null || topic.partitions.some(({ error }) => error !== null)
      this.#topics.set(topic.name, { topic, fetchedAtMs: nowMs, isStale })
      if (topic.topicId !== null) this.#names.set(topic.topicId, topic.name)
    }
    const { clusterId, controllerId } = this
    return { clusterId, controllerId, brokers: this.brokers(), topics }
  }

  /** Follows a hint to a newer leader, whose address may come along. Returns whether it was news. */
  applyHint(hint: LeaderHint, endpoint: BrokerMetadata | undefined): boolean {
    const entry = this.#topics.get(hint.topic)
    const known = entry?.topic.partitions[hint.partition]
    if (entry === undefined || known === undefined || hint.leader < 0) return false
    if (hint.leaderEpoch <= known.leaderEpoch) return false
    if (endpoint !== undefined) this.#brokers.set(endpoint.id, endpoint)
    if (!this.#brokers.has(hint.leader)) return false
    const { leader, leaderEpoch } = hint
    const changed = { ...known, leader, leaderEpoch, error: null }
    const partitions = entry.topic.partitions.map((old) => (old === known ? changed : old))
    entry.topic = { ...entry.topic, partitions }
    return true
  }

  #merge(topic: TopicMetadata): TopicMetadata {
    const before = this.#topics.get(topic.name)?.topic
    if (before === undefined || topic.error !== null) return topic
    if (before.topicId !== topic.topicId) {
      if (before.topicId !== null) this.#names.delete(before.topicId)
      return topic
    }
    const partitions = topic.partitions.map((now) => {
      const old = before.partitions[now.partition]
      return old !== undefined && old.leaderEpoch > now.leaderEpoch ? old : now
    })
    return { ...topic, partitions }
  }
}

function topicOf(answer: MetadataResponse['topics'][number]): TopicMetadata {
  const partitions: PartitionMetadata[] = []
  for (const from of answer.partitions) {
    partitions.push({
      partition: from.partitionIndex,
      error: from.leaderId < 0 ? new KafkaError(from.errorCode || 'LEADER_NOT_AVAILABLE') : null,
      leader: from.leaderId,
      leaderEpoch: from.leaderEpoch,
      replicas: from.replicaNodes,
      isr: from.isrNodes,
      offlineReplicas: from.offlineReplicas,
    })
  }
  partitions.sort((a, b) => a.partition - b.partition)
  const name = answer.name ?? ''
  return {
    name,
    topicId: answer.topicId === zeroUuid ? null : answer.topicId,
    isInternal: answer.isInternal,
    error: answer.errorCode === 0 ? null : topicError(answer.errorCode, name),
    partitions,
  }
}

function topicError(code: number, name: string): KafkaError {
  const error = new KafkaError(code)
  return new KafkaError(code, `topic "${name}": ${error.message}`)
}
