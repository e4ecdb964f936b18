/**
 * ConsumerGroupDescribe (69), served v0-1: state, members and assignments of consumer groups (KIP-848).
 * v1 memberType.
 * Differs from Kafka: a group that is given twice is answered once.
 * Yields per group GROUP_ID_NOT_FOUND also for groups of another kind, INVALID_GROUP_ID, and what finding
 * the coordinator yields.
 */

import {
  type DescribedConsumerGroup,
  describeConsumerGroup,
} from '../../coordinator/group/consumer-describe.ts'
import { ConsumerGroupDescribe } from '../../protocol/apis/consumer-group-describe.ts'
import { handle, kafkaErrorOf } from '../handler.ts'
import { groupOperations, operationsOmitted } from '../topics.ts'

export const consumerGroupDescribe = handle(ConsumerGroupDescribe, async (broker, request) => {
  const groups: DescribedConsumerGroup[] = []
  for (const groupId of new Set(request.groupIds)) groups.push(await describe(groupId))
  return { groups }

  async function describe(groupId: string): Promise<DescribedConsumerGroup> {
    try {
      const described = await broker.groups.read(groupId, (shard) =>
        describeConsumerGroup(shard, groupId),
      )
      const authorizedOperations = request.includeAuthorizedOperations
        ? groupOperations
        : operationsOmitted
      return { ...described, authorizedOperations }
    } catch (error) {
      const { code, message } = kafkaErrorOf(error)
      return { groupId, errorCode: code, errorMessage: message }
    }
  }
})
