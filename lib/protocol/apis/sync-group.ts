/**
 * SyncGroup (14): hands out the assignment that the leader of a classic group made.
 * v1 throttle time; v2 throttled after the reply (KIP-219); v3 static members (KIP-345); v4
 * flexible; v5 protocol type and name, checked by the coordinator (KIP-559).
 */

import {
  api,
  array,
  bytes,
  int16,
  int32,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
} from '../schema.ts'

export const SyncGroup = api({
  key: 14,
  name: 'SyncGroup',
  versions: [0, 5],
  flexible: 4,
  request: {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string({ since: 3, nullableSince: 3, fallback: null }),
    protocolType: string({ since: 5, nullableSince: 5, fallback: null, ignorable: true }),
    protocolName: string({ since: 5, nullableSince: 5, fallback: null, ignorable: true }),
    assignments: array(struct({ memberId: string(), assignment: bytes() })),
  },
  response: {
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    errorCode: int16(),
    protocolType: string({ since: 5, nullableSince: 5, fallback: null, ignorable: true }),
    protocolName: string({ since: 5, nullableSince: 5, fallback: null, ignorable: true }),
    assignment: bytes(),
  },
})

export type SyncGroupRequest = RequestOf<typeof SyncGroup>
export type SyncGroupResponse = ResponseOf<typeof SyncGroup>
