/**
 * The journal of a log dir: its files, its group commit, and what a crash left in it.
 *
 *   start after a crash: `read` -> each log takes its `tailOf` (recovery.ts) -> recovery points are
 *     checkpointed -> `begin`: the files may be used again; what they hold of logs that could not be
 *     loaded is kept beside those logs before (journal-rest.ts)
 *   clean stop: every log is synced and closed -> `close` removes the files -> the clean mark
 *
 * - A segment is cut only at a torn place that the journal can fill, or that nobody was told of.
 * - After a clean mark a journal counts for nothing: the mark is written when it is gone.
 * - A log that lacks records which the journal proves to have been synced is damaged. What the journal
 *   has of it is kept, so it stays damaged, and is repaired, when the journal is used again.
 */

import { uuidToBytes } from '../../base/uuid.ts'
import type { BrokerConfig } from '../../config/broker.ts'
import { brokerStorageSettings } from '../../config/broker-storage.ts'
import { hasErrorCode } from '../../io/disk.ts'
import type { Env } from '../../io/env.ts'
import { DataDirectoryError } from '../data-directory.ts'
import { asError } from '../disk-failure.ts'
import type { LogState } from '../log-state.ts'
import { GroupCommit } from './group-commit.ts'
import { type JournalKey, journalKeyName, journalKeyOf, journalKeyOfName } from './journal-block.ts'
import { JournalFiles, journalDirectory, removeJournal } from './journal-files.ts'
import { ForeignJournalError, type JournalContents, readJournal } from './journal-reader.ts'
import { keepRest, removeRests } from './journal-rest.ts'
import type { JournalTail } from './journal-tail.ts'

export type JournalConfig = Pick<
  BrokerConfig,
  'ottla.journal.file.bytes' | 'ottla.journal.max.bytes' | 'ottla.journal.checkpoint.interval.ms'
>

export interface JournalOptions {
  readonly env: Env
  /** The log dir. */
  readonly path: string
  /** As in meta.properties; '' when there is none. */
  readonly directoryId: () => string
  readonly config: () => Partial<JournalConfig>
  /** The journal's disk failed: not to be tried again. */
  readonly onFailure: (error: Error) => void
}

export class Journal {
  readonly commits: GroupCommit
  readonly #options: JournalOptions
  readonly #files: JournalFiles
  #contents: JournalContents | null = null
  /** Logs that were loaded, or could not be. */
  #loaded: LogState[] = []

  constructor(options: JournalOptions) {
    this.#options = options
    const { env, path } = options
    this.#files = new JournalFiles({
      env,
      path,
      fileBytes: () => this.#setting('ottla.journal.file.bytes'),
      maxBytes: () => this.#setting('ottla.journal.max.bytes'),
      isSettled: (file) => this.commits.isSettled(file),
    })
    this.commits = new GroupCommit(this.#files, {
      env,
      directoryId: () => this.#directoryId(),
      checkpointMs: () => this.#setting('ottla.journal.checkpoint.interval.ms'),
      isWanted: () =>
        env.disk.isVolatile !== true &&
        this.#setting('ottla.journal.max.bytes') >= this.#setting('ottla.journal.file.bytes'),
      onFailure: options.onFailure,
    })
  }

  #setting(name: keyof JournalConfig): number {
    return this.#options.config()[name] ?? brokerStorageSettings[name].fallback
  }

  #directoryId(): Uint8Array {
    return uuidToBytes(this.#options.directoryId()) ?? new Uint8Array(16)
  }

  /** Reads what an unclean stop left. DataDirectoryError when it is of another directory. */
  async read(isClean: boolean): Promise<void> {
    const { env, path } = this.#options
    if (isClean) return removeJournal(env.disk, path)
    try {
      this.#contents = await readJournal(env.disk, path, this.#directoryId())
    } catch (error) {
      if (hasErrorCode(error, 'ELOOP') || hasErrorCode(error, 'EISDIR')) {
        throw new DataDirectoryError(
          `${path}/${journalDirectory} holds a symbolic link or a directory where a file belongs (${asError(error).message}). Put the file back, or move away what is there: what only the file holds is then lost`,
        )
      }
      if (!(error instanceof ForeignJournalError)) throw error
      throw new DataDirectoryError(
        `${path}/${journalDirectory} is the journal of another data directory. Put back the one that belongs here, or move it away: what only it holds is then lost`,
      )
    }
    const found = this.#contents
    if (found === null) return
    const { blockCount, lastSequence } = found
    env.log.info('journal.read', { path, blockCount, lastSequence, logCount: found.tails.size })
    for (const where of found.torn) env.log.warn('journal.tail.torn', { where })
    for (const { where } of found.damage) env.log.error('journal.damaged', { where })
  }

  /** The log of `state` has taken its `tailOf`, or could not be loaded. */
  loaded(state: LogState): void {
    if (this.#contents !== null || state.hasRest) this.#loaded.push(state)
  }

  /** Whether a crash left anything that logs may have taken. */
  get hasTails(): boolean {
    return this.#contents !== null || this.#loaded.length > 0
  }

  /** What a crash left of a log; null when there is nothing. */
  tailOf(key: JournalKey | null): JournalTail | null {
    return (key && this.#contents?.tails.get(journalKeyName(key))) ?? null
  }

  /**
   * All that `tailOf` gave to logs that could be loaded is synced in the segments, and the recovery
   * points are checkpointed. What the others did not take is kept for them before files are used again.
   */
  async begin(): Promise<void> {
    const { disk } = this.#options.env
    const found = this.#contents
    const states = this.#loaded
    if (found !== null) await this.#keepRests(found, states)
    for (const { directory, hasRest, failure } of states) {
      if (hasRest && failure === null) await removeRests(disk, directory)
    }
    this.#contents = null
    this.#loaded = []
    if (found === null) return
    this.commits.sequence = found.lastSequence
    await this.#files.takeOver(found.generations)
  }

  async #keepRests(found: JournalContents, states: readonly LogState[]): Promise<void> {
    const { env } = this.#options
    const keys = states.map((state) => journalKeyOf(state))
    const owned = new Set(keys.map((key) => key && journalKeyName(key)))
    for (const { directory, topicId, topicPartition, failure } of states) {
      if (failure === null) continue
      const { partition } = topicPartition
      for (const [name, journal] of found.tails) {
        const key = journalKeyOfName(name)
        // Without its topic id a log may be any that is not here under another name.
        const isOwn = topicId === null ? !owned.has(name) : topicId === key.topicId
        if (!isOwn || key.partition !== partition) continue
        await keepRest(env, directory, { key, journal })
        const { endOffset } = journal
        env.log.warn('journal.rest.kept', { directory, topicId: key.topicId, endOffset })
      }
    }
  }

  /** After all logs are closed. With `isClean` the files go: nothing in them is needed any more. */
  async close({ isClean }: { isClean: boolean }): Promise<void> {
    await this.commits.close()
    await this.#files.close({ isEmptied: isClean })
  }
}
