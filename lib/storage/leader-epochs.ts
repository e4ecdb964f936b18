/**
 * Where each leader epoch of a log begins. Decides what a follower or a consumer must truncate, so
 * an epoch is kept even when nobody wrote in it.
 *
 *   leader-epoch-checkpoint:   0 \n <number of lines> \n (<epoch> <startOffset> \n)*
 *
 * Epochs and start offsets both rise. Source: KIP-101, KIP-279; apache/kafka:
 * storage/.../epoch/LeaderEpochFileCache.java, checkpoint/LeaderEpochCheckpointFile.java.
 */

import { DecodeError } from '../base/errors.ts'
import type { LeaderEpoch, Offset } from '../base/types.ts'
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint.ts'

export interface EpochEntry {
  readonly epoch: LeaderEpoch
  readonly startOffset: Offset
}

export interface EpochEndOffset {
  readonly leaderEpoch: LeaderEpoch
  readonly endOffset: Offset
}

export class LeaderEpochCache {
  #entries: EpochEntry[]
  /** Called after each change: the file is to be rewritten. */
  onChange: () => void = () => {}

  constructor(entries: readonly EpochEntry[] = []) {
    this.#entries = [...entries]
  }

  get entries(): readonly EpochEntry[] {
    return this.#entries
  }

  /** The newest epoch; -1 when none is known. */
  get latestEpoch(): LeaderEpoch {
    return this.#entries.at(-1)?.epoch ?? -1
  }

  /** Notes that `epoch` begins at `startOffset`; does nothing for an epoch that is known. */
  assign(epoch: LeaderEpoch, startOffset: Offset): void {
    if (epoch < 0 || epoch <= this.latestEpoch) return
    // An epoch that begins at the same offset had no records, and is kept all the same: a follower
    // that knows it must find it. One that begins later cannot be: its place is taken.
    const kept = this.#entries.filter((entry) => entry.startOffset <= startOffset)
    this.#entries = [...kept, { epoch, startOffset }]
    this.onChange()
  }

  /** The epoch that the record at `offset` was written in; -1 when unknown. */
  epochAt(offset: Offset): LeaderEpoch {
    return this.#entries.findLast((entry) => entry.startOffset <= offset)?.epoch ?? -1
  }

  /**
   * The largest known epoch not above `epoch`, and where it ends: at the start of the next, or at
   * `logEndOffset` for the newest. (-1, -1) when `epoch` is newer than any.
   */
  endOffsetFor(epoch: LeaderEpoch, logEndOffset: Offset): EpochEndOffset {
    if (epoch < 0 || epoch > this.latestEpoch) return { leaderEpoch: -1, endOffset: -1 }
    if (epoch === this.latestEpoch) return { leaderEpoch: epoch, endOffset: logEndOffset }
    const next = this.#entries.find((entry) => entry.epoch > epoch)
    const floor = this.#entries.findLast((entry) => entry.epoch <= epoch)
    return { leaderEpoch: floor?.epoch ?? epoch, endOffset: next?.startOffset ?? logEndOffset }
  }

  /** After a truncation to `endOffset`: drops the epochs that begin there or later. */
  truncateFromEnd(endOffset: Offset): void {
    this.#keep((entry) => entry.startOffset < endOffset)
  }

  /** After a recovery: drops the epochs that begin beyond the end. One at the end has no records yet. */
  cutBeyond(logEndOffset: Offset): void {
    this.#keep((entry) => entry.startOffset <= logEndOffset)
  }

  #keep(isKept: (entry: EpochEntry) => boolean): void {
    const kept = this.#entries.filter(isKept)
    if (kept.length === this.#entries.length) return
    this.#entries = kept
    this.onChange()
  }

  /** Drops what lies before `startOffset`; the epoch in which it falls now begins there. */
  truncateFromStart(startOffset: Offset): void {
    const index = this.#entries.findLastIndex((entry) => entry.startOffset <= startOffset)
    const entry = this.#entries[index]
    if (entry === undefined || (index === 0 && entry.startOffset === startOffset)) return
    this.#entries = [{ epoch: entry.epoch, startOffset }, ...this.#entries.slice(index + 1)]
    this.onChange()
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries = []
    this.onChange()
  }
}

export function encodeLeaderEpochs(entries: readonly EpochEntry[]): Uint8Array {
  return encodeCheckpoint(entries.map(({ epoch, startOffset }) => `${epoch} ${startOffset}`))
}

/** DecodeError when the file is damaged or its epochs do not rise. */
export function decodeLeaderEpochs(bytes: Uint8Array): EpochEntry[] {
  const entries = decodeCheckpoint(bytes).map((line) => {
    const match = /^(\d+) (\d+)$/.exec(line)
    if (match === null)
      throw new DecodeError(`leader epoch line "${line}", expected "EPOCH OFFSET"`)
    return { epoch: Number(match[1]), startOffset: Number(match[2]) }
  })
  for (let index = 1; index < entries.length; index++) {
    const before = entries[index - 1]
    const entry = entries[index]
    if (before === undefined || entry === undefined) break
    if (entry.epoch <= before.epoch || entry.startOffset < before.startOffset) {
      throw new DecodeError(
        `leader epoch ${entry.epoch} at ${entry.startOffset} after ${before.epoch} at ${before.startOffset}`,
      )
    }
  }
  return entries
}
