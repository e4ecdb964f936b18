/**
 * ShareFetch (78): acquires records for a member of a share group, and acknowledges earlier ones
 * (KIP-932).
 * Flexible. v0 was an early access version and is gone; v1 limits by records, lock time-out; v2
 * acquire mode (KIP-1206), renewal of locks (KIP-1222).
 */

import {
  api,
  array,
  bool,
  int8,
  int16,
  int32,
  int64,
  type RequestOf,
  type ResponseOf,
  records,
  string,
  struct,
  uuid,
} from '../schema.ts'

export const ShareFetch = api({
  key: 78,
  name: 'ShareFetch',
  versions: [1, 2],
  flexible: 1,
  request: {
    groupId: string({ nullableSince: 0, fallback: null }),
    memberId: string({ nullableSince: 0 }),
    shareSessionEpoch: int32(),
    maxWaitMs: int32(),
    minBytes: int32(),
    maxBytes: int32({ fallback: 0x7fffffff }),
    maxRecords: int32(),
    batchSize: int32(),
    shareAcquireMode: int8({ since: 2, ignorable: true }),
    isRenewAck: bool({ since: 2 }),
    topics: array(
      struct({
        topicId: uuid(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            acknowledgementBatches: array(
              struct({
                firstOffset: int64(),
                lastOffset: int64(),
                acknowledgeTypes: array(int8()),
              }),
            ),
          }),
        ),
      }),
    ),
    forgottenTopicsData: array(struct({ topicId: uuid(), partitions: array(int32()) })),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullableSince: 0, fallback: null }),
    acquisitionLockTimeoutMs: int32(),
    responses: array(
      struct({
        topicId: uuid(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            errorCode: int16(),
            errorMessage: string({ nullableSince: 0, fallback: null }),
            acknowledgeErrorCode: int16(),
            acknowledgeErrorMessage: string({ nullableSince: 0, fallback: null }),
            currentLeader: struct({ leaderId: int32(), leaderEpoch: int32() }),
            records: records(),
            acquiredRecords: array(
              struct({ firstOffset: int64(), lastOffset: int64(), deliveryCount: int16() }),
            ),
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
    ),
  },
})

export type ShareFetchRequest = RequestOf<typeof ShareFetch>
export type ShareFetchResponse = ResponseOf<typeof ShareFetch>
