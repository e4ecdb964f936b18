/** What the handlers of requests see of the broker. */

import type { BrokerId } from '../base/types.ts'
import type { BrokerConfig } from '../config/broker.ts'
import type { ConfigLayers } from '../config/config.ts'
import type { Controller } from '../controller/controller.ts'
import type { GroupCoordinator } from '../coordinator/group/group-coordinator.ts'
import type { Env } from '../io/env.ts'
import type { MetadataFollower } from '../metadata/follower.ts'
import type { ProducerIds } from '../metadata/producer-ids.ts'
import type { ReplicaManager } from '../replication/replica-manager.ts'

export interface ServedApi {
  readonly apiKey: number
  readonly minVersion: number
  readonly maxVersion: number
}

export interface BrokerContext {
  readonly env: Env
  readonly brokerId: BrokerId
  readonly clusterId: string
  /** As it is now: dynamic changes are in it. */
  readonly config: BrokerConfig
  /** Where `config` comes from. */
  readonly configLayers: ConfigLayers
  readonly metadata: MetadataFollower
  readonly controller: Controller
  readonly replicas: ReplicaManager
  readonly producerIds: ProducerIds
  readonly groups: GroupCoordinator
  /** What ApiVersions says. */
  readonly servedApis: readonly ServedApi[]
}
