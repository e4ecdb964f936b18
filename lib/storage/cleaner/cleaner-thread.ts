/**
 * A cleaning in a thread of its own (clean-in-thread.ts is the other side): reads the segments that it is
 * told of, writes new ones, and asks for each to be put in the place of the old ones, which only the
 * broker's own event loop may do. Collections of V8, codecs and checksums hold up nobody there.
 *
 *   this side                         the broker's
 *   -------------------------------   ---------------------------------------------
 *                                     job (the thread's input)
 *   sync                          ->  waits until the disk may take one more
 *                                 <-  go
 *   synced                        ->  the next may
 *   swap: segment `from` .. `to`  ->  swapSegments
 *                                 <-  swapped: whether it was done
 *   done | failed                 ->  the end
 *                                 <-  rate, stop: at any time
 */

import { deferred } from '../../base/deferred.ts'
import { KafkaError } from '../../base/errors.ts'
import type { Offset, ProducerId } from '../../base/types.ts'
import type { Env } from '../../io/env.ts'
import type { ThreadPort } from '../../io/threads.ts'
import { asError, isNativeError } from '../disk-failure.ts'
import { Segment } from '../segment.ts'
import { SegmentPool } from '../segment-pool.ts'
import type { TransactionIndexEntry } from '../transaction-index.ts'
import { type Cleaning, type CleaningTools, cleanLog, type SwapIn } from './clean-log.ts'
import type { CleaningConfig, LastBatches, LogToClean } from './log-to-clean.ts'
import { CleanerPace, CleaningStopped } from './pace.ts'

/** Everything that a cleaning needs to know, as plain data. */
export interface CleaningJob {
  readonly name: string
  readonly directory: string
  readonly config: CleaningConfig
  readonly segments: readonly Readonly<{
    baseOffset: Offset
    sizeBytes: number
    createdMs: number
  }>[]
  readonly firstDirtyOffset: Offset
  readonly endOffset: Offset
  readonly aborted: readonly TransactionIndexEntry[]
  readonly producers: ReadonlyMap<ProducerId, LastBatches>
  readonly limits: Pick<CleaningTools, 'mapBytesMax' | 'mapLoadFactor' | 'pieceBytes'>
  /** Bytes per second. */
  readonly rate: number
}

export type ToThread =
  | { readonly kind: 'go' }
  | { readonly kind: 'swapped'; readonly isDone: boolean }
  | { readonly kind: 'rate'; readonly rate: number }
  | { readonly kind: 'stop' }

/** An error as plain data: `code` of a native one. */
export interface Failure {
  readonly name: string
  readonly message: string
  readonly code: string | null
}

export type FromThread =
  | { readonly kind: 'sync' }
  | { readonly kind: 'synced' }
  /** The segments at `from` up to `to` of the job became one, with so many bytes. */
  | {
      readonly kind: 'swap'
      readonly from: number
      readonly to: number
      readonly sizeBytes: number
    }
  | { readonly kind: 'done'; readonly cleaning: Cleaning }
  | { readonly kind: 'failed'; readonly failure: Failure }

/** Files open at a time: one that is read, one that is written, and their indexes. */
const openMax = 8

/** Does the job of `port`. Never rejects: the other side is told. */
export async function cleanForOthers(env: Env, port: ThreadPort): Promise<void> {
  const job = port.input as CleaningJob
  const abort = new AbortController()
  const pool = new SegmentPool({ openMax })
  const post = (message: FromThread) => port.post(message)
  let rate = job.rate
  let swapped = deferred<boolean>()
  let go = deferred()
  const handlers: { [K in ToThread['kind']]: (message: ToThread & { kind: K }) => void } = {
    go: () => go.resolve(),
    swapped: ({ isDone }) => swapped.resolve(isDone),
    rate: (message) => {
      rate = message.rate
    },
    stop: () => abort.abort(new CleaningStopped('the cleaner stops')),
  }
  port.listen((message) => {
    const { kind } = message as ToThread
    handlers[kind](message as never)
  })
  const log = logOf(job, { env, pool })
  const swapIn: SwapIn = async (replaced, replacement) => {
    const [first] = replaced
    const from = first === undefined ? -1 : log.segments.indexOf(first)
    const { sizeBytes } = replacement
    // Its files are about to get other names.
    await replacement.close()
    swapped = deferred()
    post({ kind: 'swap', from, to: from + replaced.length, sizeBytes })
    return swapped.promise
  }
  const runSync = async (sync: () => Promise<void>) => {
    go = deferred()
    post({ kind: 'sync' })
    await go.promise
    try {
      await sync()
    } finally {
      post({ kind: 'synced' })
    }
  }
  let end: FromThread
  try {
    const cleaning = await cleanLog(log, {
      ...job.limits,
      ...{ env, pool, swapIn, signal: abort.signal },
      runSync,
      pace: new CleanerPace(env.clock, () => rate),
    })
    end = { kind: 'done', cleaning }
  } catch (error) {
    end = { kind: 'failed', failure: failureOf(error) }
  }
  // What was only read has nothing to lose.
  for (const segment of log.segments) await segment.close().catch(() => undefined)
  post(end)
}

function logOf(job: CleaningJob, { env, pool }: { env: Env; pool: SegmentPool }): LogToClean {
  const { directory } = job
  const segments = job.segments.map(({ baseOffset, sizeBytes, createdMs }) => {
    const segment = new Segment({ disk: env.disk, pool, directory, baseOffset, createdMs })
    segment.adopt(sizeBytes, { isActive: false, isSynced: true })
    return segment
  })
  return { ...job, segments }
}

function failureOf(error: unknown): Failure {
  const { name, message } = asError(error)
  // Its codec is not to be had here.
  if (error instanceof KafkaError) return { name: 'UncleanableError', message, code: null }
  return { name, message, code: isNativeError(error) ? error.code : null }
}
