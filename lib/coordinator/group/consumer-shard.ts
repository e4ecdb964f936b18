/** What consumer groups need of their shard. */

import type { BrokerConfig } from '../../config/broker.ts'
import type { Configs } from '../../config/config.ts'
import type { ShardContext } from '../../shard/shard.ts'
import type { Group } from './group.ts'
import type { GroupMemory } from './group-memory.ts'

export interface ConsumerShard {
  readonly context: ShardContext & {
    config(): BrokerConfig
    /** What is set for the group itself, as texts. */
    groupConfigs(groupId: string): Configs
    readonly memory: Pick<GroupMemory, 'take'>
  }
  readonly groups: Map<string, Group>
}

/** The assignors that are served, the default first. */
export function servedAssignors(config: Pick<BrokerConfig, 'group.consumer.assignors'>): string[] {
  return config['group.consumer.assignors'].map((name) => javaNames.get(name) ?? name)
}

/** Kafka also takes the names of its classes. */
const javaNames: ReadonlyMap<string, string> = new Map([
  ['org.apache.kafka.coordinator.group.assignor.UniformAssignor', 'uniform'],
  ['org.apache.kafka.coordinator.group.assignor.RangeAssignor', 'range'],
])
