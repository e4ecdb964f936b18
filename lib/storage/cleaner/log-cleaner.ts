/**
 * The cleaner of a log dir: again and again the dirtiest compacted log that is due, then a rest of
 * log.cleaner.backoff.ms. What is clean is kept in `cleaner-offset-checkpoint` (checkpoint.ts has the
 * format), written after each cleaning: a crash before it means that a part is cleaned once more.
 *
 * A log with a damaged batch, or with more keys in one batch than the map holds, is marked and left
 * alone until the next start or a larger map; the others go on. A full
 * disk stops a cleaning and not the log; any other failure of the disk takes the log dir offline.
 * Source: apache/kafka: LogCleaner, LogCleanerManager.
 */

import { DecodeError, KafkaError } from '../../base/errors.ts'
import { type Offset, topicPartitionName } from '../../base/types.ts'
import type { BrokerConfig } from '../../config/broker.ts'
import { sleep } from '../../io/clock.ts'
import { hasErrorCode, readFile, writeFileAtomic } from '../../io/disk.ts'
import type { Env } from '../../io/env.ts'
import { cleanerOffsetFile, decodeOffsetCheckpoint, encodeOffsetCheckpoint } from '../checkpoint.ts'
import { asError, isDiskFailure, isNativeError } from '../disk-failure.ts'
import { GatheringTask } from '../gathering-task.ts'
import type { Log } from '../log.ts'
import { isCompacted } from '../log-config.ts'
import type { LogCleaning, LogDir } from '../log-dir.ts'
import { type Segment, SegmentRemovedError } from '../segment.ts'
import { cleanInThread, ThreadFailedError } from './clean-in-thread.ts'
import { type Cleaning, cleanLog, UncleanableError } from './clean-log.ts'
import { type Cleanable, cleanableOf, isDue } from './cleanable.ts'
import { logToClean } from './log-to-clean.ts'
import { CleanerPace, CleaningStopped } from './pace.ts'
import { removeLeftOver, swapSegments } from './swap.ts'

export type CleanerConfig = Pick<
  BrokerConfig,
  | 'log.cleaner.enable'
  | 'log.cleaner.threads'
  | 'log.cleaner.backoff.ms'
  | 'log.cleaner.dedupe.buffer.size'
  | 'log.cleaner.io.buffer.load.factor'
  | 'log.cleaner.io.buffer.size'
  | 'log.cleaner.io.max.bytes.per.second'
>

/** A cleaning under way. */
interface Running {
  readonly abort: AbortController
  readonly done: Promise<boolean>
}

const pieceBytesMin = 4096
const mapLoadFactorMax = 0.99

export class LogCleaner implements LogCleaning {
  readonly #env: Env
  readonly #dir: LogDir
  readonly #pace: CleanerPace
  /** Up to where each log is clean. */
  readonly #cleaned: Map<string, Offset>
  readonly #running = new Map<string, Running>()
  /** Logs that cannot be cleaned. */
  readonly #uncleanable = new Set<Log>()
  readonly #saves = new GatheringTask(() => this.#save())
  readonly #closing = new AbortController()
  /** Loops under way, by number. */
  readonly #lanes = new Map<number, Promise<void>>()
  readonly #onRate = new Set<() => void>()
  /** A thread could not be had: it will not be tried again. */
  #isThreadless = false
  #config: CleanerConfig

  private constructor(dir: LogDir, config: CleanerConfig, cleaned: Map<string, Offset>) {
    this.#env = dir.env
    this.#dir = dir
    this.#config = config
    this.#cleaned = cleaned
    this.#pace = new CleanerPace(dir.env.clock, () => this.#rate)
  }

  /** A cleaner for the logs of `dir`, which are loaded. It begins to work after a first rest. */
  static async start(dir: LogDir, config: CleanerConfig): Promise<LogCleaner> {
    const cleaner = new LogCleaner(dir, config, await readCleanerOffsets(dir))
    dir.cleaning = cleaner
    cleaner.#startLanes()
    return cleaner
  }

  setConfig(config: CleanerConfig): void {
    const name = 'log.cleaner.dedupe.buffer.size'
    // Perhaps that was what they lacked.
    if (config[name] > this.#config[name]) this.#uncleanable.clear()
    this.#config = config
    for (const listener of this.#onRate) listener()
    this.#startLanes()
  }

  #startLanes(): void {
    const count = this.#laneCount
    for (let lane = 0; lane < count; lane++) {
      if (!this.#lanes.has(lane)) this.#lanes.set(lane, this.#lane(lane))
    }
  }

  get #laneCount(): number {
    const isOn = this.#config['log.cleaner.enable'] && !this.#closing.signal.aborted
    return isOn ? this.#config['log.cleaner.threads'] : 0
  }

  async #lane(lane: number): Promise<void> {
    try {
      while (lane < this.#laneCount) {
        await sleep(this.#env.clock, this.#config['log.cleaner.backoff.ms'], this.#closing.signal)
        while (lane < this.#laneCount && (await this.cleanDirtiest())) {
          // The next one.
        }
      }
    } catch (error) {
      if (!this.#closing.signal.aborted) throw error
    } finally {
      this.#lanes.delete(lane)
    }
  }

  /** Cleans the dirtiest log that is due. Whether there was one, and it went well. */
  async cleanDirtiest(): Promise<boolean> {
    const found = await this.#dirtiest()
    // While this lane looked another one may have taken it, or the log went.
    if (found === null || this.#running.has(found.log.name)) return false
    if (this.#dir.logOf(found.log.topicPartition) !== found.log) return false
    const { name } = found.log
    const abort = new AbortController()
    const stop = () => abort.abort(new CleaningStopped('the cleaner stops'))
    this.#closing.signal.addEventListener('abort', stop, { once: true })
    const done = this.#clean(found, abort.signal)
    this.#running.set(name, { abort, done })
    try {
      return await done
    } finally {
      this.#closing.signal.removeEventListener('abort', stop)
      this.#running.delete(name)
    }
  }

  async #dirtiest(): Promise<Cleanable | null> {
    const nowMs = this.#env.clock.nowMs()
    const highWatermarks = new Map<string, Offset>()
    for (const [topicPartition, offset] of this.#dir.highWatermarks()) {
      highWatermarks.set(topicPartitionName(topicPartition), offset)
    }
    let dirtiest: Cleanable | null = null
    for (const log of [...this.#dir.logs]) {
      if (!isCompacted(log.config) || log.failure !== null) continue
      if (this.#running.has(log.name) || this.#uncleanable.has(log)) continue
      const highWatermark =
        highWatermarks.get(log.name) ?? this.#dir.highWatermarkOf(log.topicPartition)
      const cleanedOffset = this.cleanedOffsetOf(log)
      const cleanable = await this.#orMark(log, () =>
        cleanableOf(log, { cleanedOffset, highWatermark, nowMs }),
      )
      if (cleanable === null || !isDue(cleanable)) continue
      if (dirtiest === null || cleanable.dirtyRatio > dirtiest.dirtyRatio) dirtiest = cleanable
    }
    return dirtiest
  }

  async #clean(cleanable: Cleanable, signal: AbortSignal): Promise<boolean> {
    const { log, firstDirtyOffset } = cleanable
    const { clock } = this.#env
    const startMs = clock.monotonicMs()
    const done = await this.#orMark(log, () => this.#run(cleanable, signal))
    if (done === null || signal.aborted) return false
    const { cleaning, isThreaded } = done
    this.#cleaned.set(log.name, cleaning.endOffset)
    await this.#saves.request()
    const ms = Math.round(clock.monotonicMs() - startMs)
    this.#report(log, { firstDirtyOffset, isThreaded, ms }, cleaning)
    return true
  }

  /** In a thread where there are any, unless it is too little to be worth one. */
  async #run(
    cleanable: Cleanable,
    signal: AbortSignal,
  ): Promise<{ cleaning: Cleaning; isThreaded: boolean }> {
    const env = this.#env
    const { log } = cleanable
    await removeLeftOver(env.disk, log.directory)
    const toClean = await logToClean(env, cleanable)
    signal.throwIfAborted()
    const tools = {
      ...this.#limits,
      ...{ env, signal, pool: this.#dir.pool },
      swapIn: (replaced: readonly Segment[], replacement: Segment) =>
        swapSegments({ env, log }, replaced, replacement),
    }
    const threads = this.#isThreadless ? null : (env.disk.threads ?? null)
    const bytes = toClean.segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    if (threads !== null && bytes >= threads.workBytesMin) {
      const cleaning = await cleanInThread(threads, toClean, {
        ...tools,
        runSync: (sync) => this.#dir.runSync(sync),
        rate: () => this.#rate / this.#lanesMax,
        onRate: (listener) => {
          this.#onRate.add(listener)
          return () => this.#onRate.delete(listener)
        },
      })
      return { cleaning, isThreaded: true }
    }
    const runSync = (sync: () => Promise<void>) => this.#dir.runSync(sync)
    const cleaning = await cleanLog(toClean, { ...tools, runSync, pace: this.#pace })
    return { cleaning, isThreaded: false }
  }

  get #rate(): number {
    return this.#config['log.cleaner.io.max.bytes.per.second']
  }

  get #lanesMax(): number {
    return Math.max(this.#config['log.cleaner.threads'], 1)
  }

  get #limits() {
    const config = this.#config
    const lanes = this.#lanesMax
    return {
      mapBytesMax: config['log.cleaner.dedupe.buffer.size'] / lanes,
      mapLoadFactor: Math.min(config['log.cleaner.io.buffer.load.factor'], mapLoadFactorMax),
      pieceBytes: Math.max(
        Math.floor(config['log.cleaner.io.buffer.size'] / lanes / 2),
        pieceBytesMin,
      ),
    }
  }

  #report(
    log: Log,
    run: { firstDirtyOffset: Offset; isThreaded: boolean; ms: number },
    cleaning: Cleaning,
  ): void {
    this.#env.log.info('log.cleaned', { log: log.name, ...run, ...cleaning })
    if (cleaning.keylessDropped === 0) return
    this.#env.log.warn('log.cleaned.without-key', {
      log: log.name,
      count: cleaning.keylessDropped,
    })
  }

  /** What `run` gives; null when it failed, which is then dealt with. */
  async #orMark<T>(log: Log, run: () => Promise<T>): Promise<T | null> {
    try {
      return await run()
    } catch (error) {
      this.#onFailure(log, error)
      return null
    }
  }

  #onFailure(log: Log, error: unknown): void {
    // Retention may have begun before the cleaning: the next one sees what it left.
    if (error instanceof CleaningStopped || error instanceof SegmentRemovedError) return
    if (error instanceof ThreadFailedError) {
      this.#isThreadless = true
      this.#env.log.warn('log.cleaner.thread.failed', { log: log.name, error: error.message })
    }
    if (log.failure !== null && !(error instanceof DecodeError)) {
      // Offline for another reason, or half renamed: then the log dir has to know.
      this.#dir.onFailure(log, log.failure)
      return
    }
    if (error instanceof ThreadFailedError) return
    // A KafkaError: its codec is not to be had here.
    const isOfLog =
      error instanceof DecodeError ||
      error instanceof UncleanableError ||
      error instanceof KafkaError
    if (isOfLog) {
      this.#uncleanable.add(log)
      this.#env.log.error('log.uncleanable', { log: log.name, error: error.message })
      return
    }
    if (!isNativeError(error)) throw error
    if (isDiskFailure(error) && !hasErrorCode(error, 'ENOENT')) this.#dir.onFailure(log, error)
    else this.#env.log.warn('log.cleaning.failed', { log: log.name, error: error.message })
  }

  /** Up to where the log is clean; null when it never was cleaned. */
  cleanedOffsetOf(log: Log): Offset | null {
    return this.#cleaned.get(log.name) ?? null
  }

  isCleaning(log: Log): boolean {
    return this.#running.has(log.name)
  }

  /** Ends a cleaning of the log, and forgets how far it is clean. For a log that goes. */
  async release(log: Log): Promise<void> {
    const running = this.#running.get(log.name)
    running?.abort.abort(new CleaningStopped(`${log.name} goes`))
    await running?.done
    this.#uncleanable.delete(log)
    if (this.#cleaned.delete(log.name)) await this.#saves.request()
  }

  async #save(): Promise<void> {
    const entries = []
    for (const log of this.#dir.logs) {
      const offset = this.#cleaned.get(log.name)
      if (offset !== undefined) entries.push({ ...log.topicPartition, offset })
    }
    const path = `${this.#dir.path}/${cleanerOffsetFile}`
    try {
      await writeFileAtomic(this.#env.disk, path, encodeOffsetCheckpoint(entries))
    } catch (error) {
      // The old file stays: a part of the logs is cleaned once more.
      this.#env.log.warn('log.cleaner.checkpoint.failed', { path, error: asError(error).message })
    }
  }

  /** Ends what is under way, within a slice of work and a disk operation. */
  async close(): Promise<void> {
    this.#closing.abort(new CleaningStopped('the cleaner is closed'))
    await Promise.all([...this.#running.values()].map(({ done }) => done))
    await Promise.all(this.#lanes.values())
    await this.#saves.idle()
  }
}

async function readCleanerOffsets(dir: LogDir): Promise<Map<string, Offset>> {
  const offsets = new Map<string, Offset>()
  const path = `${dir.path}/${cleanerOffsetFile}`
  try {
    const bytes = await readFile(dir.env.disk, path)
    if (bytes === null) return offsets
    for (const entry of decodeOffsetCheckpoint(bytes)) {
      if (dir.logOf(entry)) offsets.set(topicPartitionName(entry), entry.offset)
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    dir.env.log.error('log.checkpoint.unreadable', { path, error: error.message })
    offsets.clear()
  }
  return offsets
}
