/**
 * OffsetForLeaderEpoch (23), served v0-4: where an epoch ended, for a reader that checks whether its
 * position was cut off (KIP-101, KIP-320).
 * v1 the epoch in the answer; v2 currentLeaderEpoch; v3 replicaId; v4 flexible.
 * The current epoch ends at the log's end; an unknown one is answered with (-1, -1).
 * Yields per partition UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH.
 */

import { OffsetForLeaderEpoch } from '../../protocol/apis/offset-for-leader-epoch.ts'
import { eachPartition, handle, inSlices } from '../handler.ts'

export const offsetForLeaderEpoch = handle(OffsetForLeaderEpoch, async (broker, request) => {
  const topics = []
  for (const { topic, partitions } of request.topics) {
    const answers = await eachPartition(
      inSlices(partitions, broker.env),
      ({ partition, currentLeaderEpoch, leaderEpoch }) => {
        const replica = broker.replicas.partition(topic, partition)
        replica.checkLeader(currentLeaderEpoch)
        const end = replica.endOfEpoch(leaderEpoch) ?? { leaderEpoch: -1, endOffset: -1 }
        return { partition, ...end, errorCode: 0 }
      },
      ({ partition }, { code }) => ({ partition, errorCode: code, leaderEpoch: -1, endOffset: -1 }),
    )
    topics.push({ topic, partitions: answers })
  }
  return { topics }
})
