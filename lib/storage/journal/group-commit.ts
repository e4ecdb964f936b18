/**
 * Group commit of all logs of a log dir: who waits for durable bytes is served together, by one sync
 * of the journal, or by syncs of the segments where those are cheaper.
 *
 *   log: bytes are written to the segment (page cache)  ->  `request`
 *   commit: one at a time; what is asked for meanwhile is the next
 *     few logs, or large writes   their segments are synced (log-durability.ts): as fast, written once
 *     many logs                   one block with the bytes of all goes to the journal, one sync: then
 *                                 all are acknowledged; their segments are synced at the checkpoint
 *   checkpoint: after 5 s or when a file is full: segments of the logs in it are synced, and the file
 *     may be used again
 *
 * - The segment is always written first: readers never see what is not there, a failed write never
 *   reaches the journal, and without a journal (no room, disk full, being made) a sync of the
 *   segment does as well.
 * - The journal gets the same views that the segment got: nothing is copied.
 * - A log's bytes may be journalled only if all before them is durable (LogDurability.takePending).
 * - A failed journal write or sync takes the log dir offline and is never retried; only a full disk
 *   (a file system that copies on write) falls back to the segments.
 */

import { deferred } from '../../base/deferred.ts'
import { planted } from '../../base/planted.ts'
import type { Offset } from '../../base/types.ts'
import type { Timer } from '../../io/clock.ts'
import { hasErrorCode } from '../../io/disk.ts'
import type { Env } from '../../io/env.ts'
import { asError } from '../disk-failure.ts'
import { GatheringTask } from '../gathering-task.ts'
import type { Segment } from '../segment.ts'
import {
  blankPage,
  blockBytesOf,
  encodeBlock,
  entriesMax,
  type JournalEntry,
  type JournalKey,
} from './journal-block.ts'
import type { JournalFile, JournalFiles } from './journal-files.ts'

/** Bytes that were written to a segment in one go and are not durable yet. */
export interface WrittenBytes {
  readonly segment: Segment
  readonly position: number
  /** Where the log ended before. */
  readonly baseOffset: Offset
  readonly endOffset: Offset
  readonly sizeBytes: number
  readonly buffers: readonly Uint8Array[]
}

/** A log, as the commit sees it: its LogDurability. */
export interface Committer {
  /** Null: the log has no topic id and cannot be journalled. */
  readonly journalKey: JournalKey | null
  /** What a block may take, oldest first; nothing when the bytes before it are not durable. */
  readonly pending: readonly WrittenBytes[]
  /** `written` lies in the journal, synced. */
  journalled(written: WrittenBytes): void
  /** Syncs the segments; whoever waits is told by it. Rejects when that failed. */
  flush(): Promise<void>
  /** The journal failed. */
  commitFailed(error: Error): void
}

export interface GroupCommitOptions {
  readonly env: Env
  readonly directoryId: () => Uint8Array
  readonly checkpointMs: () => number
  /** Whether there may be a journal at all. */
  readonly isWanted: () => boolean
  readonly onFailure: (error: Error) => void
}

/** Fewer logs sync their segments, side by side: measured, no slower and written once. */
const logsMin = 4
/** Nor are large writes worth writing twice (test/bench/journal.ts). */
const bytesPerLogMax = 96 * 1024
/** Turns with several logs before a journal is made: a broker that hardly writes needs none. */
const turnsBeforeJournal = 16
/** Payload of a block. */
const blockPayloadMax = 8 * 1024 * 1024
/** Segments synced at a time by a checkpoint. */
const flushLanes = 2
/** Written bytes held for the journal, over all logs; beyond it logs sync their segments. */
const heldBytesMax = 64 * 1024 * 1024
const noteAttemptsMax = 3
/** Logs with journalled bytes not synced in their segments, whose files stay open until then. */
const dirtyLogsMax = 200

interface Taken {
  readonly committer: Committer
  readonly written: WrittenBytes[]
}

interface Note {
  readonly entry: JournalEntry
  readonly done: ReturnType<typeof deferred<boolean>>
}

export class GroupCommit {
  readonly #options: GroupCommitOptions
  readonly #files: JournalFiles
  readonly #checkpoints = new GatheringTask(() => this.#checkpoint())
  /** By file: logs with journalled bytes not yet synced in their segments, and the last block of each. */
  readonly #dirty = new Map<JournalFile, Map<Committer, number>>()
  readonly #flushing = new Set<Committer>()
  #waiting = new Set<Committer>()
  #current = new Set<Committer>()
  #notes: Note[] = []
  #isScheduled = false
  #isRunning = false
  #sharedTurns = 0
  #sequence = 0
  #heldBytes = 0
  #timer: Timer | null = null
  #failure: Error | null = null
  #onTurn: (() => void)[] = []

  constructor(files: JournalFiles, options: GroupCommitOptions) {
    this.#files = files
    this.#options = options
  }

  /** Sequence number of the last block. */
  set sequence(sequence: number) {
    this.#sequence = sequence
  }

  isSettled(file: JournalFile): boolean {
    if (planted.journalRecycledEarly) return true
    return (this.#dirty.get(file)?.size ?? 0) === 0
  }

  /** Whether so many more bytes may be held for the journal; `change` < 0 gives them back. */
  hold(change: number): boolean {
    if (change > 0 && (this.#heldBytes + change > heldBytesMax || !this.#options.isWanted())) {
      return false
    }
    this.#heldBytes += change
    return true
  }

  /** The log has written bytes that are to be durable. It is told; see Committer. */
  request(committer: Committer): void {
    if (this.#failure !== null) return committer.commitFailed(this.#failure)
    this.#waiting.add(committer)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isRunning) return
    this.#isScheduled = true
    this.#options.env.clock.endOfTurn(() => {
      this.#isScheduled = false
      void this.#run()
    })
  }

  /** Commits until nobody waits. Never rejects. */
  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.size > 0 || this.#notes.length > 0) {
      this.#current = this.#waiting
      this.#waiting = new Set()
      if (this.#failure !== null) this.#failAll(this.#failure)
      else if (this.#isShared() || this.#notes.length > 0) await this.#commit()
      else for (const committer of this.#current) this.#flush(committer)
      this.#current = new Set()
      for (const wake of this.#onTurn.splice(0)) wake()
    }
    this.#isRunning = false
  }

  /** Whether one block for all is cheaper than a sync for each. */
  #isShared(): boolean {
    let count = this.#current.size
    for (const committer of this.#flushing) if (!this.#current.has(committer)) count++
    if (count < logsMin || !this.#options.isWanted()) return false
    let bytes = 0
    for (const { pending } of this.#current) for (const { sizeBytes } of pending) bytes += sizeBytes
    if (bytes > count * bytesPerLogMax) return false
    this.#sharedTurns++
    return this.#sharedTurns > turnsBeforeJournal
  }

  /** Syncs the log's own segment, without waiting for it. */
  #flush(committer: Committer): void {
    this.#flushing.add(committer)
    const done = () => this.#flushing.delete(committer)
    committer.flush().then(done, done)
  }

  async #commit(): Promise<void> {
    const notes = this.#notes.splice(0, entriesMax / 2)
    const taken = this.#take(entriesMax - notes.length)
    if (taken.length === 0 && notes.length === 0) return
    try {
      const file = await this.#write(notes, taken)
      for (const { done } of notes) done.resolve(file !== null)
      for (const { committer, written } of taken) this.#settle(committer, written, file)
    } catch (error) {
      for (const { done } of notes) done.resolve(false)
      this.#fail(asError(error))
    }
  }

  /** What goes into the next block. Logs that it cannot take sync their segments, or wait. */
  #take(entryCountMax: number): Taken[] {
    const taken: Taken[] = []
    let payloadBytes = 0
    let entryCount = 0
    for (const committer of this.#current) {
      const { pending, journalKey } = committer
      if (pending.length === 0 || journalKey === null) {
        this.#flush(committer)
        continue
      }
      const written: WrittenBytes[] = []
      for (const bytes of pending) {
        const isFirst = payloadBytes === 0
        if (!isFirst && payloadBytes + bytes.sizeBytes > blockPayloadMax) break
        if (entryCount === entryCountMax) break
        written.push(bytes)
        payloadBytes += bytes.sizeBytes
        entryCount++
      }
      if (written.length < pending.length) this.#waiting.add(committer)
      if (written.length > 0) taken.push({ committer, written })
    }
    return taken
  }

  /** Writes and syncs a block; null when there is no room for it. */
  async #write(notes: readonly Note[], taken: readonly Taken[]): Promise<JournalFile | null> {
    const entries = notes.map(({ entry }) => entry)
    const payload: Uint8Array[] = []
    let payloadBytes = 0
    for (const { committer, written } of taken) {
      const key = committer.journalKey
      if (key === null) continue
      for (const bytes of written) {
        entries.push(entryOf(key, bytes))
        for (const view of bytes.buffers) payload.push(view)
        payloadBytes += bytes.sizeBytes
      }
    }
    try {
      const before = this.#files.active
      const file = await this.#files.room(blockBytesOf(entries.length, payloadBytes))
      if (before !== null && file !== before) void this.#checkpoints.request().catch(() => {})
      if (file === null) return null
      const { generation, salt } = file
      const directoryId = this.#options.directoryId()
      const sequence = this.#sequence + 1
      const source = { directoryId, generation, salt, sequence }
      const views = encodeBlock(source, entries, payload)
      const end = file.position + blockBytesOf(entries.length, payloadBytes)
      if (end + blankPage.length <= file.sizeBytes) views.push(blankPage)
      await file.file.writeAt(views, file.position)
      await file.file.sync()
      this.#sequence = sequence
      file.position = end
      return file
    } catch (error) {
      if (!isFull(error)) throw error
      this.#options.env.log.warn('journal.disk-full', { error: asError(error).message })
      return null
    }
  }

  #settle(committer: Committer, written: readonly WrittenBytes[], file: JournalFile | null): void {
    if (file === null) return this.#flush(committer)
    const dirty = this.#dirty.get(file) ?? new Map<Committer, number>()
    dirty.set(committer, this.#sequence)
    this.#dirty.set(file, dirty)
    this.#armTimer()
    if (dirty.size > dirtyLogsMax) void this.#checkpoints.request().catch(() => {})
    for (const bytes of written) committer.journalled(bytes)
  }

  /**
   * From now on nothing that the journal holds of this log at `offset` and beyond counts. Durable
   * when it resolves.
   */
  async noteTruncation(key: JournalKey, offset: Offset): Promise<void> {
    if (this.#files.isEmpty || this.#failure !== null) return
    const entry: JournalEntry = {
      ...key,
      kind: 'truncate',
      baseOffset: offset,
      endOffset: offset,
      segmentBaseOffset: 0,
      segmentPosition: 0,
      sizeBytes: 0,
    }
    for (let attempt = 0; attempt < noteAttemptsMax; attempt++) {
      const note: Note = { entry, done: deferred<boolean>() }
      this.#notes.push(note)
      this.#schedule()
      if (await note.done.promise) return
      this.#checkFailure()
      // No room: a checkpoint makes some.
      await this.checkpoint()
    }
    throw new Error(`the journal took no note of a truncation in ${noteAttemptsMax} attempts`)
  }

  #checkFailure(): void {
    if (this.#failure !== null) throw this.#failure
  }

  /** Resolves when nothing of this log waits or is under way. */
  async quiet(committer: Committer): Promise<void> {
    while (this.#waiting.has(committer) || this.#current.has(committer)) {
      await new Promise<void>((resolve) => this.#onTurn.push(resolve))
    }
  }

  /** The log is closed. What it has in the journal stays there unless it `isSettled`: synced, or gone. */
  forget(committer: Committer, { isSettled }: { isSettled: boolean }): void {
    this.#waiting.delete(committer)
    if (!isSettled) return
    for (const dirty of this.#dirty.values()) dirty.delete(committer)
  }

  #armTimer(): void {
    if (this.#timer !== null) return
    const fire = () => {
      this.#timer = null
      void this.checkpoint().catch(() => {})
    }
    this.#timer = this.#options.env.clock.timer(this.#options.checkpointMs(), fire, { unref: true })
  }

  /** Resolves when all that was journalled before lies synced in its segments. */
  checkpoint(): Promise<void> {
    return this.#checkpoints.request()
  }

  async #checkpoint(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = null
    for (const [file, dirty] of [...this.#dirty]) {
      const logs = [...dirty]
      const lane = async () => {
        for (let next = logs.shift(); next !== undefined; next = logs.shift()) {
          const [log, sequence] = next
          try {
            await log.flush()
            // More may have been journalled meanwhile, which this sync need not cover.
            if (dirty.get(log) === sequence) dirty.delete(log)
          } catch {
            // The log has told of it and is offline; its records stay in the journal, for a start.
          }
        }
      }
      await Promise.all(Array.from({ length: flushLanes }, lane))
      if (dirty.size === 0 && file !== this.#files.active) this.#dirty.delete(file)
    }
  }

  #failAll(error: Error): void {
    for (const { done } of this.#notes.splice(0)) done.resolve(false)
    for (const committer of this.#current) committer.commitFailed(error)
  }

  #fail(error: Error): void {
    this.#failure = error
    this.#timer?.cancel()
    for (const committer of this.#waiting) this.#current.add(committer)
    this.#waiting.clear()
    this.#failAll(error)
    this.#options.onFailure(error)
  }

  /** Ends the timer; nothing is to be asked for any more. */
  async close(): Promise<void> {
    this.#timer?.cancel()
    await this.#checkpoints.idle()
  }
}

function entryOf(key: JournalKey, written: WrittenBytes): JournalEntry {
  return {
    topicId: key.topicId,
    partition: key.partition,
    kind: 'append',
    baseOffset: written.baseOffset,
    endOffset: written.endOffset,
    segmentBaseOffset: written.segment.baseOffset,
    segmentPosition: written.position,
    sizeBytes: written.sizeBytes,
  }
}

function isFull(error: unknown): boolean {
  return hasErrorCode(error, 'ENOSPC') || hasErrorCode(error, 'EDQUOT')
}
