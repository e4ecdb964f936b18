/**
 * What clients sent, were told and read of one partition, and what lies in its log: where the two are
 * held against each other. Each record's value is unique (`producer:number:...`), so it can be found.
 * In a compacted log a record may be gone when a later one of its key is there; what is there is as it was.
 */

import type { Offset } from '../../lib/base/types.ts'
import type { BatchHeader } from '../../lib/record/batch.ts'
import { Violation } from './audit.ts'
import { check, History } from './checker.ts'

export interface SentRecord {
  /** Stored once at most, whatever is sent again. */
  readonly isIdempotent: boolean
  /** Power cuts before it was sent. */
  readonly powerCuts: number
  /** In a compacted log the latest record of a key is kept. */
  readonly key: string | null
  state: 'sent' | 'acknowledged' | 'failed'
}

/** The first words of a value: its name in messages and maps. */
export function nameOf(value: Uint8Array | null): string {
  if (value === null) return 'null'
  const text = Buffer.from(value.subarray(0, 48)).toString('latin1')
  const end = text.indexOf(';')
  return end < 0 ? text : text.slice(0, end)
}

function producerOf(name: string): string {
  return name.slice(0, name.indexOf(':'))
}

export class PartitionLedger {
  readonly name: string
  readonly history: History
  /** By the record's name. */
  readonly sent = new Map<string, SentRecord>()
  /** Acknowledged for good, by offset. */
  readonly acknowledged = new Map<Offset, string>()
  /** Acknowledged as written (acks=1), with when; a power cut may take them. */
  readonly written = new Map<Offset, string>()
  /** What a consumer read first at an offset. */
  readonly read = new Map<Offset, string>()
  /** CRC of each batch that consumers could see, by its base offset. */
  readonly #visible = new Map<Offset, number>()
  /** Batches of this scan that are not visible yet. */
  #unsettled: BatchHeader[] = []
  /** Where each record lies, as far as this scan has come. */
  #stored = new Map<string, Offset>()
  #byOffset = new Map<Offset, string>()
  /** Where the latest record of each key lies, as far as this scan has come. */
  #latest = new Map<string, Offset>()
  #powerCuts = 0
  /** Producers that gave a batch up here. What they had sent behind it goes out under a new epoch, and may come twice. */
  readonly #gaveUp = new Set<string>()
  highWatermark: Offset = 0
  /** DeleteRecords was answered up to here; nothing before it may be read again. */
  trimmed: Offset = 0
  /** DeleteRecords was asked up to here. */
  trimAsked: Offset = 0
  /** Bytes of its files rotted: it may be offline, but not wrong. */
  isRotten = false
  readonly isDurable: boolean
  readonly hasRetention: boolean
  readonly isCompacted: boolean

  constructor(
    name: string,
    {
      isDurable,
      hasRetention,
      isCompacted,
    }: { isDurable: boolean; hasRetention: boolean; isCompacted: boolean },
  ) {
    this.name = name
    this.isCompacted = isCompacted
    const keyOf = (name: string) => this.sent.get(name)?.key ?? null
    this.history = new History(name, isCompacted ? keyOf : null)
    this.isDurable = isDurable
    this.hasRetention = hasRetention
  }

  sending(name: string, what: Pick<SentRecord, 'isIdempotent' | 'key'>): void {
    this.sent.set(name, { ...what, powerCuts: this.#powerCuts, state: 'sent' })
  }

  /** A producer was told that it is stored; offset -1 = it was not told where. */
  onAcknowledged(name: string, offset: Offset, acks: number): void {
    const sent = this.sent.get(name)
    if (sent !== undefined) sent.state = 'acknowledged'
    if (offset < 0 || acks === 0) return
    const isForGood = acks === -1 && this.isDurable
    // The answer may have come after the power cut that took what it speaks of.
    if (!isForGood && sent?.powerCuts !== this.#powerCuts) return
    const before = this.acknowledged.get(offset) ?? this.written.get(offset)
    if (before !== undefined && before !== name) {
      throw new Violation(
        'inconsistent-offsets',
        `${this.name}: offset ${offset} was acknowledged for ${before} and for ${name}`,
      )
    }
    if (isForGood) this.history.acknowledged.push({ name, offset })
    if (isForGood) this.acknowledged.set(offset, name)
    else this.written.set(offset, name)
  }

  onFailed(name: string): void {
    this.#gaveUp.add(producerOf(name))
    const sent = this.sent.get(name)
    if (sent !== undefined) sent.state = 'failed'
  }

  /** A consumer was handed a record. */
  onRead(offset: Offset, name: string, reader: string): void {
    if (!this.isDurable) return
    if (offset >= this.highWatermark) {
      throw new Violation(
        'read-uncommitted',
        `${reader} read offset ${offset} of ${this.name}, its high watermark never was above ${this.highWatermark}`,
      )
    }
    const before = this.read.get(offset)
    if (before === undefined) this.read.set(offset, name)
    else if (before !== name) {
      throw new Violation(
        'inconsistent-offsets',
        `${reader} read ${name} at offset ${offset} of ${this.name}, ${before} was read there before`,
      )
    }
  }

  /** The power went: what was only written may be gone. */
  onPowerCut(): void {
    this.#powerCuts++
    this.written.clear()
    if (this.isDurable) return
    this.#visible.clear()
    this.read.clear()
    this.highWatermark = 0
  }

  beginScan(): void {
    this.#stored = new Map()
    this.#byOffset = new Map()
    this.#latest = new Map()
    this.#unsettled = []
  }

  /** A batch lies in the log. */
  stored(header: BatchHeader): void {
    // The cleaner writes batches anew; their records are looked at one by one.
    if (this.isCompacted) return
    const crc = this.#visible.get(header.baseOffset)
    if (crc !== undefined && crc !== header.crc) {
      throw new Violation(
        'inconsistent-offsets',
        `${this.name}: another batch lies at offset ${header.baseOffset} than consumers could see there`,
      )
    }
    this.#unsettled.push({ ...header })
  }

  storedRecord(offset: Offset, value: Uint8Array | null): void {
    const name = nameOf(value)
    this.#byOffset.set(offset, name)
    const sent = this.sent.get(name)
    if (sent === undefined) return
    if (sent.key !== null) this.#latest.set(sent.key, offset)
    const before = this.#stored.get(name)
    const isOnce = sent.isIdempotent && !this.#gaveUp.has(producerOf(name))
    if (before !== undefined && before !== offset && isOnce) {
      throw new Violation(
        'duplicate',
        `${this.name}: ${name} lies at offsets ${before} and ${offset}`,
      )
    }
    this.#stored.set(name, offset)
  }

  /** The high watermark has come so far. */
  onHighWatermark(highWatermark: Offset): void {
    if (highWatermark > this.highWatermark) this.highWatermark = highWatermark
    if (!this.isDurable) return
    let settled = 0
    for (const { baseOffset, lastOffsetDelta, crc } of this.#unsettled) {
      if (baseOffset + lastOffsetDelta >= highWatermark) break
      this.#visible.set(baseOffset, crc)
      settled++
    }
    if (settled > 0) this.#unsettled.splice(0, settled)
  }

  /** After a scan of the log, which goes from `start` to `end`: what was promised is there. */
  check(start: Offset, end: Offset): void {
    this.#checkStart(start)
    for (const [kind, promised] of [
      ['lost-write', this.acknowledged],
      ['lost-write', this.written],
      ['inconsistent-offsets', this.read],
    ] as const) {
      for (const [offset, name] of promised) {
        if (offset < start) {
          promised.delete(offset)
          continue
        }
        const found = this.#byOffset.get(offset)
        if (found === name || (found === undefined && this.#isSuperseded(offset, name))) continue
        throw new Violation(
          kind,
          `${this.name}: ${name} was at offset ${offset}, there is ${found ?? 'nothing'} now; the log goes from ${start} to ${end}`,
        )
      }
    }
    if (this.isDurable && end < this.highWatermark) {
      throw new Violation(
        'lost-write',
        `${this.name}: the log ends at ${end}, consumers could see up to ${this.highWatermark}`,
      )
    }
  }

  /** Whether the cleaner may have taken it: a later record of its key is there. */
  #isSuperseded(offset: Offset, name: string): boolean {
    const key = this.sent.get(name)?.key ?? null
    return this.isCompacted && key !== null && (this.#latest.get(key) ?? -1) > offset
  }

  #checkStart(start: Offset): void {
    if (start < this.trimmed) {
      throw new Violation(
        'undeleted',
        `${this.name} begins at ${start}, its records before ${this.trimmed} were deleted`,
      )
    }
    if (!this.hasRetention && start > this.trimAsked) {
      throw new Violation(
        'lost-write',
        `${this.name} begins at ${start}, nobody asked for that (DeleteRecords up to ${this.trimAsked})`,
      )
    }
  }

  /** At the end: what clients did and were told, held against itself and the last reader. */
  checkHistory(): void {
    if (!this.isDurable) return
    const isOnce = (name: string) =>
      this.sent.get(name)?.isIdempotent === true && !this.#gaveUp.has(producerOf(name))
    const [first] = check(this.history, isOnce)
    if (first !== undefined) throw new Violation(first.kind, `the checker: ${first.text}`)
  }

  /** At the end: each record that was acknowledged without an offset is somewhere. */
  checkEnd(start: Offset): void {
    if (!this.isDurable || this.isCompacted || start > 0) return
    for (const [name, { state, isIdempotent }] of this.sent) {
      if (state === 'acknowledged' && isIdempotent && !this.#stored.has(name)) {
        throw new Violation('lost-write', `${this.name}: ${name} was acknowledged, it is nowhere`)
      }
    }
  }
}
