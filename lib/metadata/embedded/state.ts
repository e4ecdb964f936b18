/** The keys of the embedded store in memory, and what a transaction does to them. */

import type { Compare, KeyValue, Revision, WatchEvent } from '../store.ts'

/** An operation as it stands in the log. */
export type LoggedOperation =
  | readonly ['put', key: string, value: string, session: string | null]
  | readonly ['delete', key: string]

export type LoggedTransaction = readonly [
  revision: Revision,
  operations: readonly LoggedOperation[],
]

/** A key as it stands in the snapshot. */
export type LoggedKey = readonly [
  key: string,
  value: string,
  createRevision: Revision,
  modRevision: Revision,
  session: string | null,
]

export class StoreState {
  readonly #keys: Map<string, KeyValue>
  #revision: Revision

  constructor(revision: Revision = 0, keys: readonly LoggedKey[] = []) {
    this.#revision = revision
    this.#keys = new Map(
      keys.map(([key, value, createRevision, modRevision, session]) => [
        key,
        { key, value, createRevision, modRevision, session },
      ]),
    )
  }

  get revision(): Revision {
    return this.#revision
  }

  get(key: string): KeyValue | null {
    return this.#keys.get(key) ?? null
  }

  holds(compare: Compare): boolean {
    const found = this.#keys.get(compare.key)
    if (compare.kind === 'absent') return found === undefined
    return found?.[compare.kind] === compare.revision
  }

  range(prefix: string): KeyValue[] {
    const found: KeyValue[] = []
    for (const value of this.#keys.values()) if (value.key.startsWith(prefix)) found.push(value)
    return found.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  /** Keys that vanish with a session; with any session when no id is given. */
  ownedBy(session?: string): string[] {
    const owned: string[] = []
    for (const value of this.#keys.values()) {
      const isOwned = session === undefined ? value.session !== null : value.session === session
      if (isOwned) owned.push(value.key)
    }
    return owned
  }

  /** The operations that change something: a delete of what is not there does not. */
  effective(operations: readonly LoggedOperation[]): LoggedOperation[] {
    return operations.filter((operation) => operation[0] === 'put' || this.#keys.has(operation[1]))
  }

  apply([revision, operations]: LoggedTransaction): WatchEvent[] {
    this.#revision = revision
    return operations.map((operation): WatchEvent => {
      const key = operation[1]
      if (operation[0] === 'delete') {
        this.#keys.delete(key)
        return { key, value: null, modRevision: revision }
      }
      const createRevision = this.#keys.get(key)?.createRevision ?? revision
      const [, , text, session] = operation
      const value = { key, value: text, createRevision, modRevision: revision, session }
      this.#keys.set(key, value)
      return { key, value, modRevision: revision }
    })
  }

  toLogged(): LoggedKey[] {
    return [...this.#keys.values()].map(
      ({ key, value, createRevision, modRevision, session }) =>
        [key, value, createRevision, modRevision, session] as const,
    )
  }
}
