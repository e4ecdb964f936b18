/** How long to wait before trying again: doubling, with a fifth of chance either way so that many clients do not return in step. */

import type { Random } from '../io/random.ts'

export interface BackoffRange {
  readonly minMs: number
  readonly maxMs: number
}

/** Between attempts at a connection. */
export const reconnectBackoff: BackoffRange = { minMs: 250, maxMs: 5000 }
/** Between attempts at a request that a broker refused for the moment. */
export const retryBackoff: BackoffRange = { minMs: 50, maxMs: 1000 }

/** The pause in ms after the `failures`th failure in a row (from 1). */
export function backoffMs(random: Random, range: BackoffRange, failures: number): number {
  const plainMs = Math.min(range.minMs * 2 ** Math.min(failures - 1, 20), range.maxMs)
  return plainMs * (0.8 + (0.4 * random.u32()) / 0x1_0000_0000)
}
