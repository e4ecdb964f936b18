/**
 * OffsetFetch (9), served v0-10: the offsets that groups have committed.
 * v0 read ZooKeeper, here the same as v1; v2 null for all topics, and an error for the group as a whole; v5 leader
 * epochs; v6 flexible; v7 only offsets that no open transaction may change; v8 many groups; v9 members of the new
 * protocol; v10 topics by id.
 * An offset that was never committed is -1 without an error, and so is everything of a group that nobody knows.
 * Yields per partition UNSTABLE_OFFSET_COMMIT, UNKNOWN_TOPIC_ID; per group UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH,
 * NOT_COORDINATOR (also when the log takes too long), COORDINATOR_LOAD_IN_PROGRESS. Before v2 those of the group
 * stand in each partition.
 */

import { errorCode, KafkaError } from '../../base/errors.ts'
import {
  type FetchRequest,
  fetchOffsets,
  noOffset,
  type PartitionOffset,
} from '../../coordinator/group/offsets.ts'
import { OffsetFetch, type OffsetFetchRequest } from '../../protocol/apis/offset-fetch.ts'
import type { BrokerContext } from '../context.ts'
import { handle, kafkaErrorOf } from '../handler.ts'

const groupErrorVersion = 2
const groupsVersion = 8
const idsVersion = 10

type GroupRequest = OffsetFetchRequest['groups'][number]

interface GroupAnswer {
  readonly topics: readonly TopicAnswer[]
  readonly errorCode: number
}

interface TopicAnswer {
  readonly name: string
  readonly topicId?: string
  readonly partitions: readonly PartitionOffset[]
}

export const offsetFetch = handle(OffsetFetch, async (broker, request, { apiVersion }) => {
  const { requireStable } = request
  if (apiVersion >= groupsVersion) {
    const answers = await Promise.all(
      request.groups.map((group) =>
        apiVersion >= idsVersion
          ? fetchByIds(broker, group, requireStable)
          : fetchByNames(broker, { ...group, requireStable }),
      ),
    )
    return {
      groups: request.groups.map(({ groupId }, index) => ({ groupId, ...answers[index] })),
    }
  }
  const { groupId, topics } = request
  const whole = { groupId, topics, requireStable, memberId: null, memberEpoch: -1 }
  const answer = await fetchByNames(broker, whole)
  const hasGroupError = apiVersion >= groupErrorVersion
  if (hasGroupError || answer.errorCode === 0) return hasGroupError ? answer : onlyTopics(answer)
  return {
    topics: (topics ?? []).map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((index) => noOffset(index, answer.errorCode)),
    })),
  }
})

function onlyTopics({ topics }: GroupAnswer): Pick<GroupAnswer, 'topics'> {
  return { topics }
}

async function fetchByNames(broker: BrokerContext, request: FetchRequest): Promise<GroupAnswer> {
  try {
    const topics = await broker.groups.read(
      request.groupId,
      (shard) => fetchOffsets(shard, request),
      { mayBeEmpty: true },
    )
    return { topics, errorCode: 0 }
  } catch (error) {
    return { topics: [], errorCode: fetchErrorOf(error).code }
  }
}

/** Consumers before 3.9 know no COORDINATOR_NOT_AVAILABLE here; NOT_COORDINATOR makes them look again. */
function fetchErrorOf(error: unknown): KafkaError {
  const kafkaError = kafkaErrorOf(error)
  if (kafkaError.name !== 'COORDINATOR_NOT_AVAILABLE') return kafkaError
  return new KafkaError('NOT_COORDINATOR', kafkaError.message)
}

/** Asked for everything, topics without an id are left out: they were deleted. */
async function fetchByIds(
  broker: BrokerContext,
  group: GroupRequest,
  requireStable: boolean,
): Promise<GroupAnswer> {
  const { image } = broker.metadata
  const { groupId, memberId, memberEpoch } = group
  const wanted = group.topics?.map((topic) => ({
    ...topic,
    name: image.topicNames.get(topic.topicId) ?? null,
  }))
  const known = wanted?.flatMap(({ name, partitionIndexes }) =>
    name === null ? [] : [{ name, partitionIndexes }],
  )
  const request = { groupId, memberId, memberEpoch, topics: known ?? null, requireStable }
  const answer = await fetchByNames(broker, request)
  if (answer.errorCode !== 0) return answer
  if (wanted === undefined) {
    const topics = answer.topics.flatMap((topic) => {
      const topicId = image.topics.get(topic.name)?.topicId
      return topicId === undefined ? [] : [{ ...topic, topicId }]
    })
    return { ...answer, topics }
  }
  const found = answer.topics.values()
  const topics = wanted.map(({ name, topicId, partitionIndexes }): TopicAnswer => {
    const topic = name === null ? undefined : found.next().value
    const unknown = errorCode('UNKNOWN_TOPIC_ID')
    const partitions =
      topic?.partitions ?? partitionIndexes.map((index) => noOffset(index, unknown))
    return { name: name ?? '', topicId, partitions }
  })
  return { ...answer, topics }
}
