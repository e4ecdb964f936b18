/**
 * DeleteTopics (20), served v0-6. v1 throttleTimeMs; v4 flexible; v5 error messages; v6 topics by id.
 * It answers when the topic is gone from this broker's view, or at `timeoutMs`; files go later.
 * Yields per topic UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INVALID_REQUEST for one that is named
 * twice or both by name and id, TOPIC_DELETION_DISABLED (INVALID_REQUEST before v3), REQUEST_TIMED_OUT.
 */

import { KafkaError } from '../../base/errors.ts'
import { zeroUuid } from '../../base/uuid.ts'
import { DeleteTopics, type DeleteTopicsRequest } from '../../protocol/apis/delete-topics.ts'
import type { BrokerContext } from '../context.ts'
import { seen } from '../create-topic.ts'
import { handle, kafkaErrorOf } from '../handler.ts'
import { topicNameOf } from '../topics.ts'

type TopicRequest = DeleteTopicsRequest['topics'][number]

const idsVersion = 6

export const deleteTopics = handle(DeleteTopics, async (broker, request, { apiVersion }) => {
  const isByStruct = apiVersion >= idsVersion
  const wanted: readonly TopicRequest[] = isByStruct
    ? request.topics
    : request.topicNames.map((name) => ({ name, topicId: zeroUuid }))
  const responses = []
  for (const topic of wanted) {
    try {
      const twice = wanted.filter((other) => isSame(broker, other, topic)).length > 1
      if (twice) throw new KafkaError('INVALID_REQUEST', 'the topic comes twice in the request')
      responses.push(await remove(broker, topic, { apiVersion, timeoutMs: request.timeoutMs }))
    } catch (error) {
      const { code, message } = kafkaErrorOf(error)
      const name = isByStruct ? topic.name : (topic.name ?? '')
      responses.push({ name, topicId: topic.topicId, errorCode: code, errorMessage: message })
    }
  }
  return { responses }
})

function isSame(broker: BrokerContext, a: TopicRequest, b: TopicRequest): boolean {
  const { topicNames } = broker.metadata.image
  const nameOf = ({ name, topicId }: TopicRequest) => name ?? topicNames.get(topicId) ?? topicId
  return nameOf(a) === nameOf(b)
}

async function remove(
  broker: BrokerContext,
  { name: givenName, topicId }: TopicRequest,
  { apiVersion, timeoutMs }: { apiVersion: number; timeoutMs: number },
) {
  if (!broker.config['delete.topic.enable']) {
    throw new KafkaError(apiVersion < 3 ? 'INVALID_REQUEST' : 'TOPIC_DELETION_DISABLED')
  }
  if (givenName !== null && topicId !== zeroUuid) {
    throw new KafkaError('INVALID_REQUEST', 'a topic is given by name or by id, not both')
  }
  const { image } = broker.metadata
  const name = topicNameOf(image, givenName ?? '', topicId)
  const topic = image.topics.get(name)
  if (topic === undefined) {
    throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic ${name}`)
  }
  const revision = await broker.controller.deleteTopic(name)
  await seen(broker, revision, timeoutMs)
  return { name, topicId: topic.topicId, errorCode: 0, errorMessage: null }
}
