/**
 * CreateTopics (19): creates topics.
 * v1 error messages, validation only; v2 throttle time; v3 throttled after the reply (KIP-219); v4
 * the broker's defaults for partitions and replicas by -1 (KIP-464); v5 flexible, tells the
 * configs of the new topic (KIP-525); v6 THROTTLING_QUOTA_EXCEEDED (KIP-599); v7 topic id
 * (KIP-516).
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
  uuid,
} from '../schema.ts'

export const CreateTopics = api({
  key: 19,
  name: 'CreateTopics',
  versions: [0, 7],
  flexible: 5,
  request: {
    topics: array(
      struct({
        name: string(),
        numPartitions: int32(),
        replicationFactor: int16(),
        assignments: array(struct({ partitionIndex: int32(), brokerIds: array(int32()) })),
        configs: array(struct({ name: string(), value: string({ nullableSince: 0 }) })),
      }),
    ),
    timeoutMs: int32({ fallback: 60000 }),
    validateOnly: bool({ since: 1 }),
  },
  response: {
    throttleTimeMs: int32({ since: 2, ignorable: true }),
    topics: array(
      struct({
        name: string(),
        topicId: uuid({ since: 7, ignorable: true }),
        errorCode: int16(),
        errorMessage: string({ since: 1, nullableSince: 1, ignorable: true }),
        topicConfigErrorCode: int16({ since: 5, tag: 0, ignorable: true }),
        numPartitions: int32({ since: 5, fallback: -1, ignorable: true }),
        replicationFactor: int16({ since: 5, fallback: -1, ignorable: true }),
        configs: array(
          struct({
            name: string(),
            value: string({ nullableSince: 0 }),
            readOnly: bool(),
            configSource: int8({ fallback: -1, ignorable: true }),
            isSensitive: bool(),
          }),
          { since: 5, nullableSince: 5, ignorable: true },
        ),
      }),
    ),
  },
})

export type CreateTopicsRequest = RequestOf<typeof CreateTopics>
export type CreateTopicsResponse = ResponseOf<typeof CreateTopics>
