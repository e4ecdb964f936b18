/**
 * The offset checkpoints of a log dir: an offset for each log, by file. A file is replaced as a whole,
 * and only when it would read differently; entries whose name is no log's are left out.
 *
 * What they say of a log that is gone must not be taken for one that is made under its name: a crash
 * would find the new log shorter than it was synced. So `settle` comes before a log is made.
 */

import { DecodeError } from '../base/errors.ts'
import { type Offset, topicPartitionName } from '../base/types.ts'
import { readFile, writeFileAtomic } from '../io/disk.ts'
import type { Env } from '../io/env.ts'
import {
  cleanerOffsetFile,
  decodeOffsetCheckpoint,
  encodeOffsetCheckpoint,
  highWatermarkFile,
  logStartFile,
  readOffsetCheckpoint,
  recoveryPointFile,
} from './checkpoint.ts'
import { directoryKind } from './segment-files.ts'
import { isNoFile } from './unusable.ts'

export class OffsetCheckpoints {
  /** By the log's name: up to where it is synced, where it begins, and its high watermark. */
  recoveryPoints = new Map<string, Offset>()
  logStarts = new Map<string, Offset>()
  highWatermarks = new Map<string, Offset>()
  /** Logs that were compacted, whatever their policy is now; null when nobody knows. */
  cleaned: ReadonlySet<string> | null = new Set()
  readonly #env: Env
  readonly #directory: string
  /** What each file holds, as far as it was written here. */
  readonly #written = new Map<string, Uint8Array>()
  /** Logs that are gone and may still stand in the files. */
  readonly #outdated = new Set<string>()
  /** Up to where logs were synced that were not there at start: deleted just before a crash, or lost. */
  readonly #missing = new Map<string, Offset>()

  constructor(env: Env, directory: string) {
    this.#env = env
    this.#directory = directory
  }

  /** Reads the files; one that cannot be read is logged, and says nothing. `isOurs`: none is ever empty. */
  async read({ isClean, isOurs }: { isClean: boolean; isOurs: boolean }): Promise<void> {
    const names = new Set((await this.#env.disk.list(this.#directory)).map(({ name }) => name))
    // It is the first to be written, and a clean stop writes it.
    if (!names.has(recoveryPointFile) && (isClean || names.has(highWatermarkFile))) {
      this.#env.log.error('log.checkpoint.missing', {
        path: `${this.#directory}/${recoveryPointFile}`,
        why: 'records that are missing at the ends of logs cannot be told from now on',
      })
    }
    const of = (file: string) => {
      return readOffsetCheckpoint(this.#env, `${this.#directory}/${file}`, { isOurs })
    }
    this.recoveryPoints = await of(recoveryPointFile)
    this.logStarts = await of(logStartFile)
    this.highWatermarks = await of(highWatermarkFile)
    this.cleaned = await this.#readCleaned()
  }

  /** The cleaner reads the file again for what else it says, and tells when it cannot be read. */
  async #readCleaned(): Promise<ReadonlySet<string> | null> {
    try {
      const bytes = await readFile(this.#env.disk, `${this.#directory}/${cleanerOffsetFile}`)
      return new Set(bytes === null ? [] : decodeOffsetCheckpoint(bytes).map(topicPartitionName))
    } catch (error) {
      if (error instanceof DecodeError || isNoFile(error)) return null
      throw error
    }
  }

  /**
   * All logs there are. One that is missing and that a topic wants is told of at once: after a crash
   * from now on the checkpoints may not name it any more.
   */
  loaded(logs: ReadonlyMap<string, unknown>, isWanted: (topic: string) => boolean): void {
    // Either may have lost what the other still says.
    const ends = new Map([...this.highWatermarks, ...this.recoveryPoints])
    for (const [name, highWatermark] of this.highWatermarks) {
      ends.set(name, Math.max(ends.get(name) ?? 0, highWatermark))
    }
    for (const [name, offset] of ends) {
      if (logs.has(name)) continue
      this.forget(name)
      this.#missing.set(name, offset)
      const named = directoryKind(name)
      if (named.kind === 'log' && isWanted(named.topicPartition.topic)) this.tellMissing(name)
    }
  }

  /** An empty log takes the place of one that was not there at start: said once. */
  tellMissing(name: string): void {
    const syncedEnd = this.#missing.get(name) ?? 0
    this.#missing.delete(name)
    if (syncedEnd === 0) return
    this.#env.log.error('log.missing', {
      directory: `${this.#directory}/${name}`,
      syncedEnd,
      todo: 'its directory is gone, an empty log takes its place: restore it from a backup',
    })
  }

  /** A log that ends before its high watermark lost what was acknowledged: it is said, not repaired. */
  compare(
    name: string,
    { directory, endOffset, failure }: { directory: string; endOffset: Offset; failure: unknown },
  ): void {
    const highWatermark = this.highWatermarks.get(name) ?? 0
    if (failure !== null || highWatermark <= endOffset) return
    this.#env.log.error('log.end.short', { directory, endOffset, highWatermark })
  }

  forget(name: string): void {
    this.recoveryPoints.delete(name)
    this.logStarts.delete(name)
    this.highWatermarks.delete(name)
    this.#outdated.add(name)
  }

  isOutdated(name: string): boolean {
    return this.#outdated.has(name)
  }

  /** Has all files written as they are known. Throws native errors; a file is then as it was. */
  async write(saves: {
    saveRecoveryPoints: () => Promise<void>
    saveLogStarts: () => Promise<void>
  }): Promise<void> {
    const outdated = [...this.#outdated]
    await saves.saveRecoveryPoints()
    await this.#write(highWatermarkFile, this.highWatermarks)
    await saves.saveLogStarts()
    for (const name of outdated) {
      this.#outdated.delete(name)
      this.#missing.delete(name)
    }
  }

  writeRecoveryPoints(): Promise<void> {
    return this.#write(recoveryPointFile, this.recoveryPoints)
  }

  writeLogStarts(): Promise<void> {
    return this.#write(logStartFile, this.logStarts)
  }

  async #write(file: string, offsets: ReadonlyMap<string, Offset>): Promise<void> {
    const entries = []
    for (const [name, offset] of offsets) {
      const named = directoryKind(name)
      if (named.kind === 'log') entries.push({ ...named.topicPartition, offset })
    }
    const bytes = encodeOffsetCheckpoint(entries)
    const before = this.#written.get(file)
    if (before !== undefined && Buffer.compare(before, bytes) === 0) return
    await writeFileAtomic(this.#env.disk, `${this.#directory}/${file}`, bytes)
    this.#written.set(file, bytes)
  }
}
