/**
 * What the controller's tasks work with: the image they read, the office they write under, and the
 * names they have in hand. Only the elected controller creates topics, so a set in memory is enough
 * to keep two creations of colliding names apart.
 */

import { KafkaError } from '../base/errors.ts'
import type { BrokerId } from '../base/types.ts'
import type { BrokerConfig } from '../config/broker.ts'
import { type ConfigLayers, type Configs, resolveBrokerConfig } from '../config/config.ts'
import type { Env } from '../io/env.ts'
import type { MetadataFollower } from '../metadata/follower.ts'
import { type ClusterImage, configLayers } from '../metadata/image.ts'
import type { Keys } from '../metadata/keys.ts'
import type { Compare, Revision } from '../metadata/store.ts'
import { notController, type Office, type Write } from './office.ts'

export interface DeskOptions {
  readonly env: Env
  readonly follower: MetadataFollower
  readonly brokerId: BrokerId
  /** The broker's file and flags. */
  readonly staticConfigs: Configs
  /** The file system of the logs takes `A` and `a` for one name. */
  readonly ignoresCase: boolean
  readonly timeoutMs: number
}

const attemptsMax = 20

export class Desk {
  readonly env: Env
  readonly ignoresCase: boolean
  readonly brokerId: BrokerId
  /** Topics that are being created. */
  readonly pending = new Set<string>()
  /** Topics that are getting more partitions. */
  readonly growing = new Set<string>()
  readonly #options: DeskOptions
  #office: Office | null = null
  /** The last resolved settings, and the parts of the image they came from. */
  #resolved: {
    readonly of: ClusterImage['brokerConfigs']
    readonly ofAll: ClusterImage['defaultBrokerConfig']
    readonly config: BrokerConfig
  } | null = null

  constructor(options: DeskOptions) {
    this.#options = options
    this.env = options.env
    this.ignoresCase = options.ignoresCase
    this.brokerId = options.brokerId
  }

  get image(): ClusterImage {
    return this.#options.follower.image
  }

  get keys(): Keys {
    return this.#options.follower.keys
  }

  layers(): ConfigLayers {
    return configLayers(this.image, this.brokerId, this.#options.staticConfigs)
  }

  /** The broker's settings now. */
  brokerConfig(): BrokerConfig {
    const { brokerConfigs, defaultBrokerConfig } = this.image
    const last = this.#resolved
    if (last?.of === brokerConfigs && last.ofAll === defaultBrokerConfig) return last.config
    const config = resolveBrokerConfig(this.layers())
    this.#resolved = { of: brokerConfigs, ofAll: defaultBrokerConfig, config }
    return config
  }

  take(office: Office | null): void {
    this.#office = office
  }

  get isInOffice(): boolean {
    return this.#office !== null
  }

  /** Throws NOT_CONTROLLER. */
  office(): Office {
    if (this.#office) return this.#office
    throw notController()
  }

  /** Waits until the image has this revision. Throws REQUEST_TIMED_OUT. */
  follow(revision: Revision): Promise<void> {
    return this.#options.follower.waitFor(revision, this.#options.timeoutMs)
  }

  /** A transaction whose compares can only fail if something is very wrong. */
  async commit(compares: readonly Compare[], writes: readonly Write[]): Promise<Revision> {
    const revision = await this.office().commit(compares, writes)
    if (revision !== null) return revision
    throw new KafkaError(
      'REQUEST_TIMED_OUT',
      'the metadata changed under the controller; try again',
    )
  }

  /**
   * Reads the image, tries, and tries again with a newer image while `attempt` gives null; then
   * waits for the image to have it.
   */
  async retrying(attempt: () => Promise<Revision | null>): Promise<Revision> {
    for (let count = 0; count < attemptsMax; count++) {
      const before = this.image.revision
      const revision = await attempt()
      if (revision !== null) {
        await this.follow(revision)
        return revision
      }
      await this.follow(before + 1)
    }
    throw new KafkaError(
      'REQUEST_TIMED_OUT',
      `the metadata changed ${attemptsMax} times under the controller; try again`,
    )
  }
}
