/**
 * MetadataFollower: keeps a ClusterImage up to date from a MetadataStore. Reads everything once,
 * then follows the watch; reads everything again when the watch was reset. Watch events are hints:
 * per key only a newer revision counts.
 */

import { type Deferred, deferred } from '../base/deferred.ts'
import { KafkaError } from '../base/errors.ts'
import type { Timer } from '../io/clock.ts'
import type { Env } from '../io/env.ts'
import { type ClusterImage, emptyImage } from './image.ts'
import { applyEvents, eventsToReach } from './image-builder.ts'
import { Keys } from './keys.ts'
import type { MetadataStore, Revision, WatchEvent, Watcher } from './store.ts'

export interface MetadataFollowerOptions {
  readonly store: MetadataStore
  readonly clusterId: string
  readonly env: Env
  /** After every change, with the image before it; the first time with the empty one. */
  readonly onImage?: (image: ClusterImage, before: ClusterImage) => void
}

interface Waiter {
  readonly revision: Revision
  readonly reached: Deferred<void>
  readonly timer: Timer
}

const deletedMax = 10_000

export class MetadataFollower {
  readonly keys: Keys
  readonly #options: MetadataFollowerOptions
  /** modRevision of every key that the image was made of. */
  readonly #known = new Map<string, Revision>()
  readonly #deleted = new Map<string, Revision>()
  readonly #listeners = new Set<(image: ClusterImage, before: ClusterImage) => void>()
  #image: ClusterImage
  #watcher: Watcher | null = null
  #waiters: Waiter[] = []
  #isClosed = false

  private constructor(options: MetadataFollowerOptions) {
    this.#options = options
    this.keys = new Keys(options.clusterId)
    this.#image = emptyImage(options.clusterId)
    if (options.onImage) this.#listeners.add(options.onImage)
  }

  /** Resolves when the first image is there. */
  static async start(options: MetadataFollowerOptions): Promise<MetadataFollower> {
    const follower = new MetadataFollower(options)
    await follower.#readAll()
    return follower
  }

  get image(): ClusterImage {
    return this.#image
  }

  /** Beside `onImage`: called after every change until the returned function is called. */
  subscribe(listener: (image: ClusterImage, before: ClusterImage) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async #readAll(): Promise<void> {
    this.#watcher?.close()
    const { store } = this.#options
    const range = await store.range(this.keys.prefix)
    if (this.#isClosed) return
    this.#apply(eventsToReach(this.#image, this.#known, range), range.revision)
    this.#watcher = store.watch(this.keys.prefix, range.revision, {
      onEvents: (events, revision) => this.#apply(events, revision),
      onReset: () => {
        void this.#readAll().catch((error: unknown) => {
          this.#options.env.log.error('metadata.follower.read_failed', { error: String(error) })
        })
      },
    })
  }

  #apply(events: readonly WatchEvent[], revision: Revision): void {
    if (this.#isClosed) return
    const newer = events.filter(({ key, modRevision }) => {
      const seen = this.#known.get(key) ?? this.#deleted.get(key) ?? 0
      const isNewer = modRevision > seen
      if (isNewer) this.#known.set(key, modRevision)
      return isNewer
    })
    const before = this.#image
    this.#image = applyEvents(before, this.keys, { events: newer, revision })
    for (const { key, value, modRevision } of newer) {
      if (value === null) this.#forget(key, modRevision)
    }
    this.#wake()
    if (newer.length === 0 && before.revision > 0) return
    for (const listener of this.#listeners) listener(this.#image, before)
  }

  /** Remembers for a while that the key is gone, so that a late event does not bring it back. */
  #forget(key: string, modRevision: Revision): void {
    this.#known.delete(key)
    this.#deleted.set(key, modRevision)
    if (this.#deleted.size <= deletedMax) return
    for (const oldest of this.#deleted.keys()) {
      this.#deleted.delete(oldest)
      break
    }
  }

  #wake(): void {
    this.#waiters = this.#waiters.filter(({ revision, reached, timer }) => {
      if (revision > this.#image.revision) return true
      timer.cancel()
      reached.resolve()
      return false
    })
  }

  /** Resolves when the image is at least at this revision. Throws REQUEST_TIMED_OUT. */
  async waitFor(revision: Revision, timeoutMs: number): Promise<void> {
    if (this.#image.revision >= revision) return
    const reached = deferred()
    const timer = this.#options.env.clock.timer(timeoutMs, () => {
      this.#waiters = this.#waiters.filter((waiter) => waiter.timer !== timer)
      reached.reject(
        new KafkaError(
          'REQUEST_TIMED_OUT',
          `metadata is at revision ${this.#image.revision}, waited ${timeoutMs} ms for ${revision}`,
        ),
      )
    })
    this.#waiters.push({ revision, reached, timer })
    await reached.promise
  }

  close(): void {
    this.#isClosed = true
    this.#watcher?.close()
    for (const { timer, reached } of this.#waiters.splice(0)) {
      timer.cancel()
      reached.reject(new KafkaError('REQUEST_TIMED_OUT', 'the broker is stopping'))
    }
  }
}
