/**
 * A log dir: the data directory of one broker, with a directory per log and a few files for all.
 *
 *   meta.properties                      whose it is (data-directory.ts)
 *   recovery-point-offset-checkpoint     up to where each log is synced        every 5 s and at close
 *   replication-offset-checkpoint        high watermark of each log            every 5 s and at close
 *   log-start-offset-checkpoint          first offset of each log              at each change
 *   .kafka_cleanshutdown                 only between a clean stop and the next loading
 *   <topic>-<partition>/                 the logs
 *
 * The clean mark is removed, durably, before loading changes anything: a crash while loading is
 * then an unclean stop (KAFKA-10471). A disk that fails takes the whole dir offline: its logs answer
 * KAFKA_STORAGE_ERROR, the process goes on. A full disk stops appends only.
 * Source: apache/kafka: core/.../log/LogManager.scala.
 */

import { assert } from '../base/assert.ts'
import { KafkaError } from '../base/errors.ts'
import { planted } from '../base/planted.ts'
import {
  type Offset,
  type TopicId,
  type TopicPartition,
  topicPartitionName,
} from '../base/types.ts'
import { uuidFromBytes } from '../base/uuid.ts'
import type { BrokerConfig } from '../config/broker.ts'
import type { Timer } from '../io/clock.ts'
import { type DiskLock, writeFileAtomic } from '../io/disk.ts'
import type { Env } from '../io/env.ts'
import { BufferPool } from './buffer-pool.ts'
import {
  cleanShutdownFile,
  encodeMetaProperties,
  encodePartitionMetadata,
  type MetaProperties,
  metaPropertiesFile,
} from './checkpoint.ts'
import {
  claimDirectory,
  DataDirectoryError,
  syncParents,
  writeCleanMark,
} from './data-directory.ts'
import { asError, isDiskFailure, isShortage, messageOf, storageError } from './disk-failure.ts'
import { DiskFloor } from './disk-floor.ts'
import { GatheringTask } from './gathering-task.ts'
import type { GroupCommit } from './journal/group-commit.ts'
import { Journal, type JournalConfig } from './journal/journal.ts'
import { journalKeyOf } from './journal/journal-block.ts'
import { inLanes } from './lanes.ts'
import { Log } from './log.ts'
import type { LogConfig } from './log-config.ts'
import type { LogHost } from './log-host.ts'
import { readOwner } from './log-owner.ts'
import { OffsetCheckpoints } from './offset-checkpoints.ts'
import { createLogFiles, loadLog } from './recovery.ts'
import { applyRetention } from './retention.ts'
import { directoryKind, markedDirectoryName, partitionMetadataFile } from './segment-files.ts'
import { SegmentPool } from './segment-pool.ts'
import { SyncGate } from './sync-gate.ts'

export { DataDirectoryError } from './data-directory.ts'

export type LogDirConfig = Pick<
  BrokerConfig,
  'log.retention.check.interval.ms' | 'ottla.disk.floor.bytes' | 'producer.id.expiration.ms'
> &
  Partial<JournalConfig>

/** What a log dir needs of the cleaner of its logs (cleaner/log-cleaner.ts). */
export interface LogCleaning {
  isCleaning(log: Log): boolean
  /** Resolves when the log, which goes, is no longer worked on. */
  release(log: Log): Promise<void>
}

export interface LogDirOptions {
  readonly env: Env
  readonly path: string
  readonly nodeId: number
  readonly clusterId?: string | undefined
  readonly config: LogDirConfig
  /** Take over a directory that Apache Kafka wrote and stopped cleanly. */
  readonly adopt?: boolean
  /** Segment files open at a time, when nobody holds more of them busy. */
  readonly segmentFilesMax?: number
}

const checkpointEveryMs = 5_000
const firstRetentionMs = 30_000
/** Syncs under way at a time: one of libuv's four threads stays free for writes and reads. */
const syncsMax = 3
/** Kafka's own metadata log: read when a directory is adopted, never served. */
const metadataTopic = '__cluster_metadata'

export class LogDir implements LogHost {
  readonly env: Env
  readonly path: string
  readonly pool: SegmentPool
  readonly buffers = new BufferPool()
  readonly commits: GroupCommit
  /** Whether the last process stopped cleanly. */
  readonly isClean: boolean
  /** What is to be checkpointed as high watermarks; logs it does not name keep theirs. */
  highWatermarks: () => Iterable<[TopicPartition, Offset]> = () => []
  /** Told of logs that go; retention leaves alone what it works on. */
  cleaning: LogCleaning = { isCleaning: () => false, release: async () => {} }
  /** The dir went offline. */
  onOffline: (error: Error) => void = () => {}
  readonly #journal: Journal
  readonly #lock: DiskLock
  readonly #floor: DiskFloor
  readonly #logs = new Map<string, Log>()
  readonly #offsets: OffsetCheckpoints
  readonly #logStartSaves = new GatheringTask(() => this.#saveLogStarts())
  readonly #recoveryPointSaves = new GatheringTask(() => this.#saveRecoveryPoints())
  readonly #checkpoints = new GatheringTask(() => this.#checkpoint())
  readonly #timers = new Map<string, Timer>()
  #meta: MetaProperties
  #config: LogDirConfig
  #failure: Error | null = null
  /** Whether anything in the directory may have been changed: the clean mark is gone. */
  #isInUse = false
  /** Whether every log was looked at: before that nothing can be said of them. */
  #isLoaded = false
  #hasDamage = false
  /** Recovery points of logs have risen; else only those of logs that are gone are to be written. */
  #isDue = false
  #isAdopted = false
  #isClosed = false
  #closing: Promise<boolean> | null = null
  #waitingBytes = 0
  readonly #syncs = new SyncGate(syncsMax)

  private constructor(
    { env, path, config, segmentFilesMax }: LogDirOptions,
    found: {
      lock: DiskLock
      meta: MetaProperties
      isClean: boolean
      offsets: OffsetCheckpoints
    },
  ) {
    this.env = env
    this.path = path
    this.#offsets = found.offsets
    this.pool = new SegmentPool(segmentFilesMax === undefined ? {} : { openMax: segmentFilesMax })
    this.isClean = found.isClean
    this.#config = config
    this.#lock = found.lock
    this.#meta = found.meta
    this.#floor = new DiskFloor(env, path, config['ottla.disk.floor.bytes'])
    this.#floor.onSpace = () => this.#onSpace()
    this.#journal = new Journal({
      env,
      path,
      directoryId: () => this.directoryId,
      config: () => this.#config,
      onFailure: (error) => this.#goOffline(error),
    })
    this.commits = this.#journal.commits
  }

  /**
   * Takes hold of the directory, formatting a new one. Changes nothing else: DataDirectoryError for
   * a foreign or unreadable one, LockedError when another process holds it, native errors.
   */
  static async open(options: LogDirOptions): Promise<LogDir> {
    const { env, path, nodeId, clusterId, adopt = false } = options
    await env.disk.mkdir(path)
    const lock = await env.disk.lock(path)
    try {
      const meta = await claimDirectory(env, path, { nodeId, clusterId, adopt })
      const offsets = new OffsetCheckpoints(env, path)
      const isClean = (await env.disk.list(path)).some(({ name }) => name === cleanShutdownFile)
      await offsets.read({ isClean, isOurs: meta.isOurs })
      const dir = new LogDir(options, {
        lock,
        meta,
        isClean,
        offsets,
      })
      await dir.#floor.look()
      return dir
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  get clusterId(): string {
    return this.#meta.clusterId
  }
  get nodeId(): number {
    return this.#meta.nodeId
  }
  /** 22 characters; '' in a directory of a Kafka that did not write one. */
  get directoryId(): string {
    return this.#meta.directoryId ?? ''
  }
  /** Whether Apache Kafka wrote the directory: `completeAdoption` makes it ours. */
  get needsAdoption(): boolean {
    return !this.#meta.isOurs
  }
  get failure(): Error | null {
    return this.#failure
  }
  get refusal(): string | null {
    return this.#floor.refusal
  }
  get producerExpirationMs(): number {
    return this.#config['producer.id.expiration.ms']
  }
  /** Bytes appended that the disk has not taken yet, over all logs. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }
  get logs(): Iterable<Log> {
    return this.#logs.values()
  }

  setConfig(config: LogDirConfig): void {
    this.#config = config
    this.#floor.floorBytes = config['ottla.disk.floor.bytes']
    void this.#floor.look()
  }

  /** After all that Kafka's metadata said is stored: from now on the directory is ours. */
  async completeAdoption(): Promise<void> {
    const directoryId = this.#meta.directoryId ?? uuidFromBytes(this.env.random.bytes(16))
    this.#meta = { ...this.#meta, directoryId, isOurs: true }
    this.#isAdopted = true
    const bytes = encodeMetaProperties(this.#meta)
    await writeFileAtomic(this.env.disk, `${this.path}/${metaPropertiesFile}`, bytes)
  }

  /**
   * Loads every log, recovering those of an unclean stop. A damaged log is among them, with its
   * `failure`. DataDirectoryError for a partition directory that is a symbolic link.
   */
  async loadLogs(
    configOf: (topic: string, topicId: TopicId | null) => LogConfig,
    topicIdOf: ((topic: string) => TopicId | null) | null = null,
  ): Promise<Log[]> {
    const found: { topicPartition: TopicPartition; directory: string }[] = []
    for (const { name, kind } of await this.env.disk.list(this.path)) {
      const directory = `${this.path}/${name}`
      const named = directoryKind(name)
      if (named.kind === 'log' && kind === 'other') {
        throw new DataDirectoryError(
          `${directory} is a symbolic link or no directory. Put a real directory in its place`,
        )
      }
      if (kind !== 'directory') continue
      if (named.kind === 'deleted') this.#removeLater(directory, 60_000)
      else if (named.kind === 'log' && named.topicPartition.topic !== metadataTopic) {
        found.push({ topicPartition: named.topicPartition, directory })
      } else if (named.kind === 'stray' || named.kind === 'future') {
        this.env.log.warn('log.dir.left-alone', { directory, kind: named.kind })
      }
    }
    await this.#beginUse()
    await this.#journal.read(this.isClean)
    await inLanes(found, async ({ topicPartition, directory }) => {
      const name = topicPartitionName(topicPartition)
      const { topicId, failure } = await readOwner(this.env, directory)
      const config = configOf(topicPartition.topic, topicId)
      const knownId = topicIdOf?.(topicPartition.topic) ?? null
      // Another log's directory under this name: what the journal has is that log's.
      const isOther = topicId !== null && knownId !== null && topicId !== knownId
      const key = journalKeyOf({ topicId: topicId ?? knownId, topicPartition })
      const state = await loadLog({
        host: this,
        directory,
        topicPartition,
        topicId,
        failure,
        config,
        isClean: this.isClean,
        recoveryPoint: this.#offsets.recoveryPoints.get(name) ?? 0,
        logStartOffset: this.#offsets.logStarts.get(name) ?? 0,
        // Nobody knows whether an unknown topic was compacted, either.
        knowsStart:
          !this.#isAdopted && (topicIdOf === null || (knownId !== null && topicId === knownId)),
        wasCleaned: this.#offsets.cleaned?.has(name) ?? true,
        // What the journal has of it must not go with the journal while nobody knows whose it is.
        journal: isOther ? null : this.#journal.tailOf(key),
      })
      this.#offsets.compare(name, { ...state, endOffset: state.logEndOffset })
      if (state.failure !== null) this.#hasDamage = true
      this.#journal.loaded(state)
      this.#logs.set(name, new Log(state, config, this))
    })
    this.#offsets.loaded(this.#logs, (topic) => (topicIdOf?.(topic) ?? null) !== null)
    if (this.#journal.hasTails) {
      await this.saveRecoveryPoints()
      await this.#journal.begin()
    }
    this.#isLoaded = true
    this.#startTimers()
    return [...this.#logs.values()]
  }

  /** From here on a crash is an unclean stop. */
  async #beginUse(): Promise<void> {
    if (this.#isInUse) return
    this.#isInUse = true
    if (this.isClean && !planted.cleanMarkBelieved) {
      await this.env.disk.remove(`${this.path}/${cleanShutdownFile}`)
    }
    // After a kill the directories of logs, and ours, may be known to the cache only.
    if (planted.logDirectoryUnsynced) return
    await this.env.disk.syncDir(this.path)
    if (!this.isClean) await syncParents(this.env, this.path)
  }

  #startTimers(): void {
    this.#every('checkpoint', checkpointEveryMs, () => this.#checkpointAll())
    const retain = async (): Promise<void> => {
      await this.retain()
      this.#every('retention', this.#config['log.retention.check.interval.ms'], retain)
    }
    const firstMs = Math.min(firstRetentionMs, this.#config['log.retention.check.interval.ms'])
    this.#after('retention', firstMs, () => void retain().catch(() => {}))
    void this.#floor.start()
  }

  #after(name: string, ms: number, fn: () => void): void {
    if (this.#isClosed || this.#failure !== null) return
    this.#timers.get(name)?.cancel()
    this.#timers.set(name, this.env.clock.timer(ms, fn, { unref: true }))
  }

  #every(name: string, ms: number, run: () => Promise<void>): void {
    const again = () => this.#every(name, ms, run)
    this.#after(name, ms, () => void run().then(again, again))
  }

  /** Drops old segments and expired producers now. The timer calls it; so may tests. */
  async retain(): Promise<void> {
    const nowMs = this.env.clock.nowMs()
    this.#noteHighWatermarks()
    for (const log of this.#logs.values()) {
      if (log.failure !== null || this.cleaning.isCleaning(log)) continue
      log.producers.expire(nowMs, this.producerExpirationMs)
      const highWatermark = this.#offsets.highWatermarks.get(log.name) ?? 0
      try {
        const count = await applyRetention(log, { nowMs, highWatermark })
        if (count > 0) this.env.log.info('log.segments.dropped', { log: log.name, count })
      } catch (error) {
        this.env.log.warn('log.retention.failed', { log: log.name, error: messageOf(error) })
      }
    }
  }

  /** A new, empty log; its directory appears whole or not at all. TOPIC_ALREADY_EXISTS, KAFKA_STORAGE_ERROR. */
  async create(topicPartition: TopicPartition, topicId: TopicId, config: LogConfig): Promise<Log> {
    this.#checkOnline()
    const name = topicPartitionName(topicPartition)
    if (this.#logs.has(name)) throw new KafkaError('TOPIC_ALREADY_EXISTS', `the log ${name} exists`)
    assert(directoryKind(name).kind === 'log', `"${name}" is no name for a log's directory`)
    const { disk } = this.env
    const unique = this.env.random.bytes(16)
    const making = `${this.path}/${markedDirectoryName(topicPartition, unique, 'delete')}`
    const directory = `${this.path}/${name}`
    try {
      await this.#beginUse()
      // Else a crash would find the new log shorter than it is said to be.
      if (this.#offsets.isOutdated(name)) await this.#clearOffsets(name)
      // Nor are records of one of this id to come back from the journal.
      await this.commits.noteTruncation({ topicId, partition: topicPartition.partition }, 0)
      await disk.mkdir(making)
      const file = await disk.open(`${making}/${partitionMetadataFile}`, 'create')
      try {
        await file.writeAt([encodePartitionMetadata(topicId)], 0)
        await file.sync()
      } finally {
        await file.close()
      }
      const state = await createLogFiles(this, { topicPartition, topicId, directory: making })
      await disk.rename(making, directory)
      await disk.syncDir(this.path)
      const log = new Log({ ...state, directory }, config, this)
      log.moveTo(directory)
      this.#logs.set(name, log)
      return log
    } catch (error) {
      if (isDiskFailure(error)) this.#goOffline(asError(error))
      throw storageError(name, error)
    }
  }

  async #clearOffsets(name: string): Promise<void> {
    this.#offsets.tellMissing(name)
    await this.#checkpoints.request()
  }

  /** Takes the log away: at once for everybody, its files after file.delete.delay.ms. */
  async remove(log: Log): Promise<void> {
    const directory = await this.#moveAway(log, 'delete')
    this.#removeLater(directory, log.config['file.delete.delay.ms'])
  }

  /** Puts aside a log that belongs to no topic of the cluster. Its files stay. */
  async setAside(log: Log): Promise<void> {
    const directory = await this.#moveAway(log, 'stray')
    this.env.log.warn('log.set-aside', { log: log.name, directory })
  }

  async #moveAway(log: Log, mark: 'delete' | 'stray'): Promise<string> {
    this.#checkOnline()
    const { name } = log
    assert(this.#logs.get(name) === log, `${name} is not a log of ${this.path}`)
    this.#logs.delete(name)
    this.#offsets.forget(name)
    const unique = this.env.random.bytes(16)
    const directory = `${this.path}/${markedDirectoryName(log.topicPartition, unique, mark)}`
    await this.cleaning.release(log)
    try {
      await this.env.disk.rename(log.directory, directory)
      log.moveTo(directory)
      await this.env.disk.syncDir(this.path)
    } catch (error) {
      this.#goOffline(asError(error))
      throw storageError(name, error)
    }
    await log.abandon()
    await this.#checkpoints.request()
    return directory
  }

  #removeLater(directory: string, delayMs: number): void {
    const remove = () => {
      this.env.disk.remove(directory).catch((error: unknown) => {
        this.env.log.warn('log.remove.failed', { directory, error: messageOf(error) })
      })
    }
    this.#after(`remove ${directory}`, delayMs, remove)
  }

  logOf(topicPartition: TopicPartition): Log | undefined {
    return this.#logs.get(topicPartitionName(topicPartition))
  }

  /** The checkpointed high watermark; 0 for a log without one. */
  highWatermarkOf(topicPartition: TopicPartition): Offset {
    return this.#offsets.highWatermarks.get(topicPartitionName(topicPartition)) ?? 0
  }

  bytesQueued(change: number): void {
    this.#waitingBytes += change
    if (change > 0) this.#floor.appended(change)
  }

  runSync(sync: () => Promise<void>): Promise<void> {
    return this.#syncs.run(sync)
  }

  onFailure(log: { readonly name: string }, error: Error): void {
    // What fails under a log that was taken away says nothing about the disk.
    if (this.#logs.get(log.name) !== log || this.#isClosed) return
    if (isShortage(error)) {
      this.env.log.error('log.disk-full', { log: log.name, error: error.message })
      void this.#floor.look()
    } else this.#goOffline(error)
  }

  #onSpace(): void {
    for (const log of this.#logs.values()) {
      if (!log.isFull) continue
      log.resume().then(
        () => this.env.log.info('log.resumed', { log: log.name, endOffset: log.logEndOffset }),
        () => {},
      )
    }
  }

  #goOffline(error: Error): void {
    if (this.#failure !== null) return
    this.#failure = error
    this.env.log.error('log.dir.offline', {
      path: this.path,
      error: error.message,
      todo: 'repair the disk, then restart the broker',
    })
    this.#stopTimers()
    for (const log of this.#logs.values()) log.goOffline(error)
    this.onOffline(error)
  }

  #stopTimers(): void {
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
    this.#floor.close()
  }

  #checkOnline(): void {
    if (this.#failure === null && !this.#isClosed) return
    const why = this.#failure?.message ?? 'it is closed'
    throw new KafkaError('KAFKA_STORAGE_ERROR', `${this.path} is offline: ${why}`)
  }

  async saveLogStarts(): Promise<void> {
    try {
      await this.#logStartSaves.request()
    } catch (error) {
      if (!isShortage(error)) this.#goOffline(asError(error))
      throw storageError(this.path, error)
    }
  }

  async #saveLogStarts(): Promise<void> {
    for (const log of this.#logs.values()) {
      if (log.logStartOffset > 0) this.#offsets.logStarts.set(log.name, log.logStartOffset)
    }
    await this.#offsets.writeLogStarts()
  }

  #noteHighWatermarks(): void {
    for (const [topicPartition, offset] of this.highWatermarks()) {
      const name = topicPartitionName(topicPartition)
      if (this.#logs.has(name)) this.#offsets.highWatermarks.set(name, offset)
    }
  }

  #checkpointAll(): Promise<void> {
    this.#isDue = true
    return this.#checkpoints.request()
  }

  async #checkpoint(): Promise<void> {
    if (this.#failure !== null) return
    this.#noteHighWatermarks()
    for (const log of this.#logs.values()) log.epochFile.retry()
    try {
      await this.#offsets.write({
        saveRecoveryPoints: () => this.#recoveryPointSaves.request(),
        saveLogStarts: () => this.#logStartSaves.request(),
      })
    } catch (error) {
      // The old files stay as they were: recovery only has to read more.
      if (!isShortage(error)) this.#goOffline(asError(error))
    }
  }

  saveRecoveryPoints(): Promise<void> {
    this.#isDue = true
    return this.#recoveryPointSaves.request()
  }

  async #saveRecoveryPoints(): Promise<void> {
    if (this.#isDue) this.#noteRecoveryPoints()
    this.#isDue = false
    await this.#offsets.writeRecoveryPoints()
  }

  #noteRecoveryPoints(): void {
    for (const log of this.#logs.values()) {
      this.#offsets.recoveryPoints.set(log.name, log.recoveryPoint)
    }
  }

  /** Syncs and closes all logs, writes checkpoints and the clean mark, lets go of the directory. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    await this.closeLogs()
    this.#isClosed = true
    await this.#lock.release()
  }

  /** The first half of `close`: the directory stays held. Whether the next start needs no recovery. */
  async closeLogs(): Promise<boolean> {
    this.#stopTimers()
    this.#closing ??= this.#isInUse ? this.#closeLogs() : Promise.resolve(this.isClean)
    return this.#closing
  }

  async #closeLogs(): Promise<boolean> {
    let isClean = this.#isLoaded && !this.#hasDamage
    await inLanes([...this.#logs.values()], async (log) => {
      try {
        // A log that is offline may have records in the journal alone.
        isClean &&= !log.isFull && log.failure === null
        await log.close()
      } catch (error) {
        isClean = false
        this.env.log.error('log.close.failed', { log: log.name, error: messageOf(error) })
      }
    })
    if (this.#isLoaded) await this.#checkpointAll()
    isClean &&= this.#failure === null
    await this.#journal.close({ isClean })
    if (isClean) await writeCleanMark(this.env.disk, this.path)
    return isClean
  }
}
