/**
 * DeleteAcls (31): deletes the access rules that match filters.
 * v1 pattern type of resources (KIP-290); v2 flexible; v3 users as resources (KIP-373).
 */

import {
  api,
  array,
  int8,
  int16,
  int32,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
} from '../schema.ts'

export const DeleteAcls = api({
  key: 31,
  name: 'DeleteAcls',
  versions: [0, 3],
  flexible: 2,
  request: {
    filters: array(
      struct({
        resourceTypeFilter: int8(),
        resourceNameFilter: string({ nullableSince: 0 }),
        patternTypeFilter: int8({ since: 1, fallback: 3 }),
        principalFilter: string({ nullableSince: 0 }),
        hostFilter: string({ nullableSince: 0 }),
        operation: int8(),
        permissionType: int8(),
      }),
    ),
  },
  response: {
    throttleTimeMs: int32(),
    filterResults: array(
      struct({
        errorCode: int16(),
        errorMessage: string({ nullableSince: 0 }),
        matchingAcls: array(
          struct({
            errorCode: int16(),
            errorMessage: string({ nullableSince: 0 }),
            resourceType: int8(),
            resourceName: string(),
            patternType: int8({ since: 1, fallback: 3 }),
            principal: string(),
            host: string(),
            operation: int8(),
            permissionType: int8(),
          }),
        ),
      }),
    ),
  },
})

export type DeleteAclsRequest = RequestOf<typeof DeleteAcls>
export type DeleteAclsResponse = ResponseOf<typeof DeleteAcls>
