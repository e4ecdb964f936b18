/**
 * InitProducerId (22): gives an idempotent or transactional producer its id and epoch.
 * v1 throttled after the reply (KIP-219); v2 flexible; v3 a producer may name the id it has, to
 * raise its epoch (KIP-360); v4 PRODUCER_FENCED (KIP-588); v5 TRANSACTION_ABORTABLE (KIP-890). v6
 * is not stable in Kafka 4.3.
 */

import { api, int16, int32, int64, type RequestOf, type ResponseOf, string } from '../schema.ts'

export const InitProducerId = api({
  key: 22,
  name: 'InitProducerId',
  versions: [0, 5],
  flexible: 2,
  request: {
    transactionalId: string({ nullableSince: 0 }),
    transactionTimeoutMs: int32(),
    producerId: int64({ since: 3, fallback: -1 }),
    producerEpoch: int16({ since: 3, fallback: -1 }),
  },
  response: {
    throttleTimeMs: int32({ ignorable: true }),
    errorCode: int16(),
    producerId: int64({ fallback: -1 }),
    producerEpoch: int16(),
  },
})

export type InitProducerIdRequest = RequestOf<typeof InitProducerId>
export type InitProducerIdResponse = ResponseOf<typeof InitProducerId>
