/**
 * What the journal held of a log that could not be loaded: kept beside its segments, until it can.
 *
 *   start, log damaged: its ranges are copied here, synced   -> the journal's files are used again
 *   starts after it, log still damaged: the file stays
 *   start, log whole: replayed as the journal's own tail is  -> synced, recovery points checkpointed
 *                                                            -> the file is removed, durably
 *   log deleted or set aside: the file goes with its directory
 *
 *   <topic>-<partition>/00000000000000000090.<topic id>.journal-rest
 *
 * - Blocks as in the journal (journal-block.ts), of generation 1 and no directory id: a log's
 *   directory may be moved. A range whose bytes the journal had lost is an append of 0 bytes.
 * - The name says where the log ended: a file that ends before it is damaged, and then the log is.
 * - A log is not written to while it has such a file, so there is nothing that came after it.
 * - Of a log whose topic id cannot be read, all is kept that it may be, a file for each topic id.
 * - Kafka takes no notice of files whose names end like this.
 */

import type { Offset, TopicId } from '../../base/types.ts'
import type { Disk } from '../../io/disk.ts'
import type { Env } from '../../io/env.ts'
import {
  type BlockSource,
  encodeBlock,
  type JournalEntry,
  type JournalKey,
  journalKeyName,
} from './journal-block.ts'
import { readBlocks } from './journal-reader.ts'
import { RangeReader } from './journal-replay.ts'
import { JournalTail } from './journal-tail.ts'

export interface JournalRest {
  readonly path: string
  readonly topicId: TopicId
  /** Where the log ended. */
  readonly endOffset: Offset
}

const suffix = '.journal-rest'
const generation = 1
const blockPayloadBytes = 1024 * 1024
const blockEntriesMax = 1024

/** The file `name` of a log's directory; null when it is none of these. */
export function restOfName(directory: string, name: string): JournalRest | null {
  const match = /^(\d{20})\.([A-Za-z0-9_-]{22})\.journal-rest$/.exec(name)
  const [, endOffset, topicId] = match ?? []
  if (endOffset === undefined || topicId === undefined) return null
  return { path: `${directory}/${name}`, topicId, endOffset: Number(endOffset) }
}

/** All of a log's directory, by their ends. */
export async function restsIn(disk: Disk, directory: string): Promise<JournalRest[]> {
  const names = await disk.list(directory)
  return names.flatMap(({ name }) => restOfName(directory, name) ?? [])
}

/** `journal`, and before it what `rests` hold of the log; null when there is nothing. */
export async function tailWithRests(
  disk: Disk,
  key: JournalKey,
  { rests, journal }: { rests: readonly JournalRest[]; journal: JournalTail | null },
): Promise<JournalTail | null> {
  const own = rests.filter(({ topicId }) => topicId === key.topicId)
  if (own.length === 0) return journal
  const all = new JournalTail()
  for (const { path, endOffset } of own) {
    const tails = await readBlocks(disk, path, generation)
    const tail = tails.get(journalKeyName(key)) ?? new JournalTail()
    const baseOffset = tail.endOffset
    const nowhere = { segmentBaseOffset: 0, path, position: 0, sizeBytes: 0 }
    if (baseOffset < endOffset) tail.add({ baseOffset, endOffset, ...nowhere, isDamaged: true })
    addBeyond(all, tail)
  }
  if (journal !== null) addBeyond(all, journal)
  return all
}

function addBeyond(all: JournalTail, tail: JournalTail): void {
  for (const range of tail.ranges) if (range.endOffset > all.endOffset) all.add(range)
}

/** Keeps `journal` in `directory`, durably, unless it is kept already. */
export async function keepRest(
  { disk, random }: Pick<Env, 'disk' | 'random'>,
  directory: string,
  { key, journal }: { key: JournalKey; journal: JournalTail },
): Promise<void> {
  if (journal.ranges.length === 0) return
  const found = (await restsIn(disk, directory)).filter(({ topicId }) => topicId === key.topicId)
  if (found.some(({ endOffset }) => endOffset >= journal.endOffset)) return
  const tail = (await tailWithRests(disk, key, { rests: found, journal })) ?? journal
  const end = String(tail.endOffset).padStart(20, '0')
  const path = `${directory}/${end}.${key.topicId}${suffix}`
  const making = `${path}.new`
  await disk.remove(making)
  const file = await disk.open(making, 'create')
  const ranges = new RangeReader(disk)
  try {
    const directoryId = new Uint8Array(16)
    const source = { directoryId, generation, salt: random.bytes(8) }
    for await (const views of blocksOf(ranges, { key, tail, source })) await file.append(views)
    await file.sync()
  } finally {
    await ranges.close()
    await file.close()
  }
  await disk.rename(making, path)
  await disk.syncDir(directory)
}

async function* blocksOf(
  ranges: RangeReader,
  { key, tail, source }: { key: JournalKey; tail: JournalTail; source: BlockSource },
): AsyncGenerator<Uint8Array[]> {
  let entries: JournalEntry[] = []
  let payload: Uint8Array[] = []
  let payloadBytes = 0
  let sequence = 0
  for (const range of tail.ranges) {
    const { baseOffset, endOffset, segmentBaseOffset } = range
    const bytes = range.isDamaged ? new Uint8Array() : await ranges.read(range)
    const sizeBytes = bytes.length
    const where = { segmentBaseOffset, segmentPosition: 0, sizeBytes }
    entries.push({ ...key, kind: 'append', baseOffset, endOffset, ...where })
    payload.push(bytes)
    payloadBytes += sizeBytes
    const isLast = range === tail.ranges.at(-1)
    if (!isLast && payloadBytes < blockPayloadBytes && entries.length < blockEntriesMax) continue
    sequence++
    yield encodeBlock({ ...source, sequence }, entries, payload)
    entries = []
    payload = []
    payloadBytes = 0
  }
}

/** The log has them in its segments. Durable when it resolves. */
export async function removeRests(disk: Disk, directory: string): Promise<void> {
  for (const { path } of await restsIn(disk, directory)) await disk.remove(path)
  await disk.syncDir(directory)
}
