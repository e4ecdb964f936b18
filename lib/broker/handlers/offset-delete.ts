/**
 * OffsetDelete (47), served v0: takes back offsets that a group has committed (KIP-496).
 * Yields per partition UNKNOWN_TOPIC_OR_PARTITION, GROUP_SUBSCRIBED_TO_TOPIC while a member reads the topic; for the
 * group INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP when its members are no consumers, NOT_COORDINATOR,
 * COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE.
 */

import { errorCode } from '../../base/errors.ts'
import { deleteOffsets } from '../../coordinator/group/offsets.ts'
import { OffsetDelete } from '../../protocol/apis/offset-delete.ts'
import { handle } from '../handler.ts'

export const offsetDelete = handle(OffsetDelete, async (broker, { groupId, topics }) => {
  const { topics: images } = broker.metadata.image
  const known = topics.map(({ name, partitions }) => {
    const count = images.get(name)?.partitions.length ?? 0
    const isKnown = ({ partitionIndex }: { partitionIndex: number }) =>
      partitionIndex >= 0 && partitionIndex < count
    return { name, partitions: partitions.filter(isKnown) }
  })
  const deleted = await broker.groups.write(groupId, (shard) =>
    deleteOffsets(shard, { groupId, topics: known }),
  )
  const codes = deleted.map(
    ({ partitions }) => new Map(partitions.map((p) => [p.partitionIndex, p.errorCode])),
  )
  return {
    errorCode: 0,
    topics: topics.map(({ name, partitions }, index) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: codes[index]?.get(partitionIndex) ?? errorCode('UNKNOWN_TOPIC_OR_PARTITION'),
      })),
    })),
  }
})
