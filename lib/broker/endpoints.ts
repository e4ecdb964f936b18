/**
 * Which brokers a client can reach, and where: the address of each for the listener that the client
 * itself came in on, so that a client inside and one outside a network each get what works for them.
 */

import type { BrokerId } from '../base/types.ts'
import type { BrokerImage, ClusterImage } from '../metadata/image.ts'

export interface NodeEndpoint {
  readonly nodeId: BrokerId
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

/** Where `broker` is to be reached on that listener; null when it does not have it. */
export function endpointOf(broker: BrokerImage, listenerName: string): NodeEndpoint | null {
  const listener = broker.listeners.find(({ name }) => name === listenerName)
  if (listener === undefined) return null
  return { nodeId: broker.id, host: listener.host, port: listener.port, rack: broker.rack }
}

/** The brokers that serve clients on that listener, by ascending id. */
export function endpointsOf(image: ClusterImage, listenerName: string): NodeEndpoint[] {
  return [...image.brokers.values()]
    .filter(({ state }) => state !== 'starting')
    .sort((a, b) => a.id - b.id)
    .map((broker) => endpointOf(broker, listenerName))
    .filter((endpoint) => endpoint !== null)
}

/** Whom to ask instead: the leaders of partitions that this broker does not lead (KIP-951). */
export class LeaderHints {
  readonly #image: ClusterImage
  readonly #listenerName: string
  readonly #endpoints = new Map<BrokerId, NodeEndpoint>()

  constructor(image: ClusterImage, listenerName: string) {
    this.#image = image
    this.#listenerName = listenerName
  }

  /** The current leader as the response's `currentLeader`; its endpoint goes into `endpoints`. */
  leaderOf(topic: string, partition: number): { leaderId: BrokerId; leaderEpoch: number } {
    const state = this.#image.topics.get(topic)?.partitions[partition]
    if (state === undefined) return { leaderId: -1, leaderEpoch: -1 }
    const broker = this.#image.brokers.get(state.leader)
    const endpoint = broker === undefined ? null : endpointOf(broker, this.#listenerName)
    if (endpoint !== null) this.#endpoints.set(endpoint.nodeId, endpoint)
    return { leaderId: state.leader, leaderEpoch: state.leaderEpoch }
  }

  get endpoints(): NodeEndpoint[] {
    return [...this.#endpoints.values()]
  }
}
