/**
 * MetadataStore in plain maps, as plainly as it can be said: the oracle for the other stores in
 * tests, and what the simulated store will be built on. Keeps every change ever made, so that any
 * watch can be served. Nothing is durable; `--memory` brokers use the embedded store over a disk in
 * memory, which is the code that users run.
 */

import { assert } from '../../base/assert.ts'
import { KafkaError } from '../../base/errors.ts'
import {
  type Compare,
  type KeyValue,
  type MetadataStore,
  type Operation,
  operationsMax,
  type Revision,
  type Session,
  type TransactionResult,
  type WatchEvent,
  type Watcher,
  type WatchHandlers,
} from '../store.ts'

interface Watch {
  readonly prefix: string
  readonly handlers: WatchHandlers
  /** What it was told of already. */
  seenRevision: Revision
  isStarted: boolean
}

export class MemoryStore implements MetadataStore {
  readonly #keys = new Map<string, KeyValue>()
  readonly #history: WatchEvent[] = []
  readonly #watches = new Set<Watch>()
  readonly #sessions = new Map<string, MemorySession>()
  #revision: Revision = 0
  #sessionCount = 0
  #isClosed = false

  async range(prefix: string) {
    this.#checkOpen()
    const keyValues = [...this.#keys.values()]
      .filter(({ key }) => key.startsWith(prefix))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
    return { revision: this.#revision, keyValues }
  }

  async txn(
    compares: readonly Compare[],
    success: readonly Operation[],
    failureReads: readonly string[] = [],
  ): Promise<TransactionResult> {
    this.#checkOpen()
    assert(success.length <= operationsMax, `${success.length} operations in one transaction`)
    for (const operation of success) {
      if (operation.kind === 'put' && operation.session && !operation.session.isAlive) {
        throw new KafkaError('STALE_BROKER_EPOCH', `session ${operation.session.id} has ended`)
      }
    }
    if (!compares.every((compare) => this.#holds(compare))) {
      const reads = failureReads.map((key) => this.#keys.get(key) ?? null)
      return { outcome: 'failed', revision: this.#revision, reads }
    }
    this.#apply(success)
    return { outcome: 'ok', revision: this.#revision }
  }

  #holds(compare: Compare): boolean {
    const found = this.#keys.get(compare.key)
    if (compare.kind === 'absent') return found === undefined
    return found?.[compare.kind] === compare.revision
  }

  #apply(operations: readonly Operation[]): void {
    const effective = operations.filter(({ kind, key }) => kind === 'put' || this.#keys.has(key))
    if (effective.length === 0) return
    const revision = ++this.#revision
    const events = effective.map((operation): WatchEvent => {
      const { key } = operation
      if (operation.kind === 'delete') {
        this.#keys.delete(key)
        return { key, value: null, modRevision: revision }
      }
      const value: KeyValue = {
        key,
        value: operation.value,
        createRevision: this.#keys.get(key)?.createRevision ?? revision,
        modRevision: revision,
        session: operation.session?.id ?? null,
      }
      this.#keys.set(key, value)
      return { key, value, modRevision: revision }
    })
    this.#history.push(...events)
    for (const watch of this.#watches) this.#tell(watch)
  }

  watch(prefix: string, fromRevision: Revision, handlers: WatchHandlers): Watcher {
    const watch: Watch = { prefix, handlers, seenRevision: fromRevision, isStarted: false }
    this.#watches.add(watch)
    void Promise.resolve().then(() => {
      watch.isStarted = true
      if (this.#watches.has(watch)) this.#tell(watch)
    })
    return { close: () => this.#watches.delete(watch) }
  }

  #tell(watch: Watch): void {
    if (!watch.isStarted) return
    const events = this.#history.filter(
      ({ key, modRevision }) => modRevision > watch.seenRevision && key.startsWith(watch.prefix),
    )
    watch.seenRevision = this.#revision
    if (events.length > 0) watch.handlers.onEvents(events, this.#revision)
  }

  async grant(ttlMs: number): Promise<Session> {
    this.#checkOpen()
    const session = new MemorySession(`s${++this.#sessionCount}`, ttlMs, () => {
      this.#sessions.delete(session.id)
      const owned = [...this.#keys.values()].filter((value) => value.session === session.id)
      this.#apply(owned.map(({ key }) => ({ kind: 'delete', key })))
    })
    this.#sessions.set(session.id, session)
    return session
  }

  /** For tests: ends a session as its time-out would. */
  expire(session: Session): void {
    this.#sessions.get(session.id)?.lose()
  }

  health(): 'ok' | 'lost' {
    return this.#isClosed ? 'lost' : 'ok'
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#watches.clear()
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new KafkaError('KAFKA_STORAGE_ERROR', 'the metadata store is closed')
  }
}

class MemorySession implements Session {
  readonly id: string
  readonly ttlMs: number
  readonly #onEnd: () => void
  readonly #callbacks: (() => void)[] = []
  #isAlive = true

  constructor(id: string, ttlMs: number, onEnd: () => void) {
    this.id = id
    this.ttlMs = ttlMs
    this.#onEnd = onEnd
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  onLost(callback: () => void): void {
    if (this.#isAlive) this.#callbacks.push(callback)
    else callback()
  }

  lose(): void {
    if (!this.#isAlive) return
    this.#finish()
    for (const callback of this.#callbacks) callback()
  }

  async end(): Promise<void> {
    if (this.#isAlive) this.#finish()
  }

  #finish(): void {
    this.#isAlive = false
    this.#onEnd()
  }
}
