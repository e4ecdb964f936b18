/** Facts about topics that several handlers need. */

import { KafkaError } from '../base/errors.ts'
import type { TopicId } from '../base/types.ts'
import { zeroUuid } from '../base/uuid.ts'
import type { ClusterImage } from '../metadata/image.ts'

/** The name of the topic with that id. UNKNOWN_TOPIC_ID. */
export function topicNameOfId(image: ClusterImage, topicId: TopicId): string {
  const found = image.topicNames.get(topicId)
  if (found !== undefined) return found
  throw new KafkaError('UNKNOWN_TOPIC_ID', `there is no topic with the id ${topicId}`)
}

/** The name of a topic that a request gives by name or, in newer versions, by id. UNKNOWN_TOPIC_ID. */
export function topicNameOf(image: ClusterImage, name: string, topicId: TopicId): string {
  return topicId === zeroUuid ? name : topicNameOfId(image, topicId)
}

/**
 * Bits of the operations on a resource, by Kafka's numbers of them, as Metadata and DescribeCluster
 * report them. Without an authorizer everybody may do everything.
 */
const operation = {
  read: 1 << 3,
  write: 1 << 4,
  create: 1 << 5,
  delete: 1 << 6,
  alter: 1 << 7,
  describe: 1 << 8,
  clusterAction: 1 << 9,
  describeConfigs: 1 << 10,
  alterConfigs: 1 << 11,
  idempotentWrite: 1 << 12,
} as const

export const topicOperations =
  operation.read |
  operation.write |
  operation.create |
  operation.delete |
  operation.alter |
  operation.describe |
  operation.describeConfigs |
  operation.alterConfigs

export const clusterOperations =
  operation.create |
  operation.alter |
  operation.describe |
  operation.clusterAction |
  operation.describeConfigs |
  operation.alterConfigs |
  operation.idempotentWrite

export const groupOperations =
  operation.read |
  operation.delete |
  operation.describe |
  operation.describeConfigs |
  operation.alterConfigs

/** "Not asked for." */
export const operationsOmitted = -0x8000_0000
