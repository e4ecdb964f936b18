/**
 * Produce (0): appends record batches to partitions, as their leader.
 * v1 throttle time; v2 log append time, timestamps in records (KIP-32); v3 transactional id,
 * batches of format 2 (KIP-98); v4 KAFKA_STORAGE_ERROR; v5 log start offset; v6 throttled after
 * the reply (KIP-219); v7 zstd (KIP-110); v8 which records were refused, and why (KIP-467); v9
 * flexible; v10 names the new leader (KIP-951); v11 TRANSACTION_ABORTABLE, v12 joins the
 * transaction by itself (KIP-890); v13 topic ids instead of names (KIP-516).
 */

import {
  api,
  array,
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

export const Produce = api({
  key: 0,
  name: 'Produce',
  versions: [0, 13],
  flexible: 9,
  request: {
    transactionalId: string({ since: 3, nullableSince: 3, fallback: null }),
    acks: int16(),
    timeoutMs: int32(),
    topicData: array(
      struct({
        name: string({ until: 12, ignorable: true }),
        topicId: uuid({ since: 13, ignorable: true }),
        partitionData: array(struct({ index: int32(), records: records({ nullableSince: 0 }) })),
      }),
    ),
  },
  response: {
    responses: array(
      struct({
        name: string({ until: 12, ignorable: true }),
        topicId: uuid({ since: 13, ignorable: true }),
        partitionResponses: array(
          struct({
            index: int32(),
            errorCode: int16(),
            baseOffset: int64(),
            logAppendTimeMs: int64({ since: 2, fallback: -1, ignorable: true }),
            logStartOffset: int64({ since: 5, fallback: -1, ignorable: true }),
            recordErrors: array(
              struct({
                batchIndex: int32(),
                batchIndexErrorMessage: string({ nullableSince: 0, fallback: null }),
              }),
              { since: 8, ignorable: true },
            ),
            errorMessage: string({ since: 8, nullableSince: 8, fallback: null, ignorable: true }),
            currentLeader: struct(
              { leaderId: int32({ fallback: -1 }), leaderEpoch: int32({ fallback: -1 }) },
              { since: 10, tag: 0 },
            ),
          }),
        ),
      }),
    ),
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    nodeEndpoints: array(
      struct({
        nodeId: int32(),
        host: string(),
        port: int32(),
        rack: string({ nullableSince: 0, fallback: null }),
      }),
      { since: 10, tag: 0 },
    ),
  },
})

export type ProduceRequest = RequestOf<typeof Produce>
export type ProduceResponse = ResponseOf<typeof Produce>
