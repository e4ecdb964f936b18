/**
 * GroupShard: the groups and offsets of one partition of `__consumer_offsets`. It holds the maps and
 * hands each replayed record to those who know its kind; what may be done with a group is in
 * classic-*.ts, consumer-*.ts and offsets.ts, as functions over the shard.
 *
 * A group that only has offsets is here too, as an empty classic group without a protocol type.
 * Source: apache/kafka: group-coordinator/.../group/GroupCoordinatorShard.java.
 */

import type { KafkaError } from '../../base/errors.ts'
import type { ProducerId } from '../../base/types.ts'
import type { BrokerConfig } from '../../config/broker.ts'
import type { Configs } from '../../config/config.ts'
import type { ClusterImage } from '../../metadata/image.ts'
import { decodeGroupRecord } from '../../protocol/coordinator/group-records.ts'
import type { ReplayPlace, Shard, ShardContext, ShardRecord } from '../../shard/shard.ts'
import { replayGroupMetadata, simpleGroup, startClassicGroups } from './classic-replay.ts'
import {
  replayConsumerRecord,
  startConsumerGroups,
  updateConsumerGroups,
} from './consumer-replay.ts'
import type { Group } from './group.ts'
import type { GroupMemory } from './group-memory.ts'
import { GroupOffsets } from './group-offsets.ts'
import { purgeDeletedTopics, scheduleOffsetExpiry } from './offset-expiry.ts'

export interface GroupShardContext extends ShardContext {
  /** As it is now. */
  config(): BrokerConfig
  /** What is set for the group itself, as texts. */
  groupConfigs(groupId: string): Configs
  /** Of all shards of the broker. */
  readonly memory: Pick<GroupMemory, 'take'>
}

export class GroupShard implements Shard {
  readonly context: GroupShardContext
  readonly groups = new Map<string, Group>()
  readonly offsets = new GroupOffsets()
  /** Cancelled when the shard closes. */
  readonly timers = new Set<{ cancel(): void }>()
  #topics: ClusterImage['topics'] | null = null

  constructor(context: GroupShardContext) {
    this.context = context
  }

  replay(record: ShardRecord, place: ReplayPlace): void {
    const decoded = decodeGroupRecord(record)
    if (decoded === null) return
    switch (decoded.kind) {
      case 'LegacyOffsetCommit':
      case 'OffsetCommit': {
        const { group } = decoded.key
        this.offsets.replay(decoded, place)
        if (decoded.value !== null && !this.groups.has(group)) {
          this.groups.set(group, simpleGroup(this, group))
        }
        return
      }
      case 'GroupMetadata':
        return replayGroupMetadata(this, decoded)
      default:
        return replayConsumerRecord(this, decoded, place)
    }
  }

  replayMarker(producerId: ProducerId, isCommitted: boolean): void {
    this.offsets.replayMarker(producerId, isCommitted)
  }

  onLoaded(): void {
    startClassicGroups(this)
    startConsumerGroups(this)
    purgeDeletedTopics(this)
    scheduleOffsetExpiry(this)
  }

  onImage(image: ClusterImage): void {
    if (image.topics !== this.#topics) purgeDeletedTopics(this)
    this.#topics = image.topics
    updateConsumerGroups(this, image)
  }

  close(error: KafkaError): void {
    for (const timer of this.timers) timer.cancel()
    this.timers.clear()
    for (const group of this.groups.values()) group.close(error)
  }
}
