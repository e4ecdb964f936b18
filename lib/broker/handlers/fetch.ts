/**
 * Fetch (1), served v4-18: long-poll read. v0-3 would need records converted down.
 * v4 isolation level, lastStableOffset; v5 logStartOffset; v7 sessions (KIP-227); v9 currentLeaderEpoch;
 * v10 zstd; v11 rackId; v12 flexible, lastFetchedEpoch and divergingEpoch, current leader; v13 topic ids;
 * v15 replicaState; v16 node endpoints (KIP-951); v17 directory id; v18 the reader's high watermark.
 * Differs from Kafka: the budget of a reply also shrinks while much reply memory is in use.
 * Yields per partition OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID,
 * INCONSISTENT_TOPIC_ID, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, KAFKA_STORAGE_ERROR;
 * at the top FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR.
 */

import { errorCode, KafkaError } from '../../base/errors.ts'
import { zeroUuid } from '../../base/uuid.ts'
import { Fetch, type FetchRequest, type FetchResponse } from '../../protocol/apis/fetch.ts'
import type { Encodable } from '../../protocol/schema.ts'
import {
  type FetchedPartition,
  type FetchResult,
  type FetchTarget,
  fetchPartitions,
} from '../../replication/fetch.ts'
import type { SessionAnswer, WantedPartition } from '../../replication/fetch-session.ts'
import type { Partition } from '../../replication/partition.ts'
import type { Session } from '../../wire/server-connection.ts'
import type { BrokerContext } from '../context.ts'
import { LeaderHints } from '../endpoints.ts'
import { handle, kafkaErrorOf } from '../handler.ts'
import { topicNameOfId } from '../topics.ts'

type TopicResponse = Encodable<FetchResponse['responses'][number]>
type PartitionResponse = Encodable<FetchResponse['responses'][number]['partitions'][number]>

const readCommitted = 1
/** First versions that name the current leader, give topics by id, and the leader's address. */
const leaderVersion = 12
const idsVersion = 13
const endpointsVersion = 16

export const fetch = handle(
  Fetch,
  async (broker, request, context) => {
    const isReadCommitted = request.isolationLevel === readCommitted
    const isById = context.apiVersion >= idsVersion
    const fetching = broker.replicas.fetchSessions.open({
      sessionId: request.sessionId,
      epoch: request.sessionEpoch,
      usesTopicIds: isById,
      isFollower: request.replicaId >= 0 || request.replicaState.replicaId >= 0,
      partitions: wantedOf(broker, request),
      forgotten: request.forgottenTopicsData.flatMap(({ topic, topicId, partitions }) =>
        partitions.map((partition) => ({ topic, topicId, partition })),
      ),
    })
    const result = await fetchPartitions(
      broker.replicas.fetchPurgatory,
      fetching.partitions.map((wanted) => targetOf(broker, wanted, isById)),
      {
        // More than fits into the answer is not waited for.
        minBytes: Math.min(request.minBytes, request.maxBytes, broker.config['fetch.max.bytes']),
        maxBytes: Math.max(Math.min(request.maxBytes, broker.config['fetch.max.bytes']), 0),
        maxWaitMs: request.maxWaitMs,
        isReadCommitted,
        memory: broker.replicas.fetchMemory,
        onParked: (cancel) => whileConnected(context.session, cancel),
      },
    )
    context.session.onClosed.clear()
    context.afterSent(() => result.release())
    const answer = fetching.answer(result.partitions)
    const hints = new LeaderHints(broker.metadata.image, context.session.listenerName)
    const withLeader = context.apiVersion >= leaderVersion
    const responses = responsesOf(fetching.partitions, {
      result,
      answer,
      hints,
      isReadCommitted,
      withLeader,
    })
    const nodeEndpoints = context.apiVersion >= endpointsVersion ? hints.endpoints : []
    return { sessionId: answer.sessionId, responses, nodeEndpoints }
  },
  { served: [4, 18] },
)

/** Gives the wait up when the connection is gone. A connection has one Fetch in work at a time. */
function whileConnected({ isClosed, onClosed }: Session, cancel: () => void): void {
  if (isClosed) cancel()
  else onClosed.add(cancel)
}

function wantedOf(broker: BrokerContext, request: FetchRequest): WantedPartition[] {
  const { topicNames } = broker.metadata.image
  return request.topics.flatMap(({ topic, topicId, partitions }) => {
    const name = topicId === zeroUuid ? topic : (topicNames.get(topicId) ?? '')
    return partitions.map(
      ({ partition, fetchOffset, partitionMaxBytes, currentLeaderEpoch, lastFetchedEpoch }) => ({
        topic: name,
        topicId,
        partition,
        fetchOffset,
        partitionMaxBytes,
        currentLeaderEpoch,
        lastFetchedEpoch,
      }),
    )
  })
}

function targetOf(broker: BrokerContext, wanted: WantedPartition, isById: boolean): FetchTarget {
  return {
    source: sourceOf(broker, wanted, isById),
    fetchOffset: wanted.fetchOffset,
    maxBytes: Math.max(wanted.partitionMaxBytes, 0),
    currentLeaderEpoch: wanted.currentLeaderEpoch,
    lastFetchedEpoch: wanted.lastFetchedEpoch,
  }
}

function sourceOf(
  broker: BrokerContext,
  { topic, topicId, partition: index }: WantedPartition,
  isById: boolean,
): Partition | KafkaError {
  try {
    // In a session the name stays when the topic has gone.
    const isNamed = topic !== '' || !isById
    const name = isNamed ? topic : topicNameOfId(broker.metadata.image, topicId)
    const partition = broker.replicas.partition(name, index)
    if (!isById || topicId === partition.topicId) return partition
    throw new KafkaError(
      'INCONSISTENT_TOPIC_ID',
      `${partition.name} has the id ${partition.topicId}, not ${topicId}`,
    )
  } catch (error) {
    return kafkaErrorOf(error)
  }
}

interface ResponseOptions {
  readonly result: FetchResult
  readonly answer: SessionAnswer
  readonly hints: LeaderHints
  readonly isReadCommitted: boolean
  readonly withLeader: boolean
}

/** What the reader is told, by topic in the order of their first partitions. */
function responsesOf(
  wanted: readonly WantedPartition[],
  { result, answer, hints, isReadCommitted, withLeader }: ResponseOptions,
): TopicResponse[] {
  const topics = new Map<string, TopicResponse & { partitions: PartitionResponse[] }>()
  for (const [index, { topic, topicId, partition }] of wanted.entries()) {
    const fetched = result.partitions[index]
    if (fetched === undefined || !answer.isTold(index)) continue
    const key = topicId === zeroUuid ? topic : topicId
    const ofTopic = topics.get(key) ?? { topic, topicId, partitions: [] }
    topics.set(key, ofTopic)
    if (!(fetched instanceof KafkaError)) {
      ofTopic.partitions.push(partitionAnswer(partition, fetched, isReadCommitted))
      continue
    }
    const error = errorAnswer(partition, fetched)
    const isHinted = withLeader && isElsewhere(fetched)
    ofTopic.partitions.push(
      isHinted ? { ...error, currentLeader: hints.leaderOf(topic, partition) } : error,
    )
  }
  return [...topics.values()]
}

function partitionAnswer(
  partitionIndex: number,
  fetched: FetchedPartition,
  isReadCommitted: boolean,
): PartitionResponse {
  const { highWatermark, lastStableOffset, logStartOffset, records, divergingEpoch } = fetched
  return {
    partitionIndex,
    highWatermark,
    lastStableOffset,
    logStartOffset,
    abortedTransactions: isReadCommitted ? [] : null,
    records,
    ...(divergingEpoch !== null && { divergingEpoch }),
  }
}

function errorAnswer(partitionIndex: number, error: KafkaError): PartitionResponse {
  return {
    partitionIndex,
    errorCode: error.code,
    highWatermark: -1,
    // What is not there at all is answered with an empty list, as by Kafka.
    abortedTransactions: isUnknown(error) ? [] : null,
    records: [],
  }
}

function isUnknown({ code }: KafkaError): boolean {
  return code === errorCode('UNKNOWN_TOPIC_OR_PARTITION') || code === errorCode('UNKNOWN_TOPIC_ID')
}

function isElsewhere({ code }: KafkaError): boolean {
  return code === errorCode('NOT_LEADER_OR_FOLLOWER') || code === errorCode('FENCED_LEADER_EPOCH')
}
