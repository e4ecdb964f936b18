/**
 * PushTelemetry (72): pushes metrics of a client (KIP-714). Flexible from v0.
 */

import {
  api,
  bool,
  bytes,
  int8,
  int16,
  int32,
  type RequestOf,
  type ResponseOf,
  uuid,
} from '../schema.ts'

export const PushTelemetry = api({
  key: 72,
  name: 'PushTelemetry',
  versions: [0, 0],
  flexible: 0,
  request: {
    clientInstanceId: uuid(),
    subscriptionId: int32(),
    terminating: bool(),
    compressionType: int8(),
    metrics: bytes(),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
  },
})

export type PushTelemetryRequest = RequestOf<typeof PushTelemetry>
export type PushTelemetryResponse = ResponseOf<typeof PushTelemetry>
