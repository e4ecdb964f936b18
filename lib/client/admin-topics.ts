/** Topics: created, deleted, grown, trimmed. One result per item; what went wrong with it stands in its `error`. */

import { KafkaError } from '../base/errors.ts'
import type { BrokerId, Offset, TopicId, TopicPartition } from '../base/types.ts'
import { zeroUuid } from '../base/uuid.ts'
import { CreatePartitions } from '../protocol/apis/create-partitions.ts'
import { CreateTopics } from '../protocol/apis/create-topics.ts'
import { DeleteRecords } from '../protocol/apis/delete-records.ts'
import { DeleteTopics } from '../protocol/apis/delete-topics.ts'
import type { Encodable, RequestOf, ResponseOf } from '../protocol/schema.ts'
import type { AnyApi, Connection } from '../wire/connection.ts'
import { backoffMs, retryBackoff } from './backoff.ts'
import type { Client } from './client.ts'
import type { UnavailableError } from './errors.ts'
import { askLeaders, byTopic, keyOf } from './per-leader.ts'

export interface NewTopic {
  readonly name: string
  /** -1, the default: as the broker's num.partitions says. */
  readonly partitions?: number
  /** -1, the default: as the broker's default.replication.factor says. */
  readonly replicationFactor?: number
  /** Replicas of each partition, the preferred leader first; instead of the two counts. */
  readonly assignments?: readonly (readonly BrokerId[])[]
  readonly configs?: Readonly<Record<string, string>>
}

export interface AdminOptions {
  readonly timeoutMs?: number
  /** Only checks whether it could be done. */
  readonly validateOnly?: boolean
}

export interface CreateTopicResult {
  readonly name: string
  readonly error: KafkaError | null
  /** null when the broker does not tell. */
  readonly topicId: TopicId | null
  /** -1 when the broker does not tell. */
  readonly partitions: number
  readonly replicationFactor: number
  /** As they apply to the new topic; null when the broker does not tell. */
  readonly configs: Readonly<Record<string, string | null>> | null
}

export interface TopicResult {
  readonly name: string
  readonly error: KafkaError | null
}

export interface GrowTopic {
  readonly name: string
  /** Partitions in the end. */
  readonly count: number
  /** Replicas of each added partition. */
  readonly assignments?: readonly (readonly BrokerId[])[]
}

export interface TrimPartition extends TopicPartition {
  /** Records below it are deleted; -1 = all that are readable. */
  readonly offset: Offset
}

export interface TrimResult extends TopicPartition {
  /** The first offset that is left; -1 with an error. */
  readonly lowWatermark: Offset
  readonly error: KafkaError | UnavailableError | null
}

/** What a broker said of one item. */
export function resultError(code: number, text: string | null): KafkaError | null {
  if (code === 0) return null
  return text === null || text === '' ? new KafkaError(code) : new KafkaError(code, text)
}

/**
 * Sends a change to the controller, found anew when it has moved. Never sends a second time what may
 * have taken effect.
 */
export async function change<A extends AnyApi>(
  client: Client,
  api: A,
  options: {
    bodyFor: (connection: Connection) => Encodable<RequestOf<A>>
    codesOf: (response: ResponseOf<A>) => readonly number[]
    timeoutMs: number
  },
): Promise<ResponseOf<A>> {
  const deadlineMs = client.deadline(options.timeoutMs)
  for (let attempt = 1; ; attempt++) {
    // The broker is given its time-out and a moment to say that it passed.
    const timeoutMs = options.timeoutMs + 500
    const settings = { to: 'controller', timeoutMs, isRepeatable: false } as const
    const response = await client.request(api, options.bodyFor, settings)
    const hasMoved = options.codesOf(response).some((code) => code === 41)
    if (!hasMoved || client.env.clock.monotonicMs() >= deadlineMs) return response
    await client.pause(backoffMs(client.env.random, retryBackoff, attempt))
    await client.metadata({ topics: [] })
  }
}

/** Results in the order of `topics`. */
export async function createTopics(
  client: Client,
  topics: readonly NewTopic[],
  { timeoutMs = client.timeoutMs, validateOnly = false }: AdminOptions = {},
): Promise<CreateTopicResult[]> {
  const request = topics.map(({ name, partitions, replicationFactor, assignments, configs }) => ({
    name,
    numPartitions: assignments ? -1 : (partitions ?? -1),
    replicationFactor: assignments ? -1 : (replicationFactor ?? -1),
    assignments: (assignments ?? []).map((brokerIds, partitionIndex) => ({
      partitionIndex,
      brokerIds: [...brokerIds],
    })),
    configs: Object.entries(configs ?? {}).map(([key, value]) => ({ name: key, value })),
  }))
  const response = await change(client, CreateTopics, {
    bodyFor: () => ({ topics: request, timeoutMs, validateOnly }),
    codesOf: (answer) => answer.topics.map(({ errorCode }) => errorCode),
    timeoutMs,
  })
  const byName = new Map(response.topics.map((answer) => [answer.name, answer]))
  return topics.map(({ name }) => {
    const answer = byName.get(name)
    if (answer === undefined) {
      const error = unanswered(name)
      return { name, error, topicId: null, partitions: -1, replicationFactor: -1, configs: null }
    }
    return {
      name,
      error: resultError(answer.errorCode, answer.errorMessage),
      topicId: answer.topicId === zeroUuid ? null : answer.topicId,
      partitions: answer.numPartitions,
      replicationFactor: answer.replicationFactor,
      configs:
        answer.configs === null || answer.configs.length === 0
          ? null
          : Object.fromEntries(answer.configs.map((config) => [config.name, config.value])),
    }
  })
}

/** Results in the order of `names`. */
export async function deleteTopics(
  client: Client,
  names: readonly string[],
  { timeoutMs = client.timeoutMs }: AdminOptions = {},
): Promise<TopicResult[]> {
  const response = await change(client, DeleteTopics, {
    bodyFor: (connection) =>
      connection.versionOf(DeleteTopics) >= 6
        ? { topics: names.map((name) => ({ name })), timeoutMs }
        : { topicNames: [...names], timeoutMs },
    codesOf: (answer) => answer.responses.map(({ errorCode }) => errorCode),
    timeoutMs,
  })
  for (const name of names) client.cache.forget(name)
  return inOrder(names, response.responses)
}

/** Results in the order of `topics`. */
export async function createPartitions(
  client: Client,
  topics: readonly GrowTopic[],
  { timeoutMs = client.timeoutMs, validateOnly = false }: AdminOptions = {},
): Promise<TopicResult[]> {
  const request = topics.map(({ name, count, assignments }) => ({
    name,
    count,
    assignments: assignments?.map((brokerIds) => ({ brokerIds: [...brokerIds] })) ?? null,
  }))
  const response = await change(client, CreatePartitions, {
    bodyFor: () => ({ topics: request, timeoutMs, validateOnly }),
    codesOf: (answer) => answer.results.map(({ errorCode }) => errorCode),
    timeoutMs,
  })
  for (const { name } of topics) client.cache.invalidate(name)
  return inOrder(
    topics.map(({ name }) => name),
    response.results,
  )
}

/** Results in the order of `partitions`. */
export async function deleteRecords(
  client: Client,
  partitions: readonly TrimPartition[],
  { timeoutMs = client.timeoutMs }: AdminOptions = {},
): Promise<TrimResult[]> {
  const ask = async (
    connection: Connection,
    items: readonly TrimPartition[],
    askTimeoutMs: number,
  ) => {
    const topics = [...byTopic(items)].map(([name, group]) => ({
      name,
      partitions: group.map(({ partition, offset }) => ({ partitionIndex: partition, offset })),
    }))
    const body = { topics, timeoutMs: askTimeoutMs }
    const response = await connection.request(DeleteRecords, body, {
      timeoutMs: askTimeoutMs + 500,
    })
    const answers = new Map<string, Offset | KafkaError>()
    for (const topic of response.topics) {
      for (const { partitionIndex, lowWatermark, errorCode } of topic.partitions) {
        const answer = resultError(errorCode, null) ?? lowWatermark
        answers.set(keyOf(topic.name, partitionIndex), answer)
      }
    }
    return answers
  }
  const outcomes = await askLeaders(client, partitions, { ask, timeoutMs })
  return partitions.map(({ topic, partition }, index) => {
    const outcome = outcomes[index]
    return {
      topic,
      partition,
      lowWatermark: outcome?.answer ?? -1,
      error: outcome?.error ?? null,
    }
  })
}

function inOrder(
  names: readonly string[],
  answers: readonly { name: string | null; errorCode: number; errorMessage: string | null }[],
): TopicResult[] {
  const byName = new Map(answers.map((answer) => [answer.name, answer]))
  return names.map((name) => {
    const answer = byName.get(name)
    if (answer === undefined) return { name, error: unanswered(name) }
    return { name, error: resultError(answer.errorCode, answer.errorMessage) }
  })
}

function unanswered(name: string): KafkaError {
  return new KafkaError('UNKNOWN_SERVER_ERROR', `the broker said nothing of topic "${name}"`)
}
