/**
 * GroupCoordinator: which shard a group lives in, and the way there. It follows who leads the
 * partitions of `__consumer_offsets`, and reads in and gives up their shards.
 * Source: apache/kafka: group-coordinator/.../group/GroupCoordinatorService.java.
 */

import { KafkaError } from '../../base/errors.ts'
import type { BrokerConfig } from '../../config/broker.ts'
import type { Configs } from '../../config/config.ts'
import type { Env } from '../../io/env.ts'
import type { ClusterImage } from '../../metadata/image.ts'
import type { Partition } from '../../replication/partition.ts'
import { ShardRuntime } from '../../shard/runtime.ts'
import type { ShardContext, ShardResult } from '../../shard/shard.ts'
import { PartitionLog } from '../partition-log.ts'
import { GroupMemory } from './group-memory.ts'
import { GroupShard, type GroupShardContext } from './group-shard.ts'

/** The topic that holds the groups. */
export const offsetsTopic = '__consumer_offsets'

export interface GroupCoordinatorOptions {
  readonly env: Env
  readonly image: ClusterImage
  /** As it is now. */
  readonly config: () => BrokerConfig
  /** A mistake of ours, where nobody is told of it. */
  readonly onFatal: (error: Error) => void
}

export class GroupCoordinator {
  readonly #options: GroupCoordinatorOptions
  readonly #memory: GroupMemory
  readonly #runtime: ShardRuntime<GroupShard>
  /** Of the partitions that this broker leads. */
  readonly #logs = new Map<Partition, PartitionLog>()

  constructor(options: GroupCoordinatorOptions) {
    const { env, image, config, onFatal } = options
    this.#options = options
    this.#memory = new GroupMemory({
      clock: env.clock,
      shards: () => this.shards(),
      bytesMax: () => config()['ottla.groups.memory.bytes'],
    })
    this.#runtime = new ShardRuntime({
      env,
      image,
      onFatal,
      name: offsetsTopic,
      loadBytes: () => config()['offsets.load.buffer.size'],
      timeoutMs: () => config()['offsets.commit.timeout.ms'],
      makeShard: (context) => new GroupShard(this.#contextOf(context)),
    })
  }

  get config(): BrokerConfig {
    return this.#options.config()
  }

  get image(): ClusterImage {
    return this.#runtime.image
  }

  /** What is set for a group itself, as texts. */
  groupConfigs(groupId: string): Configs {
    return this.image.groupConfigs.get(groupId)?.value.configs ?? {}
  }

  /** The partition of the offsets topic that holds the group; also before the topic exists. */
  partitionFor(groupId: string): number {
    const topic = this.image.topics.get(offsetsTopic)
    const count = topic?.partitions.length ?? this.config['offsets.topic.num.partitions']
    return (javaHash(groupId) & 0x7fffffff) % count
  }

  /**
   * Runs an operation on the group's shard and answers when its records are committed.
   * INVALID_GROUP_ID, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE.
   */
  async write<R>(
    groupId: string,
    operation: (shard: GroupShard) => ShardResult<R>,
    options: GroupIdRule = {},
  ): Promise<R> {
    checkGroupId(groupId, options)
    return this.#runtime.write(this.partitionFor(groupId), operation)
  }

  /** Runs an operation that changes nothing; answers when what it saw is committed. Throws as `write`. */
  async read<R>(
    groupId: string,
    operation: (shard: GroupShard) => R,
    options: GroupIdRule = {},
  ): Promise<R> {
    checkGroupId(groupId, options)
    return this.#runtime.read(this.partitionFor(groupId), operation)
  }

  /** Those that are read in. */
  shards(): Iterable<GroupShard> {
    return this.#runtime.shards()
  }

  /** Throws why `shards` are not all: COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE. */
  checkComplete(): void {
    this.#runtime.checkComplete()
  }

  onImage(image: ClusterImage): void {
    this.#runtime.onImage(image)
  }

  /** A partition of any topic changed: its leader, its high watermark, or its disk. */
  onPartition(partition: Partition): void {
    const { topic, partition: index } = partition.topicPartition
    if (topic !== offsetsTopic) return
    const known = this.#logs.get(partition)
    if (partition.isLeader && known?.leaderEpoch !== partition.leaderEpoch) {
      const log = new PartitionLog(partition)
      known?.update()
      this.#logs.set(partition, log)
      this.#runtime.lead(index, partition.leaderEpoch, log)
      return
    }
    known?.update()
    if (known === undefined || partition.isLeader) return
    this.#logs.delete(partition)
    this.#runtime.resign(index)
  }

  /** Whoever is parked gets NOT_COORDINATOR; nothing more is written. */
  close(): void {
    this.#runtime.close()
  }

  #contextOf(context: ShardContext): GroupShardContext {
    return {
      env: context.env,
      partition: context.partition,
      get image() {
        return context.image
      },
      write: (operation) => context.write(operation),
      config: this.#options.config,
      groupConfigs: (groupId) => this.groupConfigs(groupId),
      memory: this.#memory,
    }
  }
}

/** The strings in keys of records have a length of 16 bits. */
const idBytesMax = 0x7fff

/** Offsets may be kept under the empty group id, which Java's consumers once used. */
interface GroupIdRule {
  readonly mayBeEmpty?: boolean
}

function checkGroupId(groupId: string, { mayBeEmpty = false }: GroupIdRule): void {
  if (Buffer.byteLength(groupId) > idBytesMax) {
    const message = `the group id has ${Buffer.byteLength(groupId)} bytes, at most ${idBytesMax} can be kept`
    throw new KafkaError('INVALID_GROUP_ID', message)
  }
  if (groupId === '' && !mayBeEmpty)
    throw new KafkaError('INVALID_GROUP_ID', 'the group id is empty')
}

/** Java's String.hashCode: over UTF-16 units, wrapping at 32 bits. */
export function javaHash(text: string): number {
  let hash = 0
  for (let index = 0; index < text.length; index++) {
    hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0
  }
  return hash
}
