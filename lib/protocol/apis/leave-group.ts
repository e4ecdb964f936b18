/**
 * LeaveGroup (13): takes members out of a classic group.
 * v1 throttle time; v2 throttled after the reply (KIP-219); v3 many members, by instance id too
 * (KIP-345); v4 flexible; v5 a reason (KIP-800).
 */

import {
  api,
  array,
  int16,
  int32,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
} from '../schema.ts'

export const LeaveGroup = api({
  key: 13,
  name: 'LeaveGroup',
  versions: [0, 5],
  flexible: 4,
  request: {
    groupId: string(),
    memberId: string({ until: 2 }),
    members: array(
      struct({
        memberId: string(),
        groupInstanceId: string({ nullableSince: 0, fallback: null }),
        reason: string({ since: 5, nullableSince: 5, fallback: null, ignorable: true }),
      }),
      { since: 3 },
    ),
  },
  response: {
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    errorCode: int16(),
    members: array(
      struct({
        memberId: string(),
        groupInstanceId: string({ nullableSince: 0 }),
        errorCode: int16(),
      }),
      { since: 3 },
    ),
  },
})

export type LeaveGroupRequest = RequestOf<typeof LeaveGroup>
export type LeaveGroupResponse = ResponseOf<typeof LeaveGroup>
