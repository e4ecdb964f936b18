/**
 * ExpireDelegationToken (40): changes when a delegation token ends (KIP-48).
 * v1 throttled after the reply (KIP-219); v2 flexible.
 */

import { api, bytes, int16, int32, int64, type RequestOf, type ResponseOf } from '../schema.ts'

export const ExpireDelegationToken = api({
  key: 40,
  name: 'ExpireDelegationToken',
  versions: [0, 2],
  flexible: 2,
  request: {
    hmac: bytes(),
    expiryTimePeriodMs: int64(),
  },
  response: {
    errorCode: int16(),
    expiryTimestampMs: int64(),
    throttleTimeMs: int32(),
  },
})

export type ExpireDelegationTokenRequest = RequestOf<typeof ExpireDelegationToken>
export type ExpireDelegationTokenResponse = ResponseOf<typeof ExpireDelegationToken>
