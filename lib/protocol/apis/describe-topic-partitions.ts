/**
 * DescribeTopicPartitions (75): tells partitions of topics page by page, eligible leaders included
 * (KIP-966). Flexible from v0.
 */

import {
  api,
  array,
  bool,
  int16,
  int32,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
  uuid,
} from '../schema.ts'

export const DescribeTopicPartitions = api({
  key: 75,
  name: 'DescribeTopicPartitions',
  versions: [0, 0],
  flexible: 0,
  request: {
    topics: array(struct({ name: string() })),
    responsePartitionLimit: int32({ fallback: 2000 }),
    cursor: struct(
      { topicName: string(), partitionIndex: int32() },
      { nullableSince: 0, fallback: null },
    ),
  },
  response: {
    throttleTimeMs: int32({ ignorable: true }),
    topics: array(
      struct({
        errorCode: int16(),
        name: string({ nullableSince: 0 }),
        topicId: uuid({ ignorable: true }),
        isInternal: bool({ ignorable: true }),
        partitions: array(
          struct({
            errorCode: int16(),
            partitionIndex: int32(),
            leaderId: int32(),
            leaderEpoch: int32({ fallback: -1, ignorable: true }),
            replicaNodes: array(int32()),
            isrNodes: array(int32()),
            eligibleLeaderReplicas: array(int32(), { nullableSince: 0, fallback: null }),
            lastKnownElr: array(int32(), { nullableSince: 0, fallback: null }),
            offlineReplicas: array(int32(), { ignorable: true }),
          }),
        ),
        topicAuthorizedOperations: int32({ fallback: -2147483648 }),
      }),
    ),
    nextCursor: struct(
      { topicName: string(), partitionIndex: int32() },
      { nullableSince: 0, fallback: null },
    ),
  },
})

export type DescribeTopicPartitionsRequest = RequestOf<typeof DescribeTopicPartitions>
export type DescribeTopicPartitionsResponse = ResponseOf<typeof DescribeTopicPartitions>
