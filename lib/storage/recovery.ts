/**
 * Loading a log from its directory: what is trusted, what is scanned, what is cut, what is refused.
 *
 *   | where the scan stops                          | verdict   | done                               |
 *   |-----------------------------------------------|-----------|------------------------------------|
 *   | nowhere: whole batches to the last byte        | whole     | nothing                            |
 *   | at or after the recovery point                 | torn      | cut there, later segments removed  |
 *   | before the recovery point: a bad batch, a gap, | damaged   | log offline, files left untouched  |
 *   |   or the file ends early; a gap before a sound |           |                                    |
 *   |   batch of a log that is not compacted         |           |                                    |
 *
 * The recovery point says what was synced. Bytes after it may be torn by a crash, and nobody was
 * told (durability fsync) that they are safe; bytes before it were safe, so a hole there is damage
 * to the medium: cutting would lose records that were acknowledged, silently. After a clean stop
 * the recovery point is the log's end, so the same table holds; only the scan is left out.
 *
 * Indexes are rebuilt for every segment that is scanned, epochs and producer state from what is in
 * the log. Source: apache/kafka: storage/.../log/LogLoader.java (which cuts in all three cases).
 */

import { DecodeError } from '../base/errors.ts'
import { planted } from '../base/planted.ts'
import type { Offset, TopicId, TopicPartition } from '../base/types.ts'
import { batchCrc, lastOffsetOf } from '../record/batch.ts'
import { isShortage } from './disk-failure.ts'
import { type EpochLoading, readEpochs, settleEpochs } from './epoch-recovery.ts'
import { journalKeyOf } from './journal/journal-block.ts'
import { type ReplayTarget, replayTail } from './journal/journal-replay.ts'
import { type JournalRest, restOfName, tailWithRests } from './journal/journal-rest.ts'
import type { JournalTail } from './journal/journal-tail.ts'
import { encodeLeaderEpochs, LeaderEpochCache } from './leader-epochs.ts'
import { isCompacted, type LogConfig } from './log-config.ts'
import type { LogHost } from './log-host.ts'
import type { LogState } from './log-state.ts'
import { rebuildProducers } from './producer-recovery.ts'
import { ProducerStates } from './producer-state.ts'
import { countBatchesIn, type ScanEnd, scanBatches, walkHeaders } from './scan.ts'
import { relativeOffsetMax, Segment } from './segment.ts'
import { fileSuffix, leaderEpochFile, parseSegmentFileName } from './segment-files.ts'
import { tellMissing } from './segment-gaps.ts'
import { finishFileChanges } from './segment-swaps.ts'

export interface LoadOptions {
  readonly host: LogHost
  readonly directory: string
  readonly topicPartition: TopicPartition
  readonly topicId: TopicId | null
  /** Why it is not to be looked at; null when it is. */
  readonly failure?: Error | null
  readonly config: LogConfig
  /** The process before this one stopped cleanly. */
  readonly isClean: boolean
  /** From the checkpoint; 0 without one. */
  readonly recoveryPoint: Offset
  readonly logStartOffset: Offset
  /** Whether that is ours: Kafka notes it only when it is not the start of a segment. */
  readonly knowsStart?: boolean
  /** It was compacted once, or nobody knows. */
  readonly wasCleaned?: boolean
  /** What the journal holds of the log. */
  readonly journal?: JournalTail | null
}

/** A torn tail is looked through so far for whole batches, to say how many are cut. */
const tailSearchBytesMax = 64 * 1024 * 1024

export type Verdict = 'whole' | 'torn' | 'damaged'

/** The decision table: `endOffset` is where valid batches end, `isWhole` whether the file does too. */
export function verdictOf({
  isWhole,
  endOffset,
  recoveryPoint,
}: {
  isWhole: boolean
  endOffset: Offset
  recoveryPoint: Offset
}): Verdict {
  if (endOffset < recoveryPoint && !planted.rotTruncated) return 'damaged'
  return isWhole ? 'whole' : 'torn'
}

/** Something below the recovery point is not what was synced: the log stays offline. */
export class DamagedLogError extends Error {
  override readonly name = 'DamagedLogError'
}

/** What is known while a log is loaded. */
interface Loading extends LoadOptions, EpochLoading {
  journal?: JournalTail | null
  hasRest: boolean
  recoveryPoint: Offset
  readonly segments: Segment[]
  endOffset: Offset
  /** Where in the segment scanned last the recovery point lies: what follows may not be on the medium. */
  unsurePosition: number
}

/** The state of the log in `directory`. A damaged log is given back with its `failure`. */
export async function loadLog(options: LoadOptions): Promise<LogState> {
  const loading: Loading = {
    ...options,
    segments: [],
    epochs: new LeaderEpochCache(),
    epochsFound: null,
    endOffset: 0,
    unsurePosition: 0,
    hasRest: false,
  }
  if (options.failure) return failedState(loading, options.failure)
  try {
    return await load(loading)
  } catch (error) {
    // Damage, or a file that the system will not give: the other logs can do without this one.
    if (!(error instanceof Error)) throw error
    if (!(error instanceof DamagedLogError) && !('code' in error)) throw error
    const { host, directory } = options
    if (isShortage(error)) {
      const todo = 'make room, then restart the broker'
      host.env.log.error('log.disk-full', { directory, error: error.message, todo })
    } else host.env.log.error('log.damaged', { directory, error: error.message })
    return failedState(loading, error)
  }
}

function failedState(loading: Loading, failure: Error): LogState {
  const segments = loading.segments.length > 0 ? loading.segments : [newSegment(loading, 0)]
  // Its checkpoint goes on: what was deleted must not come back with the repaired log.
  const logStartOffset = Math.max(loading.logStartOffset, segments[0]?.baseOffset ?? 0)
  return {
    ...loading,
    segments,
    logStartOffset,
    logEndOffset: Math.max(loading.endOffset, logStartOffset),
    leaderEpochs: loading.epochs,
    producers: new ProducerStates(),
    isSettled: false,
    failure,
  }
}

async function load(loading: Loading): Promise<LogState> {
  const { host, directory, logStartOffset, recoveryPoint, isClean } = loading
  await finishSwaps(loading)
  await findSegments(loading)
  const first = loading.segments[0]
  if (first === undefined && recoveryPoint > logStartOffset) {
    throw new DamagedLogError(
      `${directory}: no segment, but records up to offset ${recoveryPoint} were synced here`,
    )
  }
  const overlap = await tellMissing(host.env, loading)
  if (overlap !== null && loading.knowsStart === true) {
    throw new DamagedLogError(
      `${overlap}; one of the two is another log's. Restore the files or the replica; "log check" says more`,
    )
  }
  loading.epochs = new LeaderEpochCache(await readEpochs(loading))
  const isTrusted = isClean && !loading.hasRest && (await trustTail(loading))
  if (!isTrusted && loading.segments.length > 0) await recoverTail(loading)
  if (loading.segments.length === 0) await startOverBeyondEnd(loading)
  if (!isTrusted) await replayJournal(loading)
  await startOverBeyondEnd(loading)
  const start = Math.max(logStartOffset, loading.segments[0]?.baseOffset ?? 0)
  const hasSavedEpochs = await settleEpochs(loading, start)
  const producers = new ProducerStates()
  await rebuildProducers({
    disk: host.env.disk,
    directory,
    segments: loading.segments,
    producers,
    endOffset: loading.endOffset,
    nowMs: host.env.clock.nowMs(),
  })
  const { segments, endOffset, epochs } = loading
  return {
    topicPartition: loading.topicPartition,
    topicId: loading.topicId,
    directory,
    segments,
    logStartOffset: start,
    logEndOffset: endOffset,
    recoveryPoint: endOffset,
    isSettled: isTrusted,
    hasRest: loading.hasRest,
    leaderEpochs: epochs,
    lacksEpochs: !hasSavedEpochs,
    producers,
    failure: null,
  }
}

/** Swaps of cleaned segments that a crash cut short are finished or undone. */
async function finishSwaps({ host, directory }: Loading): Promise<void> {
  try {
    await finishFileChanges(host.env.disk, directory)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new DamagedLogError(`${directory}: a cleaned segment cannot be read: ${error.message}`)
  }
}

async function findSegments(loading: Loading): Promise<void> {
  const { host, directory, segments } = loading
  const bases: Offset[] = []
  const rests: JournalRest[] = []
  for (const { name } of await host.env.disk.list(directory)) {
    const rest = restOfName(directory, name)
    if (rest !== null) rests.push(rest)
    const parsed = parseSegmentFileName(name)
    if (parsed?.suffix === fileSuffix.log && parsed.mark === '') bases.push(parsed.baseOffset)
  }
  if (rests.length > 0) await addRests(loading, rests)
  bases.sort((a, b) => a - b)
  for (const base of bases) {
    const segment = newSegment(loading, base)
    const file = await host.env.disk.open(segment.path(fileSuffix.log), 'read')
    let size: number
    try {
      size = await file.size()
    } finally {
      await file.close()
    }
    segment.adopt(size, { isActive: base === bases.at(-1), isSynced: true })
    segments.push(segment)
  }
}

/** What the journal held when the log could not be loaded comes before what it holds now. */
async function addRests(loading: Loading, rests: readonly JournalRest[]): Promise<void> {
  const { host, journal = null } = loading
  const key = journalKeyOf(loading)
  loading.hasRest = true
  if (key !== null) loading.journal = await tailWithRests(host.env.disk, key, { rests, journal })
}

function newSegment({ host, directory }: Loading, baseOffset: Offset): Segment {
  const { disk, clock } = host.env
  return new Segment({ disk, pool: host.pool, directory, baseOffset, createdMs: clock.nowMs() })
}

/** After a clean stop: the last segment must end with a whole batch, at the recovery point or after it. */
async function trustTail(loading: Loading): Promise<boolean> {
  const active = loading.segments.at(-1)
  if (active === undefined) return true
  try {
    const { offset: index } = await active.indexes()
    const range = { from: index.lastPosition, to: active.writtenBytes }
    let endOffset = active.baseOffset
    // With the records: the log's end is taken from the last batch, and its bits may have turned.
    const scan = await active.use((file) =>
      scanBatches(file, range, (header, bytes) => {
        endOffset = lastOffsetOf(header) + 1
        const isSound = batchCrc({ header, chunks: [bytes] }) === header.crc
        return isSound ? undefined : new DecodeError(`a wrong CRC at ${header.baseOffset}`)
      }),
    )
    if (scan.kind !== 'end' || endOffset < loading.recoveryPoint) return false
    loading.endOffset = endOffset
    return await readFirst(active, loading)
  } catch (error) {
    if (error instanceof DecodeError) return false
    throw error
  }
}

/** Notes the first batch's time; false when it cannot be this segment's: the file is another's. */
async function readFirst(segment: Segment, loading: Loading): Promise<boolean> {
  if (segment.writtenBytes === 0) return true
  const mayHaveGap = isOrWasCompacted(loading) || loading.knowsStart !== true
  let isFirst = true
  await segment.use((file) =>
    walkHeaders(file, { from: 0, to: segment.writtenBytes }, (header) => {
      segment.firstTimestamp = header.maxTimestamp
      const gap = header.baseOffset - segment.baseOffset
      isFirst = gap === 0 || (gap > 0 && mayHaveGap)
      return true
    }),
  )
  return isFirst
}

/** The segment that holds `offset`; the first for one before them all. */
function indexOfOffset(segments: readonly Segment[], offset: Offset): number {
  return Math.max(
    segments.findLastIndex(({ baseOffset }) => baseOffset <= offset),
    0,
  )
}

/** Scans from the segment that holds the recovery point to the end, and cuts a torn tail. */
async function recoverTail(loading: Loading): Promise<void> {
  const { segments, recoveryPoint, host, directory } = loading
  // What lies wholly below the log start is on its way out, and need not be synced.
  const from = Math.max(recoveryPoint, loading.logStartOffset)
  let index = indexOfOffset(segments, from)
  if (planted.recoveryTooLate) index = segments.length - 1
  loading.endOffset = segments[index]?.baseOffset ?? 0
  for (; index < segments.length; index++) {
    const segment = segments[index]
    if (segment === undefined) break
    // Compaction may have taken what lay between.
    loading.endOffset = Math.max(loading.endOffset, segment.baseOffset)
    const found = await scanSegment(loading, segment)
    const following = segments[index + 1]
    const isWhole =
      found.kind === 'end' && (following === undefined || isNext(loading, segment, following))
    const isLast = following === undefined
    if (found.kind === 'bad' && following?.baseOffset === loading.endOffset) {
      await trimSegment(loading, segment, found)
      continue
    }
    const verdict = verdictOf({
      isWhole,
      endOffset: loading.endOffset,
      // A whole segment in the middle ends before the recovery point, as it should.
      recoveryPoint: isWhole && !isLast ? 0 : recoveryPoint,
    })
    if (verdict === 'whole') {
      // After a kill the bytes may only be in the page cache, and so may the name of a new segment.
      const isNew = segment.baseOffset > 0 && segment.baseOffset >= recoveryPoint
      if (isLast && isNew) await host.env.disk.syncDir(directory)
      if (planted.failedPagesBelieved) await segment.sync()
      else await segment.rewriteFrom(loading.unsurePosition)
      continue
    }
    const why = found.kind === 'bad' ? found.why : `the records end at ${loading.endOffset}`
    const place = `${segment.path(fileSuffix.log)} at byte ${found.position}`
    if (verdict === 'damaged') {
      throw new DamagedLogError(
        `${place}: ${why}; records up to offset ${recoveryPoint} were synced, so this is damage, not a torn tail. Restore the file or the replica; "log check" says more`,
      )
    }
    checkJournal(loading)
    const tail = {
      from: found.position + 1,
      to: Math.min(segment.writtenBytes, found.position + tailSearchBytesMax),
    }
    const { endOffset } = loading
    const wholeBatchesCut = await segment.use((file) => countBatchesIn(file, tail, endOffset))
    const { log } = host.env
    const report = {
      directory,
      endOffset,
      cutBytes: segment.writtenBytes - found.position,
      removedSegments: segments.length - index - 1,
      wholeBatchesCut,
      why,
    }
    // Whole batches behind a bad one: written out of order by a power cut, or rotten. Worth a look.
    if (wholeBatchesCut + report.removedSegments > 0) log.error('log.tail.cut', report)
    else log.warn('log.tail.cut', report)
    await cutTail(loading, index, found.position)
    await segment.rewriteFrom(Math.min(loading.unsurePosition, found.position))
    return
  }
}

/** All records up to the next segment are there: what hangs behind them is nobody's. */
async function trimSegment(
  { host, directory }: Loading,
  segment: Segment,
  { position, why }: { position: number; why: string },
): Promise<void> {
  host.env.log.error('log.segment.trimmed', {
    directory,
    baseOffset: segment.baseOffset,
    cutBytes: segment.writtenBytes - position,
    why,
  })
  await segment.truncate(position)
  segment.seal()
  await flushIndexes(segment)
}

/** Then offsets are missing that nobody misses. */
function isOrWasCompacted({ config, wasCleaned = false }: Loading): boolean {
  return wasCleaned || isCompacted(config)
}

function isNext(loading: Loading, segment: Segment, following: Segment): boolean {
  const { endOffset, recoveryPoint } = loading
  if (following.baseOffset === endOffset) return true
  if (!isOrWasCompacted(loading)) return false
  // Apache Kafka's compaction may have taken the last records of a segment; ours keeps its end (cleaner/).
  // So beyond what was synced a gap is bytes that went with the power, and what follows it nobody was
  // told of; but not when the directory is just adopted, or the checkpoint that says so is gone.
  const isOurs = loading.knowsStart === true && recoveryPoint > 0
  // A new directory has no such checkpoint yet: behind the gap there must be something to keep.
  const isEmpty = segment.writtenBytes === 0 || following.writtenBytes === 0
  const isLost = following.baseOffset > recoveryPoint && (isOurs || isEmpty)
  return following.baseOffset > endOffset && !isLost
}

/** For lack of space they stay in memory: they can be made of the records again at any time. */
async function flushIndexes(segment: Segment): Promise<void> {
  try {
    await segment.flushIndexes({ isSynced: true })
  } catch (error) {
    if (!isShortage(error)) throw error
  }
}

/** CRC, order and offsets of each batch; rebuilds the indexes and notes epochs on the way. */
async function scanSegment(loading: Loading, segment: Segment): Promise<ScanEnd> {
  const intervalBytes = loading.config['index.interval.bytes']
  const mayHaveGap = isOrWasCompacted(loading)
  segment.startIndexes()
  loading.unsurePosition = segment.writtenBytes
  const end = await segment.use((file) =>
    scanBatches(file, { from: 0, to: segment.writtenBytes }, (header, bytes, position) => {
      const crc = batchCrc({ header, chunks: [bytes] })
      const lastOffset = lastOffsetOf(header)
      // Of records that were deleted nobody misses any, as long as the next batch is found behind them.
      const isDeleted = lastOffset < loading.logStartOffset
      if (crc !== header.crc && !isDeleted) {
        return new DecodeError(`CRC ${header.crc}, computed ${crc}`)
      }
      const { endOffset, knowsStart } = loading
      if (header.baseOffset < endOffset || header.lastOffsetDelta < 0) {
        return new DecodeError(
          `a batch at offset ${header.baseOffset}, expected ${endOffset} or more`,
        )
      }
      // No power cut makes a gap before a sound batch, and offsets are not covered by its CRC.
      if (header.baseOffset > endOffset && !mayHaveGap && knowsStart === true) {
        const place = `${segment.path(fileSuffix.log)} at byte ${position}`
        throw new DamagedLogError(
          `${place}: a batch at offset ${header.baseOffset}, expected ${endOffset}; only compaction leaves gaps. Restore the file or the replica; if the topic was compacted once, set cleanup.policy=compact`,
        )
      }
      if (lastOffset - segment.baseOffset > relativeOffsetMax) {
        return new DecodeError(`offset ${lastOffset} is too far from ${segment.baseOffset}`)
      }
      if (lastOffset >= loading.recoveryPoint && position < loading.unsurePosition) {
        loading.unsurePosition = position
      }
      segment.addBatch(header, position, intervalBytes)
      loading.epochs.assign(header.partitionLeaderEpoch, header.baseOffset)
      loading.endOffset = lastOffset + 1
      return undefined
    }),
  )
  if (end.kind === 'end' && segment !== loading.segments.at(-1)) {
    segment.seal()
    await flushIndexes(segment)
  }
  return end
}

async function cutTail(loading: Loading, index: number, position: number): Promise<void> {
  const { segments, host, directory } = loading
  const { disk } = host.env
  const segment = segments[index]
  if (segment === undefined) return
  // The newest first, so that a crash in between leaves no hole.
  for (const later of segments.splice(index + 1).reverse()) {
    await later.removeFiles()
  }
  await disk.syncDir(directory)
  await segment.truncate(position)
}

/** Before anything is cut: the journal must have all that was synced beyond the end that was found. */
function checkJournal(loading: Loading): void {
  const { journal, directory, endOffset } = loading
  const loss = journal?.lossAfter(endOffset) ?? null
  if (!journal || loss === null) return
  throw new DamagedLogError(
    `${directory}: ${loss}; records up to offset ${journal.endOffset} were synced, so this is damage. Restore the files or the replica; "log check" says more`,
  )
}

/** Appends what the journal has and the segments lost: records that were acknowledged. */
async function replayJournal(loading: Loading): Promise<void> {
  const { journal, segments, host, directory, config } = loading
  if (!journal || journal.endOffset <= loading.endOffset) return
  checkJournal(loading)
  const startOffset = loading.endOffset
  const target: ReplayTarget = {
    disk: host.env.disk,
    segments,
    endOffset: startOffset,
    async roll(baseOffset) {
      const sealed = segments.at(-1)
      sealed?.seal()
      await sealed?.sync()
      if (sealed !== undefined) await flushIndexes(sealed)
      const segment = newSegment(loading, baseOffset)
      segment.startIndexes()
      await segment.create()
      await host.env.disk.syncDir(directory)
      segments.push(segment)
    },
    note(header, segment, position) {
      const epoch = loading.epochs.epochAt(header.baseOffset)
      if (loading.hasRest && header.partitionLeaderEpoch < epoch) {
        throw new DecodeError(
          `its records at ${header.baseOffset} are of leader epoch ${header.partitionLeaderEpoch}, the log there is of leader epoch ${epoch}`,
        )
      }
      segment.addBatch(header, position, config['index.interval.bytes'])
      loading.epochs.assign(header.partitionLeaderEpoch, header.baseOffset)
    },
  }
  const batchCount = await replayTail(journal, target).catch((error: unknown) => {
    if (!(error instanceof DecodeError)) throw error
    throw new DamagedLogError(`${directory}: the journal has no batches for it: ${error.message}`)
  })
  loading.endOffset = target.endOffset
  await segments.at(-1)?.sync()
  host.env.log.info('log.replayed', {
    directory,
    startOffset,
    endOffset: target.endOffset,
    batchCount,
  })
}

/** No segment, or a log start beyond the end: the log goes on, empty, at its start. */
async function startOverBeyondEnd(loading: Loading): Promise<void> {
  const { segments, host, directory, logStartOffset } = loading
  if (segments.length > 0 && loading.endOffset >= logStartOffset) return
  const { disk } = host.env
  const old = segments.splice(0)
  const segment = newSegment(loading, logStartOffset)
  segment.startIndexes()
  // Durable before the others go: a log without any segment is a damaged one.
  await segment.create()
  await disk.syncDir(directory)
  for (const before of old.reverse()) await before.removeFiles()
  await disk.syncDir(directory)
  segments.push(segment)
  loading.endOffset = logStartOffset
}

/** Makes the directory and files of a new, empty log. The log dir itself has to be synced after it. */
export async function createLogFiles(
  host: LogHost,
  {
    topicPartition,
    topicId,
    directory,
  }: Pick<LogState, 'topicPartition' | 'topicId' | 'directory'>,
): Promise<LogState> {
  const { disk, clock } = host.env
  const segment = new Segment({
    disk,
    pool: host.pool,
    directory,
    baseOffset: 0,
    createdMs: clock.nowMs(),
  })
  segment.startIndexes()
  await segment.create()
  const file = await disk.open(`${directory}/${leaderEpochFile}`, 'create')
  try {
    await file.writeAt([encodeLeaderEpochs([])], 0)
  } finally {
    await file.close()
  }
  await disk.syncDir(directory)
  return {
    topicPartition,
    topicId,
    directory,
    segments: [segment],
    logStartOffset: 0,
    logEndOffset: 0,
    recoveryPoint: 0,
    isSettled: true,
    leaderEpochs: new LeaderEpochCache(),
    producers: new ProducerStates(),
    failure: null,
  }
}
