/**
 * OffsetCommit (8), served v0-10: stores the offsets that a group has consumed to.
 * v0 stored them in ZooKeeper, here they go where all others go; v1 generation and member, each offset with
 * its time; v2 to v4 how long they are kept; v6 leader epochs; v7 static members; v8 flexible; v9 members of
 * the new protocol; v10 topics by id.
 * Yields per partition UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, OFFSET_METADATA_TOO_LARGE; for all of them
 * what concerns the group: UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID,
 * STALE_MEMBER_EPOCH, GROUP_ID_NOT_FOUND, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS,
 * COORDINATOR_NOT_AVAILABLE.
 */

import { errorCode } from '../../base/errors.ts'
import { commitOffsets, type PartitionErrors } from '../../coordinator/group/offsets.ts'
import { OffsetCommit, type OffsetCommitRequest } from '../../protocol/apis/offset-commit.ts'
import type { BrokerContext } from '../context.ts'
import { handle, kafkaErrorOf } from '../handler.ts'

type TopicCommit = OffsetCommitRequest['topics'][number]

/** A topic of the request with those of its partitions that exist. */
interface KnownTopic extends TopicCommit {
  readonly error: number
}

const idsVersion = 10

export const offsetCommit = handle(OffsetCommit, async (broker, request, { apiVersion }) => {
  const { topics: images, topicNames } = broker.metadata.image
  const isById = apiVersion >= idsVersion
  const unknown = errorCode(isById ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION')
  const topics = request.topics.map((topic): KnownTopic => {
    const name = isById ? topicNames.get(topic.topicId) : topic.name
    const image = name === undefined ? undefined : images.get(name)
    if (image === undefined) return { ...topic, partitions: [], error: unknown }
    const { length } = image.partitions
    const partitions = topic.partitions.filter(
      ({ partitionIndex }) => partitionIndex >= 0 && partitionIndex < length,
    )
    const error = errorCode('UNKNOWN_TOPIC_OR_PARTITION')
    return { ...topic, name: image.name, topicId: image.topicId, partitions, error }
  })
  const answerOf = await commit(broker, { ...request, topics }, apiVersion)
  return {
    topics: request.topics.map(({ name, topicId, partitions }, index) => ({
      ...(isById ? { topicId } : { name }),
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: answerOf(index, partitionIndex) ?? topics[index]?.error ?? unknown,
      })),
    })),
  }
})

/** The error code of a partition that was committed, by topic and number; undefined for others. */
async function commit(
  broker: BrokerContext,
  request: OffsetCommitRequest,
  apiVersion: number,
): Promise<(topicIndex: number, partition: number) => number | undefined> {
  const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch } = request
  const { retentionTimeMs, topics } = request
  if (topics.every(({ partitions }) => partitions.length === 0)) return () => undefined
  const committer = { memberId, groupInstanceId, generationIdOrMemberEpoch, apiVersion }
  try {
    const committed = await broker.groups.write(
      groupId,
      (shard) => commitOffsets(shard, { groupId, committer, retentionTimeMs, topics }),
      { mayBeEmpty: true },
    )
    const codes = committed.map(codesOf)
    return (topicIndex, partition) => codes[topicIndex]?.get(partition)
  } catch (error) {
    const { code } = kafkaErrorOf(error)
    const known = topics.map(({ partitions }) => new Set(partitions.map((p) => p.partitionIndex)))
    return (topicIndex, partition) => (known[topicIndex]?.has(partition) ? code : undefined)
  }
}

function codesOf({ partitions }: PartitionErrors[number]): Map<number, number> {
  return new Map(partitions.map(({ partitionIndex, errorCode: code }) => [partitionIndex, code]))
}
