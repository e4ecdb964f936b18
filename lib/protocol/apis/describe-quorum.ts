/**
 * DescribeQuorum (55): tells leader, voters and observers of the metadata quorum (KIP-595).
 * Flexible from v0.
 * v1 when a replica last fetched and was level (KIP-836); v2 error messages, directory ids,
 * addresses of nodes (KIP-853).
 */

import {
  api,
  array,
  int16,
  int32,
  int64,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
  uint16,
  uuid,
} from '../schema.ts'

const replicaState = {
  replicaId: int32(),
  replicaDirectoryId: uuid({ since: 2 }),
  logEndOffset: int64(),
  lastFetchTimestamp: int64({ since: 1, fallback: -1, ignorable: true }),
  lastCaughtUpTimestamp: int64({ since: 1, fallback: -1, ignorable: true }),
}

export const DescribeQuorum = api({
  key: 55,
  name: 'DescribeQuorum',
  versions: [0, 2],
  flexible: 0,
  request: {
    topics: array(
      struct({ topicName: string(), partitions: array(struct({ partitionIndex: int32() })) }),
    ),
  },
  response: {
    errorCode: int16(),
    errorMessage: string({ since: 2, nullableSince: 2, ignorable: true }),
    topics: array(
      struct({
        topicName: string(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            errorCode: int16(),
            errorMessage: string({ since: 2, nullableSince: 2, ignorable: true }),
            leaderId: int32(),
            leaderEpoch: int32(),
            highWatermark: int64(),
            currentVoters: array(struct(replicaState)),
            observers: array(struct(replicaState)),
          }),
        ),
      }),
    ),
    nodes: array(
      struct({
        nodeId: int32(),
        listeners: array(struct({ name: string(), host: string(), port: uint16() })),
      }),
      { since: 2 },
    ),
  },
})

export type DescribeQuorumRequest = RequestOf<typeof DescribeQuorum>
export type DescribeQuorumResponse = ResponseOf<typeof DescribeQuorum>
