/**
 * CreateTopics (19), served v0-7. v1 validateOnly and error messages; v2 throttleTimeMs; v5 flexible, partitions,
 * replicas and configs in the answer; v6 quotas; v7 topic ids in the answer.
 * -1 means the broker's default in every version, as with Kafka: kafkajs sends it in v3 already.
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
import { handle, inSlices, kafkaErrorOf } from '../handler.ts'
import { givenTwice } from '../twice.ts'

type TopicRequest = CreateTopicsRequest['topics'][number]
type TopicResponse = Encodable<CreateTopicsResponse['topics'][number]>

export const createTopics = handle(CreateTopics, async (broker, request) => {
  const topics: TopicResponse[] = []
  const answered = new Set<string>()
  const twice = givenTwice(request.topics, ({ name }) => name)
  for await (const topic of inSlices(request.topics, broker.env)) {
    const { name } = topic
    if (answered.has(name)) continue
    answered.add(name)
    try {
      if (twice.has(name)) {
        throw new KafkaError('INVALID_REQUEST', `topic ${name} comes twice in the request`)
      }
      topics.push(await create(broker, topic, request))
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
  request: CreateTopicsRequest,
): Promise<TopicResponse> {
  const { name, numPartitions, replicationFactor } = topic
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
