/**
 * Produce (0), served v0-13: appends batches.
 * v0-2 old message sets, converted on the way in; v1 throttleTimeMs; v2 logAppendTimeMs;
 * v3 exactly one batch of magic 2 per partition, transactionalId; v5 logStartOffset; v7 zstd allowed;
 * v8 recordErrors and errorMessage; v9 flexible; v10 the current leader (KIP-951); v11-12 KIP-890; v13 topic ids.
 * acks=0 has no response at all: an error closes the connection, so that the client looks again.
 * Differs from Kafka: transactional records get INVALID_TXN_STATE until there is a coordinator.
 * Yields per partition INVALID_REQUIRED_ACKS, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID,
 * INVALID_TOPIC_EXCEPTION, NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS, REQUEST_TIMED_OUT,
 * UNSUPPORTED_COMPRESSION_TYPE, KAFKA_STORAGE_ERROR, and what Log.append refuses.
 */

import { asBuffer, type Chunks, joinChunks, sliceChunks } from '../../base/bytes.ts'
import { DecodeError, errorCode, KafkaError } from '../../base/errors.ts'
import { isInternalTopic } from '../../controller/topic-names.ts'
import { Produce, type ProduceRequest, type ProduceResponse } from '../../protocol/apis/produce.ts'
import type { Encodable } from '../../protocol/schema.ts'
import {
  codecOf,
  entryHeadSize,
  headerSize,
  isTransactional,
  type RecordBatch,
  splitBatches,
} from '../../record/batch.ts'
import { upConvert } from '../../record/message-set.ts'
import type { AppendResult } from '../../replication/replica-manager.ts'
import { decompressedBytesMax, InvalidRecordsError } from '../../storage/batch-validation.ts'
import type { BrokerContext } from '../context.ts'
import { ConnectionError } from '../dispatch.ts'
import { LeaderHints } from '../endpoints.ts'
import { handle, kafkaErrorOf, type RequestContext } from '../handler.ts'
import { topicNameOf, topicNameOfId } from '../topics.ts'

type TopicRequest = ProduceRequest['topicData'][number]
type PartitionRequest = TopicRequest['partitionData'][number]
type PartitionResponse = Encodable<
  ProduceResponse['responses'][number]['partitionResponses'][number]
>

/** The client that Kafka itself lets write to internal topics. */
const adminClientId = '__admin_client'

/** First version whose batches may be zstd, and the first that names the current leader. */
const zstdVersion = 7
const leaderVersion = 10
const idsVersion = 13

/** The head that all formats have in common, and the smallest entry of those before batches. */
const sizePosition = 8
const magicPosition = 16
const headSize = 17
const oldSizeMin = 26

export const produce = handle(
  Produce,
  (broker, request, context) => {
    const hints = new LeaderHints(broker.metadata.image, context.session.listenerName)
    // No await before every batch is appended: offsets follow the order of arrival.
    const started = request.topicData.map((topic) => ({
      topic,
      partitions: topic.partitionData.map((partition) =>
        appendPartition(broker, { request, topic, partition, context, hints }),
      ),
    }))
    return answer(started, { request, hints })
  },
  { overlaps: true },
)

interface Started {
  readonly topic: TopicRequest
  readonly partitions: readonly Promise<PartitionResponse>[]
}

async function answer(
  started: readonly Started[],
  { request, hints }: { request: ProduceRequest; hints: LeaderHints },
): Promise<Encodable<ProduceResponse> | null> {
  const responses = []
  for (const { topic, partitions } of started) {
    const partitionResponses = await Promise.all(partitions)
    responses.push({ name: topic.name, topicId: topic.topicId, partitionResponses })
  }
  if (request.acks !== 0) return { responses, nodeEndpoints: hints.endpoints }
  for (const { name, partitionResponses } of responses) {
    const failed = partitionResponses.find(({ errorCode = 0 }) => errorCode !== 0)
    if (failed === undefined) continue
    throw new ConnectionError(
      `produce with acks=0 to ${name}-${failed.index} failed: ${failed.errorMessage}`,
    )
  }
  return null
}

interface PartitionCall {
  readonly request: ProduceRequest
  readonly topic: TopicRequest
  readonly partition: PartitionRequest
  readonly context: RequestContext
  readonly hints: LeaderHints
}

async function appendPartition(
  broker: BrokerContext,
  call: PartitionCall,
): Promise<PartitionResponse> {
  const { partition } = call
  try {
    return { index: partition.index, ...(await append(broker, call)) }
  } catch (error) {
    return errorAnswer(broker, call, kafkaErrorOf(error))
  }
}

function append(broker: BrokerContext, call: PartitionCall): Promise<AppendResult> {
  const { request, topic, partition, context } = call
  const { acks, timeoutMs } = request
  const { image } = broker.metadata
  const isById = context.apiVersion >= idsVersion
  const name = isById ? topicNameOfId(image, topic.topicId) : topic.name
  const replica = broker.replicas.partition(name, partition.index)
  const batches = batchesOf(partition.records ?? [], context.apiVersion)
  checkTransactional(batches, request)
  if (acks !== -1 && acks !== 0 && acks !== 1) {
    throw new KafkaError('INVALID_REQUIRED_ACKS', `acks ${acks}: expected -1, 0 or 1`)
  }
  if (isInternalTopic(name) && context.clientId !== adminClientId) {
    throw new KafkaError('INVALID_TOPIC_EXCEPTION', `${name} is internal: clients may not write`)
  }
  return broker.replicas.append(replica, batches, { acks, timeoutMs })
}

/** A transactional batch belongs to a transactional id. */
function checkTransactional(
  batches: readonly RecordBatch[],
  { transactionalId }: ProduceRequest,
): void {
  if (transactionalId !== null) return
  if (!batches.some(({ header }) => isTransactional(header.attributes))) return
  throw new KafkaError(
    'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    'a transactional batch in a request without a transactional id',
  )
}

/** What a version may carry, as batches of magic 2. INVALID_RECORD, UNSUPPORTED_COMPRESSION_TYPE, CORRUPT_MESSAGE. */
function batchesOf(records: Chunks, apiVersion: number): RecordBatch[] {
  try {
    const batches = splitBatches(records)
    const isOld = batches.some(({ header }) => header.magic < 2)
    if (apiVersion < 3 && isOld) {
      return upConvert(records, { offsets: 'assign', maxBytes: decompressedBytesMax })
    }
    const [batch] = batches
    if (batch === undefined || batches.length !== 1 || isOld) {
      throw new KafkaError(
        'INVALID_RECORD',
        `${batches.length} batches, magic ${batch?.header.magic ?? 'none'}: Produce v${apiVersion} takes exactly one of magic 2`,
      )
    }
    if (apiVersion < zstdVersion && codecOf(batch.header.attributes) === 'zstd') {
      throw new KafkaError(
        'UNSUPPORTED_COMPRESSION_TYPE',
        `zstd needs Produce v${zstdVersion}, got v${apiVersion}`,
      )
    }
    return batches
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    const name = isNonsense(records) ? 'CORRUPT_MESSAGE' : 'INVALID_RECORD'
    throw new KafkaError(name, error.message, { cause: error })
  }
}

/** Whether a batch cannot be one at all, rather than be cut short. */
function isNonsense(records: Chunks): boolean {
  for (let position = 0; ; ) {
    const head = asBuffer(joinChunks(sliceChunks(records, position, position + headSize)))
    if (head.length < headSize) return false
    const magic = head.readInt8(magicPosition)
    const sizeBytes = head.readInt32BE(sizePosition) + entryHeadSize
    if (magic < 0 || magic > 2 || sizeBytes < (magic === 2 ? headerSize : oldSizeMin)) return true
    position += sizeBytes
  }
}

function errorAnswer(
  broker: BrokerContext,
  { topic, partition, context, hints }: PartitionCall,
  error: KafkaError,
): PartitionResponse {
  const response = {
    index: partition.index,
    errorCode: error.code,
    errorMessage: error.message,
    baseOffset: -1,
    recordErrors: recordErrorsOf(error),
  }
  const isElsewhere = error.code === errorCode('NOT_LEADER_OR_FOLLOWER')
  if (!isElsewhere || context.apiVersion < leaderVersion) return response
  const name = topicNameOf(broker.metadata.image, topic.name, topic.topicId)
  return { ...response, currentLeader: hints.leaderOf(name, partition.index) }
}

function recordErrorsOf(error: KafkaError): PartitionResponse['recordErrors'] {
  if (!(error instanceof InvalidRecordsError)) return []
  return error.recordErrors.map(({ batchIndex, message }) => ({
    batchIndex,
    batchIndexErrorMessage: message,
  }))
}
