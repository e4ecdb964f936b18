/** The machine's clock. */

import type { Clock } from '../clock.ts'

export const nodeClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  timer(ms, fn, options) {
    const handle = setTimeout(fn, Math.min(ms, 0x7fffffff))
    if (options?.unref) handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
  endOfTurn(fn) {
    setImmediate(fn)
  },
}
