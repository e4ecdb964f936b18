/**
 * AddOffsetsToTxn (25): takes the offsets of a group into a transaction.
 * v1 throttled after the reply (KIP-219); v2 PRODUCER_FENCED (KIP-588); v3 flexible; v4
 * TRANSACTION_ABORTABLE (KIP-890).
 */

import { api, int16, int32, int64, type RequestOf, type ResponseOf, string } from '../schema.ts'

export const AddOffsetsToTxn = api({
  key: 25,
  name: 'AddOffsetsToTxn',
  versions: [0, 4],
  flexible: 3,
  request: {
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    groupId: string(),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
  },
})

export type AddOffsetsToTxnRequest = RequestOf<typeof AddOffsetsToTxn>
export type AddOffsetsToTxnResponse = ResponseOf<typeof AddOffsetsToTxn>
