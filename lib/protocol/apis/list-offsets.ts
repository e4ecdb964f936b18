/**
 * ListOffsets (2): finds the offset of a time, or the first, the last, the one with the largest
 * timestamp.
 * v1 one offset and its timestamp instead of a list (KIP-79); v2 isolation, throttle time
 * (KIP-98); v3 throttled after the reply (KIP-219); v4 leader epochs (KIP-320); v5
 * OFFSET_NOT_AVAILABLE (KIP-207); v6 flexible; v7 time -3, largest timestamp (KIP-734); v8 -4,
 * first local offset (KIP-405); v9 -5, last tiered offset (KIP-1005); v10 a time-out for remote
 * lookups (KIP-1075); v11 -6, first offset still to be tiered (KIP-1023).
 */

import {
  api,
  array,
  int8,
  int16,
  int32,
  int64,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
} from '../schema.ts'

export const ListOffsets = api({
  key: 2,
  name: 'ListOffsets',
  versions: [0, 11],
  flexible: 6,
  request: {
    replicaId: int32(),
    isolationLevel: int8({ since: 2 }),
    topics: array(
      struct({
        name: string(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            currentLeaderEpoch: int32({ since: 4, fallback: -1, ignorable: true }),
            timestamp: int64(),
            maxNumOffsets: int32({ until: 0, fallback: 1 }),
          }),
        ),
      }),
    ),
    timeoutMs: int32({ since: 10, ignorable: true }),
  },
  response: {
    throttleTimeMs: int32({ since: 2, ignorable: true }),
    topics: array(
      struct({
        name: string(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            errorCode: int16(),
            oldStyleOffsets: array(int64(), { until: 0 }),
            timestamp: int64({ since: 1, fallback: -1 }),
            offset: int64({ since: 1, fallback: -1 }),
            leaderEpoch: int32({ since: 4, fallback: -1 }),
          }),
        ),
      }),
    ),
  },
})

export type ListOffsetsRequest = RequestOf<typeof ListOffsets>
export type ListOffsetsResponse = ResponseOf<typeof ListOffsets>
