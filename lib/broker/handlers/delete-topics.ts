/**
 * DeleteTopics (20), served v0-6. v1 throttleTimeMs; v4 flexible; v5 error messages; v6 topics by id.
 * It answers when the topic is gone from this broker's view, or at `timeoutMs`; files go later.
 * What is given twice is answered once, with an error, and not deleted.
 * Yields per topic UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INVALID_REQUEST for one that is given
 * twice, both by name and id, or by neither, TOPIC_DELETION_DISABLED (INVALID_REQUEST before v3),
 * REQUEST_TIMED_OUT.
 */

import { KafkaError } from '../../base/errors.ts'
import { zeroUuid } from '../../base/uuid.ts'
import { DeleteTopics, type DeleteTopicsRequest } from '../../protocol/apis/delete-topics.ts'
import type { BrokerContext } from '../context.ts'
import { seen } from '../create-topic.ts'
import { handle, inSlices, kafkaErrorOf } from '../handler.ts'
import { topicNameOf } from '../topics.ts'

type TopicRequest = DeleteTopicsRequest['topics'][number]

const idsVersion = 6
const disabledVersion = 3

export const deleteTopics = handle(DeleteTopics, async (broker, request, { apiVersion }) => {
  const wanted: readonly TopicRequest[] =
    apiVersion >= idsVersion
      ? request.topics
      : request.topicNames.map((name) => ({ name, topicId: zeroUuid }))
  /** The topics of the request by what they really are; more than one is too much. */
  const byTopic = new Map<string, TopicRequest[]>()
  for (const topic of wanted) {
    const key = keyOf(broker, topic)
    const same = byTopic.get(key)
    if (same === undefined) byTopic.set(key, [topic])
    else same.push(topic)
  }
  const responses = []
  for await (const [topic, ...others] of inSlices(byTopic.values(), broker.env)) {
    if (topic === undefined) continue
    try {
      if (others.length > 0) {
        throw new KafkaError('INVALID_REQUEST', 'the topic comes twice in the request')
      }
      responses.push(await remove(broker, topic, { apiVersion, timeoutMs: request.timeoutMs }))
    } catch (error) {
      const { code, message } = kafkaErrorOf(error)
      const { topicId } = topic
      const name = topic.name ?? others.find((other) => other.name !== null)?.name ?? null
      responses.push({ name, topicId, errorCode: code, errorMessage: message })
    }
  }
  return { responses }
})

function keyOf(broker: BrokerContext, { name, topicId }: TopicRequest): string {
  if (name !== null && topicId !== zeroUuid) return `both ${name} ${topicId}`
  const found = name ?? broker.metadata.image.topicNames.get(topicId)
  return found === undefined ? `id ${topicId}` : `name ${found}`
}

async function remove(
  broker: BrokerContext,
  { name: givenName, topicId }: TopicRequest,
  { apiVersion, timeoutMs }: { apiVersion: number; timeoutMs: number },
) {
  if (!broker.config['delete.topic.enable']) {
    throw new KafkaError(
      apiVersion < disabledVersion ? 'INVALID_REQUEST' : 'TOPIC_DELETION_DISABLED',
    )
  }
  if ((givenName === null) === (topicId === zeroUuid)) {
    throw new KafkaError('INVALID_REQUEST', 'a topic is given either by name or by id')
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
