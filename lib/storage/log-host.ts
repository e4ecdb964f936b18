/**
 * What a log needs of the log dir it lies in. One implementation is LogDir; a bare one serves tests
 * and benchmarks of a single log.
 */

import type { Env } from '../io/env.ts'
import { BufferPool } from './buffer-pool.ts'
import type { Log } from './log.ts'
import { SegmentPool } from './segment-pool.ts'

export interface LogHost {
  readonly env: Env
  readonly pool: SegmentPool
  readonly buffers: BufferPool
  /** Why no append is taken at the moment; null when it is. */
  readonly refusal: string | null
  readonly producerExpirationMs: number
  /** So many bytes were queued for the disk, or (negative) have left the queue. */
  bytesQueued(change: number): void
  /** Runs a sync when the disk may take one more. */
  runSync(sync: () => Promise<void>): Promise<void>
  /** Makes the log start offsets of all logs durable. */
  saveLogStarts(): Promise<void>
  /** The disk failed under `log`. */
  onFailure(log: Log, error: Error): void
}

/** A host of one log, without checkpoints. */
export function bareHost(env: Env): LogHost {
  return {
    env,
    pool: new SegmentPool(),
    buffers: new BufferPool(),
    refusal: null,
    producerExpirationMs: 86_400_000,
    bytesQueued() {},
    runSync: (sync) => sync(),
    saveLogStarts: async () => {},
    onFailure() {},
  }
}
