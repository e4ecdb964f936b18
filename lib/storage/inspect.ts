/**
 * Looking into the files of a log from outside: for `log dump`, `log check` and tests. Reads what
 * Kafka wrote as well as what we wrote, changes nothing, and needs no lock: the last file of a
 * running broker may end in the middle of a batch, and index files may end in zeros.
 */

import { asBuffer } from '../base/bytes.ts'
import { DecodeError } from '../base/errors.ts'
import type { Offset } from '../base/types.ts'
import { type Disk, hasErrorCode, readFile } from '../io/disk.ts'
import { type BatchHeader, batchCrc, lastOffsetOf, readInt64 } from '../record/batch.ts'
import { decodeOffsetCheckpoint, decodePartitionMetadata, logStartFile } from './checkpoint.ts'
import type { Finding, InspectedDirectory } from './inspect-directory.ts'
import { type JournalKey, journalKeyName } from './journal/journal-block.ts'
import { countBeyond } from './journal/journal-replay.ts'
import { restOfName, tailWithRests } from './journal/journal-rest.ts'
import type { JournalTail } from './journal/journal-tail.ts'
import { decodeLeaderEpochs } from './leader-epochs.ts'
import { isZero, offsetEntrySize } from './offset-index.ts'
import { decodeProducerSnapshot } from './producer-snapshot.ts'
import { type ScanEnd, scanBatches } from './scan.ts'
import {
  directoryKind,
  type FileSuffix,
  fileSuffix,
  leaderEpochFile,
  parseSegmentFileName,
  partitionMetadataFile,
  type SegmentFileName,
  segmentFileName,
} from './segment-files.ts'
import { type TimestampOffset, timeEntrySize } from './time-index.ts'
import { transactionIndexEntries } from './transaction-index.ts'

/** A batch of a `.log` file. `bytes` hold all of it, and are valid only during the visit. */
export interface InspectedBatch {
  readonly header: BatchHeader
  readonly position: number
  readonly bytes: Buffer
  readonly computedCrc: number
}

export interface OffsetIndexEntry {
  readonly offset: Offset
  readonly position: number
}

const indexBytesMax = 64 * 1024 * 1024

/** Calls `visit` for each batch of a `.log` file; ends early when it gives 'stop'. */
export async function inspectLogFile(
  disk: Disk,
  path: string,
  visit: (batch: InspectedBatch) => undefined | 'stop',
): Promise<ScanEnd> {
  const file = await disk.open(path, 'read')
  try {
    const to = await file.size()
    return await scanBatches(file, { from: 0, to }, (header, bytes, position) =>
      visit({ header, position, bytes, computedCrc: batchCrc({ header, chunks: [bytes] }) }),
    )
  } finally {
    await file.close()
  }
}

/** The entries of an `.index` file; zeros that Kafka preallocated are left out. */
export function offsetIndexEntries(baseOffset: Offset, bytes: Uint8Array): OffsetIndexEntry[] {
  const buffer = asBuffer(bytes)
  const entries: OffsetIndexEntry[] = []
  for (let at = 0; at + offsetEntrySize <= buffer.length; at += offsetEntrySize) {
    const relative = buffer.readInt32BE(at)
    const position = buffer.readInt32BE(at + 4)
    if (relative === 0 && position === 0 && isZero(buffer.subarray(at))) break
    entries.push({ offset: baseOffset + relative, position })
  }
  return entries
}

/** The entries of a `.timeindex` file; zeros that Kafka preallocated are left out. */
export function timeIndexEntries(baseOffset: Offset, bytes: Uint8Array): TimestampOffset[] {
  const buffer = asBuffer(bytes)
  const entries: TimestampOffset[] = []
  for (let at = 0; at + timeEntrySize <= buffer.length; at += timeEntrySize) {
    const timestamp = readInt64(buffer, at)
    const relative = buffer.readInt32BE(at + 8)
    if (timestamp === 0 && relative === 0 && isZero(buffer.subarray(at))) break
    entries.push({ timestamp, offset: baseOffset + relative })
  }
  return entries
}

/** What checking a directory found out beside its findings. */
export interface CheckedLog {
  readonly segmentCount: number
  readonly batchCount: number
  readonly recordCount: number
  readonly sizeBytes: number
  readonly firstOffset: Offset
  readonly endOffset: Offset
  /** What the journal holds beyond the segments' end, and the next start appends. */
  readonly journal: { readonly batchCount: number; readonly recordCount: number }
  readonly findings: readonly Finding[]
}

/** What is gathered from a segment's log file for checking its indexes against. */
interface SegmentFacts {
  readonly baseOffset: Offset
  readonly endOffset: Offset
  /** Position -> last offset of the batch there. */
  readonly batches: ReadonlyMap<number, Offset>
  readonly maxTimestamps: readonly { timestamp: number; lastOffset: Offset }[]
}

/**
 * Checks all files of one partition directory: batches, order, indexes, epochs, snapshots; and what
 * the data directory that it lies in knows of it, if that was looked at before.
 */
export async function checkPartition(
  disk: Disk,
  directory: string,
  inspected: InspectedDirectory | null = null,
): Promise<CheckedLog> {
  const check = new PartitionCheck(disk, directory, inspected)
  try {
    await check.run()
  } catch (error) {
    // A link, a directory in the place of a file, a file that the system will not give.
    if (!(error instanceof Error && 'code' in error)) throw error
    check.reportUnreadable(error)
  }
  return check.result()
}

/** Offsets that are missing between two segments. */
interface Gap {
  readonly endOffset: Offset
  readonly baseOffset: Offset
}

class PartitionCheck {
  readonly #disk: Disk
  readonly #directory: string
  readonly #inspected: InspectedDirectory | null
  readonly #findings: Finding[] = []
  readonly #epochs: { epoch: number; startOffset: Offset }[] = []
  #segmentCount = 0
  #batchCount = 0
  #recordCount = 0
  #sizeBytes = 0
  #firstOffset: Offset = 0
  #endOffset: Offset = 0
  /** Where the first batch lies that is not sound; a start that may cut goes on from there. */
  #unsoundOffset: Offset | null = null
  #journal = { batchCount: 0, recordCount: 0 }
  /** Batches that lost records: compaction went over this log, and holes are no loss. */
  #isCompacted = false

  constructor(disk: Disk, directory: string, inspected: InspectedDirectory | null) {
    this.#disk = disk
    this.#directory = directory
    this.#inspected = inspected
  }

  result(): CheckedLog {
    return {
      segmentCount: this.#segmentCount,
      batchCount: this.#batchCount,
      recordCount: this.#recordCount,
      sizeBytes: this.#sizeBytes,
      firstOffset: this.#firstOffset,
      endOffset: this.#endOffset,
      journal: this.#journal,
      findings: this.#findings,
    }
  }

  reportUnreadable(error: Error): void {
    const name = 'path' in error ? /[^/]+$/.exec(String(error.path))?.[0] : undefined
    const message = `cannot be read: ${error.message}; what comes after it was not looked at`
    this.#report('error', name ?? '.', message)
  }

  #report(
    severity: Finding['severity'],
    file: string,
    message: string,
    position: number | null = null,
  ): void {
    this.#findings.push({ severity, file, position, message })
  }

  async run(): Promise<void> {
    const names = (await this.#disk.list(this.#directory)).map(({ name }) => name)
    const bases: Offset[] = []
    const snapshots: string[] = []
    for (const name of names) {
      const parsed = parseSegmentFileName(name)
      if (parsed === null) continue
      if (parsed.mark !== '') await this.#checkLeftOver(name, parsed)
      else if (parsed.suffix === fileSuffix.log) bases.push(parsed.baseOffset)
      else if (parsed.suffix === fileSuffix.snapshot) snapshots.push(name)
    }
    bases.sort((a, b) => a - b)
    this.#firstOffset = bases[0] ?? 0
    this.#endOffset = this.#firstOffset
    const gaps: Gap[] = []
    for (const [index, base] of bases.entries()) {
      if (base > this.#endOffset) {
        gaps.push({ endOffset: this.#endOffset, baseOffset: base })
      } else if (base < this.#endOffset) {
        const message = `begins at ${base}, the segment before ends at ${this.#endOffset} only`
        this.#report('error', segmentFileName(base, fileSuffix.log), message)
      }
      await this.#checkSegment(base, bases[index + 1])
    }
    this.#reportGaps(gaps)
    for (const name of snapshots) await this.#checkSnapshot(name)
    await this.#checkEpochs(names)
    if (this.#inspected !== null) await this.#checkBeside(this.#inspected, names, bases)
  }

  /** Apache Kafka's compaction may leave gaps between segments; ours does not, and nothing else does. */
  #reportGaps(gaps: readonly Gap[]): void {
    for (const { endOffset, baseOffset } of gaps) {
      // As at a start: beyond what was synced it is bytes that went with the power.
      const isLost = this.#recoveryPoint > 0 && baseOffset > this.#recoveryPoint
      const isError = this.#inspected?.isOurs === true && (!this.#wasCleaned || isLost)
      if (!isError && this.#isCompacted) continue
      const message = `begins at ${baseOffset}, the segment before ends at ${endOffset}`
      const file = segmentFileName(baseOffset, fileSuffix.log)
      this.#report(isError ? 'error' : 'warning', file, message)
      if (isError) this.#noteUnsound(endOffset)
    }
  }

  #noteUnsound(offset: Offset): void {
    this.#unsoundOffset = Math.min(this.#unsoundOffset ?? offset, offset)
  }

  get #recoveryPoint(): Offset {
    return this.#inspected?.recoveryPoints.get(this.#place().name) ?? 0
  }

  /** Also when nobody knows. */
  get #wasCleaned(): boolean {
    return this.#inspected?.cleaned?.has(this.#place().name) ?? true
  }

  /** A start removes what was on its way out, and finishes a swap, which has to be whole. */
  async #checkLeftOver(name: string, { suffix, mark }: SegmentFileName): Promise<void> {
    const path = `${this.#directory}/${name}`
    if (mark === '.swap' && suffix === fileSuffix.log) {
      let isSound = false
      const end = await inspectLogFile(this.#disk, path, ({ header, computedCrc }) => {
        isSound = computedCrc === header.crc
        return isSound ? undefined : 'stop'
      })
      const why = 'a cleaned segment that is to take its place, and is not whole'
      if (end.kind !== 'end' || !isSound) this.#report('error', name, why, end.position)
    }
    const message = 'left over by an interrupted change; the next start finishes or removes it'
    this.#report('warning', name, message)
  }

  async #checkSegment(baseOffset: Offset, following: Offset | undefined): Promise<void> {
    const file = segmentFileName(baseOffset, fileSuffix.log)
    const isLast = following === undefined
    this.#segmentCount++
    const batches = new Map<number, Offset>()
    const maxTimestamps: { timestamp: number; lastOffset: Offset }[] = []
    let expected = Math.max(this.#endOffset, baseOffset)
    const end = await inspectLogFile(this.#disk, `${this.#directory}/${file}`, (batch) => {
      const { header, position } = batch
      const lastOffset = lastOffsetOf(header)
      this.#checkBatch(file, batch, expected)
      batches.set(position, lastOffset)
      if (header.maxTimestamp > (maxTimestamps.at(-1)?.timestamp ?? -1)) {
        maxTimestamps.push({ timestamp: header.maxTimestamp, lastOffset })
      }
      this.#batchCount++
      this.#recordCount += Math.max(header.recordCount, 0)
      this.#sizeBytes += header.sizeBytes
      expected = Math.max(lastOffset + 1, expected)
      this.#noteEpoch(header)
      return undefined
    })
    if (end.kind === 'bad') {
      const severity = isLast ? 'warning' : 'error'
      const hint = isLast ? '; a torn tail, unless what follows was synced' : ''
      this.#report(severity, file, `no whole batch: ${end.why}${hint}`, end.position)
      if (following !== expected) this.#noteUnsound(expected)
    }
    this.#endOffset = expected
    const facts = { baseOffset, endOffset: expected, batches, maxTimestamps }
    await this.#checkOffsetIndex(facts, isLast)
    await this.#checkTimeIndex(facts, isLast)
    await this.#checkTransactionIndex(baseOffset)
  }

  #checkBatch(file: string, batch: InspectedBatch, expected: Offset): void {
    const { header, position, computedCrc } = batch
    if (computedCrc !== header.crc) {
      this.#report('error', file, `CRC ${header.crc}, computed ${computedCrc}`, position)
      this.#noteUnsound(expected)
    }
    if (header.baseOffset < expected) {
      this.#noteUnsound(expected)
      const message = `base offset ${header.baseOffset} after offset ${expected - 1}`
      this.#report('error', file, message, position)
    }
    if (header.lastOffsetDelta < 0 || header.recordCount > header.lastOffsetDelta + 1) {
      const message = `${header.recordCount} records with last offset delta ${header.lastOffsetDelta}`
      this.#report('error', file, message, position)
    }
    if (header.recordCount < header.lastOffsetDelta + 1) this.#isCompacted = true
    if (header.baseOffset > expected && this.#inspected?.isOurs === true && !this.#wasCleaned) {
      const message = `a batch at offset ${header.baseOffset}, expected ${expected}; only compaction leaves gaps`
      this.#report('error', file, message, position)
      this.#noteUnsound(expected)
    }
  }

  #noteEpoch({ partitionLeaderEpoch, baseOffset }: BatchHeader): void {
    const last = this.#epochs.at(-1)
    if (partitionLeaderEpoch < 0 || (last !== undefined && partitionLeaderEpoch <= last.epoch)) {
      return
    }
    this.#epochs.push({ epoch: partitionLeaderEpoch, startOffset: baseOffset })
  }

  /** A file's bytes; null (with a finding, for a closed segment) when there is none. */
  async #indexBytes(
    { baseOffset }: SegmentFacts,
    suffix: FileSuffix,
    isLast: boolean,
  ): Promise<Uint8Array | null> {
    const name = segmentFileName(baseOffset, suffix)
    const known = this.#findings.length
    const bytes = await this.#bytes(name)
    if (bytes === null && !isLast && known === this.#findings.length) {
      this.#report('warning', name, 'missing; the next start makes it anew')
    }
    return bytes
  }

  async #checkOffsetIndex(facts: SegmentFacts, isLast: boolean): Promise<void> {
    const bytes = await this.#indexBytes(facts, fileSuffix.index, isLast)
    if (bytes === null) return
    const name = segmentFileName(facts.baseOffset, fileSuffix.index)
    let before: OffsetIndexEntry = { offset: facts.baseOffset - 1, position: -1 }
    for (const [n, entry] of offsetIndexEntries(facts.baseOffset, bytes).entries()) {
      const at = n * offsetEntrySize
      const lastOffset = facts.batches.get(entry.position)
      if (entry.offset <= before.offset || entry.position <= before.position) {
        this.#report(
          'warning',
          name,
          `entry ${n} does not rise: ${entry.offset} at ${entry.position}`,
          at,
        )
        return
      }
      if (lastOffset !== entry.offset) {
        const found =
          lastOffset === undefined ? 'no batch begins' : `a batch ends with ${lastOffset}`
        this.#report(
          'warning',
          name,
          `entry ${n} says offset ${entry.offset} at byte ${entry.position}, where ${found}`,
          at,
        )
        return
      }
      before = entry
    }
  }

  async #checkTimeIndex(facts: SegmentFacts, isLast: boolean): Promise<void> {
    const bytes = await this.#indexBytes(facts, fileSuffix.timeIndex, isLast)
    if (bytes === null) return
    const name = segmentFileName(facts.baseOffset, fileSuffix.timeIndex)
    const known = new Map(facts.maxTimestamps.map((fact) => [fact.lastOffset, fact.timestamp]))
    let before: TimestampOffset = { timestamp: -2, offset: facts.baseOffset - 1 }
    const entries = timeIndexEntries(facts.baseOffset, bytes)
    for (const [n, entry] of entries.entries()) {
      const at = n * timeEntrySize
      // Kafka closes a segment whose records carry no time with one such entry.
      if (entry.timestamp === -1) continue
      if (entry.timestamp <= before.timestamp || entry.offset < before.offset) {
        this.#report(
          'warning',
          name,
          `entry ${n} does not rise: ${entry.timestamp} at ${entry.offset}`,
          at,
        )
        return
      }
      if (known.get(entry.offset) !== entry.timestamp) {
        const message = `entry ${n} says time ${entry.timestamp} at offset ${entry.offset}, no batch does`
        this.#report('warning', name, message, at)
        return
      }
      before = entry
    }
    const largest = facts.maxTimestamps.at(-1)?.timestamp ?? -1
    if (!isLast && largest > Math.max(before.timestamp, -1)) {
      this.#report(
        'warning',
        name,
        `ends with time ${before.timestamp}, the segment holds ${largest}`,
      )
    }
  }

  async #checkTransactionIndex(baseOffset: Offset): Promise<void> {
    const name = segmentFileName(baseOffset, fileSuffix.txnIndex)
    const bytes = await this.#bytes(name)
    if (bytes === null) return
    await this.#reportDecodeErrors(name, () => transactionIndexEntries(bytes))
  }

  async #checkSnapshot(name: string): Promise<void> {
    const bytes = await this.#bytes(name)
    if (bytes === null) return
    const snapshot = await this.#reportDecodeErrors(name, () => decodeProducerSnapshot(bytes))
    const offset = parseSegmentFileName(name)?.baseOffset ?? 0
    for (const { producerId, batches } of snapshot?.entries ?? []) {
      const last = batches.at(-1)
      if (last === undefined || last.lastOffset < offset) continue
      this.#report(
        'warning',
        name,
        `producer ${producerId} has offset ${last.lastOffset}, the snapshot is of ${offset}`,
      )
    }
    if (offset > this.#endOffset) {
      this.#report('warning', name, `taken at ${offset}, the log ends at ${this.#endOffset}`)
    }
  }

  async #checkEpochs(names: readonly string[]): Promise<void> {
    if (!names.includes(leaderEpochFile)) return
    const bytes = await this.#bytes(leaderEpochFile)
    if (bytes === null) return
    const entries = await this.#reportDecodeErrors(leaderEpochFile, () => decodeLeaderEpochs(bytes))
    if (entries === null) return
    const logStart = await this.#logStartOffset()
    for (const [n, { epoch, startOffset }] of this.#epochs.entries()) {
      const entry = entries.find((known) => known.epoch === epoch)
      // The file forgets epochs whose records are deleted, though a segment may hold them still.
      const endOffset = this.#epochs[n + 1]?.startOffset ?? this.#endOffset
      if (entry === undefined && endOffset <= logStart) continue
      if (entry !== undefined && entry.startOffset <= Math.max(startOffset, logStart)) continue
      const known = entry === undefined ? 'has none' : `says ${entry.startOffset}`
      this.#report(
        'warning',
        leaderEpochFile,
        `epoch ${epoch} begins at ${startOffset} or before, the file ${known}`,
      )
    }
    const last = entries.at(-1)
    if (last !== undefined && last.startOffset > this.#endOffset) {
      this.#report(
        'warning',
        leaderEpochFile,
        `epoch ${last.epoch} begins at ${last.startOffset}, the log ends at ${this.#endOffset}`,
      )
    }
  }

  /** What else is known of the log, against what its segments hold. */
  async #checkBeside(
    { isOurs, journal }: InspectedDirectory,
    names: readonly string[],
    bases: readonly Offset[],
  ): Promise<void> {
    const file = segmentFileName(bases.at(-1) ?? 0, fileSuffix.log)
    const soundEnd = this.#unsoundOffset ?? this.#endOffset
    const recoveryPoint = this.#recoveryPoint
    if (soundEnd < recoveryPoint) {
      const message = `the sound records end at offset ${soundEnd}, and those up to ${recoveryPoint} were synced: a start leaves the log offline`
      this.#report('error', file, message)
    }
    const key = await this.#journalKey(isOurs)
    if (key === null) return
    const rests = names.flatMap((name) => restOfName(this.#directory, name) ?? [])
    const own = journal.tails.get(journalKeyName(key)) ?? null
    const tail = await tailWithRests(this.#disk, key, { rests, journal: own })
    if (tail === null) return
    const end = Math.max(soundEnd, recoveryPoint)
    await this.#checkJournal(file, tail, { end, isOffline: soundEnd < recoveryPoint })
  }

  async #checkJournal(
    file: string,
    tail: JournalTail,
    { end, isOffline }: { end: Offset; isOffline: boolean },
  ): Promise<void> {
    const loss = tail.lossAfter(end)
    if (loss !== null) {
      const message = `${loss}; those up to ${tail.endOffset} were synced: a start leaves the log offline`
      this.#report('error', file, message)
    }
    const found = await countBeyond(this.#disk, tail, end).catch((error: unknown) => {
      if (!(error instanceof DecodeError)) throw error
      const message = `the journal has no batches for it: ${error.message}: a start leaves the log offline`
      this.#report('error', file, message)
      return null
    })
    if (found === null || found.batchCount === 0) return
    this.#journal = found
    const what = `the journal holds ${found.batchCount} batches with ${found.recordCount} records beyond offset ${end}, up to ${found.endOffset}`
    const isAppended = loss === null && !isOffline
    const then = isAppended ? 'which the next start appends' : 'kept until the log is repaired'
    this.#report('warning', file, `${what}, ${then}`)
  }

  /** What the log is in the journal; null when its directory does not say which topic it is of. */
  async #journalKey(isOurs: boolean): Promise<JournalKey | null> {
    const named = directoryKind(this.#place().name)
    if (named.kind !== 'log') return null
    try {
      const bytes = await readFile(this.#disk, `${this.#directory}/${partitionMetadataFile}`)
      if (bytes === null && !isOurs) return null
      if (bytes === null) throw new DecodeError('there is no such file')
      const topicId = decodePartitionMetadata(bytes)
      return { topicId, partition: named.topicPartition.partition }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      const message = `${error.message}; it says which topic the log is of, and a start leaves the log offline`
      this.#report('error', partitionMetadataFile, message)
      return null
    }
  }

  /** The data directory, where the partition lies in one, and the partition's name in it. */
  #place(): { parent: string; name: string } {
    const [, parent = '.', name = ''] = /^(?:(.*)\/)?([^/]+)\/*$/.exec(this.#directory) ?? []
    return { parent, name }
  }

  /** From the checkpoint of the data directory. */
  async #logStartOffset(): Promise<Offset> {
    const { parent, name } = this.#place()
    try {
      const bytes = await readFile(this.#disk, `${parent}/${logStartFile}`)
      const entries = bytes === null ? [] : decodeOffsetCheckpoint(bytes)
      const entry = entries.find(({ topic, partition }) => `${topic}-${partition}` === name)
      return entry?.offset ?? this.#firstOffset
    } catch (error) {
      if (!(error instanceof DecodeError) && !hasErrorCode(error, 'EACCES')) throw error
      return this.#firstOffset
    }
  }

  /** A whole file; null (with a finding, when it is too large for what it is) when there is none. */
  #bytes(name: string): Promise<Uint8Array | null> {
    const path = `${this.#directory}/${name}`
    return this.#reportDecodeErrors(name, () => readFile(this.#disk, path, indexBytesMax))
  }

  async #reportDecodeErrors<T>(name: string, decode: () => T | Promise<T>): Promise<T | null> {
    try {
      return await decode()
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.#report('warning', name, error.message)
      return null
    }
  }
}
