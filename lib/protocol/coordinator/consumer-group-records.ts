/**
 * A consumer group (KIP-848) in `__consumer_offsets`: the group, its members, what they are to own
 * and what they own stand in records of their own.
 * Source: apache/kafka: group-coordinator/src/main/resources/common/message/ConsumerGroup*.json.
 */

import { array, bytes, float64, int8, int32, int64, string, struct, uuid } from '../schema.ts'
import { recordKind } from './record-kind.ts'

/** The group's epoch, and a hash of the topics it reads (KIP-1101). */
export const ConsumerGroupMetadata = recordKind({
  id: 3,
  name: 'ConsumerGroupMetadata',
  versions: [0, 0],
  flexible: 0,
  key: { groupId: string() },
  // Kafka's hash has 64 bits and is only ever compared: read as a float it is never out of range.
  value: { epoch: int32(), metadataHash: float64({ tag: 0 }) },
})

/** The topics that the group reads. Replaced by the hash in ConsumerGroupMetadata; never written. */
export const ConsumerGroupPartitionMetadata = recordKind({
  id: 4,
  name: 'ConsumerGroupPartitionMetadata',
  versions: [0, 0],
  flexible: 0,
  key: { groupId: string() },
  value: {
    topics: array(
      struct({
        topicId: uuid(),
        topicName: string(),
        numPartitions: int32(),
        partitionMetadata: array(struct({ partition: int32(), racks: array(string()) })),
      }),
    ),
  },
})

/** A member and its subscription; with `classicMemberMetadata` if it speaks the classic protocol. */
export const ConsumerGroupMemberMetadata = recordKind({
  id: 5,
  name: 'ConsumerGroupMemberMetadata',
  versions: [0, 0],
  flexible: 0,
  key: { groupId: string(), memberId: string() },
  value: {
    instanceId: string({ nullableSince: 0 }),
    rackId: string({ nullableSince: 0 }),
    clientId: string(),
    clientHost: string(),
    subscribedTopicNames: array(string()),
    subscribedTopicRegex: string({ nullableSince: 0 }),
    rebalanceTimeoutMs: int32({ fallback: -1 }),
    serverAssignor: string({ nullableSince: 0 }),
    classicMemberMetadata: struct(
      {
        sessionTimeoutMs: int32(),
        supportedProtocols: array(struct({ name: string(), metadata: bytes() })),
      },
      { nullableSince: 0, tag: 0 },
    ),
  },
})

/** Of which epoch of the group the target assignment is, and when it was made (KIP-1263). */
export const ConsumerGroupTargetAssignmentMetadata = recordKind({
  id: 6,
  name: 'ConsumerGroupTargetAssignmentMetadata',
  versions: [0, 0],
  flexible: 0,
  key: { groupId: string() },
  value: { assignmentEpoch: int32(), assignmentTimestamp: int64({ tag: 0, ignorable: true }) },
})

/** What a member is to own. */
export const ConsumerGroupTargetAssignmentMember = recordKind({
  id: 7,
  name: 'ConsumerGroupTargetAssignmentMember',
  versions: [0, 0],
  flexible: 0,
  key: { groupId: string(), memberId: string() },
  value: { topicPartitions: array(struct({ topicId: uuid(), partitions: array(int32()) })) },
})

const ownedPartitions = struct({
  topicId: uuid(),
  partitions: array(int32()),
  /** The member epochs in which they were assigned, to refuse commits of earlier owners. */
  assignmentEpochs: array(int32(), { nullableSince: 0, tag: 0 }),
})

/** What a member owns, and what it has still to give up. */
export const ConsumerGroupCurrentMemberAssignment = recordKind({
  id: 8,
  name: 'ConsumerGroupCurrentMemberAssignment',
  versions: [0, 0],
  flexible: 0,
  key: { groupId: string(), memberId: string() },
  value: {
    memberEpoch: int32(),
    previousMemberEpoch: int32(),
    state: int8(),
    assignedPartitions: array(ownedPartitions),
    partitionsPendingRevocation: array(ownedPartitions),
  },
})

/** The topics that a regular expression stood for, at a version of the metadata. */
export const ConsumerGroupRegularExpression = recordKind({
  id: 16,
  name: 'ConsumerGroupRegularExpression',
  versions: [0, 0],
  flexible: 0,
  key: { groupId: string(), regularExpression: string() },
  value: { topics: array(string()), version: int64(), timestamp: int64() },
})
