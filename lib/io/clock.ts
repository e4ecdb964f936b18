/** Time, as a parameter. */

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Wall clock, ms since 1970; may jump. For timestamps that people or records carry. */
  nowMs(): number
  /** Monotonic ms with a fraction, from an arbitrary start. For every deadline and duration. */
  monotonicMs(): number
  /** Calls `fn` once after `ms`. Keeps the process alive until then, unless `unref`. */
  timer(ms: number, fn: () => void, options?: { unref?: boolean }): Timer
  /** Calls `fn` after everything that arrived in this turn of the event loop was handled. */
  endOfTurn(fn: () => void): void
}

/** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      timer.cancel()
      reject(signal?.reason)
    }
    const timer = clock.timer(ms, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
