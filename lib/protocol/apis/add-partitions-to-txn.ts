/**
 * AddPartitionsToTxn (24): takes partitions into a transaction.
 * v1 throttled after the reply (KIP-219); v2 PRODUCER_FENCED (KIP-588); v3 flexible; v4 many
 * transactions, between brokers only, also to verify; v5 TRANSACTION_ABORTABLE (KIP-890).
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
} from '../schema.ts'

const addPartitionsToTxnTopic = { name: string(), partitions: array(int32()) }

const addPartitionsToTxnPartitionResult = { partitionIndex: int32(), partitionErrorCode: int16() }

const addPartitionsToTxnTopicResult = {
  name: string(),
  resultsByPartition: array(struct(addPartitionsToTxnPartitionResult)),
}

export const AddPartitionsToTxn = api({
  key: 24,
  name: 'AddPartitionsToTxn',
  versions: [0, 5],
  flexible: 3,
  request: {
    transactions: array(
      struct({
        transactionalId: string(),
        producerId: int64(),
        producerEpoch: int16(),
        verifyOnly: bool(),
        topics: array(struct(addPartitionsToTxnTopic)),
      }),
      { since: 4 },
    ),
    v3AndBelowTransactionalId: string({ until: 3 }),
    v3AndBelowProducerId: int64({ until: 3 }),
    v3AndBelowProducerEpoch: int16({ until: 3 }),
    v3AndBelowTopics: array(struct(addPartitionsToTxnTopic), { until: 3 }),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16({ since: 4, ignorable: true }),
    resultsByTransaction: array(
      struct({
        transactionalId: string(),
        topicResults: array(struct(addPartitionsToTxnTopicResult)),
      }),
      { since: 4 },
    ),
    resultsByTopicV3AndBelow: array(struct(addPartitionsToTxnTopicResult), { until: 3 }),
  },
})

export type AddPartitionsToTxnRequest = RequestOf<typeof AddPartitionsToTxn>
export type AddPartitionsToTxnResponse = ResponseOf<typeof AddPartitionsToTxn>
