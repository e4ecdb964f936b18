/**
 * Administration: topics, offsets, configurations, the cluster. Whatever concerns several items
 * answers with one result per item, in the order of the question; a call rejects (UnavailableError,
 * KafkaError) only when nothing could be asked at all.
 */

import { type ErrorName, errorName, KafkaError } from '../base/errors.ts'
import type { BrokerId, TopicPartition } from '../base/types.ts'
import { DescribeCluster } from '../protocol/apis/describe-cluster.ts'
import { apiNames } from '../protocol/apis/index.ts'
import {
  type AlterConfigs,
  type AlterConfigsResult,
  alterConfigs,
  type ConfigResource,
  type DescribeConfigsResult,
  describeConfigs,
} from './admin-configs.ts'
import {
  type AdminOptions,
  type CreateTopicResult,
  createPartitions,
  createTopics,
  deleteRecords,
  deleteTopics,
  type GrowTopic,
  type NewTopic,
  resultError,
  type TopicResult,
  type TrimPartition,
  type TrimResult,
} from './admin-topics.ts'
import { backoffMs, retryBackoff } from './backoff.ts'
import type { Client } from './client.ts'
import { Coordinators } from './coordinators.ts'
import { asUnavailable, UnavailableError } from './errors.ts'
import {
  alterGroupOffsets,
  deleteGroupOffsets,
  type GroupOffsets,
  type GroupPartitionResult,
  groupOffsets,
  type NewOffset,
} from './group-offsets.ts'
import {
  deleteGroups,
  describeGroups,
  type GroupDescription,
  type GroupList,
  type GroupResult,
  listGroups,
} from './groups.ts'
import type { BrokerMetadata, TopicMetadata } from './metadata-cache.ts'
import {
  type ListOffsetsOptions,
  listOffsets,
  type OffsetAnswer,
  type OffsetQuery,
} from './offsets.ts'

export interface BrokerDescription extends BrokerMetadata {
  /** Registered, but not taking part; false when the broker asked does not tell. */
  readonly isFenced: boolean
}

export interface ClusterDescription {
  readonly clusterId: string | null
  /** -1 = unknown. */
  readonly controllerId: BrokerId
  readonly brokers: readonly BrokerDescription[]
}

export interface ApiRange {
  readonly key: number
  /** `Produce`; `Api<key>` for a key that this version does not know. */
  readonly name: string
  readonly min: number
  readonly max: number
}

export interface BrokerApis {
  readonly broker: BrokerMetadata
  readonly apis: readonly ApiRange[]
  /** Finalized features and their levels. */
  readonly features: readonly { readonly name: string; readonly level: number }[]
  /** Why the broker could not be asked. */
  readonly error: UnavailableError | KafkaError | null
}

export class Admin {
  readonly #client: Client
  readonly #coordinators: Coordinators

  constructor(client: Client) {
    this.#client = client
    this.#coordinators = new Coordinators(client)
  }

  /** Every topic, by name. */
  async listTopics(options: { timeoutMs?: number } = {}): Promise<TopicMetadata[]> {
    const { topics } = await this.#client.metadata({ topics: null, ...options })
    return [...topics].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** One per name; an unknown one has UNKNOWN_TOPIC_OR_PARTITION in its `error`. */
  async describeTopics(
    names: readonly string[],
    options: { timeoutMs?: number } = {},
  ): Promise<TopicMetadata[]> {
    if (names.length === 0) return []
    const { topics } = await this.#client.metadata({ topics: names, ...options })
    const byName = new Map(topics.map((topic) => [topic.name, topic]))
    return names.flatMap((name) => byName.get(name) ?? [])
  }

  createTopics(topics: readonly NewTopic[], options?: AdminOptions): Promise<CreateTopicResult[]> {
    return createTopics(this.#client, topics, options)
  }

  /**
   * Resolves when every partition of these topics has a leader. Rejects with KafkaError
   * LEADER_NOT_AVAILABLE or UNKNOWN_TOPIC_OR_PARTITION when that takes longer than `timeoutMs`.
   */
  async waitForLeaders(
    names: readonly string[],
    { timeoutMs = this.#client.timeoutMs }: { timeoutMs?: number } = {},
  ): Promise<void> {
    const client = this.#client
    const deadlineMs = client.deadline(timeoutMs)
    for (let attempt = 1; ; attempt++) {
      const topics = await this.describeTopics(names, { timeoutMs })
      const errors = topics.flatMap(({ error, partitions }) => [
        error,
        ...partitions.map((partition) => partition.error),
      ])
      const error = errors.find((found) => found !== null) ?? null
      if (error === null) return
      const pauseMs = backoffMs(client.env.random, retryBackoff, attempt)
      if (!error.isRetriable || client.env.clock.monotonicMs() + pauseMs > deadlineMs) throw error
      await client.pause(pauseMs)
    }
  }

  deleteTopics(names: readonly string[], options?: AdminOptions): Promise<TopicResult[]> {
    return deleteTopics(this.#client, names, options)
  }

  createPartitions(topics: readonly GrowTopic[], options?: AdminOptions): Promise<TopicResult[]> {
    return createPartitions(this.#client, topics, options)
  }

  deleteRecords(
    partitions: readonly TrimPartition[],
    options?: AdminOptions,
  ): Promise<TrimResult[]> {
    return deleteRecords(this.#client, partitions, options)
  }

  listOffsets(
    queries: readonly OffsetQuery[],
    options?: ListOffsetsOptions,
  ): Promise<OffsetAnswer[]> {
    return listOffsets(this.#client, queries, options)
  }

  /** First and next offset of each partition. */
  async offsetRanges(
    partitions: readonly TopicPartition[],
    options: ListOffsetsOptions = {},
  ): Promise<{ start: OffsetAnswer; end: OffsetAnswer }[]> {
    const queries = partitions.flatMap(({ topic, partition }): OffsetQuery[] => [
      { topic, partition, at: 'earliest' },
      { topic, partition, at: 'latest' },
    ])
    const answers = await this.listOffsets(queries, options)
    return partitions.flatMap((_, index) => {
      const start = answers[index * 2]
      const end = answers[index * 2 + 1]
      return start === undefined || end === undefined ? [] : [{ start, end }]
    })
  }

  describeConfigs(
    resources: readonly (ConfigResource & { readonly keys?: readonly string[] })[],
    options?: { timeoutMs?: number; documentation?: boolean },
  ): Promise<DescribeConfigsResult[]> {
    return describeConfigs(this.#client, resources, options)
  }

  alterConfigs(
    resources: readonly AlterConfigs[],
    options?: AdminOptions,
  ): Promise<AlterConfigsResult[]> {
    return alterConfigs(this.#client, resources, options)
  }

  /** Groups of every broker. */
  listGroups(options?: { timeoutMs?: number }): Promise<GroupList> {
    return listGroups(this.#client, options)
  }

  /** One per id; an unknown one has GROUP_ID_NOT_FOUND in its `error`. */
  describeGroups(
    groupIds: readonly string[],
    options?: { timeoutMs?: number },
  ): Promise<GroupDescription[]> {
    return describeGroups(this.#coordinators, groupIds, options)
  }

  /** Deletes groups without members, with what they have committed. */
  deleteGroups(
    groupIds: readonly string[],
    options?: { timeoutMs?: number },
  ): Promise<GroupResult[]> {
    return deleteGroups(this.#coordinators, groupIds, options)
  }

  /** What each group has committed. */
  groupOffsets(
    groupIds: readonly string[],
    options?: { timeoutMs?: number },
  ): Promise<GroupOffsets[]> {
    return groupOffsets(this.#coordinators, groupIds, options)
  }

  /** Sets what a group without members has committed; makes the group if need be. */
  alterGroupOffsets(
    groupId: string,
    offsets: readonly NewOffset[],
    options?: { timeoutMs?: number },
  ): Promise<GroupPartitionResult[]> {
    return alterGroupOffsets(this.#coordinators, { groupId, offsets }, options)
  }

  /** Forgets what a group has committed for partitions that it does not read now. */
  deleteGroupOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
    options?: { timeoutMs?: number },
  ): Promise<GroupPartitionResult[]> {
    return deleteGroupOffsets(this.#coordinators, { groupId, partitions }, options)
  }

  /** Asks DescribeCluster, or Metadata where the broker is too old. */
  async describeCluster({
    timeoutMs = this.#client.timeoutMs,
    fenced = false,
  }: {
    timeoutMs?: number
    /** With fenced brokers, where the broker can tell. */
    fenced?: boolean
  } = {}): Promise<ClusterDescription> {
    const { clusterId, controllerId, brokers } = await this.#client.metadata({
      topics: [],
      timeoutMs,
    })
    const plain = { clusterId, controllerId, brokers: brokers.map(unfenced) }
    try {
      const response = await this.#client.request(
        DescribeCluster,
        (connection) =>
          connection.supports(DescribeCluster, 2) ? { includeFencedBrokers: fenced } : {},
        { timeoutMs },
      )
      const error = resultError(response.errorCode, response.errorMessage)
      if (error !== null) throw error
      return {
        clusterId: response.clusterId,
        controllerId: response.controllerId,
        brokers: response.brokers
          .map(({ brokerId, host, port, rack, isFenced }) => ({
            id: brokerId,
            host,
            port,
            rack,
            isFenced,
          }))
          .sort((a, b) => a.id - b.id),
      }
    } catch (error) {
      if (isNamed(error, 'UNSUPPORTED_VERSION')) return plain
      throw error
    }
  }

  /** What every broker serves. */
  async apiVersions({
    timeoutMs = this.#client.timeoutMs,
  }: {
    timeoutMs?: number
  } = {}): Promise<BrokerApis[]> {
    const { brokers } = await this.#client.metadata({ topics: [], timeoutMs })
    const sorted = [...brokers].sort((a, b) => a.id - b.id)
    return await Promise.all(sorted.map((broker) => this.#apisOf(broker, timeoutMs)))
  }

  async #apisOf(broker: BrokerMetadata, timeoutMs: number): Promise<BrokerApis> {
    try {
      const connection = await this.#client.connectionTo(broker.id, 'main', timeoutMs)
      const { apiKeys, finalizedFeatures } = connection.apiVersions
      const apis = apiKeys
        .map(({ apiKey, minVersion, maxVersion }) => ({
          key: apiKey,
          name: apiNames.get(apiKey) ?? `Api${apiKey}`,
          min: minVersion,
          max: maxVersion,
        }))
        .sort((a, b) => a.key - b.key)
      const features = finalizedFeatures.map((feature) => ({
        name: feature.name,
        level: feature.maxVersionLevel,
      }))
      return { broker, apis, features, error: null }
    } catch (thrown) {
      const error = asUnavailable(thrown)
      if (!(error instanceof UnavailableError) && !(error instanceof KafkaError)) throw error
      return { broker, apis: [], features: [], error }
    }
  }
}

function unfenced(broker: BrokerMetadata): BrokerDescription {
  return { ...broker, isFenced: false }
}

function isNamed(error: unknown, name: ErrorName): boolean {
  return error instanceof KafkaError && errorName(error.code) === name
}
