/**
 * Reads a partition's files from the disk, past the broker, and holds them against what clients were
 * told. A full audit reads all of it and follows each start of a broker; in between only what was
 * added is read.
 *
 * What must hold: batches are whole and rise without a gap (but for what retention or DeleteRecords
 * took at the front), a producer's sequences are contiguous and come once, epochs are those of the
 * leader epoch cache, what consumers could see stays as it was, what was acknowledged is there. In a
 * compacted log batches may be missing within a segment, never between two.
 */

import type { Offset } from '../../lib/base/types.ts'
import type { MemoryDisk } from '../../lib/io/memory/disk.ts'
import {
  type BatchHeader,
  batchAt,
  batchCrc,
  isControl,
  lastOffsetOf,
  readBatchHeader,
} from '../../lib/record/batch.ts'
import { forEachRecord } from '../../lib/record/record.ts'
import type { Partition } from '../../lib/replication/partition.ts'
import type { Segment } from '../../lib/storage/segment.ts'
import { fileSuffix } from '../../lib/storage/segment-files.ts'
import type { PartitionLedger } from './ledger.ts'

/** What was found on the disk is not what clients were promised. */
export class Violation extends Error {
  override readonly name = 'Violation'
  /** One of the checker's kinds: lost-write, duplicate, ... */
  readonly kind: string

  constructor(kind: string, message: string) {
    super(`${kind}: ${message}`)
    this.kind = kind
  }
}

interface ProducerTail {
  readonly epoch: number
  readonly nextSequence: number
}

export class PartitionAudit {
  readonly #ledger: PartitionLedger
  /** Bytes read of each file, by its base offset. */
  #readBytes = new Map<Offset, number>()
  /** The segments that were read: the cleaner puts others in their place. */
  readonly #seen = new Map<Offset, Segment>()
  #nextOffset: Offset = -1
  #producers = new Map<number, ProducerTail>()
  #epochs: { epoch: number; startOffset: Offset }[] = []

  constructor(ledger: PartitionLedger) {
    this.#ledger = ledger
  }

  /** Everything is to be read again: the log was cut, or the broker was started anew. */
  reset(): void {
    this.#readBytes.clear()
    this.#seen.clear()
    this.#nextOffset = -1
    this.#producers.clear()
    this.#epochs = []
    this.#ledger.beginScan()
  }

  /** Reads what was added, up to what the broker says is written. */
  scan(disk: MemoryDisk, { log }: Partition): void {
    const { writtenEndOffset, logStartOffset } = log
    // What lies below the log start is on its way out, in no order.
    const isKept = (_: Segment, index: number) =>
      (log.segments[index + 1]?.baseOffset ?? Number.POSITIVE_INFINITY) > logStartOffset
    const segments = log.segments.filter(isKept)
    if (this.#isCleaned(segments)) this.reset()
    const [first] = segments
    if (this.#nextOffset < 0) this.#nextOffset = first?.baseOffset ?? 0
    if (first !== undefined && first.baseOffset > this.#nextOffset) {
      // Dropped before all of it was looked at; whether that was right the ledger says.
      this.#nextOffset = first.baseOffset
      this.#producers.clear()
    }
    for (const segment of segments) {
      const { baseOffset, writtenBytes } = segment
      const from = this.#readBytes.get(baseOffset) ?? 0
      this.#seen.set(baseOffset, segment)
      if (writtenBytes <= from) continue
      const path = segment.path(fileSuffix.log)
      // Its name in memory is ahead of its name on the disk while it is renamed.
      const file = disk.file(path) ?? disk.file(path.replace(/\.log$/, '.log.swap'))
      if (file === undefined) {
        throw new Violation(
          'lost-write',
          `${path} is not there, ${writtenBytes} bytes were written`,
        )
      }
      const bytes = Buffer.alloc(writtenBytes - from)
      const count = file.content.read(bytes, from)
      if (count < bytes.length) {
        throw new Violation('lost-write', `${path} ends at ${from + count}, not ${writtenBytes}`)
      }
      if (from === 0 && baseOffset !== this.#nextOffset) {
        throw new Violation('gap', `${path} follows offset ${this.#nextOffset - 1}`)
      }
      this.#readBatches(bytes, path)
      this.#readBytes.set(baseOffset, writtenBytes)
    }
    if (this.#nextOffset < writtenEndOffset) {
      throw new Violation(
        'lost-write',
        `${log.name}: the files end at ${this.#nextOffset}, ${writtenEndOffset} is said to be written`,
      )
    }
    this.#checkEpochs(log)
  }

  #isCleaned(segments: readonly Segment[]): boolean {
    if (!this.#ledger.isCompacted) return false
    return segments.some((segment) => {
      const seen = this.#seen.get(segment.baseOffset)
      return seen !== undefined && seen !== segment
    })
  }

  #readBatches(bytes: Buffer, path: string): void {
    for (let at = 0; at < bytes.length; ) {
      const header = readBatchHeader(bytes, at)
      const end = at + header.sizeBytes
      const where = `${path}: the batch at offset ${header.baseOffset}`
      if (end > bytes.length) throw new Violation('torn', `${where} is cut off`)
      const batch = batchAt(bytes.subarray(at, end))
      if (batchCrc(batch) !== header.crc) throw new Violation('damage', `${where} has a wrong CRC`)
      const { isCompacted } = this.#ledger
      const isNext = header.baseOffset === this.#nextOffset
      if (!isNext && !(isCompacted && header.baseOffset > this.#nextOffset)) {
        throw new Violation('gap', `${where} follows offset ${this.#nextOffset - 1}`)
      }
      this.#nextOffset = lastOffsetOf(header) + 1
      this.#checkSequence(header, where)
      this.#noteEpoch(header)
      this.#ledger.stored(header)
      if (!isControl(header.attributes)) {
        forEachRecord(batch, { maxBytes: 1 << 26 }, ({ offset, value }) =>
          this.#ledger.storedRecord(offset, value),
        )
      }
      at = end
    }
  }

  #checkSequence(header: BatchHeader, where: string): void {
    const { producerId, producerEpoch, baseSequence, lastOffsetDelta } = header
    if (producerId < 0 || isControl(header.attributes)) return
    const tail = this.#producers.get(producerId)
    if (tail !== undefined) {
      const isSame = tail.epoch === producerEpoch
      const expected = isSame ? tail.nextSequence : 0
      const isNext =
        baseSequence === expected || (this.#ledger.isCompacted && baseSequence > expected)
      if (producerEpoch < tail.epoch || !isNext) {
        const kind = isSame && baseSequence < expected ? 'duplicate' : 'sequence'
        throw new Violation(
          kind,
          `${where} of producer ${producerId} has epoch ${producerEpoch} and sequence ${baseSequence}, expected ${tail.epoch} and ${expected}`,
        )
      }
    }
    this.#producers.set(producerId, {
      epoch: producerEpoch,
      nextSequence: (baseSequence + lastOffsetDelta + 1) % 2 ** 31,
    })
  }

  #noteEpoch({ partitionLeaderEpoch: epoch, baseOffset: startOffset }: BatchHeader): void {
    if (this.#epochs.at(-1)?.epoch !== epoch) this.#epochs.push({ epoch, startOffset })
  }

  #checkEpochs({ leaderEpochs, name, logStartOffset }: Partition['log']): void {
    for (const { epoch, startOffset } of this.#epochs) {
      const known = leaderEpochs.entries.find((entry) => entry.epoch === epoch)
      // The first epoch's start follows the log start.
      if (known !== undefined && known.startOffset <= Math.max(startOffset, logStartOffset))
        continue
      if (startOffset < logStartOffset) continue
      throw new Violation(
        'epochs',
        `${name}: epoch ${epoch} begins at ${startOffset} in the batches, ${known?.startOffset ?? 'nowhere'} in the cache`,
      )
    }
  }
}
