/**
 * Listing and deleting groups of any kind.
 * Source: apache/kafka: group-coordinator/.../group/GroupCoordinatorShard.java, KIP-229, KIP-518.
 */

import { KafkaError } from '../../base/errors.ts'
import type { ShardResult } from '../../shard/shard.ts'
import type { Group } from './group.ts'
import type { GroupShard } from './group-shard.ts'
import { offsetTombstones } from './offset-expiry.ts'

/** No words: no filter. Case and spaces around do not matter in states, case does not in types. */
export interface GroupFilter {
  readonly states: readonly string[]
  readonly types: readonly string[]
}

export function listGroups(shards: Iterable<Pick<GroupShard, 'groups'>>, filter: GroupFilter) {
  const states = new Set(filter.states.map((state) => state.trim().toLowerCase()))
  const types = new Set(filter.types.map((type) => type.toLowerCase()))
  const groups: Group[] = []
  for (const shard of shards) {
    for (const group of shard.groups.values()) {
      const isWanted =
        (states.size === 0 || states.has(group.state.toLowerCase())) &&
        (types.size === 0 || types.has(group.type))
      if (isWanted) groups.push(group)
    }
  }
  return groups
}

/** Removes the group with its offsets. GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP. */
export function deleteGroup(shard: GroupShard, groupId: string): ShardResult<void> {
  const group = shard.groups.get(groupId)
  if (group === undefined) {
    throw new KafkaError('GROUP_ID_NOT_FOUND', `there is no group ${groupId}`)
  }
  group.checkDelete()
  const records = [...offsetTombstones(shard, groupId), ...group.tombstones()]
  return { records, isAtomic: false, response: undefined, onRefused: () => {} }
}
