/**
 * The broker's side of a cleaning in a thread of its own (cleaner-thread.ts): tells it what to clean, and
 * puts the segments that come back in the place of the old ones.
 */

import { deferred } from '../../base/deferred.ts'
import { DecodeError } from '../../base/errors.ts'
import type { Offset, ProducerId } from '../../base/types.ts'
import type { Timer } from '../../io/clock.ts'
import { hasErrorCode } from '../../io/disk.ts'
import type { Thread, Threads } from '../../io/threads.ts'
import type { ProducerStates } from '../producer-state.ts'
import { Segment } from '../segment.ts'
import { type Cleaning, type CleaningTools, UncleanableError } from './clean-log.ts'
import type { CleaningJob, Failure, FromThread, ToThread } from './cleaner-thread.ts'
import type { LastBatches, LogToClean } from './log-to-clean.ts'
import { CleaningStopped } from './pace.ts'

/** The thread could not be made, or ended in the middle: nothing is known of the log or the disk. */
export class ThreadFailedError extends Error {
  override readonly name = 'ThreadFailedError'
}

export interface ThreadTools
  extends Pick<
    CleaningTools,
    | 'env'
    | 'pool'
    | 'runSync'
    | 'signal'
    | 'swapIn'
    | 'mapBytesMax'
    | 'mapLoadFactor'
    | 'pieceBytes'
  > {
  readonly rate: () => number
  /** Calls `listener` whenever the rate has changed, until the function it gives is called. */
  readonly onRate: (listener: () => void) => () => void
}

/** For a thread that was told to stop: it does so within a slice of work and a disk operation. */
const patienceMs = 10_000

type ThreadedLog = LogToClean & { readonly producers: ProducerStates }
type SwapMessage = FromThread & { kind: 'swap' }

/** As cleanLog; ThreadFailedError when the thread is not to be had. */
export async function cleanInThread(
  threads: Threads,
  log: ThreadedLog,
  tools: ThreadTools,
): Promise<Cleaning> {
  const { signal } = tools
  const outcome = deferred<Cleaning>()
  const thread = start(threads, jobOf(log, tools), (message) => {
    if (message.kind === 'done') outcome.resolve(message.cleaning)
    else if (message.kind === 'failed') outcome.reject(errorOf(message.failure))
    else if (message.kind === 'swap') {
      swapping = swap(message).then((isDone) => post({ kind: 'swapped', isDone }))
    } else if (message.kind === 'synced') turn.end()
    else if (message.kind === 'sync')
      void tools.runSync(() => turn.begin(() => post({ kind: 'go' })))
  })
  const turn = new SyncTurn()
  let swapping = Promise.resolve()
  const swapped = new Set<Segment>()
  const post = (message: ToThread) => thread.post(message)
  /** A failure ends the cleaning for both sides. */
  const swap = async (made: SwapMessage): Promise<boolean> => {
    const replaced = log.segments.slice(made.from, made.to)
    try {
      const isDone = await tools.swapIn(replaced, cleanedSegment(log, replaced, made, tools))
      for (const segment of isDone ? replaced : []) swapped.add(segment)
      return isDone
    } catch (error) {
      outcome.reject(error)
      return false
    }
  }
  const patience: Timer[] = []
  const stop = () => {
    post({ kind: 'stop' })
    patience.push(tools.env.clock.timer(patienceMs, () => thread.end()))
  }
  signal.addEventListener('abort', stop, { once: true })
  const endRate = tools.onRate(() => post({ kind: 'rate', rate: tools.rate() }))
  void thread.ended.then((cause) => {
    const why = cause === null ? 'the thread ended' : cause.message
    outcome.reject(new ThreadFailedError(`${log.name}: ${why}`, { cause }))
  })
  try {
    return await outcome.promise
  } catch (error) {
    // Files that went meanwhile are missing there, or are others.
    const isGone = log.segments.some((segment) => segment.isRemoved && !swapped.has(segment))
    if (isGone && (error instanceof DecodeError || hasErrorCode(error, 'ENOENT'))) {
      throw new CleaningStopped(`${log.name}: its segments changed`)
    }
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
    for (const timer of patience) timer.cancel()
    endRate()
    thread.end()
    await thread.ended
    turn.close()
    // A thread that died meanwhile leaves a swap to be finished.
    await swapping
  }
}

/** The thread's place among the syncs of the disk, held until it is done with it, or gone. */
class SyncTurn {
  #isClosed = false
  #done = deferred()

  async begin(go: () => void): Promise<void> {
    if (this.#isClosed) return
    this.#done = deferred()
    go()
    await this.#done.promise
  }

  end(): void {
    this.#done.resolve()
  }

  close(): void {
    this.#isClosed = true
    this.end()
  }
}

function start(
  threads: Threads,
  job: CleaningJob,
  onMessage: (message: FromThread) => void,
): Thread {
  try {
    return threads.start('clean-log', job, (message) => onMessage(message as FromThread))
  } catch (error) {
    throw new ThreadFailedError(`${job.name}: ${String(error)}`, { cause: error })
  }
}

/** What the thread made of `replaced`. */
function cleanedSegment(
  { directory }: LogToClean,
  replaced: readonly Segment[],
  { sizeBytes }: SwapMessage,
  { env, pool }: ThreadTools,
): Segment {
  const segment = new Segment({
    ...{ disk: env.disk, pool, directory, mark: '.cleaned' },
    baseOffset: replaced[0]?.baseOffset ?? 0,
    createdMs: replaced.at(-1)?.createdMs ?? 0,
  })
  segment.adopt(sizeBytes, { isActive: false, isSynced: true })
  return segment
}

function jobOf(
  log: ThreadedLog,
  { mapBytesMax, mapLoadFactor, pieceBytes, rate }: ThreadTools,
): CleaningJob {
  const { name, directory, firstDirtyOffset, endOffset, aborted, config } = log
  return {
    ...{ name, directory, firstDirtyOffset, endOffset, aborted },
    segments: log.segments.map(({ baseOffset, writtenBytes: sizeBytes, createdMs }) => {
      return { baseOffset, sizeBytes, createdMs }
    }),
    config: {
      'delete.retention.ms': config['delete.retention.ms'],
      'index.interval.bytes': config['index.interval.bytes'],
      'internal.segment.bytes': config['internal.segment.bytes'],
      'segment.bytes': config['segment.bytes'],
      'segment.index.bytes': config['segment.index.bytes'],
    },
    producers: lastBatchesBelow(log.producers, endOffset),
    limits: { mapBytesMax, mapLoadFactor, pieceBytes },
    rate: rate(),
  }
}

/** Of the producers that may have their last batches there. */
function lastBatchesBelow(
  producers: ProducerStates,
  endOffset: Offset,
): Map<ProducerId, LastBatches> {
  const found = new Map<ProducerId, LastBatches>()
  for (const { producerId, producerEpoch, batches } of producers.entries()) {
    const below = batches.filter(({ lastOffset }) => lastOffset < endOffset)
    if (batches.length > 0 && below.length === 0) continue
    found.set(producerId, {
      producerEpoch,
      batches: below.map(({ lastOffset }) => ({ lastOffset })),
    })
  }
  return found
}

const errors: Readonly<Record<string, new (message: string) => Error>> = {
  CleaningStopped,
  DecodeError,
  UncleanableError,
}

function errorOf({ name, message, code }: Failure): Error {
  if (code !== null) return Object.assign(new Error(message), { code })
  const Known = errors[name]
  return Known === undefined ? new Error(`${name}: ${message}`) : new Known(message)
}
