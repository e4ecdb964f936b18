/**
 * The files of a journal, oldest first: `<data>/journal/<20 digits>.journal`.
 *
 *   new: zeroed, synced, under `.new`  ->  renamed to its number  ->  written block after block
 *   ->  full  ->  its entries lie synced in segments (settled)  ->  renamed to the next number  -> ...
 *
 * - The number is the generation of the blocks that count in the file (journal-block.ts). The rename
 *   is made durable before the first block is written, so a file never holds blocks that count from
 *   an earlier use.
 * - Files are used again in their order only: what is left is always the newest part of the history,
 *   with every truncation that came after any entry in it.
 * - Files are zeroed in whole before they are used: a write then changes neither size nor extents,
 *   and a sync has no metadata to write.
 * - They are made when they are needed, in the background, and never waited for: without room the
 *   commit syncs the segments themselves.
 * - After a clean stop there is no journal directory: Kafka would refuse it, and the files of a
 *   journal must not outlive what somebody else does to the logs.
 */

import type { Disk, DiskFile } from '../../io/disk.ts'
import type { Env } from '../../io/env.ts'
import { asError } from '../disk-failure.ts'
import { blockAlignment } from './journal-block.ts'

export const journalDirectory = 'journal'
const suffix = '.journal'
const newSuffix = '.journal.new'
/** Zeros are written in pieces of this size. */
const zerosBytes = 1024 * 1024
const zerosSyncedBytes = 4 * zerosBytes
/** After a file could not be made. */
const retryMs = 60_000

/** One file in use, or waiting to be used again. */
export interface JournalFile {
  generation: number
  salt: Uint8Array
  readonly file: DiskFile
  readonly sizeBytes: number
  /** Where the next block goes. */
  position: number
}

export interface JournalFilesOptions {
  readonly env: Env
  /** The log dir. */
  readonly path: string
  readonly fileBytes: () => number
  readonly maxBytes: () => number
  /** Whether the entries of a file are all synced in their segments. */
  readonly isSettled: (file: JournalFile) => boolean
}

/** The number in a journal file's name; null for any other name. */
export function generationOfName(name: string): number | null {
  const match = /^(\d{20})\.journal$/.exec(name)
  const generation = Number(match?.[1])
  return match !== null && Number.isSafeInteger(generation) ? generation : null
}

export function journalFileName(generation: number): string {
  return `${String(generation).padStart(20, '0')}${suffix}`
}

export class JournalFiles {
  readonly #options: JournalFilesOptions
  readonly #disk: Disk
  readonly #directory: string
  /** Oldest first; the last takes the blocks. */
  #files: JournalFile[] = []
  #spare: { file: DiskFile; path: string; sizeBytes: number } | null = null
  #making: Promise<void> | null = null
  #failedAtMs = Number.NEGATIVE_INFINITY
  #lastGeneration = 0
  #isClosed = false

  constructor(options: JournalFilesOptions) {
    this.#options = options
    this.#disk = options.env.disk
    this.#directory = `${options.path}/${journalDirectory}`
  }

  /** Whether there is anything on disk that a replay would read. */
  get isEmpty(): boolean {
    return this.#files.length === 0
  }

  get files(): readonly JournalFile[] {
    return this.#files
  }

  /** The file that takes the blocks. */
  get active(): JournalFile | null {
    return this.#files.at(-1) ?? null
  }

  /**
   * Goes on with the files that an earlier process left, once all that they hold is in the segments.
   * Those of another size than is wanted now go.
   */
  async takeOver(generations: readonly number[]): Promise<void> {
    const sorted = [...generations].sort((a, b) => a - b)
    this.#lastGeneration = sorted.at(-1) ?? 0
    const keep = Math.floor(this.#options.maxBytes() / this.#options.fileBytes())
    let isChanged = false
    for (const [index, generation] of sorted.entries()) {
      const path = this.#path(generation)
      const file = await this.#disk.open(path, 'write')
      const sizeBytes = await file.size()
      // The oldest first, so that what is left is still the newest part.
      const isWanted = sizeBytes === this.#fileBytes() && index >= sorted.length - keep
      if (!isWanted && this.#files.length === 0) {
        await file.close()
        await this.#disk.remove(path)
        isChanged = true
        continue
      }
      const salt = this.#options.env.random.bytes(8)
      this.#files.push({ generation, salt, file, sizeBytes, position: sizeBytes })
    }
    if (isChanged) await this.#disk.syncDir(this.#directory)
  }

  #path(generation: number): string {
    return `${this.#directory}/${journalFileName(generation)}`
  }

  #fileBytes(): number {
    const bytes = this.#options.fileBytes()
    return Math.ceil(bytes / blockAlignment) * blockAlignment
  }

  /** A file with room for a block of `blockBytes`; null when there is none now: one is then made ready. */
  async room(blockBytes: number): Promise<JournalFile | null> {
    const active = this.active
    if (active !== null && active.position + blockBytes <= active.sizeBytes) {
      if (active.position * 2 > active.sizeBytes) this.#prepareNext()
      return active
    }
    if (blockBytes > this.#fileBytes()) return null
    return (await this.#recycle(blockBytes)) ?? (await this.#startSpare())
  }

  /** Before the file in use is full: is there one to go on with? */
  #prepareNext(): void {
    const [oldest] = this.#files
    const isReusable =
      oldest !== undefined && oldest !== this.active && this.#options.isSettled(oldest)
    if (!isReusable) this.prepare()
  }

  async #recycle(blockBytes: number): Promise<JournalFile | null> {
    const [oldest] = this.#files
    if (oldest === undefined || blockBytes > oldest.sizeBytes) return null
    if (!this.#options.isSettled(oldest)) return null
    const generation = this.#lastGeneration + 1
    await this.#disk.rename(this.#path(oldest.generation), this.#path(generation))
    await this.#disk.syncDir(this.#directory)
    this.#lastGeneration = generation
    this.#files = this.#files.slice(1)
    return this.#use({ file: oldest.file, sizeBytes: oldest.sizeBytes, generation })
  }

  async #startSpare(): Promise<JournalFile | null> {
    const spare = this.#spare
    if (spare === null) {
      this.prepare()
      return null
    }
    this.#spare = null
    const generation = this.#lastGeneration + 1
    await this.#disk.rename(spare.path, this.#path(generation))
    await this.#disk.syncDir(this.#directory)
    this.#lastGeneration = generation
    return this.#use({ file: spare.file, sizeBytes: spare.sizeBytes, generation })
  }

  #use(from: { file: DiskFile; sizeBytes: number; generation: number }): JournalFile {
    const used = { ...from, salt: this.#options.env.random.bytes(8), position: 0 }
    this.#files = [...this.#files, used]
    return used
  }

  /** Makes another file in the background, if there may be one more. */
  prepare(): void {
    if (this.#making !== null || this.#spare !== null || this.#isClosed) return
    const bytes = (this.#files.length + 1) * this.#fileBytes()
    if (bytes > this.#options.maxBytes()) return
    const nowMs = this.#options.env.clock.monotonicMs()
    if (nowMs - this.#failedAtMs < retryMs) return
    this.#making = this.#make()
      .catch((error: unknown) => {
        // Without the file the segments are synced, as if there were no journal.
        this.#failedAtMs = nowMs
        const { message } = asError(error)
        this.#options.env.log.warn('journal.file.failed', { path: this.#directory, error: message })
      })
      .finally(() => {
        this.#making = null
      })
  }

  async #make(): Promise<void> {
    const sizeBytes = this.#fileBytes()
    if (this.#files.length === 0) {
      await this.#disk.mkdir(this.#directory)
      await this.#disk.syncDir(this.#options.path)
    }
    const path = `${this.#directory}/next${newSuffix}`
    await this.#disk.remove(path)
    const file = await this.#disk.open(path, 'create')
    try {
      const zeros = Buffer.alloc(Math.min(zerosBytes, sizeBytes))
      for (let at = 0; at < sizeBytes && !this.#isClosed; at += zeros.length) {
        await file.writeAt([zeros.subarray(0, sizeBytes - at)], at)
        // Piece by piece: one sync of all of it would hold up everybody else's.
        if (at % zerosSyncedBytes === 0) await file.sync()
      }
      await file.sync()
    } catch (error) {
      await file.close().catch(() => {})
      await this.#disk.remove(path)
      throw error
    }
    this.#spare = { file, path, sizeBytes }
  }

  /** Resolves when no file is being made. */
  async prepared(): Promise<void> {
    await this.#making
  }

  /** Closes the files; with `isEmptied` they go, durably. Files that were set aside stay. */
  async close({ isEmptied }: { isEmptied: boolean }): Promise<void> {
    this.#isClosed = true
    await this.#making
    for (const { file } of this.#files) await file.close()
    await this.#spare?.file.close()
    this.#files = []
    this.#spare = null
    if (isEmptied) await removeJournal(this.#disk, this.#options.path)
  }
}

/** Removes the files of the journal, durably, the oldest first; its directory too, unless something else is in it. */
export async function removeJournal(disk: Disk, path: string): Promise<void> {
  const directory = `${path}/${journalDirectory}`
  const isThere = (await disk.list(path)).some(({ name }) => name === journalDirectory)
  if (!isThere) return
  let isBare = true
  for (const { name } of await disk.list(directory)) {
    if (generationOfName(name) === null && !name.endsWith(newSuffix)) isBare = false
    else await disk.remove(`${directory}/${name}`)
  }
  await disk.syncDir(directory)
  if (!isBare) return
  await disk.remove(directory)
  await disk.syncDir(path)
}
