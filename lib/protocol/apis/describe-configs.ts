/**
 * DescribeConfigs (32): tells the configs of topics, brokers and other resources.
 * v1 sources and synonyms (KIP-226), where v0 tells only whether a value is a default; v2
 * throttled after the reply (KIP-219); v3 types and documentation (KIP-569); v4 flexible.
 */

import {
  api,
  array,
  bool,
  int8,
  int16,
  int32,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
} from '../schema.ts'

export const DescribeConfigs = api({
  key: 32,
  name: 'DescribeConfigs',
  versions: [0, 4],
  flexible: 4,
  request: {
    resources: array(
      struct({
        resourceType: int8(),
        resourceName: string(),
        configurationKeys: array(string(), { nullableSince: 0 }),
      }),
    ),
    includeSynonyms: bool({ since: 1 }),
    includeDocumentation: bool({ since: 3 }),
  },
  response: {
    throttleTimeMs: int32(),
    results: array(
      struct({
        errorCode: int16(),
        errorMessage: string({ nullableSince: 0 }),
        resourceType: int8(),
        resourceName: string(),
        configs: array(
          struct({
            name: string(),
            value: string({ nullableSince: 0 }),
            readOnly: bool(),
            isDefault: bool({ until: 0 }),
            configSource: int8({ since: 1, fallback: -1, ignorable: true }),
            isSensitive: bool(),
            synonyms: array(
              struct({ name: string(), value: string({ nullableSince: 0 }), source: int8() }),
              { since: 1, ignorable: true },
            ),
            configType: int8({ since: 3, ignorable: true }),
            documentation: string({ since: 3, nullableSince: 3, ignorable: true }),
          }),
        ),
      }),
    ),
  },
})

export type DescribeConfigsRequest = RequestOf<typeof DescribeConfigs>
export type DescribeConfigsResponse = ResponseOf<typeof DescribeConfigs>
