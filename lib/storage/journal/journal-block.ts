/**
 * A block of the journal: what one group commit made durable, for one or more logs. A journal file
 * is blocks one after the other, each beginning at a multiple of 4 KiB; numbers are big-endian.
 *
 *   head, 64 bytes                        directory, 64 bytes per entry
 *    0 magic "OTLJ"                        0 topic id            16 bytes
 *    4 version u16 = 1, 0 u16             16 partition           u32
 *    8 directory id      16 bytes         20 kind                u8: 1 append, 2 truncate; 0 x 3
 *   24 generation        u64              24 base offset         u64
 *   32 sequence          u64              32 end offset          u64
 *   40 salt              8 bytes          40 segment base offset u64
 *   48 entry count       u32              48 segment position    u64
 *   52 payload bytes     u32              56 payload bytes       u32
 *   56 payload CRC-32C   u32              60 0                   u32
 *   60 CRC-32C of head (but these bytes) and directory
 *   then the entries' payloads, whole record batches as they lie in the segment; zeros to 4 KiB;
 *   then, until the next block takes its place, a page of zeros, if the file has room for it
 *
 * - The directory id is the log dir's (meta.properties): a journal of another one is no journal here.
 * - The generation is the number of the file when it was written. Files are used again without being
 *   wiped: what an earlier use left behind has a lower generation, and is as good as zeros.
 * - The sequence counts blocks over all files, so a block that is missing shows.
 * - The salt is drawn for each file: record bytes that look like a block are not taken for one.
 * - A log is known by topic id and partition; a topic made anew under an old name is another log.
 * - append: the batches from base to end offset, the first directly after what the log held before.
 *   truncate: the log ends at the offset; earlier entries beyond it are void.
 * - Head and directory have a CRC of their own: a block with a bad payload still says whose it was.
 */

import { assert } from '../../base/assert.ts'
import { crc32c } from '../../base/crc32c.ts'
import type { Offset, TopicId, TopicPartition } from '../../base/types.ts'
import { uuidFromBytes, uuidToBytes } from '../../base/uuid.ts'
import { readInt64, writeInt64 } from '../../record/batch.ts'

export const blockAlignment = 4096
export const blockHeadBytes = 64
export const entryBytes = 64
/** Entries of a block; keeps a damaged count from taking memory. */
export const entriesMax = 4096

const magic = 0x4f544c4a
const version = 1
const kinds = { append: 1, truncate: 2 } as const

/** What a log is in the journal. */
export interface JournalKey {
  readonly topicId: TopicId
  readonly partition: number
}

export interface JournalEntry extends JournalKey {
  readonly kind: 'append' | 'truncate'
  readonly baseOffset: Offset
  /** After the last record. */
  readonly endOffset: Offset
  readonly segmentBaseOffset: Offset
  /** Byte in the segment's file. */
  readonly segmentPosition: number
  readonly sizeBytes: number
}

/** What tells the blocks of one use of one file from all others. */
export interface BlockSource {
  readonly directoryId: Uint8Array
  readonly generation: number
  readonly salt: Uint8Array
}

export interface BlockHead extends BlockSource {
  readonly sequence: number
  readonly entryCount: number
  readonly payloadBytes: number
  readonly payloadCrc: number
}

/** What a log is in the journal; null when it has no topic id. */
export function journalKeyOf({
  topicId,
  topicPartition,
}: {
  readonly topicId: TopicId | null
  readonly topicPartition: TopicPartition
}): JournalKey | null {
  return topicId === null ? null : { topicId, partition: topicPartition.partition }
}

/** `topicId/partition`. */
export function journalKeyName({ topicId, partition }: JournalKey): string {
  return `${topicId}/${partition}`
}

export function journalKeyOfName(name: string): JournalKey {
  const [topicId = '', partition] = name.split('/')
  return { topicId, partition: Number(partition) }
}

/** Bytes of a block in its file, padding included. */
export function blockBytesOf(entryCount: number, payloadBytes: number): number {
  const bytes = blockHeadBytes + entryCount * entryBytes + payloadBytes
  return Math.ceil(bytes / blockAlignment) * blockAlignment
}

const zeros = Buffer.alloc(blockAlignment)

/** Goes behind the last block of a file that was used before: nothing more counts there. */
export const blankPage: Uint8Array = zeros

/** The block as views: head and directory, then `payload` as it is, then padding. */
export function encodeBlock(
  { directoryId, generation, salt, sequence }: BlockSource & { readonly sequence: number },
  entries: readonly JournalEntry[],
  payload: readonly Uint8Array[],
): Uint8Array[] {
  let payloadBytes = 0
  let payloadCrc = 0
  for (const view of payload) {
    payloadBytes += view.length
    payloadCrc = crc32c(view, payloadCrc)
  }
  const head = Buffer.alloc(blockHeadBytes + entries.length * entryBytes)
  head.writeUInt32BE(magic, 0)
  head.writeUInt16BE(version, 4)
  head.set(directoryId, 8)
  writeInt64(head, 24, generation)
  writeInt64(head, 32, sequence)
  head.set(salt, 40)
  head.writeUInt32BE(entries.length, 48)
  head.writeUInt32BE(payloadBytes, 52)
  head.writeUInt32BE(payloadCrc, 56)
  let expected = 0
  for (const [index, entry] of entries.entries()) {
    writeEntry(head, blockHeadBytes + index * entryBytes, entry)
    expected += entry.sizeBytes
  }
  assert(expected === payloadBytes, `entries of ${expected} bytes, a payload of ${payloadBytes}`)
  head.writeUInt32BE(headCrc(head), 60)
  const paddingBytes = blockBytesOf(entries.length, payloadBytes) - head.length - payloadBytes
  const padding = paddingBytes > 0 ? [zeros.subarray(0, paddingBytes)] : []
  return [head, ...payload, ...padding]
}

function writeEntry(head: Buffer, at: number, entry: JournalEntry): void {
  const id = uuidToBytes(entry.topicId)
  assert(id !== null, `"${entry.topicId}" is no topic id`)
  head.set(id, at)
  head.writeUInt32BE(entry.partition, at + 16)
  head.writeUInt8(kinds[entry.kind], at + 20)
  writeInt64(head, at + 24, entry.baseOffset)
  writeInt64(head, at + 32, entry.endOffset)
  writeInt64(head, at + 40, entry.segmentBaseOffset)
  writeInt64(head, at + 48, entry.segmentPosition)
  head.writeUInt32BE(entry.sizeBytes, at + 56)
}

function headCrc(head: Uint8Array): number {
  return crc32c(head.subarray(blockHeadBytes), crc32c(head.subarray(0, 60)))
}

/**
 * The head at the start of `bytes`, by its looks: its CRC is checked by `decodeEntries`. Null when
 * there is none.
 */
export function decodeHead(bytes: Buffer): BlockHead | null {
  if (bytes.length < blockHeadBytes || bytes.readUInt32BE(0) !== magic) return null
  if (bytes.readUInt16BE(4) !== version) return null
  const entryCount = bytes.readUInt32BE(48)
  if (entryCount > entriesMax) return null
  return {
    directoryId: bytes.subarray(8, 24),
    generation: Number(bytes.readBigUInt64BE(24)),
    sequence: Number(bytes.readBigUInt64BE(32)),
    salt: bytes.subarray(40, 48),
    entryCount,
    payloadBytes: bytes.readUInt32BE(52),
    payloadCrc: bytes.readUInt32BE(56),
  }
}

/** The entries of a block from its head and directory; null when they are not what was written. */
export function decodeEntries(bytes: Buffer): JournalEntry[] | null {
  if (bytes.readUInt32BE(60) !== headCrc(bytes)) return null
  const entries: JournalEntry[] = []
  for (let at = blockHeadBytes; at < bytes.length; at += entryBytes) {
    entries.push({
      topicId: uuidFromBytes(bytes.subarray(at, at + 16)),
      partition: bytes.readUInt32BE(at + 16),
      kind: bytes.readUInt8(at + 20) === kinds.truncate ? 'truncate' : 'append',
      baseOffset: readInt64(bytes, at + 24),
      endOffset: readInt64(bytes, at + 32),
      segmentBaseOffset: readInt64(bytes, at + 40),
      segmentPosition: readInt64(bytes, at + 48),
      sizeBytes: bytes.readUInt32BE(at + 56),
    })
  }
  return entries
}
