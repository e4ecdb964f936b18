/**
 * SaslHandshake (17): chooses the SASL mechanism of a connection. Never flexible.
 * After v0 the mechanism's own bytes follow without frames of Kafka; after v1 they travel in
 * SaslAuthenticate (KIP-152).
 */

import { api, array, int16, type RequestOf, type ResponseOf, string } from '../schema.ts'

export const SaslHandshake = api({
  key: 17,
  name: 'SaslHandshake',
  versions: [0, 1],
  flexible: null,
  request: {
    mechanism: string(),
  },
  response: {
    errorCode: int16(),
    mechanisms: array(string()),
  },
})

export type SaslHandshakeRequest = RequestOf<typeof SaslHandshake>
export type SaslHandshakeResponse = ResponseOf<typeof SaslHandshake>
