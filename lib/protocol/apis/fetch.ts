/**
 * Fetch (1): reads batches from partitions, waiting for enough of them; followers replicate with
 * it too.
 * v1 throttle time; v2 format 1; v3 a limit for the whole answer (KIP-74); v4 format 2 and
 * isolation (KIP-98); v5 log start offset (KIP-107); v6 KAFKA_STORAGE_ERROR; v7 sessions
 * (KIP-227); v8 throttled after the reply (KIP-219); v9 leader epochs (KIP-320); v10 zstd
 * (KIP-110); v11 reading from the closest replica (KIP-392); v12 flexible, diverging epochs; v13
 * topic ids instead of names (KIP-516); v14 tiered storage (KIP-405); v15 replica state (KIP-903);
 * v16 names the new leader (KIP-951); v17 directory ids (KIP-853); v18 the high watermark a
 * follower knows (KIP-1166).
 */

import {
  api,
  array,
  int8,
  int16,
  int32,
  int64,
  int64Max,
  type RequestOf,
  type ResponseOf,
  records,
  string,
  struct,
  uuid,
} from '../schema.ts'

export const Fetch = api({
  key: 1,
  name: 'Fetch',
  versions: [0, 18],
  flexible: 12,
  request: {
    clusterId: string({ since: 12, tag: 0, nullableSince: 12, fallback: null, ignorable: true }),
    replicaId: int32({ until: 14, fallback: -1 }),
    replicaState: struct(
      { replicaId: int32({ fallback: -1 }), replicaEpoch: int64({ fallback: -1 }) },
      { since: 15, tag: 1 },
    ),
    maxWaitMs: int32(),
    minBytes: int32(),
    maxBytes: int32({ since: 3, fallback: 0x7fffffff, ignorable: true }),
    isolationLevel: int8({ since: 4, ignorable: true }),
    sessionId: int32({ since: 7, ignorable: true }),
    sessionEpoch: int32({ since: 7, fallback: -1, ignorable: true }),
    topics: array(
      struct({
        topic: string({ until: 12, ignorable: true }),
        topicId: uuid({ since: 13, ignorable: true }),
        partitions: array(
          struct({
            partition: int32(),
            currentLeaderEpoch: int32({ since: 9, fallback: -1, ignorable: true }),
            fetchOffset: int64(),
            lastFetchedEpoch: int32({ since: 12, fallback: -1 }),
            logStartOffset: int64({ since: 5, fallback: -1, ignorable: true }),
            partitionMaxBytes: int32(),
            replicaDirectoryId: uuid({ since: 17, tag: 0, ignorable: true }),
            highWatermark: int64({ since: 18, tag: 1, fallback: int64Max, ignorable: true }),
          }),
        ),
      }),
    ),
    forgottenTopicsData: array(
      struct({
        topic: string({ until: 12, ignorable: true }),
        topicId: uuid({ since: 13, ignorable: true }),
        partitions: array(int32()),
      }),
      { since: 7 },
    ),
    rackId: string({ since: 11, ignorable: true }),
  },
  response: {
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    errorCode: int16({ since: 7, ignorable: true }),
    sessionId: int32({ since: 7 }),
    responses: array(
      struct({
        topic: string({ until: 12, ignorable: true }),
        topicId: uuid({ since: 13, ignorable: true }),
        partitions: array(
          struct({
            partitionIndex: int32(),
            errorCode: int16(),
            highWatermark: int64(),
            lastStableOffset: int64({ since: 4, fallback: -1, ignorable: true }),
            logStartOffset: int64({ since: 5, fallback: -1, ignorable: true }),
            divergingEpoch: struct(
              { epoch: int32({ fallback: -1 }), endOffset: int64({ fallback: -1 }) },
              { since: 12, tag: 0 },
            ),
            currentLeader: struct(
              { leaderId: int32({ fallback: -1 }), leaderEpoch: int32({ fallback: -1 }) },
              { since: 12, tag: 1 },
            ),
            snapshotId: struct(
              { endOffset: int64({ fallback: -1 }), epoch: int32({ fallback: -1 }) },
              { since: 12, tag: 2 },
            ),
            abortedTransactions: array(struct({ producerId: int64(), firstOffset: int64() }), {
              since: 4,
              nullableSince: 4,
              ignorable: true,
            }),
            preferredReadReplica: int32({ since: 11, fallback: -1 }),
            records: records({ nullableSince: 0 }),
          }),
        ),
      }),
    ),
    nodeEndpoints: array(
      struct({
        nodeId: int32(),
        host: string(),
        port: int32(),
        rack: string({ nullableSince: 0, fallback: null }),
      }),
      { since: 16, tag: 0 },
    ),
  },
})

export type FetchRequest = RequestOf<typeof Fetch>
export type FetchResponse = ResponseOf<typeof Fetch>
