/**
 * MetadataStore: where the cluster's metadata lives. A map of keys to JSON texts, changed only by
 * transactions that compare before they write. One number, the revision, counts the transactions
 * that changed something; every key remembers the revision that created it and the last one that
 * changed it. That is all of etcd that we use, so that etcd can stand behind the same interface.
 *
 * - `range` is linearizable: it sees every transaction that was answered before it was called.
 * - A `txn` either happens as a whole or not at all. `unknown` = nobody can tell (a lost answer);
 *   it is never to be sent again blindly, but resolved by reading what it would have written.
 * - A watch gives hints at least once, in the order of revisions; `onReset` = read it all again.
 * - Keys put with a session vanish, as one transaction, when the session ends.
 */

/** Counts the transactions that changed something, from 0 in an empty store. */
export type Revision = number

export interface KeyValue {
  readonly key: string
  readonly value: string
  /** A key that was deleted and put again has a new one. */
  readonly createRevision: Revision
  readonly modRevision: Revision
  /** The id of the session it vanishes with; null when it stays. */
  readonly session: string | null
}

export type Compare =
  | { readonly kind: 'absent'; readonly key: string }
  | { readonly kind: 'createRevision'; readonly key: string; readonly revision: Revision }
  | { readonly kind: 'modRevision'; readonly key: string; readonly revision: Revision }

export type Operation =
  | {
      readonly kind: 'put'
      readonly key: string
      readonly value: string
      readonly session?: Session
    }
  | { readonly kind: 'delete'; readonly key: string }

export type TransactionResult =
  /** `revision`: of this transaction; that of the store when it changed nothing. */
  | { readonly outcome: 'ok'; readonly revision: Revision }
  /** A compare did not hold; `reads` has what the keys in `failureReads` hold now, in their order. */
  | {
      readonly outcome: 'failed'
      readonly revision: Revision
      readonly reads: readonly (KeyValue | null)[]
    }
  | { readonly outcome: 'unknown' }

export interface Session {
  readonly id: string
  readonly ttlMs: number
  /** False as soon as its end is certain. */
  readonly isAlive: boolean
  /** Called once when it ends other than by `end`; at once when it has ended already. */
  onLost(callback: () => void): void
  /** Ends it now: its keys are gone when this resolves. */
  end(): Promise<void>
}

/** `value` null = deleted. Only the newest of several changes of a key may be told. */
export interface WatchEvent {
  readonly key: string
  readonly value: KeyValue | null
  readonly modRevision: Revision
}

export interface WatchHandlers {
  /** What changed up to `revision`, in order. Never empty. */
  onEvents(events: readonly WatchEvent[], revision: Revision): void
  /** Changes may have been missed: range again, and watch from there. */
  onReset(): void
}

export interface Watcher {
  close(): void
}

export interface MetadataStore {
  /** All keys that begin with `prefix`, sorted. */
  range(
    prefix: string,
  ): Promise<{ readonly revision: Revision; readonly keyValues: readonly KeyValue[] }>
  /** At most `operationsMax` operations, no key twice. Throws KafkaError KAFKA_STORAGE_ERROR when the store is lost. */
  txn(
    compares: readonly Compare[],
    success: readonly Operation[],
    failureReads?: readonly string[],
  ): Promise<TransactionResult>
  /** Tells of all changes after `fromRevision` under `prefix`. */
  watch(prefix: string, fromRevision: Revision, handlers: WatchHandlers): Watcher
  grant(ttlMs: number): Promise<Session>
  health(): 'ok' | 'degraded' | 'lost'
  close(): Promise<void>
}

/** etcd refuses 128 by default. */
export const operationsMax = 120
