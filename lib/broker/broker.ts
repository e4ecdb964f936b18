/**
 * Broker: the composition root. Puts the parts together, starts them in order (lifecycle.ts has the
 * steps), keeps the dynamic settings current, and takes everything down again.
 *
 *   acceptor -> dispatcher -> handlers -> replica manager -> partitions -> log dir
 *                                     \-> controller -> metadata store -> follower -> (images) -> all
 *
 * `start` resolves when clients are served; `stop` when everything acknowledged is on disk and the
 * directory is marked clean. `failed` resolves when the broker can not go on by itself: its metadata
 * or its registration is lost, or an assumption of ours did not hold. A log dir that fails is no reason:
 * its partitions answer KAFKA_STORAGE_ERROR until the broker is started again.
 */

import type { Partition } from '../replication/partition.ts'
import { type BrokerListener, type BrokerOptions, BrokerState } from './broker-state.ts'
import { type Started, startParts, stopParts } from './lifecycle.ts'

export type { BrokerListener, BrokerOptions, ListenerOptions } from './broker-state.ts'

export class Broker {
  /** What clients are told to connect to. */
  readonly listeners: readonly BrokerListener[]
  /** Resolves when the broker gave up by itself; it is still to be stopped. */
  readonly failed: Promise<void>
  readonly #parts: Started
  readonly #state: BrokerState
  #stopping: Promise<void> | null = null

  private constructor(state: BrokerState, parts: Started) {
    this.#state = state
    this.#parts = parts
    this.listeners = parts.listeners
    this.failed = state.failed.promise
  }

  /**
   * Throws LockedError, DataDirectoryError, native errors of the address (EADDRINUSE, ...), and
   * KafkaError or SettingError for topics and settings that are not valid.
   */
  static async start(options: BrokerOptions): Promise<Broker> {
    const state = new BrokerState(options)
    return new Broker(state, await startParts(options, state))
  }

  get clusterId(): string {
    return this.#state.clusterId
  }

  /** Bytes of replies that clients have not taken yet. */
  get replyBytes(): number {
    return this.#state.acceptor.replyBytes
  }

  /** The partitions that it holds, for looking at from outside; nothing while it starts. */
  get partitions(): Iterable<Partition> {
    return this.#state.replicas.partitions()
  }

  /** Requests that are parked: fetches that wait for bytes, appends that wait to be durable. */
  get parkedRequests(): { readonly fetches: number; readonly appends: number } {
    return this.#state.replicas.parkedRequests
  }

  /** Why the broker gave up; null while it did not. */
  get failure(): Error | null {
    return this.#state.failure
  }

  /** Finishes what is in work, syncs, marks the directory clean. Once; later calls wait for the first. */
  stop(): Promise<void> {
    this.#stopping ??= stopParts(this.#parts, this.#state)
    return this.#stopping
  }
}
