/**
 * The epochs of a log that is loaded: from their file, or from the batches when it cannot be read or
 * is not of this log any more; the file is made to say the same.
 */

import { DecodeError } from '../base/errors.ts'
import type { Offset } from '../base/types.ts'
import { readFile, writeFileAtomic } from '../io/disk.ts'
import { isShortage } from './disk-failure.ts'
import {
  decodeLeaderEpochs,
  type EpochEntry,
  encodeLeaderEpochs,
  LeaderEpochCache,
} from './leader-epochs.ts'
import type { LogHost } from './log-host.ts'
import { scanBatches } from './scan.ts'
import type { Segment } from './segment.ts'
import { leaderEpochFile } from './segment-files.ts'

/** What is known of a log whose epochs are loaded. */
export interface EpochLoading {
  readonly host: LogHost
  readonly directory: string
  readonly segments: readonly Segment[]
  /** The process before this one stopped cleanly. */
  readonly isClean: boolean
  readonly endOffset: Offset
  epochs: LeaderEpochCache
  /** The file as it was found; null without one that can be read. */
  epochsFound: Uint8Array | null
}

/** The checkpoint's epochs; when it is damaged, those that the batches name. */
export async function readEpochs(loading: EpochLoading): Promise<EpochEntry[]> {
  const { host, directory } = loading
  try {
    const bytes = await readFile(host.env.disk, `${directory}/${leaderEpochFile}`)
    loading.epochsFound = bytes
    if (bytes !== null && bytes.length > 0) return decodeLeaderEpochs(bytes)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    host.env.log.warn('log.epochs.rebuilt', { directory, error: error.message })
  }
  return epochsOfBatches(loading)
}

async function epochsOfBatches({ segments }: EpochLoading): Promise<EpochEntry[]> {
  const epochs = new LeaderEpochCache()
  for (const segment of segments) {
    await segment.use((file) =>
      scanBatches(file, { from: 0, to: segment.writtenBytes }, (header) => {
        epochs.assign(header.partitionLeaderEpoch, header.baseOffset)
        return undefined
      }),
    )
  }
  return [...epochs.entries]
}

/**
 * Cuts the epochs to what the log holds, and writes the file if that changed it; false when the disk
 * had no space for it.
 */
export async function settleEpochs(
  loading: EpochLoading,
  logStartOffset: Offset,
): Promise<boolean> {
  const { endOffset, host, directory } = loading
  loading.epochs.cutBeyond(endOffset)
  const [first] = loading.epochs.entries
  // Cut at a log start that a crash took back: the file was replaced, the checkpoint was not yet.
  if (
    !loading.isClean &&
    endOffset > logStartOffset &&
    !(first && first.startOffset <= logStartOffset)
  ) {
    loading.epochs = new LeaderEpochCache(await epochsOfBatches(loading))
  }
  const { epochs, epochsFound } = loading
  epochs.truncateFromStart(logStartOffset)
  const after = encodeLeaderEpochs(epochs.entries)
  if (epochsFound !== null && Buffer.compare(epochsFound, after) === 0) return true
  try {
    await writeFileAtomic(host.env.disk, `${directory}/${leaderEpochFile}`, after)
    return true
  } catch (error) {
    if (!isShortage(error)) throw error
    return false
  }
}
