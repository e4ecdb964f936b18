/**
 * Fetch (1), served v4-18: long-poll read. v0-3 would need records converted down.
 * v4 isolation level, lastStableOffset; v5 logStartOffset; v7 sessions (KIP-227); v9 currentLeaderEpoch;
 * v10 zstd; v11 rackId; v12 flexible, lastFetchedEpoch and divergingEpoch, current leader; v13 topic ids;
 * v15 replicaState; v16 node endpoints (KIP-951); v17 directory id; v18 the reader's high watermark.
 * Sessions are refused: every reply says session id 0, which a client takes as "ask in full", and a
 * request within a session gets FETCH_SESSION_ID_NOT_FOUND.
 * Differs from Kafka: the budget of a reply also shrinks while much reply memory is in use.
 * Yields per partition OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID,
 * INCONSISTENT_TOPIC_ID, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, KAFKA_STORAGE_ERROR.
 */

import { errorCode, KafkaError } from '../../base/errors.ts'
import { Fetch, type FetchRequest, type FetchResponse } from '../../protocol/apis/fetch.ts'
import type { Encodable } from '../../protocol/schema.ts'
import {
  type FetchedPartition,
  type FetchResult,
  type FetchTarget,
  fetchPartitions,
} from '../../replication/fetch.ts'
import type { Partition } from '../../replication/partition.ts'
import type { Session } from '../../wire/server-connection.ts'
import type { BrokerContext } from '../context.ts'
import { LeaderHints } from '../endpoints.ts'
import { handle, kafkaErrorOf } from '../handler.ts'
import { topicNameOf, topicNameOfId } from '../topics.ts'

type TopicRequest = FetchRequest['topics'][number]
type TopicResponse = Encodable<FetchResponse['responses'][number]>
type PartitionResponse = Encodable<FetchResponse['responses'][number]['partitions'][number]>

const readCommitted = 1
/** First versions that name the current leader, give topics by id, and the leader's address. */
const leaderVersion = 12
const idsVersion = 13
const endpointsVersion = 16
/** Epochs of a request that asks in full: a new session, or none. */
const sessionlessEpochs: ReadonlySet<number> = new Set([0, -1])

export const fetch = handle(
  Fetch,
  async (broker, request, context) => {
    if (!sessionlessEpochs.has(request.sessionEpoch)) {
      return { errorCode: errorCode('FETCH_SESSION_ID_NOT_FOUND') }
    }
    const isReadCommitted = request.isolationLevel === readCommitted
    const result = await fetchPartitions(
      broker.replicas.fetchPurgatory,
      targetsOf(broker, request, context.apiVersion),
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
    const hints = new LeaderHints(broker.metadata.image, context.session.listenerName)
    const responses = responsesOf(broker, request, {
      result,
      hints,
      isReadCommitted,
      withLeader: context.apiVersion >= leaderVersion,
    })
    const nodeEndpoints = context.apiVersion >= endpointsVersion ? hints.endpoints : []
    return { responses, nodeEndpoints }
  },
  { served: [4, 18] },
)

/** Gives the wait up when the connection is gone. A connection has one Fetch in work at a time. */
function whileConnected({ isClosed, onClosed }: Session, cancel: () => void): void {
  if (isClosed) cancel()
  else onClosed.add(cancel)
}

function targetsOf(
  broker: BrokerContext,
  request: FetchRequest,
  apiVersion: number,
): FetchTarget[] {
  const isById = apiVersion >= idsVersion
  return request.topics.flatMap((topic) =>
    topic.partitions.map((partition) => ({
      source: sourceOf(broker, topic, { index: partition.partition, isById }),
      fetchOffset: partition.fetchOffset,
      maxBytes: Math.max(partition.partitionMaxBytes, 0),
      currentLeaderEpoch: partition.currentLeaderEpoch,
      lastFetchedEpoch: partition.lastFetchedEpoch,
    })),
  )
}

function sourceOf(
  broker: BrokerContext,
  topic: TopicRequest,
  { index, isById }: { index: number; isById: boolean },
): Partition | KafkaError {
  try {
    const name = isById ? topicNameOfId(broker.metadata.image, topic.topicId) : topic.topic
    const partition = broker.replicas.partition(name, index)
    if (!isById || topic.topicId === partition.topicId) return partition
    throw new KafkaError(
      'INCONSISTENT_TOPIC_ID',
      `${partition.name} has the id ${partition.topicId}, not ${topic.topicId}`,
    )
  } catch (error) {
    return kafkaErrorOf(error)
  }
}

interface ResponseOptions {
  readonly result: FetchResult
  readonly hints: LeaderHints
  readonly isReadCommitted: boolean
  readonly withLeader: boolean
}

function responsesOf(
  broker: BrokerContext,
  request: FetchRequest,
  { result, hints, isReadCommitted, withLeader }: ResponseOptions,
): TopicResponse[] {
  let index = 0
  return request.topics.map((topic) => ({
    topic: topic.topic,
    topicId: topic.topicId,
    partitions: topic.partitions.map(({ partition }) => {
      const fetched = result.partitions[index++]
      if (fetched === undefined) return { partitionIndex: partition, errorCode: -1 }
      if (!(fetched instanceof KafkaError)) {
        return partitionAnswer(partition, fetched, isReadCommitted)
      }
      const answer = errorAnswer(partition, fetched)
      if (!withLeader || !isElsewhere(fetched)) return answer
      const name = topicNameOf(broker.metadata.image, topic.topic, topic.topicId)
      return { ...answer, currentLeader: hints.leaderOf(name, partition) }
    }),
  }))
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
