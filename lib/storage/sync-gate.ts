/** At most so many syncs of a log dir at a time: more only take each other's turn at the disk. */

/** First come, first served; all others wait in line. */
export class SyncGate {
  readonly #max: number
  #count = 0
  readonly #waiters: (() => void)[] = []

  constructor(max: number) {
    this.#max = max
  }

  async run(sync: () => Promise<void>): Promise<void> {
    if (this.#count >= this.#max) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    } else this.#count++
    try {
      await sync()
    } finally {
      // The place goes straight to the next in line.
      const next = this.#waiters.shift()
      if (next === undefined) this.#count--
      else next()
    }
  }
}
