/**
 * DeleteRecords (21), served v0-2: forgets the records before an offset; the segments go later.
 * v2 flexible. Offset -1 = all that consumers see.
 * Yields per partition UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, OFFSET_OUT_OF_RANGE,
 * POLICY_VIOLATION unless cleanup.policy has `delete`, INVALID_TOPIC_EXCEPTION for internal topics.
 */

import { KafkaError } from '../../base/errors.ts'
import { isInternalTopic } from '../../controller/topic-names.ts'
import { DeleteRecords } from '../../protocol/apis/delete-records.ts'
import { eachPartition, handle, inSlices } from '../handler.ts'

export const deleteRecords = handle(DeleteRecords, async (broker, request) => {
  const topics = []
  for (const { name, partitions } of request.topics) {
    const answers = await eachPartition(
      inSlices(partitions, broker.env),
      async ({ partitionIndex, offset }) => {
        const partition = broker.replicas.partition(name, partitionIndex)
        if (isInternalTopic(name)) {
          throw new KafkaError('INVALID_TOPIC_EXCEPTION', `${name} is internal`)
        }
        return { partitionIndex, lowWatermark: await partition.deleteRecords(offset), errorCode: 0 }
      },
      ({ partitionIndex }, { code }) => ({ partitionIndex, lowWatermark: -1, errorCode: code }),
    )
    topics.push({ name, partitions: answers })
  }
  return { topics }
})
