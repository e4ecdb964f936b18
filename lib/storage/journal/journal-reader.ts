/**
 * Reads what a crash left of a journal: every block that counts, in order, by log.
 *
 *   | where a valid block is expected                 | is                                          |
 *   |-------------------------------------------------|---------------------------------------------|
 *   | zeros, or a block of an earlier use of the file | the end of the file's blocks                |
 *   | anything else, with no valid block after it     | torn: never synced, hence never acknowledged |
 *   | anything else, and a valid block after it,      | damage: that one was synced before the next |
 *   |   in this file or a later one                   |   was written. Told; the rest is read       |
 *   | a valid block, its sequence too high            | damage: those between are missing           |
 *
 * Of a damaged block whose directory can be read it is known which logs it had; a log that lacks
 * those records is then damaged (journal-tail.ts). Nothing is changed on disk, so a crash while
 * reading or replaying changes nothing either. A journal whose last blocks became zeros cannot be
 * told from the journal of an earlier moment.
 */

import { crc32c } from '../../base/crc32c.ts'
import type { Disk, DiskFile } from '../../io/disk.ts'
import {
  type BlockHead,
  blockAlignment,
  blockBytesOf,
  blockHeadBytes,
  decodeEntries,
  decodeHead,
  entryBytes,
  type JournalEntry,
  journalKeyName,
} from './journal-block.ts'
import { generationOfName, journalDirectory } from './journal-files.ts'
import { JournalTail } from './journal-tail.ts'

/** The journal belongs to another log dir. */
export class ForeignJournalError extends Error {
  override readonly name = 'ForeignJournalError'
}

/** A place where blocks were that are not what was written. */
export interface JournalDamage {
  readonly where: string
  /** Whether it is known whose records it had: those logs lack them, or do not need them. */
  readonly isOwned: boolean
}

export interface JournalContents {
  /** By journalKeyName. */
  readonly tails: ReadonlyMap<string, JournalTail>
  /** Files there are, oldest first. */
  readonly generations: readonly number[]
  readonly lastSequence: number
  readonly blockCount: number
  readonly damage: readonly JournalDamage[]
  /** One text per place. */
  readonly torn: readonly string[]
}

interface Block {
  readonly head: BlockHead
  readonly position: number
  readonly sizeBytes: number
  readonly entries: readonly JournalEntry[]
  readonly isPayloadGood: boolean
}

/** A block that was found bad, until it is known whether anything follows. */
interface Suspect {
  readonly text: string
  readonly block: Block | null
  readonly path: string
}

const pieceBytes = 1024 * 1024
/** No file is made larger (ottla.journal.file.bytes): what lies beyond is a hole. */
const fileBytesMax = 1024 * 1024 * 1024
/** Logs named in a report. */
const namedMax = 10

class JournalReader {
  readonly tails = new Map<string, JournalTail>()
  readonly damage: JournalDamage[] = []
  readonly #disk: Disk
  readonly #directoryId: Uint8Array
  suspect: Suspect | null = null
  lastSequence = 0
  blockCount = 0

  constructor(disk: Disk, directoryId: Uint8Array) {
    this.#disk = disk
    this.#directoryId = directoryId
  }

  async readFile(path: string, generation: number): Promise<void> {
    const file = await this.#disk.open(path, 'read')
    try {
      const sizeBytes = Math.min(await file.size(), fileBytesMax)
      let salt: Uint8Array | null = null
      for (let position = 0; position + blockHeadBytes <= sizeBytes; ) {
        let block = await this.#blockAt(file, { position, sizeBytes, generation, salt })
        if (block === null || !block.isPayloadGood) {
          const from = block === null ? position + blockAlignment : position + block.sizeBytes
          const isBlank = block === null && (await isBlankAt(file, position, generation))
          const next = await this.#search(file, { from, sizeBytes, generation, salt })
          if (!isBlank || next !== null) this.#suspect(path, position, block)
          if (next === null) return
          block = next
        }
        salt ??= block.head.salt
        this.#take(block, path)
        position = block.position + block.sizeBytes
      }
    } finally {
      await file.close()
    }
  }

  /** The block at `position`, if it is one of this use of the file; its payload may be bad. */
  async #blockAt(
    file: DiskFile,
    {
      position,
      sizeBytes,
      generation,
      salt,
    }: { position: number; sizeBytes: number; generation: number; salt: Uint8Array | null },
  ): Promise<Block | null> {
    const first = Buffer.alloc(blockHeadBytes)
    await file.readAt(first, position)
    const head = decodeHead(first)
    if (head === null || head.generation !== generation) return null
    if (salt !== null && Buffer.compare(head.salt, salt) !== 0) return null
    const size = blockBytesOf(head.entryCount, head.payloadBytes)
    if (position + size > sizeBytes) return null
    const directory = Buffer.alloc(blockHeadBytes + head.entryCount * entryBytes)
    await file.readAt(directory, position)
    const entries = decodeEntries(directory)
    if (entries === null || head.sequence <= this.lastSequence) return null
    if (Buffer.compare(head.directoryId, this.#directoryId) !== 0) {
      throw new ForeignJournalError('it belongs to another data directory')
    }
    const crc = await payloadCrc(file, position + directory.length, head.payloadBytes)
    const isPayloadGood = crc === head.payloadCrc
    return { head, position, sizeBytes: size, entries, isPayloadGood }
  }

  /** The next whole block at or after `from`. */
  async #search(
    file: DiskFile,
    where: { from: number; sizeBytes: number; generation: number; salt: Uint8Array | null },
  ): Promise<Block | null> {
    const piece = Buffer.alloc(pieceBytes)
    for (let at = where.from; at < where.sizeBytes; at += pieceBytes) {
      const count = await file.readAt(piece, at)
      for (let offset = 0; offset + blockHeadBytes <= count; offset += blockAlignment) {
        const head = decodeHead(piece.subarray(offset, offset + blockHeadBytes))
        if (head === null || head.generation !== where.generation) continue
        const block = await this.#blockAt(file, { ...where, position: at + offset })
        if (block?.isPayloadGood) return block
      }
    }
    return null
  }

  #suspect(path: string, position: number, block: Block | null): void {
    const what = block === null ? 'no block' : `block ${block.head.sequence} with a bad payload`
    const entries = block?.entries ?? []
    const logs = entries
      .slice(0, namedMax)
      .map((entry) => `${journalKeyName(entry)} from ${entry.baseOffset} to ${entry.endOffset}`)
    if (entries.length > namedMax) logs.push(`${entries.length - namedMax} more`)
    const text = `${path} at byte ${position}: ${[what, ...logs].join(', ')}`
    this.suspect = { text, block, path }
  }

  #take(block: Block, path: string): void {
    const { sequence } = block.head
    const suspect = this.suspect
    this.suspect = null
    // A block that was torn gave its number to the first one after the restart.
    const isNext =
      this.blockCount === 0 ? suspect?.path !== path : sequence === this.lastSequence + 1
    if (!isNext) {
      const where = suspect?.text ?? `${path}: block ${sequence} follows ${this.lastSequence}`
      const lost = suspect?.block ?? null
      // Else further blocks are missing before or after the one whose directory can be read.
      const isFirst = this.blockCount === 0 || lost?.head.sequence === this.lastSequence + 1
      const isOwned = isFirst && lost?.head.sequence === sequence - 1
      this.damage.push({ where, isOwned })
      if (suspect !== null && lost !== null) this.#addEntries(lost, suspect.path)
    }
    this.lastSequence = sequence
    this.blockCount++
    this.#addEntries(block, path)
  }

  #addEntries(block: Block, path: string): void {
    let position = block.position + blockHeadBytes + block.entries.length * entryBytes
    for (const entry of block.entries) {
      const name = journalKeyName(entry)
      const tail = this.tails.get(name) ?? new JournalTail()
      this.tails.set(name, tail)
      if (entry.kind === 'truncate') tail.truncate(entry.endOffset)
      else {
        const { baseOffset, endOffset, segmentBaseOffset, sizeBytes } = entry
        // Of 0 bytes: lost before they were copied (journal-rest.ts).
        const isDamaged = !block.isPayloadGood || sizeBytes === 0
        const range = { baseOffset, endOffset, segmentBaseOffset, sizeBytes, isDamaged }
        tail.add({ ...range, path, position })
      }
      position += entry.sizeBytes
    }
  }
}

/** Zeros, or the start of a block of an earlier use. */
async function isBlankAt(file: DiskFile, position: number, generation: number): Promise<boolean> {
  const bytes = Buffer.alloc(blockHeadBytes)
  await file.readAt(bytes, position)
  const head = decodeHead(bytes)
  if (head !== null) return head.generation < generation
  return bytes.every((byte) => byte === 0)
}

async function payloadCrc(file: DiskFile, from: number, sizeBytes: number): Promise<number> {
  let crc = 0
  const piece = Buffer.allocUnsafeSlow(Math.min(pieceBytes, sizeBytes))
  for (let at = 0; at < sizeBytes; ) {
    const wanted = piece.subarray(0, Math.min(piece.length, sizeBytes - at))
    const count = await file.readAt(wanted, from + at)
    if (count === 0) return -1
    crc = crc32c(wanted.subarray(0, count), crc)
    at += count
  }
  return crc
}

/** Everything that counts in one file of blocks that belong to no log dir, by journalKeyName; none in any other file. */
export async function readBlocks(
  disk: Disk,
  path: string,
  generation: number,
): Promise<ReadonlyMap<string, JournalTail>> {
  const reader = new JournalReader(disk, new Uint8Array(16))
  try {
    await reader.readFile(path, generation)
  } catch (error) {
    if (!(error instanceof ForeignJournalError)) throw error
  }
  return reader.tails
}

/** Everything that counts in the journal of the log dir `path`; null when it has none. */
export async function readJournal(
  disk: Disk,
  path: string,
  directoryId: Uint8Array,
): Promise<JournalContents | null> {
  const entries = await disk.list(path)
  if (!entries.some(({ name }) => name === journalDirectory)) return null
  const directory = `${path}/${journalDirectory}`
  const reader = new JournalReader(disk, directoryId)
  const generations: number[] = []
  for (const { name } of await disk.list(directory)) {
    const generation = generationOfName(name)
    if (generation === null) continue
    generations.push(generation)
    await reader.readFile(`${directory}/${name}`, generation)
  }
  const { tails, damage, suspect, lastSequence, blockCount } = reader
  const torn = suspect === null ? [] : [suspect.text]
  return { tails, generations, lastSequence, blockCount, damage, torn }
}
