/**
 * What a broker is told, and what it is while it runs: the parts behind BrokerContext, which come in
 * one by one at start, and the settings that hold at the moment.
 */

import { deferred } from '../base/deferred.ts'
import type { BrokerId } from '../base/types.ts'
import type { BrokerConfig } from '../config/broker.ts'
import type { ConfigLayers, Configs } from '../config/config.ts'
import type { Controller } from '../controller/controller.ts'
import type { GroupCoordinator } from '../coordinator/group/group-coordinator.ts'
import type { Env } from '../io/env.ts'
import { type Address, addressText } from '../io/network.ts'
import type { MetadataFollower } from '../metadata/follower.ts'
import type { ClusterImage } from '../metadata/image.ts'
import type { ProducerIds } from '../metadata/producer-ids.ts'
import type { ReplicaManager } from '../replication/replica-manager.ts'
import { Acceptor } from '../wire/acceptor.ts'
import type { BrokerContext, ServedApi } from './context.ts'
import { Dispatcher, type Interceptor } from './dispatch.ts'
import { handlers } from './handlers/index.ts'
import { type OpenFileShares, shareOpenFiles } from './open-files.ts'
import { Settings } from './settings.ts'

/** A place to listen, and the address that clients are told. */
export interface ListenerOptions {
  readonly name: string
  /** Port 0 = any free one. */
  readonly listen: Address
  /** Port 0 = the one listened on. */
  readonly advertise: Address | null
}

export interface BrokerOptions {
  readonly env: Env
  /** Made when it does not exist. */
  readonly dataPath: string
  readonly nodeId: BrokerId
  /** Of a new directory; null = a fresh one, or what the directory says. */
  readonly clusterId: string | null
  /** The broker's file and flags, checked. */
  readonly configs: Configs
  readonly listen: Address
  readonly advertise: Address | null
  /** Beside `listen`, which is called PLAINTEXT: for clients that must use another address. */
  readonly listeners?: readonly ListenerOptions[]
  /** `name:partitions[:k=v,...]`: created unless they exist. */
  readonly topics: readonly string[]
  /** Take over a directory that Apache Kafka wrote. */
  readonly adopt: boolean
  /** Written to broker.json; null = not written. */
  readonly process: { readonly pid: number; readonly bootId: string } | null
  /** Files and sockets that the process may have open; absent = no limit is known. */
  readonly filesMax?: number
  /** Decides over each request before its handler does: for tests. */
  readonly intercept?: Interceptor
}

export interface BrokerListener extends Address {
  readonly name: string
}

/** The broker as its handlers see it. The parts come in one by one while it starts. */
export class BrokerState implements BrokerContext {
  readonly env: Env
  readonly brokerId: BrokerId
  readonly acceptor: Acceptor
  readonly settings: Settings
  readonly servedApis: readonly ServedApi[]
  /** What `ulimit -n` leaves to segments and connections. */
  readonly openFiles: OpenFileShares
  readonly failed = deferred()
  clusterId = ''
  failure: Error | null = null
  #parts: Parts | null = null

  constructor(options: BrokerOptions) {
    const { env, nodeId } = options
    const configs = { ...options.configs, ...ownConfigs(options) }
    this.env = env
    this.brokerId = nodeId
    this.settings = new Settings(nodeId, configs)
    this.openFiles = shareOpenFiles(options.filesMax ?? Number.POSITIVE_INFINITY)
    this.servedApis = handlers.map(({ api, served }) => ({
      apiKey: api.key,
      minVersion: served[0],
      maxVersion: served[1],
    }))
    const { clock, network, log } = env
    const handler = new Dispatcher(this, handlers, {
      onFatal: (error) => this.fail(error),
      intercept: options.intercept ?? null,
    })
    this.acceptor = new Acceptor({ clock, network, log, handler })
    this.#applyLimits()
  }

  get config(): BrokerConfig {
    return this.settings.config
  }

  get configLayers(): ConfigLayers {
    return this.settings.layers
  }

  get metadata(): MetadataFollower {
    return this.parts.metadata
  }

  get controller(): Controller {
    return this.parts.controller
  }

  get replicas(): ReplicaManager {
    return this.parts.replicas
  }

  get producerIds(): ProducerIds {
    return this.parts.producerIds
  }

  get groups(): GroupCoordinator {
    return this.parts.groups
  }

  get parts(): Parts {
    if (this.#parts === null) throw new Error('the broker has not started yet')
    return this.#parts
  }

  /** From now on requests find everything. */
  complete(parts: Parts): void {
    this.#parts = parts
  }

  /** A new picture of the cluster: its settings hold at once. Whether they may have changed. */
  onImage(image: ClusterImage): boolean {
    const isChanged = this.settings.update(image)
    if (isChanged) this.#applyLimits()
    return isChanged
  }

  /** The broker cannot go on: whoever started it is to stop it. */
  fail(error: Error): void {
    if (this.failure !== null) return
    this.failure = error
    this.env.log.error('broker failed', { reason: error.stack ?? error.message })
    this.failed.resolve()
  }

  #applyLimits(): void {
    const { acceptor, config } = this
    acceptor.limits = {
      ...acceptor.limits,
      frameBytesMax: config['socket.request.max.bytes'],
      idleMsMax: config['connections.max.idle.ms'],
      connectionsMax: Math.min(
        limitOf(config['max.connections'], 10_000),
        this.openFiles.connections,
      ),
      connectionsPerAddressMax: limitOf(config['max.connections.per.ip'], 1000),
    }
  }
}

/** What a request needs of the running broker. */
export interface Parts {
  readonly metadata: MetadataFollower
  readonly controller: Controller
  readonly replicas: ReplicaManager
  readonly producerIds: ProducerIds
  readonly groups: GroupCoordinator
}

/** Kafka's default is no limit at all; ours holds until somebody sets another. */
function limitOf(configured: number, fallback: number): number {
  return configured === 0x7fffffff ? fallback : configured
}

/** What DescribeConfigs shows of the broker's identity, whichever way it was given. */
function ownConfigs({ nodeId, dataPath, listen, advertise }: BrokerOptions): Configs {
  return {
    'node.id': String(nodeId),
    'broker.id': String(nodeId),
    'log.dirs': dataPath,
    listeners: `PLAINTEXT://${addressText(listen)}`,
    ...(advertise && { 'advertised.listeners': `PLAINTEXT://${addressText(advertise)}` }),
  }
}
