/**
 * ApiVersions (18): tells which versions of which APIs a broker serves. The first request of a
 * connection.
 * The response has header v0 in every version, and a version that the broker does not know is
 * answered as v0 with error 35 (KIP-511). v1 throttle time; v2 throttled after the reply
 * (KIP-219); v3 flexible, name and version of the client, features (KIP-584); v4 features whose
 * lowest level is 0 are told too.
 */

import {
  api,
  array,
  bool,
  int16,
  int32,
  int64,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
} from '../schema.ts'

export const ApiVersions = api({
  key: 18,
  name: 'ApiVersions',
  versions: [0, 4],
  flexible: 3,
  request: {
    clientSoftwareName: string({ since: 3, ignorable: true }),
    clientSoftwareVersion: string({ since: 3, ignorable: true }),
  },
  response: {
    errorCode: int16(),
    apiKeys: array(struct({ apiKey: int16(), minVersion: int16(), maxVersion: int16() })),
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    supportedFeatures: array(struct({ name: string(), minVersion: int16(), maxVersion: int16() }), {
      since: 3,
      tag: 0,
      ignorable: true,
    }),
    finalizedFeaturesEpoch: int64({ since: 3, tag: 1, fallback: -1, ignorable: true }),
    finalizedFeatures: array(
      struct({ name: string(), maxVersionLevel: int16(), minVersionLevel: int16() }),
      { since: 3, tag: 2, ignorable: true },
    ),
    zkMigrationReady: bool({ since: 3, tag: 3, ignorable: true }),
  },
})

export type ApiVersionsRequest = RequestOf<typeof ApiVersions>
export type ApiVersionsResponse = ResponseOf<typeof ApiVersions>
