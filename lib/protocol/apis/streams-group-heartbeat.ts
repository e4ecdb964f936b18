/**
 * StreamsGroupHeartbeat (88): keeps a member of a streams group alive, tells its tasks (KIP-1071).
 * Flexible from v0.
 */

import {
  api,
  array,
  bool,
  int8,
  int16,
  int32,
  int64,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
  uint16,
} from '../schema.ts'

const endpoint = { host: string(), port: uint16() }

const keyValue = { key: string(), value: string() }

const taskIds = { subtopologyId: string(), partitions: array(int32()) }

const taskOffset = { subtopologyId: string(), partition: int32(), offset: int64() }

const topicInfo = {
  name: string(),
  partitions: int32(),
  replicationFactor: int16(),
  topicConfigs: array(struct(keyValue)),
}

const status = { statusCode: int8(), statusDetail: string() }

const topicPartition = { topic: string(), partitions: array(int32()) }

export const StreamsGroupHeartbeat = api({
  key: 88,
  name: 'StreamsGroupHeartbeat',
  versions: [0, 0],
  flexible: 0,
  request: {
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    endpointInformationEpoch: int32(),
    instanceId: string({ nullableSince: 0, fallback: null }),
    rackId: string({ nullableSince: 0, fallback: null }),
    rebalanceTimeoutMs: int32({ fallback: -1 }),
    topology: struct(
      {
        epoch: int32(),
        subtopologies: array(
          struct({
            subtopologyId: string(),
            sourceTopics: array(string()),
            sourceTopicRegex: array(string()),
            stateChangelogTopics: array(struct(topicInfo)),
            repartitionSinkTopics: array(string()),
            repartitionSourceTopics: array(struct(topicInfo)),
            copartitionGroups: array(
              struct({
                sourceTopics: array(int16()),
                sourceTopicRegex: array(int16()),
                repartitionSourceTopics: array(int16()),
              }),
            ),
          }),
        ),
      },
      { nullableSince: 0, fallback: null },
    ),
    activeTasks: array(struct(taskIds), { nullableSince: 0, fallback: null }),
    standbyTasks: array(struct(taskIds), { nullableSince: 0, fallback: null }),
    warmupTasks: array(struct(taskIds), { nullableSince: 0, fallback: null }),
    processId: string({ nullableSince: 0, fallback: null }),
    userEndpoint: struct(endpoint, { nullableSince: 0, fallback: null }),
    clientTags: array(struct(keyValue), { nullableSince: 0, fallback: null }),
    taskOffsets: array(struct(taskOffset), { nullableSince: 0, fallback: null }),
    taskEndOffsets: array(struct(taskOffset), { nullableSince: 0, fallback: null }),
    shutdownApplication: bool(),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullableSince: 0, fallback: null }),
    memberId: string(),
    memberEpoch: int32(),
    heartbeatIntervalMs: int32(),
    acceptableRecoveryLag: int32(),
    taskOffsetIntervalMs: int32(),
    status: array(struct(status), { nullableSince: 0 }),
    activeTasks: array(struct(taskIds), { nullableSince: 0, fallback: null }),
    standbyTasks: array(struct(taskIds), { nullableSince: 0, fallback: null }),
    warmupTasks: array(struct(taskIds), { nullableSince: 0, fallback: null }),
    endpointInformationEpoch: int32(),
    partitionsByUserEndpoint: array(
      struct({
        userEndpoint: struct(endpoint),
        activePartitions: array(struct(topicPartition)),
        standbyPartitions: array(struct(topicPartition)),
      }),
      { nullableSince: 0, fallback: null },
    ),
  },
})

export type StreamsGroupHeartbeatRequest = RequestOf<typeof StreamsGroupHeartbeat>
export type StreamsGroupHeartbeatResponse = ResponseOf<typeof StreamsGroupHeartbeat>
