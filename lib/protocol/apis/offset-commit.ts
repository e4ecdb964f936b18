/**
 * OffsetCommit (8): stores the offsets that a group has consumed to.
 * v1 generation and member, time of commit; v2 retention instead of that time; v3 throttle time;
 * v4 throttled after the reply (KIP-219); v5 no retention (KIP-211); v6 leader epoch (KIP-320); v7
 * static members (KIP-345); v8 flexible; v9 member epochs of the new protocol (KIP-848); v10 topic
 * ids instead of names (KIP-848, KIP-516).
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

export const OffsetCommit = api({
  key: 8,
  name: 'OffsetCommit',
  versions: [0, 10],
  flexible: 8,
  request: {
    groupId: string(),
    generationIdOrMemberEpoch: int32({ since: 1, fallback: -1, ignorable: true }),
    memberId: string({ since: 1, ignorable: true }),
    groupInstanceId: string({ since: 7, nullableSince: 7, fallback: null }),
    retentionTimeMs: int64({ since: 2, until: 4, fallback: -1, ignorable: true }),
    topics: array(
      struct({
        name: string({ until: 9, ignorable: true }),
        topicId: uuid({ since: 10, ignorable: true }),
        partitions: array(
          struct({
            partitionIndex: int32(),
            committedOffset: int64(),
            committedLeaderEpoch: int32({ since: 6, fallback: -1, ignorable: true }),
            commitTimestamp: int64({ since: 1, until: 1, fallback: -1 }),
            committedMetadata: string({ nullableSince: 0 }),
          }),
        ),
      }),
    ),
  },
  response: {
    throttleTimeMs: int32({ since: 3, ignorable: true }),
    topics: array(
      struct({
        name: string({ until: 9, ignorable: true }),
        topicId: uuid({ since: 10, ignorable: true }),
        partitions: array(struct({ partitionIndex: int32(), errorCode: int16() })),
      }),
    ),
  },
})

export type OffsetCommitRequest = RequestOf<typeof OffsetCommit>
export type OffsetCommitResponse = ResponseOf<typeof OffsetCommit>
