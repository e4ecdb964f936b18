/**
 * A shard of groups on a clock that stands still, without a log: what an operation returns is
 * replayed at once, and kept, so that a second shard can be made of it.
 */

import { type BrokerConfig, brokerSettings } from '../../../lib/config/broker.ts'
import type { Configs } from '../../../lib/config/config.ts'
import { ConsumerGroup } from '../../../lib/coordinator/group/consumer-group.ts'
import { consumerGroupHeartbeat } from '../../../lib/coordinator/group/consumer-heartbeat.ts'
import { loadRegexEngine } from '../../../lib/coordinator/group/consumer-regex.ts'
import { GroupShard } from '../../../lib/coordinator/group/group-shard.ts'
import { type MemoryEnv, memoryEnv } from '../../../lib/io/memory/env.ts'
import { type ClusterImage, emptyImage, type TopicImage } from '../../../lib/metadata/image.ts'
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../../lib/protocol/apis/consumer-group-heartbeat.ts'
import type { ShardRecord, ShardResult } from '../../../lib/shard/shard.ts'

await loadRegexEngine()

export class GroupHarness {
  readonly env: MemoryEnv
  readonly config: Record<string, unknown>
  readonly groupConfigs = new Map<string, Configs>()
  readonly records: ShardRecord[] = []
  image: ClusterImage
  shard: GroupShard

  constructor({ seed = 1, config = {} as Partial<BrokerConfig> } = {}) {
    this.env = memoryEnv({ seed })
    const defaults = Object.entries(brokerSettings).map(([name, { fallback }]) => [name, fallback])
    this.config = { ...Object.fromEntries(defaults), ...config }
    this.image = emptyImage('cluster')
    this.shard = this.#newShard()
  }

  #newShard(): GroupShard {
    const imageNow = () => this.image
    const shard: GroupShard = new GroupShard({
      env: this.env,
      partition: 0,
      get image() {
        return imageNow()
      },
      config: () => this.config as unknown as BrokerConfig,
      groupConfigs: (groupId) => this.groupConfigs.get(groupId) ?? {},
      memory: { take: () => true },
      write: (operation) => {
        if (this.shard === shard) void this.run(operation)
      },
    })
    return shard
  }

  /** As a broker that was killed and started again. */
  restart(): void {
    this.shard.close(new Error('closed') as never)
    this.shard = this.#newShard()
    for (const [offset, record] of this.records.entries()) this.#replay(record, offset)
    this.shard.onLoaded()
  }

  /** Its answer: a promise where it waits for others. */
  run<R>(operation: (shard: GroupShard) => ShardResult<R>): R | Promise<R> {
    const { records, response, onCommitted } = operation(this.shard)
    for (const record of records) {
      this.records.push(record)
      this.#replay(record, this.records.length - 1)
    }
    onCommitted?.()
    return response
  }

  #replay(record: ShardRecord, offset: number): void {
    this.shard.replay(record, { offset, timestampMs: this.env.clock.nowMs(), producerId: -1 })
  }

  /** Makes topics, or changes their count; 0 = removes it. */
  topics(counts: Record<string, number>): void {
    const topics = new Map(this.image.topics)
    for (const [name, count] of Object.entries(counts)) {
      if (count === 0) topics.delete(name)
      else topics.set(name, topicImage(name, count))
    }
    const topicNames = new Map([...topics.values()].map(({ topicId, name }) => [topicId, name]))
    const revision = this.image.revision + 1
    this.image = { ...this.image, revision, topics, topicNames }
    this.shard.onImage(this.image)
  }

  heartbeat(
    request: Partial<ConsumerGroupHeartbeatRequest> & { memberId: string },
    apiVersion = 1,
  ): ConsumerGroupHeartbeatResponse {
    const whole: ConsumerGroupHeartbeatRequest = {
      groupId: 'group',
      memberEpoch: 0,
      instanceId: null,
      rackId: null,
      rebalanceTimeoutMs: -1,
      subscribedTopicNames: null,
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: null,
      ...request,
    }
    const client = { clientId: 'client', clientHost: '/127.0.0.1', apiVersion }
    const response = this.run((shard) => consumerGroupHeartbeat(shard, whole, client))
    return response as ConsumerGroupHeartbeatResponse
  }

  join(
    memberId: string,
    rest: Partial<ConsumerGroupHeartbeatRequest> = {},
  ): ConsumerGroupHeartbeatResponse {
    return this.heartbeat({
      memberId,
      rebalanceTimeoutMs: 60_000,
      subscribedTopicNames: rest.subscribedTopicRegex ? [] : ['a'],
      topicPartitions: [],
      ...rest,
    })
  }

  group(groupId = 'group'): ConsumerGroup {
    const group = this.shard.groups.get(groupId)
    if (!(group instanceof ConsumerGroup)) throw new Error(`${groupId} is no consumer group`)
    return group
  }
}

/** Its id is its name, filled up: so tests can say it. */
export function topicId(name: string): string {
  return `${name.padEnd(21, '_')}A`
}

function topicImage(name: string, count: number): TopicImage {
  const partitions = Array.from({ length: count }, (_, partition) => ({ partition }))
  return { name, topicId: topicId(name), partitions, configs: {} } as unknown as TopicImage
}

/** `a0 a1 b3`: partitions of an answer, in order; '-' = none said. */
export function shown(
  assignment: {
    topicPartitions: readonly { topicId: string; partitions: readonly number[] }[]
  } | null,
): string {
  if (assignment === null) return '-'
  return assignment.topicPartitions
    .flatMap(({ topicId: id, partitions }) =>
      partitions.map((one) => `${id.replace(/_+A$/, '')}${one}`),
    )
    .join(' ')
}
