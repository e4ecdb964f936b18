/**
 * ConsumerGroupDescribe (69): tells state, members and assignments of consumer groups (KIP-848).
 * Flexible from v0.
 * v1 kind of member (KIP-1099).
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

const topicPartitions = { topicId: uuid(), topicName: string(), partitions: array(int32()) }

const assignment = { topicPartitions: array(struct(topicPartitions)) }

export const ConsumerGroupDescribe = api({
  key: 69,
  name: 'ConsumerGroupDescribe',
  versions: [0, 1],
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
        assignorName: string(),
        members: array(
          struct({
            memberId: string(),
            instanceId: string({ nullableSince: 0, fallback: null }),
            rackId: string({ nullableSince: 0, fallback: null }),
            memberEpoch: int32(),
            clientId: string(),
            clientHost: string(),
            subscribedTopicNames: array(string()),
            subscribedTopicRegex: string({ nullableSince: 0, fallback: null }),
            assignment: struct(assignment),
            targetAssignment: struct(assignment),
            memberType: int8({ since: 1, fallback: -1, ignorable: true }),
          }),
        ),
        authorizedOperations: int32({ fallback: -2147483648 }),
      }),
    ),
  },
})

export type ConsumerGroupDescribeRequest = RequestOf<typeof ConsumerGroupDescribe>
export type ConsumerGroupDescribeResponse = ResponseOf<typeof ConsumerGroupDescribe>
