/**
 * ShareGroupHeartbeat (76): keeps a member of a share group alive and tells its assignment
 * (KIP-932).
 * Flexible. v0 was an early access version and is gone; v1 is the same.
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

const topicPartitions = { topicId: uuid(), partitions: array(int32()) }

export const ShareGroupHeartbeat = api({
  key: 76,
  name: 'ShareGroupHeartbeat',
  versions: [1, 1],
  flexible: 1,
  request: {
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    rackId: string({ nullableSince: 0, fallback: null }),
    subscribedTopicNames: array(string(), { nullableSince: 0, fallback: null }),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullableSince: 0, fallback: null }),
    memberId: string({ nullableSince: 0, fallback: null }),
    memberEpoch: int32(),
    heartbeatIntervalMs: int32(),
    assignment: struct(
      { topicPartitions: array(struct(topicPartitions)) },
      { nullableSince: 0, fallback: null },
    ),
  },
})

export type ShareGroupHeartbeatRequest = RequestOf<typeof ShareGroupHeartbeat>
export type ShareGroupHeartbeatResponse = ResponseOf<typeof ShareGroupHeartbeat>
