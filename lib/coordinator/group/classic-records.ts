/**
 * A classic group as the one record that remembers it: written when the leader's assignment is
 * stored, when a static member changes its id, and when the group becomes empty or is new.
 * Source: apache/kafka: group-coordinator/.../group/GroupCoordinatorRecordHelpers.java.
 */

import { GroupMetadata } from '../../protocol/coordinator/classic-group-records.ts'
import { encodeGroupRecord } from '../../protocol/coordinator/group-records.ts'
import type { ShardRecord } from '../../shard/shard.ts'
import type { ClassicGroup } from './classic-group.ts'
import type { ClassicMember } from './classic-member.ts'

/** The group as it is, but with these assignments. */
export function groupRecord(
  group: ClassicGroup,
  assignmentOf: (member: ClassicMember) => Uint8Array = ({ assignment }) => assignment,
): ShardRecord {
  const members = []
  for (const member of group.members.values()) {
    const { memberId, groupInstanceId, clientId, clientHost } = member
    members.push({
      memberId,
      groupInstanceId,
      clientId,
      clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: member.metadata(group.protocolName),
      assignment: assignmentOf(member),
    })
  }
  return encodeGroupRecord(
    GroupMetadata,
    { group: group.groupId },
    {
      protocolType: group.protocolType,
      generation: group.generationId,
      protocol: group.protocolName,
      leader: group.leaderId,
      currentStateTimestamp: group.stateSinceMs ?? -1,
      members,
    },
  )
}

/** A group that nobody has joined yet. */
export function newGroupRecord(group: ClassicGroup): ShardRecord {
  const nobody = { protocolType: '', generation: 0, protocol: null, leader: null, members: [] }
  const currentStateTimestamp = group.stateSinceMs ?? -1
  return encodeGroupRecord(
    GroupMetadata,
    { group: group.groupId },
    { ...nobody, currentStateTimestamp },
  )
}
