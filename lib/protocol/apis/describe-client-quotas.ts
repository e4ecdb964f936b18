/**
 * DescribeClientQuotas (48): tells the quotas of clients (KIP-546).
 * v1 flexible.
 */

import {
  api,
  array,
  bool,
  float64,
  int8,
  int16,
  int32,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
} from '../schema.ts'

export const DescribeClientQuotas = api({
  key: 48,
  name: 'DescribeClientQuotas',
  versions: [0, 1],
  flexible: 1,
  request: {
    components: array(
      struct({ entityType: string(), matchType: int8(), match: string({ nullableSince: 0 }) }),
    ),
    strict: bool(),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullableSince: 0 }),
    entries: array(
      struct({
        entity: array(struct({ entityType: string(), entityName: string({ nullableSince: 0 }) })),
        values: array(struct({ key: string(), value: float64() })),
      }),
      { nullableSince: 0 },
    ),
  },
})

export type DescribeClientQuotasRequest = RequestOf<typeof DescribeClientQuotas>
export type DescribeClientQuotasResponse = ResponseOf<typeof DescribeClientQuotas>
