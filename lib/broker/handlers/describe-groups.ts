/**
 * DescribeGroups (15), served v0-6: state and members of classic groups.
 * v1 throttleTimeMs; v3 authorizedOperations; v4 groupInstanceId; v5 flexible; v6 GROUP_ID_NOT_FOUND
 * with a message for a group that is not there or not classic, which is only Dead before.
 * Differs from Kafka: a group that is given twice is answered once.
 * Yields per group what finding the coordinator yields.
 */

import { type DescribedGroup, describeGroup } from '../../coordinator/group/classic-describe.ts'
import { DescribeGroups } from '../../protocol/apis/describe-groups.ts'
import { handle, kafkaErrorOf } from '../handler.ts'
import { groupOperations, operationsOmitted } from '../topics.ts'

const notFoundVersion = 6

export const describeGroups = handle(DescribeGroups, async (broker, request, { apiVersion }) => {
  const groups: DescribedGroup[] = []
  for (const groupId of new Set(request.groups)) {
    const described = await describe(groupId)
    const isTold = request.includeAuthorizedOperations && described.errorCode === 0
    const authorizedOperations = isTold ? groupOperations : operationsOmitted
    groups.push(apiVersion < 3 ? described : { ...described, authorizedOperations })
  }
  return { groups }

  async function describe(groupId: string): Promise<DescribedGroup> {
    try {
      const options = { mayBeEmpty: true }
      const group = await broker.groups.read(
        groupId,
        (shard) => describeGroup(shard, groupId),
        options,
      )
      if (apiVersion >= notFoundVersion || group.errorCode === undefined) {
        return { ...group, errorCode: group.errorCode ?? 0 }
      }
      return { groupId, groupState: 'Dead', errorCode: 0 }
    } catch (error) {
      return { groupId, errorCode: kafkaErrorOf(error).code }
    }
  }
})
