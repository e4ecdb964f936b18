/**
 * Heartbeat (12): keeps a member of a classic group alive, and tells it of rebalances.
 * v1 throttle time; v2 throttled after the reply (KIP-219); v3 static members (KIP-345); v4
 * flexible.
 */

import { api, int16, int32, type RequestOf, type ResponseOf, string } from '../schema.ts'

export const Heartbeat = api({
  key: 12,
  name: 'Heartbeat',
  versions: [0, 4],
  flexible: 4,
  request: {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string({ since: 3, nullableSince: 3, fallback: null }),
  },
  response: {
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    errorCode: int16(),
  },
})

export type HeartbeatRequest = RequestOf<typeof Heartbeat>
export type HeartbeatResponse = ResponseOf<typeof Heartbeat>
