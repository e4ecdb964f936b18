/**
 * What ConsumerGroupDescribe tells of a group.
 * Source: apache/kafka: .../modern/consumer/ConsumerGroup.java (asDescribedGroup).
 */

import type { ClusterImage } from '../../metadata/image.ts'
import type { ConsumerGroupDescribeResponse } from '../../protocol/apis/consumer-group-describe.ts'
import type { Encodable } from '../../protocol/schema.ts'
import { type Assignment, assignmentOf, listed, noAssignment } from './assignment.ts'
import { consumerGroup } from './consumer-heartbeat.ts'
import type { ConsumerMember } from './consumer-member.ts'
import { type ConsumerShard, servedAssignors } from './consumer-shard.ts'
import { chosenAssignor } from './consumer-target.ts'

export type DescribedConsumerGroup = Encodable<ConsumerGroupDescribeResponse['groups'][number]>

const memberTypes = { classic: 0, consumer: 1 } as const

/** GROUP_ID_NOT_FOUND. */
export function describeConsumerGroup(
  shard: ConsumerShard,
  groupId: string,
): DescribedConsumerGroup {
  const { image } = shard.context
  const group = consumerGroup(shard, groupId)
  const served = servedAssignors(shard.context.config())
  return {
    groupId,
    groupState: group.state,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: chosenAssignor(group.members.values(), served),
    members: [...group.members.values()].map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      rackId: member.rackId,
      memberEpoch: member.memberEpoch,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: [...member.subscribedTopicNames],
      subscribedTopicRegex: member.subscribedTopicRegex,
      assignment: named(allOwned(member), image),
      targetAssignment: named(group.targets.get(member.memberId) ?? noAssignment, image),
      memberType: member.classic === null ? memberTypes.consumer : memberTypes.classic,
    })),
  }
}

/** Also what it has still to give up: nobody else has it. */
function allOwned({ assigned, pendingRevocation }: ConsumerMember): Assignment {
  const all = [...listed(assigned), ...listed(pendingRevocation)]
  return assignmentOf(all)
}

/** Without topics that have gone. */
function named(assignment: Assignment, image: ClusterImage) {
  const topicPartitions = listed(assignment).flatMap(({ topicId, partitions }) => {
    const topicName = image.topicNames.get(topicId)
    return topicName === undefined ? [] : [{ topicId, topicName, partitions }]
  })
  return { topicPartitions }
}
