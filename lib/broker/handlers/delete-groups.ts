/**
 * DeleteGroups (42), served v0-2: removes groups of any kind that have no members, with their offsets.
 * v2 flexible. A group that is given twice is answered once.
 * Yields per group GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, and what finding the coordinator yields.
 */

import { deleteGroup } from '../../coordinator/group/group-admin.ts'
import { DeleteGroups } from '../../protocol/apis/delete-groups.ts'
import { eachPartition, handle } from '../handler.ts'

export const deleteGroups = handle(DeleteGroups, async (broker, { groupsNames }) => {
  const results = await eachPartition(
    [...new Set(groupsNames)],
    async (groupId) => {
      const options = { mayBeEmpty: true }
      await broker.groups.write(groupId, (shard) => deleteGroup(shard, groupId), options)
      return { groupId, errorCode: 0 }
    },
    (groupId, { code }) => ({ groupId, errorCode: code }),
  )
  return { results }
})
