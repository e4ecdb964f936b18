/**
 * Producer state of a log, from its snapshots and the batches after them. State at an offset is a
 * function of the log before it, so any snapshot not beyond the end will do as a start; one that is
 * damaged or beyond the end is removed.
 * Source: apache/kafka: storage/.../log/ProducerStateManager.java, UnifiedLog.java.
 */

import { DecodeError } from '../base/errors.ts'
import { planted } from '../base/planted.ts'
import type { Offset, ProducerId } from '../base/types.ts'
import { type Disk, readFile } from '../io/disk.ts'
import { isControl } from '../record/batch.ts'
import { decodeProducerSnapshot } from './producer-snapshot.ts'
import {
  batchesKeptMax,
  type ProducerBatch,
  type ProducerStates,
  producerBatchOf,
} from './producer-state.ts'
import { scanBatches } from './scan.ts'
import type { Segment } from './segment.ts'
import { fileSuffix, parseSegmentFileName, segmentFileName } from './segment-files.ts'
import { isNoFile, moveAway } from './unusable.ts'

export interface ProducerRecovery {
  readonly disk: Disk
  readonly directory: string
  readonly segments: readonly Segment[]
  /** Filled; must be empty. */
  readonly producers: ProducerStates
  readonly endOffset: Offset
  readonly nowMs: number
}

/** How far back the windows of five batches are filled in for a snapshot of Kafka's. */
const refillBytes = 256 * 1024

/** Fills `producers` with the state at `endOffset`, and removes snapshots that cannot be used. */
export async function rebuildProducers(recovery: ProducerRecovery): Promise<void> {
  const { segments, producers, endOffset, nowMs } = recovery
  const snapshots = await snapshotOffsets(recovery)
  const { offset: from, hasWindows } = await loadSnapshot(recovery, snapshots)
  await removeOldSnapshots(recovery, snapshots, from)
  if (!hasWindows) await refillWindows(recovery, from)
  if (from === endOffset || (planted.snapshotStale && from >= 0)) return
  for (const [index, segment] of segments.entries()) {
    const nextBase = segments[index + 1]?.baseOffset ?? Number.POSITIVE_INFINITY
    if (nextBase <= from || segment.writtenBytes === 0) continue
    const start = from <= segment.baseOffset ? 0 : await segment.positionBefore(from)
    await segment.use((file) =>
      scanBatches(file, { from: start, to: segment.writtenBytes }, (header) => {
        if (header.baseOffset >= endOffset) return 'stop'
        if (header.baseOffset >= from) producers.update(header, nowMs)
        return undefined
      }),
    )
  }
}

/** Of the snapshots that are not beyond the end, the newest first; removes the others. */
async function snapshotOffsets({
  disk,
  directory,
  endOffset,
}: ProducerRecovery): Promise<Offset[]> {
  const offsets: Offset[] = []
  for (const { name } of await disk.list(directory)) {
    const parsed = parseSegmentFileName(name)
    if (parsed?.suffix !== fileSuffix.snapshot || parsed.mark !== '') continue
    if (parsed.baseOffset > endOffset) await disk.remove(`${directory}/${name}`)
    else offsets.push(parsed.baseOffset)
  }
  return offsets.sort((a, b) => b - a)
}

function snapshotPath(directory: string, offset: Offset): string {
  return `${directory}/${segmentFileName(offset, fileSuffix.snapshot)}`
}

/** Restores the newest usable snapshot; offset -1 without one. */
async function loadSnapshot(
  { disk, directory, producers }: ProducerRecovery,
  offsets: readonly Offset[],
): Promise<{ offset: Offset; hasWindows: boolean }> {
  for (const offset of offsets) {
    const path = snapshotPath(directory, offset)
    try {
      const bytes = await readFile(disk, path)
      if (bytes === null) continue
      const { entries, hasWindows } = decodeProducerSnapshot(bytes)
      for (const entry of entries) producers.restore(entry)
      return { offset, hasWindows }
    } catch (error) {
      if (isNoFile(error)) await moveAway(disk, path)
      else if (error instanceof DecodeError) await disk.remove(path)
      else throw error
    }
  }
  return { offset: -1, hasWindows: true }
}

/** Of the older snapshots only those at the start of a segment are of use. */
async function removeOldSnapshots(
  { disk, directory, segments }: ProducerRecovery,
  offsets: readonly Offset[],
  newest: Offset,
): Promise<void> {
  const bases = new Set(segments.map(({ baseOffset }) => baseOffset))
  for (const offset of offsets) {
    if (offset < newest && !bases.has(offset)) await disk.remove(snapshotPath(directory, offset))
  }
}

/**
 * A snapshot of Kafka's holds one batch of each producer, but a client may send five again. The log's
 * last bytes before it hold what is missing of those that wrote recently.
 */
async function refillWindows(
  { segments, producers }: ProducerRecovery,
  snapshotOffset: Offset,
): Promise<void> {
  if (producers.size === 0) return
  const recent = new Map<ProducerId, ProducerBatch[]>()
  for (const { segment, from } of await lastRanges(segments, snapshotOffset)) {
    await segment.use((file) =>
      scanBatches(file, { from, to: segment.writtenBytes }, (header) => {
        if (header.baseOffset >= snapshotOffset) return 'stop'
        const known = producers.get(header.producerId)
        if (known?.producerEpoch !== header.producerEpoch || isControl(header.attributes)) {
          return undefined
        }
        const batches = recent.get(header.producerId) ?? []
        batches.push(producerBatchOf(header))
        recent.set(header.producerId, batches.slice(-batchesKeptMax))
        return undefined
      }),
    )
  }
  for (const [producerId, batches] of recent) {
    const known = producers.get(producerId)
    if (known?.batches.at(-1)?.lastOffset === batches.at(-1)?.lastOffset && known !== undefined) {
      known.batches = batches
    }
  }
}

/** Where the log's last bytes before `endOffset` lie, in order. */
async function lastRanges(
  segments: readonly Segment[],
  endOffset: Offset,
): Promise<{ segment: Segment; from: number }[]> {
  const ranges: { segment: Segment; from: number }[] = []
  let leftBytes = refillBytes
  for (const [at, segment] of [...segments.entries()].reverse()) {
    if (leftBytes <= 0) break
    if (segment.baseOffset >= endOffset || segment.writtenBytes === 0) continue
    const isWhole = (segments[at + 1]?.baseOffset ?? Number.POSITIVE_INFINITY) <= endOffset
    const isSmall = segment.writtenBytes <= leftBytes
    let [from, end] = [0, segment.writtenBytes]
    if (!isSmall) {
      const { offset: index } = await segment.indexes()
      if (!isWhole) end = index.floor(endOffset)
      let entry = index.entryCount - 1
      while (entry >= 0 && index.entry(entry).position > end - leftBytes) entry--
      from = entry < 0 ? 0 : index.entry(entry).position
    }
    ranges.unshift({ segment, from })
    leftBytes -= end - from
  }
  return ranges
}
