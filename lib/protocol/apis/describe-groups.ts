/**
 * DescribeGroups (15): tells state and members of classic groups.
 * v1 throttle time; v2 throttled after the reply (KIP-219); v3 authorized operations (KIP-430); v4
 * instance ids of members (KIP-345); v5 flexible; v6 GROUP_ID_NOT_FOUND with a message for unknown
 * groups (KIP-1043).
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

export const DescribeGroups = api({
  key: 15,
  name: 'DescribeGroups',
  versions: [0, 6],
  flexible: 5,
  request: {
    groups: array(string()),
    includeAuthorizedOperations: bool({ since: 3 }),
  },
  response: {
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    groups: array(
      struct({
        errorCode: int16(),
        errorMessage: string({ since: 6, nullableSince: 6, fallback: null }),
        groupId: string(),
        groupState: string(),
        protocolType: string(),
        protocolData: string(),
        members: array(
          struct({
            memberId: string(),
            groupInstanceId: string({
              since: 4,
              nullableSince: 4,
              fallback: null,
              ignorable: true,
            }),
            clientId: string(),
            clientHost: string(),
            memberMetadata: bytes(),
            memberAssignment: bytes(),
          }),
        ),
        authorizedOperations: int32({ since: 3, fallback: -2147483648 }),
      }),
    ),
  },
})

export type DescribeGroupsRequest = RequestOf<typeof DescribeGroups>
export type DescribeGroupsResponse = ResponseOf<typeof DescribeGroups>
