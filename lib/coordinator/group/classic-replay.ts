/**
 * Classic groups out of the log. A record is a whole group: while a shard loads, the last one counts,
 * and a group with members is Stable, whatever it was doing. Once loaded, a group is changed by
 * operations, and their records, which come back here too, tell nothing new.
 * Source: apache/kafka: group-coordinator/.../group/GroupMetadataManager.java.
 */

import { KafkaError } from '../../base/errors.ts'
import type { GroupRecord } from '../../protocol/coordinator/group-records.ts'
import { ClassicGroup } from './classic-group.ts'
import {
  type ClassicShard,
  lenient,
  rebalanceOrCompleteJoin,
  touchMember,
} from './classic-rebalance.ts'

type GroupMetadataRecord = Extract<GroupRecord, { readonly kind: 'GroupMetadata' }>
type StoredGroup = NonNullable<GroupMetadataRecord['value']>

export function replayGroupMetadata(shard: ClassicShard, { key, value }: GroupMetadataRecord) {
  const known = shard.groups.get(key.group)
  if (value === null) {
    // Its place may have gone to a group of the other protocol already.
    if (!(known instanceof ClassicGroup)) return
    shard.groups.delete(key.group)
    known.close(new KafkaError('NOT_COORDINATOR', `group ${key.group} was deleted`))
    return
  }
  if (known instanceof ClassicGroup && known.isLive) return
  shard.groups.set(key.group, groupOf(key.group, value))
}

/** A group that nobody ever joined: it has offsets only. */
export function simpleGroup(shard: ClassicShard, groupId: string): ClassicGroup {
  const { clock } = shard.context.env
  return new ClassicGroup({ groupId, stateSinceMs: clock.nowMs(), isLive: false })
}

/** After the load: each member has a new session to be heard of. */
export function startClassicGroups(shard: ClassicShard): void {
  for (const group of shard.groups.values()) {
    if (!(group instanceof ClassicGroup)) continue
    group.isLive = true
    for (const member of group.members.values()) touchMember(shard, group, member)
    const max = shard.context.config()['group.max.size']
    if (group.members.size <= max) continue
    shard.context.write(() => {
      const reason = `it was loaded with ${group.members.size} members, more than ${max}`
      return lenient(rebalanceOrCompleteJoin(shard, group, reason), undefined)
    })
  }
}

function groupOf(groupId: string, value: StoredGroup): ClassicGroup {
  const { protocol, protocolType, members, currentStateTimestamp } = value
  const group = new ClassicGroup({
    groupId,
    state: members.length === 0 ? 'Empty' : 'Stable',
    stateSinceMs: currentStateTimestamp === -1 ? null : currentStateTimestamp,
    generationId: value.generation,
    protocolType: protocolType === '' ? null : protocolType,
    protocolName: protocol,
    leaderId: value.leader,
    isLive: false,
  })
  for (const member of members) {
    const { memberId, groupInstanceId, clientId, clientHost, rebalanceTimeout } = member
    const isTaken = groupInstanceId !== null && group.staticMembers.has(groupInstanceId)
    if (isTaken || group.members.has(memberId)) continue
    group.addMember({
      memberId,
      groupInstanceId,
      clientId,
      clientHost,
      protocolType,
      sessionTimeoutMs: member.sessionTimeout,
      rebalanceTimeoutMs: rebalanceTimeout === -1 ? member.sessionTimeout : rebalanceTimeout,
      protocols: [{ name: protocol ?? '', metadata: new Uint8Array(member.subscription) }],
      assignment: new Uint8Array(member.assignment),
    })
  }
  group.readSubscriptions()
  return group
}
