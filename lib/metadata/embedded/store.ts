/**
 * The embedded MetadataStore: keys in memory, transactions in a log on disk. One process owns it
 * (the data directory's lock sees to that), so a transaction is decided at once, in memory; what
 * takes time is its sync. Everything that comes meanwhile forms the next group: one write, one sync.
 *
 * - Nobody is told of a change before it is on disk: neither the caller nor a watch nor a reader,
 *   nor one whose transaction failed because of it.
 * - After a failed write or sync the store is lost: what was under way is `unknown`, everything
 *   later throws. It is never tried again (the kernel may have dropped the pages).
 * - On a full disk it waits, and those who ask wait with it, until there is space.
 * - Sessions live as long as their holder renews them, on the monotonic clock. A session of an
 *   earlier process is over when the store opens: its keys are gone at the first revision after.
 */

import { assert } from '../../base/assert.ts'
import { type Deferred, deferred } from '../../base/deferred.ts'
import { KafkaError } from '../../base/errors.ts'
import { planted } from '../../base/planted.ts'
import { sleep } from '../../io/clock.ts'
import type { Env } from '../../io/env.ts'
import {
  type Compare,
  type KeyValue,
  type MetadataStore,
  type Operation,
  operationsMax,
  type Revision,
  type TransactionResult,
  type WatchEvent,
  type Watcher,
  type WatchHandlers,
} from '../store.ts'
import { Journal, NoSpaceError } from './journal.ts'
import { EmbeddedSession } from './session.ts'
import type { LoggedOperation, LoggedTransaction, StoreState } from './state.ts'
import { WatchHub } from './watch-hub.ts'

interface Pending {
  readonly transaction: LoggedTransaction
  readonly events: readonly WatchEvent[]
  readonly sizeBytes: number
  readonly resolve: (result: TransactionResult) => void
}

interface DurabilityWaiter {
  readonly revision: Revision
  readonly durable: Deferred<void>
}

const pendingMax = 20_000
const groupBytesMax = 4 * 1024 * 1024
const spacePollMs = 500

export interface EmbeddedStoreOptions {
  readonly env: Env
  /** The directory of its two files; made when absent. */
  readonly path: string
  /** From this size on the log is replaced by a snapshot. */
  readonly logBytesMax?: number
}

/** Throws DamageError when the files cannot be trusted. */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  const { env, path } = options
  const { journal, state } = await Journal.open(env.disk, path, env.log)
  const store = new EmbeddedStore(options, journal, state)
  await store.endOldSessions()
  return store
}

export class EmbeddedStore implements MetadataStore {
  readonly #env: Env
  readonly #logBytesMax: number
  readonly #journal: Journal
  readonly #state: StoreState
  readonly #watches: WatchHub
  readonly #sessions = new Map<string, EmbeddedSession>()
  #queue: Pending[] = []
  #waiters: DurabilityWaiter[] = []
  #durableRevision: Revision
  #flushing: Promise<void> | null = null
  #lost: Error | null = null
  #isClosed = false

  constructor(options: EmbeddedStoreOptions, journal: Journal, state: StoreState) {
    this.#env = options.env
    this.#logBytesMax = options.logBytesMax ?? 8 * 1024 * 1024
    this.#journal = journal
    this.#state = state
    this.#durableRevision = state.revision
    this.#watches = new WatchHub(state.revision)
  }

  async range(prefix: string): Promise<{ revision: Revision; keyValues: KeyValue[] }> {
    this.#checkUsable()
    const { revision } = this.#state
    const keyValues = this.#state.range(prefix)
    await this.#whenDurable(revision)
    return { revision, keyValues }
  }

  async txn(
    compares: readonly Compare[],
    success: readonly Operation[],
    failureReads: readonly string[] = [],
  ): Promise<TransactionResult> {
    this.#checkUsable()
    assert(success.length <= operationsMax, `${success.length} operations in one transaction`)
    assert(
      new Set(success.map(({ key }) => key)).size === success.length,
      'a key stands twice in one transaction',
    )
    const operations = success.map((operation) => this.#logged(operation))
    if (!compares.every((compare) => this.#state.holds(compare))) {
      const { revision } = this.#state
      const reads = failureReads.map((key) => this.#state.get(key))
      await this.#whenDurable(revision)
      return { outcome: 'failed', revision, reads }
    }
    return this.#commit(operations)
  }

  #logged(operation: Operation): LoggedOperation {
    if (operation.kind === 'delete') return ['delete', operation.key]
    const { key, value, session } = operation
    if (session && !session.isAlive) {
      throw new KafkaError('STALE_BROKER_EPOCH', `session ${session.id} has ended`)
    }
    return ['put', key, value, session?.id ?? null]
  }

  async #commit(all: readonly LoggedOperation[]): Promise<TransactionResult> {
    const operations = this.#state.effective(all)
    if (operations.length === 0) {
      const { revision } = this.#state
      await this.#whenDurable(revision)
      return { outcome: 'ok', revision }
    }
    if (this.#queue.length >= pendingMax) {
      throw new KafkaError(
        'REQUEST_TIMED_OUT',
        `the metadata store is ${pendingMax} transactions behind; its disk does not keep up`,
      )
    }
    const transaction: LoggedTransaction = [this.#state.revision + 1, operations]
    const events = this.#state.apply(transaction)
    return new Promise((resolve) => {
      this.#queue.push({ transaction, events, sizeBytes: sizeOf(operations), resolve })
      this.#flushing ??= this.#flush()
    })
  }

  /** Writes groups until nothing waits. The first waits for the end of the turn, to gather what comes in it. */
  async #flush(): Promise<void> {
    await new Promise<void>((resolve) => this.#env.clock.endOfTurn(resolve))
    while (this.#queue.length > 0) {
      const isRewrite = this.#journal.sizeBytes >= this.#logBytesMax
      const group = isRewrite ? this.#queue.splice(0) : this.#takeGroup()
      if (planted.metadataAnsweredEarly) this.#publish(group)
      try {
        await this.#whenSpace(() =>
          isRewrite
            ? this.#journal.rewrite(this.#state)
            : this.#journal.append(group.map(({ transaction }) => transaction)),
        )
      } catch (error) {
        this.#lose(error instanceof Error ? error : new Error(String(error)), group)
        break
      }
      this.#publish(group)
    }
    this.#flushing = null
  }

  /** Tries again while the disk is full, until the store is to be closed. */
  async #whenSpace(write: () => Promise<void>): Promise<void> {
    const { clock, log } = this.#env
    for (let tries = 1; ; tries++) {
      try {
        await write()
        if (tries > 1) log.info('metadata.store.space', { tries })
        return
      } catch (error) {
        if (!(error instanceof NoSpaceError) || this.#isClosed) throw error
        if (tries === 1) log.error('metadata.store.full', { error: error.message })
      }
      await sleep(clock, spacePollMs)
    }
  }

  #takeGroup(): Pending[] {
    let sizeBytes = 0
    let count = 0
    for (const pending of this.#queue) {
      sizeBytes += pending.sizeBytes
      if (count > 0 && sizeBytes > groupBytesMax) break
      count++
    }
    return this.#queue.splice(0, count)
  }

  #publish(group: readonly Pending[]): void {
    this.#durableRevision = group.at(-1)?.transaction[0] ?? this.#durableRevision
    this.#watches.publish(
      group.flatMap(({ events }) => events),
      this.#durableRevision,
    )
    for (const { transaction, resolve } of group) {
      resolve({ outcome: 'ok', revision: transaction[0] })
    }
    this.#waiters = this.#waiters.filter(({ revision, durable }) => {
      if (revision > this.#durableRevision) return true
      durable.resolve()
      return false
    })
  }

  #lose(cause: Error, group: readonly Pending[]): void {
    this.#lost = cause
    this.#env.log.error('metadata.store.lost', { error: cause.message })
    for (const { resolve } of [...group, ...this.#queue.splice(0)]) resolve({ outcome: 'unknown' })
    for (const { durable } of this.#waiters.splice(0)) durable.reject(this.#lostError())
    for (const session of this.#sessions.values()) session.lose()
    this.#sessions.clear()
  }

  #lostError(): KafkaError {
    return new KafkaError(
      'KAFKA_STORAGE_ERROR',
      `the metadata store failed: ${this.#lost?.message}; restart the broker`,
      { cause: this.#lost },
    )
  }

  #checkUsable(): void {
    if (this.#lost) throw this.#lostError()
    if (this.#isClosed) throw new KafkaError('KAFKA_STORAGE_ERROR', 'the metadata store is closed')
  }

  async #whenDurable(revision: Revision): Promise<void> {
    if (revision <= this.#durableRevision) return
    const durable = deferred()
    this.#waiters.push({ revision, durable })
    await durable.promise
  }

  watch(prefix: string, fromRevision: Revision, handlers: WatchHandlers): Watcher {
    this.#checkUsable()
    return this.#watches.add(prefix, fromRevision, handlers)
  }

  async grant(ttlMs: number): Promise<EmbeddedSession> {
    this.#checkUsable()
    const id = Buffer.from(this.#env.random.bytes(8)).toString('hex')
    const session = new EmbeddedSession({
      id,
      ttlMs,
      clock: this.#env.clock,
      onEnd: () => this.#dropKeysOf(id),
    })
    this.#sessions.set(id, session)
    return session
  }

  async #dropKeysOf(session: string): Promise<void> {
    this.#sessions.delete(session)
    if (this.#lost || this.#isClosed) return
    await this.#deleteAll(this.#state.ownedBy(session))
  }

  /** For `openEmbeddedStore`: no session outlives its process. */
  async endOldSessions(): Promise<void> {
    await this.#deleteAll(this.#state.ownedBy())
  }

  /** One transaction however many keys, since nobody else has to accept its size. */
  async #deleteAll(keys: readonly string[]): Promise<void> {
    await this.#commit(keys.map((key) => ['delete', key] as const))
  }

  health(): 'ok' | 'lost' {
    return this.#lost || this.#isClosed ? 'lost' : 'ok'
  }

  /** Waits for what is under way, and marks the log as closed. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const session of this.#sessions.values()) session.stopRenewing()
    await this.#flushing
    this.#watches.close()
    if (this.#lost) await this.#journal.abandon()
    else await this.#journal.close(this.#durableRevision)
  }
}

function sizeOf(operations: readonly LoggedOperation[]): number {
  let size = 0
  for (const operation of operations) {
    size += operation[1].length + (operation[0] === 'put' ? operation[2].length : 0) + 40
  }
  return size
}
