/**
 * The settings that hold on this broker, under an image of the cluster: its own, and those of each
 * topic. Dynamic settings are parsed once per change of them, not once per image.
 */

import type { BrokerId } from '../base/types.ts'
import type { BrokerConfig } from '../config/broker.ts'
import {
  type ConfigLayers,
  type Configs,
  effectiveMinIsr,
  resolveBrokerConfig,
  resolveTopicConfig,
} from '../config/config.ts'
import type { TopicConfig } from '../config/topic.ts'
import { type ClusterImage, configLayers, emptyImage } from '../metadata/image.ts'

interface Resolved {
  readonly image: ClusterImage
  readonly layers: ConfigLayers
  readonly config: BrokerConfig
}

export class Settings {
  readonly #brokerId: BrokerId
  readonly #staticConfigs: Configs
  #current: Resolved

  /** Throws SettingError when a static setting is not valid. */
  constructor(brokerId: BrokerId, staticConfigs: Configs) {
    this.#brokerId = brokerId
    this.#staticConfigs = staticConfigs
    this.#current = this.#resolve(emptyImage(''))
  }

  get layers(): ConfigLayers {
    return this.#current.layers
  }

  get config(): BrokerConfig {
    return this.#current.config
  }

  /** Follows the metadata; whether any setting of the broker may have changed. */
  update(image: ClusterImage): boolean {
    const before = this.#current
    this.#current = this.#under(image)
    return this.#current !== before
  }

  /** Of a topic with these overrides. */
  topicConfig(image: ClusterImage, overrides: Configs): TopicConfig {
    return resolveTopicConfig(this.#under(image).config, overrides)
  }

  /** In-sync replicas that acks=all needs in a topic. */
  minIsr(image: ClusterImage, overrides: Configs, replicationFactor: number): number {
    return effectiveMinIsr({ layers: this.#under(image).layers, overrides, replicationFactor })
  }

  #under(image: ClusterImage): Resolved {
    const known = this.#current
    const isSame =
      known.image.brokerConfigs === image.brokerConfigs &&
      known.image.defaultBrokerConfig === image.defaultBrokerConfig
    return isSame ? known : this.#resolve(image)
  }

  #resolve(image: ClusterImage): Resolved {
    const layers = configLayers(image, this.#brokerId, this.#staticConfigs)
    return { image, layers, config: resolveBrokerConfig(layers) }
  }
}
