/**
 * Metadata (3), served v0-13: brokers, topics, leaders; may create topics.
 * v0 an empty list means all topics; v1 null means all, empty none, and there are racks, controllerId, isInternal;
 * v2 clusterId; v4 allowAutoTopicCreation (implied before); v5 offlineReplicas; v7 leaderEpoch;
 * v8 authorized operations (those of the cluster until v10); v9 flexible; v10 topic ids in answers;
 * v12 topics asked for by id; v13 a top-level error.
 * Differs from Kafka: a topic that is created on the way is answered in full, not with an error first;
 * clients of other machines create topics only where auto.create.topics.enable was set by somebody.
 * Yields per topic UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INVALID_TOPIC_EXCEPTION, INVALID_REQUEST,
 * and what creating a topic yields; per partition LEADER_NOT_AVAILABLE, LISTENER_NOT_FOUND.
 */

import { errorCode, KafkaError } from '../../base/errors.ts'
import { zeroUuid } from '../../base/uuid.ts'
import { checkTopicName, isInternalTopic } from '../../controller/topic-names.ts'
import type { ClusterImage, PartitionImage, TopicImage } from '../../metadata/image.ts'
import {
  Metadata,
  type MetadataRequest,
  type MetadataResponse,
} from '../../protocol/apis/metadata.ts'
import type { Encodable } from '../../protocol/schema.ts'
import { isLoopback } from '../../wire/acceptor.ts'
import type { Session } from '../../wire/server-connection.ts'
import type { BrokerContext } from '../context.ts'
import { createAndWait } from '../create-topic.ts'
import { endpointOf, endpointsOf } from '../endpoints.ts'
import { handle, kafkaErrorOf, type RequestContext } from '../handler.ts'
import { clusterOperations, operationsOmitted, topicNameOf, topicOperations } from '../topics.ts'

type TopicRequest = NonNullable<MetadataRequest['topics']>[number]
type TopicResponse = Encodable<MetadataResponse['topics'][number]>
type PartitionResponse = Encodable<MetadataResponse['topics'][number]['partitions'][number]>

/** First versions: null for all topics, no endpoint told apart from no leader, topics by id. */
const nullIsAllVersion = 1
const listenerErrorVersion = 6
const idsVersion = 12

const autoCreate = 'auto.create.topics.enable'

export const metadata = handle(Metadata, async (broker, request, context) => {
  const { apiVersion, session } = context
  const wanted = request.topics
  const isAll = wanted === null || (apiVersion < nullIsAllVersion && wanted.length === 0)
  const created = isAll ? new Map() : await createMissing(broker, request, context)
  // One image for the whole answer, taken after the last await.
  const { image } = broker.metadata
  const describe: Describe = {
    image,
    context,
    withOperations: request.includeTopicAuthorizedOperations,
  }
  const topics = isAll
    ? [...image.topics.values()].map((topic) => topicAnswer(topic, describe))
    : once(wanted).map((topic) => wantedAnswer(topic, created, describe))
  return {
    brokers: endpointsOf(image, session.listenerName),
    clusterId: broker.clusterId,
    controllerId: controllerOf(broker, image),
    topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? clusterOperations
      : operationsOmitted,
  }
})

/** Each topic once, however often it is asked for. */
function once(topics: readonly TopicRequest[]): TopicRequest[] {
  const keyOf = ({ name, topicId }: TopicRequest) => `${topicId} ${name}`
  return [...new Map(topics.map((topic) => [keyOf(topic), topic])).values()]
}

/** A live broker, which passes on what only the controller can do. */
function controllerOf(broker: BrokerContext, { controllerId, brokers }: ClusterImage): number {
  return brokers.has(controllerId) ? controllerId : broker.brokerId
}

interface Describe {
  readonly image: ClusterImage
  readonly context: RequestContext
  readonly withOperations: boolean
}

/** Creates the unknown topics that are asked for by name, where that is allowed; the errors by name. */
async function createMissing(
  broker: BrokerContext,
  request: MetadataRequest,
  { apiVersion, session }: RequestContext,
): Promise<Map<string, KafkaError>> {
  const failed = new Map<string, KafkaError>()
  if (!request.allowAutoTopicCreation || !mayCreate(broker, session)) return failed
  for (const topic of request.topics ?? []) {
    const { name, topicId } = topic
    const isById = topicId !== zeroUuid
    if (name === null || isById || broker.metadata.image.topics.has(name)) continue
    if (isInternalTopic(name) || isMalformed(topic, apiVersion)) continue
    try {
      checkTopicName(name)
      await createAndWait(broker, { name, timeoutMs: broker.config['request.timeout.ms'] })
    } catch (error) {
      failed.set(name, kafkaErrorOf(error))
    }
  }
  return failed
}

/** The default holds for this machine only: a port open to others is not to fill up with topics. */
function mayCreate({ config, configLayers }: BrokerContext, { remote }: Session): boolean {
  if (!config[autoCreate]) return false
  const { dynamicBroker, dynamicDefault, static: fromFile } = configLayers
  const isSet = [dynamicBroker, dynamicDefault, fromFile].some((layer) => autoCreate in layer)
  return isSet || isLoopback(remote.host)
}

/** Whether a version before topic ids was given something only they allow. */
function isMalformed({ name, topicId }: TopicRequest, apiVersion: number): boolean {
  return apiVersion < idsVersion && (name === null || topicId !== zeroUuid)
}

function wantedAnswer(
  wanted: TopicRequest,
  created: ReadonlyMap<string, KafkaError>,
  describe: Describe,
): TopicResponse {
  const { image, context } = describe
  const { topicId } = wanted
  try {
    if (isMalformed(wanted, context.apiVersion)) {
      throw new KafkaError('INVALID_REQUEST', `Metadata v${context.apiVersion} takes names only`)
    }
    const name = topicNameOf(image, wanted.name ?? '', topicId)
    const topic = image.topics.get(name)
    if (topic !== undefined) return topicAnswer(topic, describe)
    checkTopicName(name)
    const failure = created.get(name)
    const alreadyExists = errorCode('TOPIC_ALREADY_EXISTS')
    if (failure !== undefined && failure.code !== alreadyExists) throw failure
    throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION')
  } catch (error) {
    const { code } = kafkaErrorOf(error)
    // By id there is no name to give; versions before v12 have no null for it.
    const isById = topicId !== zeroUuid && context.apiVersion >= idsVersion
    const name = isById ? null : (wanted.name ?? '')
    return {
      errorCode: code,
      name,
      topicId,
      isInternal: name !== null && isInternalTopic(name),
      ...(describe.withOperations &&
        name !== null && { topicAuthorizedOperations: topicOperations }),
    }
  }
}

function topicAnswer(
  topic: TopicImage,
  { image, context, withOperations }: Describe,
): TopicResponse {
  return {
    name: topic.name,
    topicId: topic.topicId,
    isInternal: isInternalTopic(topic.name),
    partitions: topic.partitions.map((partition) => partitionAnswer(partition, image, context)),
    topicAuthorizedOperations: withOperations ? topicOperations : operationsOmitted,
  }
}

function partitionAnswer(
  { partition, leader, leaderEpoch, replicas, isr }: PartitionImage,
  image: ClusterImage,
  { apiVersion, session }: RequestContext,
): PartitionResponse {
  const broker = image.brokers.get(leader)
  const isReachable = broker !== undefined && endpointOf(broker, session.listenerName) !== null
  const error =
    broker !== undefined && apiVersion >= listenerErrorVersion
      ? 'LISTENER_NOT_FOUND'
      : 'LEADER_NOT_AVAILABLE'
  return {
    errorCode: isReachable ? 0 : errorCode(error),
    partitionIndex: partition,
    leaderId: isReachable ? leader : -1,
    leaderEpoch,
    replicaNodes: replicas,
    isrNodes: isr,
    offlineReplicas: replicas.filter((id) => !image.brokers.has(id)),
  }
}
