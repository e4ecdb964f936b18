/**
 * Work of which one run is under way at a time: what is asked for meanwhile is gathered in the next
 * run. Syncs of a log and rewrites of a checkpoint go through it, so one disk operation serves all
 * who wait.
 */

import { type Deferred, deferred } from '../base/deferred.ts'

export class GatheringTask {
  readonly #run: () => Promise<void>
  #current: Promise<void> | null = null
  #next: Deferred<void> | null = null

  /** `run` must cover everything that was asked for before it is called. */
  constructor(run: () => Promise<void>) {
    this.#run = run
  }

  /** Whether a run is under way or asked for. */
  get isBusy(): boolean {
    return this.#current !== null
  }

  /** Resolves when a run that began after this call has ended; rejects as that run does. */
  request(): Promise<void> {
    if (this.#current === null) {
      this.#current = this.#start()
      return this.#current
    }
    if (this.#next === null) {
      this.#next = deferred()
      // Whoever asked may not be listening; a failure also reaches the owner of `run`.
      this.#next.promise.catch(() => {})
    }
    return this.#next.promise
  }

  /** Resolves when nothing is under way; never rejects. */
  async idle(): Promise<void> {
    while (this.#current !== null) await this.#current.catch(() => {})
  }

  #start(): Promise<void> {
    const running = this.#run()
    const done = running.finally(() => {
      const next = this.#next
      this.#next = null
      this.#current = null
      if (next === null) return
      this.#current = this.#start()
      this.#current.then(
        () => next.resolve(),
        (error: unknown) => next.reject(error),
      )
    })
    done.catch(() => {})
    return done
  }
}
