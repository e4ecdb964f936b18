/**
 * JoinGroup (11): makes a client a member of a classic group, and starts a rebalance.
 * v1 rebalance time-out (KIP-62); v2 throttle time; v3 throttled after the reply (KIP-219); v4 a
 * new member first gets its id and joins again with it (KIP-394); v5 static members (KIP-345); v6
 * flexible; v7 protocol type in the answer (KIP-559); v8 a reason (KIP-800); v9 the leader may be
 * told to skip the assignment (KIP-814).
 */

import {
  api,
  array,
  bool,
  bytes,
  int16,
  int32,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
} from '../schema.ts'

export const JoinGroup = api({
  key: 11,
  name: 'JoinGroup',
  versions: [0, 9],
  flexible: 6,
  request: {
    groupId: string(),
    sessionTimeoutMs: int32(),
    rebalanceTimeoutMs: int32({ since: 1, fallback: -1, ignorable: true }),
    memberId: string(),
    groupInstanceId: string({ since: 5, nullableSince: 5, fallback: null }),
    protocolType: string(),
    protocols: array(struct({ name: string(), metadata: bytes() })),
    reason: string({ since: 8, nullableSince: 8, fallback: null, ignorable: true }),
  },
  response: {
    throttleTimeMs: int32({ since: 2, ignorable: true }),
    errorCode: int16(),
    generationId: int32({ fallback: -1 }),
    protocolType: string({ since: 7, nullableSince: 7, fallback: null, ignorable: true }),
    protocolName: string({ nullableSince: 7 }),
    leader: string(),
    skipAssignment: bool({ since: 9 }),
    memberId: string(),
    members: array(
      struct({
        memberId: string(),
        groupInstanceId: string({ since: 5, nullableSince: 5, fallback: null, ignorable: true }),
        metadata: bytes(),
      }),
    ),
  },
})

export type JoinGroupRequest = RequestOf<typeof JoinGroup>
export type JoinGroupResponse = ResponseOf<typeof JoinGroup>
