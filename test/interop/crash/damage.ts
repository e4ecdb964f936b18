/**
 * What is done to the files of a broker that was killed: only what no client was told of may suffer.
 * Each gives what it did, or null when there was nothing to do it to.
 */

import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { uuidToBytes } from '../../../lib/base/uuid.ts'
import { nodeEnv } from '../../../lib/io/node/env.ts'
import { journalKeyName } from '../../../lib/storage/journal/journal-block.ts'
import { readJournal } from '../../../lib/storage/journal/journal-reader.ts'

/** The newest file with this suffix, of a partition. */
export function newestFile(data: string, partition: string, suffix: string): string | null {
  const folder = join(data, partition)
  if (!existsSync(folder)) return null
  const name = readdirSync(folder)
    .filter((file) => file.endsWith(suffix))
    .sort()
    .at(-1)
  return name === undefined ? null : join(folder, name)
}

/** Where each batch of a segment begins. */
function batchesOf(bytes: Buffer): { position: number; sizeBytes: number; lastOffset: number }[] {
  const batches = []
  for (let position = 0; position + 61 <= bytes.length; ) {
    const sizeBytes = bytes.readInt32BE(position + 8) + 12
    if (sizeBytes < 61 || position + sizeBytes > bytes.length) break
    const lastOffset = Number(bytes.readBigInt64BE(position)) + bytes.readInt32BE(position + 23)
    batches.push({ position, sizeBytes, lastOffset })
    position += sizeBytes
  }
  return batches
}

export function appendGarbage(data: string, partition: string): string | null {
  const file = newestFile(data, partition, '.log')
  if (file === null) return null
  appendFileSync(file, randomBytes(1 + (randomBytes(2).readUInt16BE() % 5000)))
  return `garbage after ${partition}`
}

/** Zeros, as a file system leaves them that grew a file and did not write it. */
export function appendZeros(data: string, partition: string): string | null {
  const file = newestFile(data, partition, '.log')
  if (file === null) return null
  appendFileSync(file, Buffer.alloc(4096))
  return `zeros after ${partition}`
}

/** The last batch, once more and with the next offset, cut in the middle: a torn write. */
export function appendHalfBatch(data: string, partition: string): string | null {
  const file = newestFile(data, partition, '.log')
  if (file === null) return null
  const bytes = readFileSync(file)
  const last = batchesOf(bytes).at(-1)
  if (last === undefined) return appendGarbage(data, partition)
  const copy = Buffer.from(bytes.subarray(last.position, last.position + last.sizeBytes))
  copy.writeBigInt64BE(BigInt(last.lastOffset + 1), 0)
  appendFileSync(file, copy.subarray(0, 61 + Math.floor((copy.length - 61) / 2)))
  return `half a batch after ${partition}`
}

/**
 * Cuts off the newest segments what the journal has of them, as a power cut would whose page cache
 * nobody wrote out: the records may be acknowledged, and must be back after the start.
 */
export async function cutJournalled(
  data: string,
  topic: string,
  partitionCount: number,
): Promise<string | null> {
  const properties = readFileSync(join(data, 'meta.properties'), 'utf8')
  const directoryId = uuidToBytes(/directory\.id=(\S+)/.exec(properties)?.[1] ?? '')
  const journal = directoryId && (await readJournal(nodeEnv().disk, data, directoryId))
  if (!journal) return null
  let batchCount = 0
  for (let partition = 0; partition < partitionCount; partition++) {
    const folder = `${topic}-${partition}`
    const text = readFileSync(join(data, folder, 'partition.metadata'), 'utf8')
    const topicId = /topic_id: (\S+)/.exec(text)?.[1] ?? ''
    const tail = journal.tails.get(journalKeyName({ topicId, partition }))
    const file = newestFile(data, folder, '.log')
    const batches = file === null ? [] : batchesOf(readFileSync(file))
    const last = batches.at(-1)
    // Bytes behind those of the journal were synced in the segment, or belong to nobody.
    if (!tail || file === null || !last || tail.endOffset !== last.lastOffset + 1) continue
    const first = tail.ranges.findLast(
      (range, index) => tail.ranges[index - 1]?.endOffset !== range.baseOffset,
    )
    const lost = batches.filter(({ lastOffset }) => lastOffset >= (first?.baseOffset ?? Infinity))
    const [{ position } = { position: -1 }] = lost
    if (position < recoveredBytes(data, topic, partition, batches)) continue
    cutFile(file, position)
    batchCount += lost.length
  }
  return batchCount === 0 ? null : `${batchCount} batches cut that the journal has`
}

/** Where the batches begin that the checkpoint does not promise. */
function recoveredBytes(
  data: string,
  topic: string,
  partition: number,
  batches: ReturnType<typeof batchesOf>,
): number {
  const path = join(data, 'recovery-point-offset-checkpoint')
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const point = Number(new RegExp(`^${topic} ${partition} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
  return batches.find(({ lastOffset }) => lastOffset >= point)?.position ?? Infinity
}

function cutFile(path: string, position: number): void {
  const file = openSync(path, 'r+')
  ftruncateSync(file, position)
  closeSync(file)
}

/** Cuts the newest segment in the middle of the first batch after `acknowledgedOffset`. */
export function cutUnacknowledged(
  data: string,
  partition: string,
  acknowledgedOffset: number,
): string | null {
  const file = newestFile(data, partition, '.log')
  if (file === null) return null
  const bytes = readFileSync(file)
  const first = batchesOf(bytes).find(({ lastOffset }) => lastOffset > acknowledgedOffset)
  if (first === undefined) return null
  truncate(file, first.position + Math.floor(first.sizeBytes / 2))
  return `${bytes.length - first.position} bytes that nobody was told of cut from ${partition}`
}

function truncate(file: string, size: number): void {
  const descriptor = openSync(file, 'r+')
  ftruncateSync(descriptor, size)
  closeSync(descriptor)
}

/** Indexes and snapshots can always be made anew. */
export function damageIndexes(data: string, partition: string): string | null {
  const folder = join(data, partition)
  if (!existsSync(folder)) return null
  const index = newestFile(data, partition, '.index')
  const time = newestFile(data, partition, '.timeindex')
  const snapshot = newestFile(data, partition, '.snapshot')
  if (index !== null) writeFileSync(index, randomBytes(800))
  if (time !== null) truncate(time, Math.floor(statSync(time).size / 2))
  if (snapshot !== null) writeFileSync(snapshot, randomBytes(statSync(snapshot).size))
  const epochs = join(folder, 'leader-epoch-checkpoint')
  if (existsSync(epochs)) rmSync(epochs)
  return `index, time index, snapshot and epochs of ${partition} spoilt`
}

export function garbageAfterMetadata(data: string): string | null {
  const file = join(data, 'metadata/log')
  if (!existsSync(file)) return null
  appendFileSync(file, randomBytes(1 + (randomBytes(1)[0] ?? 0)))
  return 'garbage after the metadata log'
}

/** The last bytes of the metadata log once more: half a frame. */
export function halfFrameAfterMetadata(data: string): string | null {
  const file = join(data, 'metadata/log')
  if (!existsSync(file)) return null
  const bytes = readFileSync(file)
  appendFileSync(file, bytes.subarray(0, Math.min(bytes.length, 7)))
  return 'half a frame after the metadata log'
}
