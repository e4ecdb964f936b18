/**
 * EndTxn (26): commits or aborts a transaction.
 * v1 throttled after the reply (KIP-219); v2 PRODUCER_FENCED (KIP-588); v3 flexible; v4
 * TRANSACTION_ABORTABLE; v5 tells the raised epoch of the producer (KIP-890).
 */

import {
  api,
  bool,
  int16,
  int32,
  int64,
  type RequestOf,
  type ResponseOf,
  string,
} from '../schema.ts'

export const EndTxn = api({
  key: 26,
  name: 'EndTxn',
  versions: [0, 5],
  flexible: 3,
  request: {
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    committed: bool(),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    producerId: int64({ since: 5, fallback: -1, ignorable: true }),
    producerEpoch: int16({ since: 5, fallback: -1, ignorable: true }),
  },
})

export type EndTxnRequest = RequestOf<typeof EndTxn>
export type EndTxnResponse = ResponseOf<typeof EndTxn>
