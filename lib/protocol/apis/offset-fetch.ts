/**
 * OffsetFetch (9): reads the offsets that groups have committed.
 * v0 read them from ZooKeeper; v1 from the group coordinator; v2 null for all topics, an error for
 * the whole answer; v3 throttle time; v4 throttled after the reply (KIP-219); v5 leader epoch
 * (KIP-320); v6 flexible; v7 only offsets that no open transaction may change (KIP-447); v8 many
 * groups (KIP-709); v9 member epochs (KIP-848); v10 topic ids (KIP-516).
 */

import {
  api,
  array,
  bool,
  int16,
  int32,
  int64,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
  uuid,
} from '../schema.ts'

export const OffsetFetch = api({
  key: 9,
  name: 'OffsetFetch',
  versions: [0, 10],
  flexible: 6,
  request: {
    groupId: string({ until: 7 }),
    topics: array(struct({ name: string(), partitionIndexes: array(int32()) }), {
      until: 7,
      nullableSince: 2,
    }),
    groups: array(
      struct({
        groupId: string(),
        memberId: string({ since: 9, nullableSince: 9, fallback: null, ignorable: true }),
        memberEpoch: int32({ since: 9, fallback: -1, ignorable: true }),
        topics: array(
          struct({
            name: string({ until: 9, ignorable: true }),
            topicId: uuid({ since: 10, ignorable: true }),
            partitionIndexes: array(int32()),
          }),
          { nullableSince: 0 },
        ),
      }),
      { since: 8 },
    ),
    requireStable: bool({ since: 7 }),
  },
  response: {
    throttleTimeMs: int32({ since: 3, ignorable: true }),
    topics: array(
      struct({
        name: string(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            committedOffset: int64(),
            committedLeaderEpoch: int32({ since: 5, fallback: -1, ignorable: true }),
            metadata: string({ nullableSince: 0 }),
            errorCode: int16(),
          }),
        ),
      }),
      { until: 7 },
    ),
    errorCode: int16({ since: 2, until: 7, ignorable: true }),
    groups: array(
      struct({
        groupId: string(),
        topics: array(
          struct({
            name: string({ until: 9, ignorable: true }),
            topicId: uuid({ since: 10, ignorable: true }),
            partitions: array(
              struct({
                partitionIndex: int32(),
                committedOffset: int64(),
                committedLeaderEpoch: int32({ fallback: -1, ignorable: true }),
                metadata: string({ nullableSince: 0 }),
                errorCode: int16(),
              }),
            ),
          }),
        ),
        errorCode: int16(),
      }),
      { since: 8 },
    ),
  },
})

export type OffsetFetchRequest = RequestOf<typeof OffsetFetch>
export type OffsetFetchResponse = ResponseOf<typeof OffsetFetch>
