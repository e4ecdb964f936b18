/**
 * Whether a small read or write is done in the calling thread. The page cache takes or gives 64 KiB in
 * some ten microseconds; handing that to a thread and hearing of it again costs more, in time and in
 * processor. When one took long, the disk and not the cache has answered (a cold read, a throttled
 * writer): then the threads do it for a while. So the event loop loses at most one such call a second.
 */

/** Bytes up to which an operation is small. */
export const smallBytesMax = 64 * 1024
/** From here on a call was slow, in milliseconds. */
const slowMs = 2
/** For so long nothing is tried after a slow call. */
const restMs = 1000

export class SmallOperations {
  readonly #nowMs: () => number
  #restsUntilMs = Number.NEGATIVE_INFINITY

  /** `nowMs` is a monotonic clock. */
  constructor(nowMs = () => performance.now()) {
    this.#nowMs = nowMs
  }

  fits(sizeBytes: number): boolean {
    return sizeBytes <= smallBytesMax && this.#nowMs() >= this.#restsUntilMs
  }

  /** Runs a synchronous operation and takes note of how long it took; throws as it does. */
  run<T>(operation: () => T): T {
    const begin = this.#nowMs()
    try {
      return operation()
    } finally {
      const end = this.#nowMs()
      if (end - begin >= slowMs) this.#restsUntilMs = end + restMs
    }
  }
}
