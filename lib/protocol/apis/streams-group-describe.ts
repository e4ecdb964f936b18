/**
 * StreamsGroupDescribe (89): tells state, topology, members and tasks of streams groups
 * (KIP-1071). Flexible from v0.
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
  uint16,
} from '../schema.ts'

const endpoint = { host: string(), port: uint16() }

const keyValue = { key: string(), value: string() }

const taskIds = { subtopologyId: string(), partitions: array(int32()) }

const assignment = {
  activeTasks: array(struct(taskIds)),
  standbyTasks: array(struct(taskIds)),
  warmupTasks: array(struct(taskIds)),
}

const taskOffset = { subtopologyId: string(), partition: int32(), offset: int64() }

const topicInfo = {
  name: string(),
  partitions: int32(),
  replicationFactor: int16(),
  topicConfigs: array(struct(keyValue)),
}

export const StreamsGroupDescribe = api({
  key: 89,
  name: 'StreamsGroupDescribe',
  versions: [0, 0],
  flexible: 0,
  request: {
    groupIds: array(string()),
    includeAuthorizedOperations: bool(),
  },
  response: {
    throttleTimeMs: int32(),
    groups: array(
      struct({
        errorCode: int16(),
        errorMessage: string({ nullableSince: 0, fallback: null }),
        groupId: string(),
        groupState: string(),
        groupEpoch: int32(),
        assignmentEpoch: int32(),
        topology: struct(
          {
            epoch: int32(),
            subtopologies: array(
              struct({
                subtopologyId: string(),
                sourceTopics: array(string()),
                repartitionSinkTopics: array(string()),
                stateChangelogTopics: array(struct(topicInfo)),
                repartitionSourceTopics: array(struct(topicInfo)),
              }),
              { nullableSince: 0, fallback: null },
            ),
          },
          { nullableSince: 0, fallback: null },
        ),
        members: array(
          struct({
            memberId: string(),
            memberEpoch: int32(),
            instanceId: string({ nullableSince: 0, fallback: null }),
            rackId: string({ nullableSince: 0, fallback: null }),
            clientId: string(),
            clientHost: string(),
            topologyEpoch: int32(),
            processId: string(),
            userEndpoint: struct(endpoint, { nullableSince: 0, fallback: null }),
            clientTags: array(struct(keyValue)),
            taskOffsets: array(struct(taskOffset)),
            taskEndOffsets: array(struct(taskOffset)),
            assignment: struct(assignment),
            targetAssignment: struct(assignment),
            isClassic: bool(),
          }),
        ),
        authorizedOperations: int32({ fallback: -2147483648 }),
      }),
    ),
  },
})

export type StreamsGroupDescribeRequest = RequestOf<typeof StreamsGroupDescribe>
export type StreamsGroupDescribeResponse = ResponseOf<typeof StreamsGroupDescribe>
