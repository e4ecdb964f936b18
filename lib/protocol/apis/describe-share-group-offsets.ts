/**
 * DescribeShareGroupOffsets (90): tells where share groups begin to read (KIP-932). Flexible from
 * v0.
 * v1 lag (KIP-1226).
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
  uuid,
} from '../schema.ts'

export const DescribeShareGroupOffsets = api({
  key: 90,
  name: 'DescribeShareGroupOffsets',
  versions: [0, 1],
  flexible: 0,
  request: {
    groups: array(
      struct({
        groupId: string(),
        topics: array(struct({ topicName: string(), partitions: array(int32()) }), {
          nullableSince: 0,
        }),
      }),
    ),
  },
  response: {
    throttleTimeMs: int32(),
    groups: array(
      struct({
        groupId: string(),
        topics: array(
          struct({
            topicName: string(),
            topicId: uuid(),
            partitions: array(
              struct({
                partitionIndex: int32(),
                startOffset: int64(),
                leaderEpoch: int32(),
                lag: int64({ since: 1, fallback: -1, ignorable: true }),
                errorCode: int16(),
                errorMessage: string({ nullableSince: 0, fallback: null }),
              }),
            ),
          }),
        ),
        errorCode: int16(),
        errorMessage: string({ nullableSince: 0, fallback: null }),
      }),
    ),
  },
})

export type DescribeShareGroupOffsetsRequest = RequestOf<typeof DescribeShareGroupOffsets>
export type DescribeShareGroupOffsetsResponse = ResponseOf<typeof DescribeShareGroupOffsets>
