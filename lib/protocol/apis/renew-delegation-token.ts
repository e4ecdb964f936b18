/**
 * RenewDelegationToken (39): prolongs a delegation token (KIP-48).
 * v1 throttled after the reply (KIP-219); v2 flexible.
 */

import { api, bytes, int16, int32, int64, type RequestOf, type ResponseOf } from '../schema.ts'

export const RenewDelegationToken = api({
  key: 39,
  name: 'RenewDelegationToken',
  versions: [0, 2],
  flexible: 2,
  request: {
    hmac: bytes(),
    renewPeriodMs: int64(),
  },
  response: {
    errorCode: int16(),
    expiryTimestampMs: int64(),
    throttleTimeMs: int32(),
  },
})

export type RenewDelegationTokenRequest = RequestOf<typeof RenewDelegationToken>
export type RenewDelegationTokenResponse = ResponseOf<typeof RenewDelegationToken>
