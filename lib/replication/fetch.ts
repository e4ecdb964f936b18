/**
 * Reading many partitions for one request: in request order against one budget, parked until enough
 * is visible, retried once.
 *
 * - The first partition that has anything gives its first batch whole, however large; after it all
 *   limits are hard.
 * - It answers at once on any partition's error or diverging epoch; otherwise it waits until
 *   `minBytes` are visible, a partition changes hands, or `maxWaitMs` is over. Only visible bytes count.
 * - Records stay in pooled buffers until `release`.
 * Source: apache/kafka: .../server/ReplicaManager.scala (fetchMessages), DelayedFetch.scala.
 */

import { KafkaError } from '../base/errors.ts'
import type { LeaderEpoch, Offset } from '../base/types.ts'
import type { LogPosition, LogRead } from '../storage/log.ts'
import type { FetchMemory } from './fetch-memory.ts'
import type { Partition } from './partition.ts'
import type { Purgatory } from './purgatory.ts'

/** One partition of a request; `source` is the error when it could not be found. */
export interface FetchTarget {
  readonly source: Partition | KafkaError
  readonly fetchOffset: Offset
  readonly maxBytes: number
  readonly currentLeaderEpoch: LeaderEpoch
  /** Epoch of the last record the reader has; -1 when it does not say. */
  readonly lastFetchedEpoch: LeaderEpoch
}

export interface FetchOptions {
  readonly minBytes: number
  readonly maxBytes: number
  readonly maxWaitMs: number
  readonly isReadCommitted: boolean
  readonly memory: FetchMemory
  /** Gets a function that gives the wait up; the result is then of no interest. */
  readonly onParked: (cancel: () => void) => void
}

export interface FetchedPartition {
  readonly highWatermark: Offset
  readonly lastStableOffset: Offset
  readonly logStartOffset: Offset
  readonly records: readonly Uint8Array[]
  /** Where the reader's last epoch really ended, when its log differs from ours. */
  readonly divergingEpoch: { readonly epoch: LeaderEpoch; readonly endOffset: Offset } | null
}

export interface FetchResult {
  readonly partitions: readonly (FetchedPartition | KafkaError)[]
  readonly sizeBytes: number
  /** To be called once, after the records were sent. */
  release(): void
}

/** One pass over the targets, with what a later pass or wait needs to know. */
interface Pass extends FetchResult {
  readonly mustAnswer: boolean
  /** By target: where the next read would start, as far as known. */
  readonly positions: readonly (LogPosition | null)[]
  readonly sizes: readonly number[]
}

/** Reads `targets`; waits as `options` say. Not to be called with partitions' bytes unread for ever: release them. */
export async function fetchPartitions(
  purgatory: Purgatory<Partition>,
  targets: readonly FetchTarget[],
  options: FetchOptions,
): Promise<FetchResult> {
  const pass = await readAll(targets, options)
  const { minBytes, maxWaitMs } = options
  if (pass.mustAnswer || pass.sizeBytes >= minBytes || maxWaitMs <= 0 || targets.length === 0) {
    return pass
  }
  pass.release()
  const waiting = purgatory.wait({
    keys: [
      ...new Set(targets.flatMap(({ source }) => (source instanceof KafkaError ? [] : source))),
    ],
    isDone: visibleBytesWatch(targets, pass, options),
    timeoutMs: maxWaitMs,
  })
  options.onParked(() => waiting.cancel())
  await waiting.ended
  return readAll(targets, options)
}

async function readAll(targets: readonly FetchTarget[], options: FetchOptions): Promise<Pass> {
  const partitions: (FetchedPartition | KafkaError)[] = []
  const positions: (LogPosition | null)[] = []
  const sizes: number[] = []
  const reads: LogRead[] = []
  const { memory } = options
  const grantedBytes = memory.take(options.maxBytes)
  let sizeBytes = 0
  const release = () => {
    for (const read of reads.splice(0)) read.release()
    memory.give(sizeBytes)
    sizeBytes = 0
  }
  let mustAnswer = false
  try {
    for (const target of targets) {
      const leftBytes = Math.max(grantedBytes - sizeBytes, 0)
      const one = await readOne(target, options, { leftBytes, isFirst: sizeBytes === 0 })
      partitions.push(one.partition)
      positions.push(one.read?.next ?? null)
      sizes.push(one.read?.sizeBytes ?? 0)
      if (one.read !== null) reads.push(one.read)
      sizeBytes += one.read?.sizeBytes ?? 0
      mustAnswer ||= one.partition instanceof KafkaError || one.partition.divergingEpoch !== null
    }
  } catch (error) {
    memory.settle(grantedBytes, sizeBytes)
    release()
    throw error
  }
  memory.settle(grantedBytes, sizeBytes)
  return { partitions, positions, sizes, sizeBytes, mustAnswer, release }
}

interface ReadOne {
  readonly partition: FetchedPartition | KafkaError
  readonly read: LogRead | null
}

async function readOne(
  target: FetchTarget,
  options: FetchOptions,
  budget: { leftBytes: number; isFirst: boolean },
): Promise<ReadOne> {
  const { source, fetchOffset, maxBytes } = target
  try {
    if (source instanceof KafkaError) throw source
    source.checkLeader(target.currentLeaderEpoch)
    const divergingEpoch = divergingEpochOf(source, target)
    if (divergingEpoch === null) source.checkOffset(fetchOffset)
    const endOffset = source.visibleEnd(options.isReadCommitted)
    const { highWatermark, lastStableOffset } = source
    const needsRead =
      divergingEpoch === null &&
      (fetchOffset < endOffset ? budget.leftBytes > 0 || budget.isFirst : options.minBytes > 1)
    const read = needsRead
      ? await source.read(fetchOffset, {
          maxBytes: Math.min(maxBytes, budget.leftBytes),
          minOneBatch: budget.isFirst,
          endOffset,
        })
      : null
    const { logStartOffset } = source.log
    const records = read?.records ?? []
    return {
      partition: { highWatermark, lastStableOffset, logStartOffset, records, divergingEpoch },
      read,
    }
  } catch (error) {
    if (error instanceof KafkaError) return { partition: error, read: null }
    throw error
  }
}

/**
 * Where the reader's last epoch ended here, when that is before what it has: it must truncate.
 * OFFSET_OUT_OF_RANGE when the epoch is unknown here.
 */
function divergingEpochOf(
  partition: Partition,
  { lastFetchedEpoch, fetchOffset }: FetchTarget,
): FetchedPartition['divergingEpoch'] {
  if (lastFetchedEpoch < 0) return null
  const end = partition.endOfEpoch(lastFetchedEpoch)
  if (end === null) {
    throw new KafkaError(
      'OFFSET_OUT_OF_RANGE',
      `${partition.name}: the end of epoch ${lastFetchedEpoch} is not known here`,
    )
  }
  if (fetchOffset < partition.log.logStartOffset) partition.checkOffset(fetchOffset)
  const isSame = end.leaderEpoch === lastFetchedEpoch && end.endOffset >= fetchOffset
  return isSame ? null : { epoch: end.leaderEpoch, endOffset: end.endOffset }
}

/** Asked about a partition that something happened to: whether it is time to answer. */
function visibleBytesWatch(
  targets: readonly FetchTarget[],
  pass: Pass,
  { minBytes, isReadCommitted }: FetchOptions,
): (partition: Partition) => boolean {
  const watched = new Map<Partition, { index: number; epoch: LeaderEpoch; bytes: number }>()
  for (const [index, { source }] of targets.entries()) {
    if (source instanceof KafkaError) continue
    watched.set(source, { index, epoch: source.leaderEpoch, bytes: pass.sizes[index] ?? 0 })
  }
  let total = pass.sizeBytes
  return (partition) => {
    const entry = watched.get(partition)
    const target = targets[entry?.index ?? -1]
    if (entry === undefined || target === undefined) return false
    if (!partition.isServing || partition.leaderEpoch !== entry.epoch) return true
    if (target.fetchOffset < partition.log.logStartOffset) return true
    if (partition.visibleEnd(isReadCommitted) <= target.fetchOffset) return false
    const position = pass.positions[entry.index] ?? null
    // Without a position only "anything at all" was asked for: see readOne.
    const bytes =
      position === null ? minBytes : (pass.sizes[entry.index] ?? 0) + partition.bytesAfter(position)
    total += bytes - entry.bytes
    entry.bytes = bytes
    return total >= minBytes
  }
}
