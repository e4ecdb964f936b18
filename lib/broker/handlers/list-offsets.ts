/**
 * ListOffsets (2), served v0-11: offsets by time, earliest, latest.
 * v0 a list of offsets; v1 one offset with its timestamp; v2 isolation level; v4 leader epochs;
 * v6 flexible; v7 -3 (largest timestamp); v8 -4 (local log start); v9 -5 (tiered); v10 timeoutMs;
 * v11 -6 (next to be tiered). Nothing is tiered here: -4 is the log start, -5 and -6 are -1.
 * Differs from Kafka: v0 answers at most one offset, by record instead of by segment.
 * Yields per partition UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH,
 * UNKNOWN_LEADER_EPOCH, OFFSET_NOT_AVAILABLE, UNSUPPORTED_VERSION for a special timestamp of a newer
 * version, INVALID_REQUEST for a partition that is asked for twice.
 */

import { KafkaError } from '../../base/errors.ts'
import { topicPartitionName } from '../../base/types.ts'
import { ListOffsets } from '../../protocol/apis/list-offsets.ts'
import type { FoundOffset, Partition } from '../../replication/partition.ts'
import { eachPartition, handle, inSlices } from '../handler.ts'

const readCommitted = 1
const none: FoundOffset = { offset: -1, timestamp: -1, leaderEpoch: -1 }

/** The version since which each special timestamp is understood. */
const specialSince: ReadonlyMap<number, number> = new Map([
  [-1, 0],
  [-2, 0],
  [-3, 7],
  [-4, 8],
  [-5, 9],
  [-6, 11],
])

export const listOffsets = handle(ListOffsets, async (broker, request, { apiVersion }) => {
  const isReadCommitted = request.isolationLevel === readCommitted
  const asked = new Map<string, number>()
  for (const { name, partitions } of request.topics) {
    for (const { partitionIndex } of partitions) {
      const key = topicPartitionName({ topic: name, partition: partitionIndex })
      asked.set(key, (asked.get(key) ?? 0) + 1)
    }
  }
  const answered = new Set<string>()
  const topics = []
  for (const { name, partitions } of request.topics) {
    const once = partitions.filter(({ partitionIndex }) => {
      const key = topicPartitionName({ topic: name, partition: partitionIndex })
      return !answered.has(key) && answered.add(key)
    })
    const answers = await eachPartition(
      inSlices(once, broker.env),
      async ({ partitionIndex, currentLeaderEpoch, timestamp }) => {
        const key = topicPartitionName({ topic: name, partition: partitionIndex })
        if ((asked.get(key) ?? 0) > 1) {
          throw new KafkaError('INVALID_REQUEST', `${key} is asked for more than once`)
        }
        checkTimestamp(timestamp, apiVersion)
        const partition = broker.replicas.partition(name, partitionIndex)
        partition.checkLeader(currentLeaderEpoch)
        const found = await find(partition, timestamp, isReadCommitted)
        return apiVersion === 0
          ? { partitionIndex, oldStyleOffsets: found.offset < 0 ? [] : [found.offset] }
          : { partitionIndex, ...found, leaderEpoch: apiVersion < 4 ? -1 : found.leaderEpoch }
      },
      ({ partitionIndex }, { code }) => ({ partitionIndex, errorCode: code }),
    )
    topics.push({ name, partitions: answers })
  }
  return { topics }
})

function checkTimestamp(timestamp: number, apiVersion: number): void {
  if (timestamp >= 0) return
  const since = specialSince.get(timestamp)
  if (since !== undefined && apiVersion >= since) return
  throw new KafkaError(
    'UNSUPPORTED_VERSION',
    `timestamp ${timestamp} is not understood by ListOffsets v${apiVersion}`,
  )
}

async function find(
  partition: Partition,
  timestamp: number,
  isReadCommitted: boolean,
): Promise<FoundOffset> {
  switch (timestamp) {
    case -1: {
      const offset = partition.latestOffset(isReadCommitted)
      return { offset, timestamp: -1, leaderEpoch: partition.leaderEpoch }
    }
    case -2:
    case -4: {
      const offset = partition.log.logStartOffset
      return { offset, timestamp: -1, leaderEpoch: partition.earliestEpoch }
    }
    case -3: {
      const endOffset = partition.latestOffset(isReadCommitted)
      return (await partition.log.maxTimestampOffset(endOffset)) ?? none
    }
    case -5:
    case -6:
      return none
    default: {
      const endOffset = partition.latestOffset(isReadCommitted)
      return (await partition.log.offsetForTimestamp(timestamp, endOffset)) ?? none
    }
  }
}
