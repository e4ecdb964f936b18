/**
 * DeleteTopics (20): deletes topics.
 * v1 throttle time; v2 throttled after the reply (KIP-219); v3 TOPIC_DELETION_DISABLED; v4
 * flexible; v5 error messages, THROTTLING_QUOTA_EXCEEDED (KIP-599); v6 by topic id (KIP-516).
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
  uuid,
} from '../schema.ts'

export const DeleteTopics = api({
  key: 20,
  name: 'DeleteTopics',
  versions: [0, 6],
  flexible: 4,
  request: {
    topics: array(struct({ name: string({ nullableSince: 0, fallback: null }), topicId: uuid() }), {
      since: 6,
    }),
    topicNames: array(string(), { until: 5, ignorable: true }),
    timeoutMs: int32(),
  },
  response: {
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    responses: array(
      struct({
        name: string({ nullableSince: 6 }),
        topicId: uuid({ since: 6, ignorable: true }),
        errorCode: int16(),
        errorMessage: string({ since: 5, nullableSince: 5, fallback: null, ignorable: true }),
      }),
    ),
  },
})

export type DeleteTopicsRequest = RequestOf<typeof DeleteTopics>
export type DeleteTopicsResponse = ResponseOf<typeof DeleteTopics>
