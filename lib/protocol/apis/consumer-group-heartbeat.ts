/**
 * ConsumerGroupHeartbeat (68): keeps a member of a consumer group alive and reconciles its
 * assignment (KIP-848).
 * Flexible from v0. v1 subscription by regular expression; members make their own ids (KIP-1082).
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

export const ConsumerGroupHeartbeat = api({
  key: 68,
  name: 'ConsumerGroupHeartbeat',
  versions: [0, 1],
  flexible: 0,
  request: {
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    instanceId: string({ nullableSince: 0, fallback: null }),
    rackId: string({ nullableSince: 0, fallback: null }),
    rebalanceTimeoutMs: int32({ fallback: -1 }),
    subscribedTopicNames: array(string(), { nullableSince: 0, fallback: null }),
    subscribedTopicRegex: string({ since: 1, nullableSince: 1, fallback: null }),
    serverAssignor: string({ nullableSince: 0, fallback: null }),
    topicPartitions: array(struct({ topicId: uuid(), partitions: array(int32()) }), {
      nullableSince: 0,
      fallback: null,
    }),
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

export type ConsumerGroupHeartbeatRequest = RequestOf<typeof ConsumerGroupHeartbeat>
export type ConsumerGroupHeartbeatResponse = ResponseOf<typeof ConsumerGroupHeartbeat>
