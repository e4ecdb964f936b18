/**
 * Whether a small operation on a file is done in the calling thread. The page cache takes or gives
 * 64 KiB in some ten microseconds, and knows an open file in fewer; handing that to a thread and
 * hearing of it again costs more, in time and in processor. When one took long, the disk and not the
 * cache has answered (a cold read, a throttled writer): then the threads do it for a while. And no
 * turn of the event loop spends more than `turnMsMax` on them: who does one after the other would
 * let nobody else have a turn.
 */

/** Bytes up to which an operation is small. */
export const smallBytesMax = 64 * 1024
/** From here on a call was slow, in milliseconds. */
const slowMs = 2
/** For so long nothing is tried after a slow call. */
const restMs = 1000
const turnMsMax = 1

export class SmallOperations {
  readonly #nowMs: () => number
  readonly #afterTurn: (fn: () => void) => void
  #restsUntilMs = Number.NEGATIVE_INFINITY
  #spentMs = 0
  #isCounting = false

  /** `nowMs` is a monotonic clock; `afterTurn` calls back when others had their turn. */
  constructor(nowMs = () => performance.now(), afterTurn: (fn: () => void) => void = setImmediate) {
    this.#nowMs = nowMs
    this.#afterTurn = afterTurn
  }

  fits(sizeBytes: number): boolean {
    if (sizeBytes > smallBytesMax || this.#spentMs >= turnMsMax) return false
    return this.#nowMs() >= this.#restsUntilMs
  }

  /** Runs a synchronous operation and takes note of how long it took; throws as it does. */
  run<T>(operation: () => T): T {
    const begin = this.#nowMs()
    try {
      return operation()
    } finally {
      const end = this.#nowMs()
      if (end - begin >= slowMs) this.#restsUntilMs = end + restMs
      this.#count(end - begin)
    }
  }

  #count(ms: number): void {
    this.#spentMs += ms
    if (this.#isCounting) return
    this.#isCounting = true
    this.#afterTurn(() => {
      this.#isCounting = false
      this.#spentMs = 0
    })
  }
}
