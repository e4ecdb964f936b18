/** What a log needs of the log dir it lies in. LogDir is the implementation. */

import type { Env } from '../io/env.ts'
import type { BufferPool } from './buffer-pool.ts'
import type { GroupCommit } from './journal/group-commit.ts'
import type { SegmentPool } from './segment-pool.ts'

export interface LogHost {
  readonly env: Env
  readonly pool: SegmentPool
  readonly buffers: BufferPool
  /** Makes the bytes of all logs durable together. */
  readonly commits: GroupCommit
  /** Why no append is taken at the moment; null when it is. */
  readonly refusal: string | null
  readonly producerExpirationMs: number
  /** So many bytes were queued for the disk, or (negative) have left the queue. */
  bytesQueued(change: number): void
  /** Runs a sync when the disk may take one more. */
  runSync(sync: () => Promise<void>): Promise<void>
  /** Makes the log start offsets of all logs durable. KAFKA_STORAGE_ERROR. */
  saveLogStarts(): Promise<void>
  /** Makes the recovery points of all logs durable. */
  saveRecoveryPoints(): Promise<void>
  /** The disk failed under `log`. */
  onFailure(log: { readonly name: string }, error: Error): void
}
