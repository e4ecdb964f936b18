/**
 * CreateTopics (19), served v0-7. v1 validateOnly and error messages; v2 throttleTimeMs; v4 -1 for the
 * broker's default of partitions and replicas; v5 flexible, partitions, replicas and configs in the
 * answer; v6 quotas; v7 topic ids in the answer.
 * It answers when this broker leads what it is to lead of the new topic, or at `timeoutMs`.
 * Yields per topic INVALID_REQUEST for a name that comes twice, or a partition that is assigned twice;
 * INVALID_CONFIG for a config without a value; what Controller.createTopic refuses; REQUEST_TIMED_OUT.
 */

import { KafkaError } from '../../base/errors.ts'
import {
  CreateTopics,
  type CreateTopicsRequest,
  type CreateTopicsResponse,
} from '../../protocol/apis/create-topics.ts'
import type { Encodable } from '../../protocol/schema.ts'
import type { BrokerContext } from '../context.ts'
import { createAndWait } from '../create-topic.ts'
import { handle, kafkaErrorOf } from '../handler.ts'

type TopicRequest = CreateTopicsRequest['topics'][number]
type TopicResponse = Encodable<CreateTopicsResponse['topics'][number]>

export const createTopics = handle(CreateTopics, async (broker, request, { apiVersion }) => {
  const topics: TopicResponse[] = []
  const answered = new Set<string>()
  for (const topic of request.topics) {
    const { name } = topic
    if (answered.has(name)) continue
    answered.add(name)
    try {
      if (request.topics.filter((other) => other.name === name).length > 1) {
        throw new KafkaError('INVALID_REQUEST', `topic ${name} comes twice in the request`)
      }
      topics.push(await create(broker, topic, { request, apiVersion }))
    } catch (error) {
      const { code, message } = kafkaErrorOf(error)
      topics.push({ name, errorCode: code, errorMessage: message, configs: [] })
    }
  }
  return { topics }
})

async function create(
  broker: BrokerContext,
  topic: TopicRequest,
  { request, apiVersion }: { request: CreateTopicsRequest; apiVersion: number },
): Promise<TopicResponse> {
  const { name, numPartitions, replicationFactor } = topic
  const isDefaulted = numPartitions === -1 || replicationFactor === -1
  if (apiVersion < 4 && isDefaulted && topic.assignments.length === 0) {
    throw new KafkaError(
      numPartitions === -1 ? 'INVALID_PARTITIONS' : 'INVALID_REPLICATION_FACTOR',
      `CreateTopics v${apiVersion} knows no default for partitions and replicas`,
    )
  }
  const { validateOnly } = request
  const created = await createAndWait(broker, {
    name,
    numPartitions,
    replicationFactor,
    assignments: assignmentsOf(topic),
    configs: configsOf(topic),
    validateOnly,
    timeoutMs: request.timeoutMs,
  })
  return {
    name,
    ...(!validateOnly && { topicId: created.topicId }),
    errorMessage: null,
    numPartitions: created.numPartitions,
    replicationFactor: created.replicationFactor,
    configs: created.configs.map((config) => ({
      name: config.name,
      value: config.value,
      readOnly: config.isReadOnly,
      configSource: config.source,
      isSensitive: config.isSensitive,
    })),
  }
}

function assignmentsOf({ name, assignments }: TopicRequest) {
  const seen = new Set<number>()
  for (const { partitionIndex } of assignments) {
    if (seen.has(partitionIndex)) {
      throw new KafkaError(
        'INVALID_REPLICA_ASSIGNMENT',
        `topic ${name}: partition ${partitionIndex} is assigned twice`,
      )
    }
    seen.add(partitionIndex)
  }
  return assignments
}

function configsOf({ name: topic, configs }: TopicRequest): Record<string, string> {
  const texts: Record<string, string> = {}
  for (const { name, value } of configs) {
    if (value === null) {
      throw new KafkaError('INVALID_CONFIG', `topic ${topic}: config ${name} has no value`)
    }
    texts[name] = value
  }
  return texts
}
