/**
 * What DescribeGroups tells of a classic group.
 * Source: apache/kafka: group-coordinator/.../group/GroupMetadataManager.java, KIP-1043.
 */

import { errorCode } from '../../base/errors.ts'
import type { DescribeGroupsResponse } from '../../protocol/apis/describe-groups.ts'
import type { Encodable } from '../../protocol/schema.ts'
import { ClassicGroup } from './classic-group.ts'
import { noBytes } from './classic-member.ts'
import type { ClassicShard } from './classic-rebalance.ts'

export type DescribedGroup = Encodable<DescribeGroupsResponse['groups'][number]>

/** Metadata of the members is told once the group is Stable. A group that is not there is Dead. */
export function describeGroup(
  shard: Pick<ClassicShard, 'groups'>,
  groupId: string,
): DescribedGroup {
  const group = shard.groups.get(groupId)
  if (!(group instanceof ClassicGroup)) {
    const problem = group === undefined ? 'not found' : 'is not a classic group'
    return {
      groupId,
      groupState: 'Dead',
      errorCode: errorCode('GROUP_ID_NOT_FOUND'),
      errorMessage: `Group ${groupId} ${problem}.`,
    }
  }
  const isStable = group.state === 'Stable'
  return {
    groupId,
    groupState: group.state,
    protocolType: group.protocolType,
    protocolData: isStable ? (group.protocolName ?? '') : '',
    members: Array.from(group.members.values(), (member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: isStable ? member.metadata(group.protocolName) : noBytes,
      memberAssignment: member.assignment,
    })),
  }
}
