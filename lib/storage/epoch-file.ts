/**
 * Keeps `leader-epoch-checkpoint` as the epochs of a log are. On a full disk the file falls behind:
 * then `unsavedOffset` says from where on, and no recovery may begin after it, since only the batches
 * know of what is missing.
 */

import type { Offset } from '../base/types.ts'
import { type Disk, writeFileAtomic } from '../io/disk.ts'
import { asError, isShortage } from './disk-failure.ts'
import { GatheringTask } from './gathering-task.ts'
import { encodeLeaderEpochs, type LeaderEpochCache } from './leader-epochs.ts'
import { leaderEpochFile } from './segment-files.ts'

export interface EpochFileOptions {
  readonly disk: Disk
  readonly epochs: LeaderEpochCache
  /** The file is not as the epochs are, for lack of space. */
  readonly isBehind: boolean
  /** The log's; null when nothing of it is to be written any more. */
  readonly directory: () => string | null
  /** Gives what is thrown for a failure that is no shortage of space or handles. */
  readonly onFailure: (error: unknown) => Error
}

export class EpochFile {
  readonly #options: EpochFileOptions
  readonly #saves = new GatheringTask(() => this.#save())
  #changes = 0
  #unsavedOffset: Offset = Number.POSITIVE_INFINITY
  /** Why the file is behind. */
  #shortage: Error | null = null

  constructor(options: EpochFileOptions) {
    this.#options = options
    options.epochs.onChange = () => {
      this.#noteChange()
      void this.save().catch(() => {})
    }
    if (!options.isBehind) return
    this.#noteChange()
    this.#shortage = new Error(`${leaderEpochFile} was not written: no space`)
  }

  /** Where the first epoch begins that the file may lack; infinite when it lacks none. */
  get unsavedOffset(): Offset {
    return this.#unsavedOffset
  }

  #noteChange(): void {
    this.#changes++
    const startOffset = this.#options.epochs.entries.at(-1)?.startOffset ?? 0
    this.#unsavedOffset = Math.min(this.#unsavedOffset, startOffset)
  }

  /** Writes the file, or tries to: a shortage leaves it as it was. */
  save(): Promise<void> {
    return this.#saves.request()
  }

  /** The file is as it should be when this resolves. Rejects also for a shortage. */
  async settle(): Promise<void> {
    if (this.#unsavedOffset < Number.POSITIVE_INFINITY) await this.save()
    if (this.#shortage !== null) throw this.#shortage
  }

  /** Tries again if it is behind. */
  retry(): void {
    if (this.#shortage !== null) void this.save().catch(() => {})
  }

  /** Resolves when nothing is under way; never rejects. */
  idle(): Promise<void> {
    return this.#saves.idle()
  }

  async #save(): Promise<void> {
    const { disk, epochs, directory, onFailure } = this.#options
    const path = directory()
    if (path === null) return
    const changes = this.#changes
    try {
      await writeFileAtomic(disk, `${path}/${leaderEpochFile}`, encodeLeaderEpochs(epochs.entries))
      this.#shortage = null
      if (changes === this.#changes) this.#unsavedOffset = Number.POSITIVE_INFINITY
    } catch (error) {
      if (!isShortage(error)) throw onFailure(error)
      this.#shortage = asError(error)
    }
  }
}
