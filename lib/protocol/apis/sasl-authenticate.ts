/**
 * SaslAuthenticate (36): carries the bytes of a SASL mechanism after SaslHandshake v1 (KIP-152).
 * v1 lifetime of the session (KIP-368); v2 flexible.
 */

import { api, bytes, int16, int64, type RequestOf, type ResponseOf, string } from '../schema.ts'

export const SaslAuthenticate = api({
  key: 36,
  name: 'SaslAuthenticate',
  versions: [0, 2],
  flexible: 2,
  request: {
    authBytes: bytes(),
  },
  response: {
    errorCode: int16(),
    errorMessage: string({ nullableSince: 0 }),
    authBytes: bytes(),
    sessionLifetimeMs: int64({ since: 1, ignorable: true }),
  },
})

export type SaslAuthenticateRequest = RequestOf<typeof SaslAuthenticate>
export type SaslAuthenticateResponse = ResponseOf<typeof SaslAuthenticate>
