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
import { decodeOffsetCheckpoint, logStartFile } from './checkpoint.ts'
import { decodeLeaderEpochs } from './leader-epochs.ts'
import { isZero, offsetEntrySize } from './offset-index.ts'
import { decodeProducerSnapshot } from './producer-snapshot.ts'
import { type ScanEnd, scanBatches } from './scan.ts'
import {
  type FileSuffix,
  fileSuffix,
  leaderEpochFile,
  parseSegmentFileName,
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

/** Something about a file that is not as it should be. */
export interface Finding {
  /** error: records are lost or unreadable. warning: repaired by the next start, or harmless. */
  readonly severity: 'error' | 'warning'
  /** Name of the file in its directory. */
  readonly file: string
  /** Byte in the file, where there is one to name. */
  readonly position: number | null
  readonly message: string
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

/** Checks all files of one partition directory: batches, order, indexes, epochs, snapshots. */
export async function checkPartition(disk: Disk, directory: string): Promise<CheckedLog> {
  const check = new PartitionCheck(disk, directory)
  await check.run()
  return check.result()
}

class PartitionCheck {
  readonly #disk: Disk
  readonly #directory: string
  readonly #findings: Finding[] = []
  readonly #epochs: { epoch: number; startOffset: Offset }[] = []
  #segmentCount = 0
  #batchCount = 0
  #recordCount = 0
  #sizeBytes = 0
  #firstOffset: Offset = 0
  #endOffset: Offset = 0
  /** Batches that lost records: compaction went over this log, and holes are no loss. */
  #isCompacted = false

  constructor(disk: Disk, directory: string) {
    this.#disk = disk
    this.#directory = directory
  }

  result(): CheckedLog {
    return {
      segmentCount: this.#segmentCount,
      batchCount: this.#batchCount,
      recordCount: this.#recordCount,
      sizeBytes: this.#sizeBytes,
      firstOffset: this.#firstOffset,
      endOffset: this.#endOffset,
      findings: this.#findings,
    }
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
      if (parsed.mark !== '') {
        this.#report(
          'warning',
          name,
          'left over by an interrupted change; the next start removes it',
        )
      } else if (parsed.suffix === fileSuffix.log) bases.push(parsed.baseOffset)
      else if (parsed.suffix === fileSuffix.snapshot) snapshots.push(name)
    }
    bases.sort((a, b) => a - b)
    this.#firstOffset = bases[0] ?? 0
    this.#endOffset = this.#firstOffset
    const gaps: [file: string, message: string][] = []
    for (const base of bases) {
      if (base > this.#endOffset) {
        const message = `begins at ${base}, the segment before ends at ${this.#endOffset}`
        gaps.push([segmentFileName(base, fileSuffix.log), message])
      }
      await this.#checkSegment(base, base === bases.at(-1))
    }
    if (!this.#isCompacted) {
      for (const [file, message] of gaps) this.#report('warning', file, message)
    }
    for (const name of snapshots) await this.#checkSnapshot(name)
    await this.#checkEpochs(names)
  }

  async #checkSegment(baseOffset: Offset, isLast: boolean): Promise<void> {
    const file = segmentFileName(baseOffset, fileSuffix.log)
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
    }
    if (header.baseOffset < expected) {
      const message = `base offset ${header.baseOffset} after offset ${expected - 1}`
      this.#report('error', file, message, position)
    }
    if (header.lastOffsetDelta < 0 || header.recordCount > header.lastOffsetDelta + 1) {
      const message = `${header.recordCount} records with last offset delta ${header.lastOffsetDelta}`
      this.#report('error', file, message, position)
    }
    if (header.recordCount < header.lastOffsetDelta + 1) this.#isCompacted = true
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
    const bytes = await readFile(this.#disk, `${this.#directory}/${name}`, indexBytesMax)
    if (bytes === null && !isLast) {
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
    const bytes = await readFile(this.#disk, `${this.#directory}/${name}`, indexBytesMax)
    if (bytes === null) return
    await this.#reportDecodeErrors(name, () => transactionIndexEntries(bytes))
  }

  async #checkSnapshot(name: string): Promise<void> {
    const bytes = await readFile(this.#disk, `${this.#directory}/${name}`)
    if (bytes === null) return
    const entries = await this.#reportDecodeErrors(name, () => decodeProducerSnapshot(bytes))
    const offset = parseSegmentFileName(name)?.baseOffset ?? 0
    for (const { producerId, batches } of entries ?? []) {
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
    const bytes = await readFile(this.#disk, `${this.#directory}/${leaderEpochFile}`)
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

  /** From the checkpoint of the data directory, where the partition lies in one. */
  async #logStartOffset(): Promise<Offset> {
    const [, parent = '.', name] = /^(?:(.*)\/)?([^/]+)\/*$/.exec(this.#directory) ?? []
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

  async #reportDecodeErrors<T>(name: string, decode: () => T): Promise<T | null> {
    try {
      return decode()
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.#report('warning', name, error.message)
      return null
    }
  }
}
