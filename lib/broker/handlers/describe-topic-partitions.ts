/**
 * DescribeTopicPartitions (75), served v0: topics in the order of their names, a page of partitions
 * at a time; `nextCursor` says where the next page begins.
 * An empty list of topics means all. At most max.request.partition.size.limit partitions a page.
 * Yields per topic INVALID_REQUEST for a cursor that is not in the list, UNKNOWN_TOPIC_OR_PARTITION,
 * INVALID_TOPIC_EXCEPTION; per partition LEADER_NOT_AVAILABLE, LISTENER_NOT_FOUND.
 * Source: apache/kafka: DescribeTopicPartitionsRequestHandler.java, KRaftMetadataCache.scala.
 */

import { errorCode, KafkaError } from '../../base/errors.ts'
import { checkTopicName, isInternalTopic } from '../../controller/topic-names.ts'
import type { ClusterImage, PartitionImage } from '../../metadata/image.ts'
import {
  DescribeTopicPartitions,
  type DescribeTopicPartitionsRequest,
  type DescribeTopicPartitionsResponse,
} from '../../protocol/apis/describe-topic-partitions.ts'
import type { Encodable } from '../../protocol/schema.ts'
import { endpointOf } from '../endpoints.ts'
import { handle, kafkaErrorOf } from '../handler.ts'
import { topicOperations } from '../topics.ts'

type TopicResponse = Encodable<DescribeTopicPartitionsResponse['topics'][number]>
type Cursor = DescribeTopicPartitionsResponse['nextCursor']

export const describeTopicPartitions = handle(
  DescribeTopicPartitions,
  (broker, request, { session }) => {
    const { image } = broker.metadata
    const refusal = cursorError(request)
    if (refusal !== null) {
      const errorCode = refusal.code
      return { topics: request.topics.map(({ name }) => ({ name, errorCode })) }
    }
    const limit = Math.min(
      broker.config['max.request.partition.size.limit'],
      request.responsePartitionLimit,
    )
    const topics: TopicResponse[] = []
    let left = Math.max(limit, 1)
    let nextCursor: Cursor = null
    for (const name of namesOf(image, request)) {
      if (left === 0) {
        nextCursor = { topicName: name, partitionIndex: 0 }
        break
      }
      const topic = image.topics.get(name)
      if (topic === undefined) {
        topics.push(unknownAnswer(name))
        continue
      }
      const from = request.cursor?.topicName === name ? request.cursor.partitionIndex : 0
      const page = topic.partitions.slice(from, from + left)
      topics.push({
        name,
        topicId: topic.topicId,
        isInternal: isInternalTopic(name),
        partitions: page.map((partition) =>
          partitionAnswer(partition, { image, listenerName: session.listenerName }),
        ),
        topicAuthorizedOperations: topicOperations,
      })
      left -= page.length
      if (from + page.length < topic.partitions.length) {
        nextCursor = { topicName: name, partitionIndex: from + page.length }
        break
      }
    }
    return { topics, nextCursor }
  },
)

/** The topics from the cursor on, by name. */
function namesOf(image: ClusterImage, request: DescribeTopicPartitionsRequest): string[] {
  const { cursor } = request
  const isAll = request.topics.length === 0
  const wanted = isAll ? [...image.topics.keys()] : request.topics.map(({ name }) => name)
  return [...new Set(wanted)].filter((name) => name >= (cursor?.topicName ?? '')).sort()
}

/** What is wrong with the cursor; null when nothing is. */
function cursorError({ cursor, topics }: DescribeTopicPartitionsRequest): KafkaError | null {
  if (cursor === null) return null
  const isListed = topics.length === 0 || topics.some(({ name }) => name === cursor.topicName)
  if (isListed && cursor.partitionIndex >= 0) return null
  return new KafkaError('INVALID_REQUEST', `cursor ${cursor.topicName}-${cursor.partitionIndex}`)
}

function unknownAnswer(name: string): TopicResponse {
  let code = errorCode('UNKNOWN_TOPIC_OR_PARTITION')
  try {
    checkTopicName(name)
  } catch (error) {
    code = kafkaErrorOf(error).code
  }
  return {
    errorCode: code,
    name,
    isInternal: isInternalTopic(name),
    topicAuthorizedOperations: topicOperations,
  }
}

function partitionAnswer(
  { partition, leader, leaderEpoch, replicas, isr }: PartitionImage,
  { image, listenerName }: { image: ClusterImage; listenerName: string },
) {
  const broker = image.brokers.get(leader)
  const isReachable = broker !== undefined && endpointOf(broker, listenerName) !== null
  const error = broker === undefined ? 'LEADER_NOT_AVAILABLE' : 'LISTENER_NOT_FOUND'
  return {
    errorCode: isReachable ? 0 : errorCode(error),
    partitionIndex: partition,
    leaderId: isReachable ? leader : -1,
    leaderEpoch,
    replicaNodes: replicas,
    isrNodes: isr,
    eligibleLeaderReplicas: [],
    lastKnownElr: [],
    offlineReplicas: replicas.filter((id) => !image.brokers.has(id)),
  }
}
