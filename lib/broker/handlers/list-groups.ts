/**
 * ListGroups (16), served v0-5: the groups that this broker coordinates.
 * v1 throttleTimeMs; v3 flexible; v4 states, and a filter of them; v5 types, likewise.
 * Yields COORDINATOR_LOAD_IN_PROGRESS while any of them is still being read, and
 * COORDINATOR_NOT_AVAILABLE when some cannot be: a list is whole, or none.
 */

import { listGroups as list } from '../../coordinator/group/group-admin.ts'
import { ListGroups } from '../../protocol/apis/list-groups.ts'
import { handle } from '../handler.ts'

export const listGroups = handle(ListGroups, ({ groups }, { statesFilter, typesFilter }) => {
  groups.checkComplete()
  const listed = list(groups.shards(), { states: statesFilter, types: typesFilter })
  return {
    groups: listed.map(({ groupId, protocolType, state, type }) => ({
      groupId,
      protocolType,
      groupState: state,
      groupType: type,
    })),
  }
})
