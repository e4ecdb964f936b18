/**
 * AlterClientQuotas (49): changes the quotas of clients (KIP-546).
 * v1 flexible.
 */

import {
  api,
  array,
  bool,
  float64,
  int16,
  int32,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
} from '../schema.ts'

export const AlterClientQuotas = api({
  key: 49,
  name: 'AlterClientQuotas',
  versions: [0, 1],
  flexible: 1,
  request: {
    entries: array(
      struct({
        entity: array(struct({ entityType: string(), entityName: string({ nullableSince: 0 }) })),
        ops: array(struct({ key: string(), value: float64(), remove: bool() })),
      }),
    ),
    validateOnly: bool(),
  },
  response: {
    throttleTimeMs: int32(),
    entries: array(
      struct({
        errorCode: int16(),
        errorMessage: string({ nullableSince: 0 }),
        entity: array(struct({ entityType: string(), entityName: string({ nullableSince: 0 }) })),
      }),
    ),
  },
})

export type AlterClientQuotasRequest = RequestOf<typeof AlterClientQuotas>
export type AlterClientQuotasResponse = ResponseOf<typeof AlterClientQuotas>
