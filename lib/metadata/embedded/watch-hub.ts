/**
 * Watches of the embedded store. It remembers the last changes, so that a watch from a little
 * earlier misses none; one from further back is told to read everything again.
 */

import type { Revision, WatchEvent, Watcher, WatchHandlers } from '../store.ts'

interface Watch {
  readonly prefix: string
  readonly handlers: WatchHandlers
  /** What it was told of. */
  seenRevision: Revision
  isStarted: boolean
}

const historyMax = 10_000

export class WatchHub {
  readonly #watches = new Set<Watch>()
  #history: WatchEvent[] = []
  /** All changes after this revision are in the history. */
  #historyStart: Revision
  #revision: Revision

  constructor(revision: Revision) {
    this.#historyStart = revision
    this.#revision = revision
  }

  /** The first call back comes after the caller's turn. */
  add(prefix: string, fromRevision: Revision, handlers: WatchHandlers): Watcher {
    const watch: Watch = { prefix, handlers, seenRevision: fromRevision, isStarted: false }
    this.#watches.add(watch)
    void Promise.resolve().then(() => this.#start(watch))
    return { close: () => this.#watches.delete(watch) }
  }

  #start(watch: Watch): void {
    if (!this.#watches.has(watch)) return
    watch.isStarted = true
    if (watch.seenRevision < this.#historyStart) {
      this.#watches.delete(watch)
      watch.handlers.onReset()
      return
    }
    const missed = this.#history.filter(({ modRevision }) => modRevision > watch.seenRevision)
    tell(watch, missed, this.#revision)
  }

  /** Tells of one group of transactions. */
  publish(events: readonly WatchEvent[], revision: Revision): void {
    this.#revision = revision
    for (const event of events) this.#history.push(event)
    if (this.#history.length > 2 * historyMax) {
      const dropped = this.#history.at(-historyMax - 1)
      this.#historyStart = dropped?.modRevision ?? this.#historyStart
      this.#history = this.#history.slice(-historyMax)
    }
    for (const watch of this.#watches) if (watch.isStarted) tell(watch, events, revision)
  }

  close(): void {
    this.#watches.clear()
  }
}

function tell(watch: Watch, events: readonly WatchEvent[], revision: Revision): void {
  const seen = events.filter(({ key }) => key.startsWith(watch.prefix))
  watch.seenRevision = revision
  if (seen.length > 0) watch.handlers.onEvents(seen, revision)
}
