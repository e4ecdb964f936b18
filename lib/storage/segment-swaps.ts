/**
 * At the start of a log: brings in order the files that a crash left on their way (cleaner/swap.ts
 * has the steps).
 *
 *   .deleted   on its way out             removed
 *   .cleaned   written, perhaps in part   removed
 *   .swap      whole and durable          takes the place of the segments in its range of offsets;
 *              with a `.cleaned` file at   removed: its renaming had only begun, so the old segments
 *              its base or below it, and   are all there (Kafka: an incomplete split, KAFKA-6264)
 *              the old segment in place
 *              not whole                   none of ours, or rotten: nothing is touched, the log is offline
 *
 * Running it again after a crash ends the same way. Source: apache/kafka: storage/.../log/LogLoader.java.
 */

import { DecodeError } from '../base/errors.ts'
import type { Offset } from '../base/types.ts'
import type { Disk } from '../io/disk.ts'
import { batchCrc, lastOffsetOf } from '../record/batch.ts'
import { scanBatches } from './scan.ts'
import { fileSuffix, parseSegmentFileName, type SegmentFileName } from './segment-files.ts'

type Found = SegmentFileName & { readonly name: string }

/** Finishes or undoes what was under way in a log's directory. DecodeError for an unreadable `.swap`. */
export async function finishFileChanges(disk: Disk, directory: string): Promise<void> {
  const found = await filesOf(disk, directory)
  const swaps = swapsOf(found)
  // Before anything goes: what they were made from may be all there is.
  const ends = await endsOf(disk, directory, swaps)
  await removeTemporary(disk, directory, { found, swaps })
  await removeReplaced(disk, { directory, found, swaps, ends })
  for (const { name } of swaps) {
    await disk.rename(`${directory}/${name}`, `${directory}/${name.slice(0, -'.swap'.length)}`)
  }
  if (swaps.length > 0) await disk.syncDir(directory)
  const isChanged = found.some(({ mark }) => mark !== '')
  await removeLoneIndexes(disk, directory, isChanged ? await filesOf(disk, directory) : found)
}

async function filesOf(disk: Disk, directory: string): Promise<Found[]> {
  return (await disk.list(directory)).flatMap(({ name }) => {
    const parsed = parseSegmentFileName(name)
    return parsed === null ? [] : [{ name, ...parsed }]
  })
}

/** The `.swap` files that count. */
function swapsOf(found: readonly Found[]): Found[] {
  let firstCleaned = Number.POSITIVE_INFINITY
  for (const { mark, baseOffset } of found) {
    if (mark === '.cleaned') firstCleaned = Math.min(firstCleaned, baseOffset)
  }
  // Whose old segment is out of the way took its place: an incomplete split has touched nothing yet.
  const isReplaced = (base: Offset) => {
    const marks = found.filter(({ baseOffset, suffix }) => {
      return baseOffset === base && suffix === fileSuffix.log
    })
    return marks.some(({ mark }) => mark === '.deleted') && !marks.some(({ mark }) => mark === '')
  }
  return found.filter(({ mark, baseOffset }) => {
    return mark === '.swap' && (baseOffset < firstCleaned || isReplaced(baseOffset))
  })
}

/** Where the segments end that are to take their places, by name. */
async function endsOf(
  disk: Disk,
  directory: string,
  swaps: readonly Found[],
): Promise<Map<string, Offset>> {
  const ends = new Map<string, Offset>()
  for (const { name, suffix, baseOffset } of swaps) {
    if (suffix !== fileSuffix.log) continue
    ends.set(name, await endOfFile(disk, `${directory}/${name}`, baseOffset))
  }
  return ends
}

/** Removes what is on its way out, or was not ready. */
async function removeTemporary(
  disk: Disk,
  directory: string,
  { found, swaps }: { found: readonly Found[]; swaps: readonly Found[] },
): Promise<void> {
  // The `.cleaned` last: they say which `.swap` does not count.
  const byMark = [...found].sort(
    (a, b) => Number(a.mark === '.cleaned') - Number(b.mark === '.cleaned'),
  )
  for (const file of byMark) {
    if (file.mark === '' || swaps.includes(file)) continue
    await disk.remove(`${directory}/${file.name}`)
  }
}

/** Removes the segments that a `.swap` was made from, durably, before it takes their place. */
async function removeReplaced(
  disk: Disk,
  {
    directory,
    found,
    swaps,
    ends,
  }: { directory: string; found: Found[]; swaps: Found[]; ends: ReadonlyMap<string, Offset> },
): Promise<void> {
  for (const swap of swaps) {
    const end = ends.get(swap.name)
    if (end === undefined) continue
    for (const { name, mark, suffix, baseOffset } of found) {
      const isInRange =
        baseOffset === swap.baseOffset || (baseOffset > swap.baseOffset && baseOffset < end)
      const isOld = mark === '' && suffix !== fileSuffix.snapshot
      if (isInRange && isOld) await disk.remove(`${directory}/${name}`)
    }
  }
  if (swaps.length > 0) await disk.syncDir(directory)
}

/** The offset after the last batch of a file, each of whose batches is whole and sound. DecodeError. */
async function endOfFile(disk: Disk, path: string, baseOffset: Offset): Promise<Offset> {
  const file = await disk.open(path, 'read')
  try {
    let end = baseOffset
    const scan = await scanBatches(file, { from: 0, to: await file.size() }, (header, bytes) => {
      const isSound = batchCrc({ header, chunks: [bytes] }) === header.crc
      if (!isSound || header.baseOffset < end) {
        return new DecodeError(`a damaged batch at offset ${header.baseOffset}`)
      }
      end = lastOffsetOf(header) + 1
      return undefined
    })
    if (scan.kind === 'bad') {
      throw new DecodeError(`${path} at byte ${scan.position}: ${scan.why}`)
    }
    if (end === baseOffset) throw new DecodeError(`${path} is empty`)
    return end
  } finally {
    await file.close()
  }
}

/** Index files without a log file. */
async function removeLoneIndexes(
  disk: Disk,
  directory: string,
  found: readonly Found[],
): Promise<void> {
  const logs = new Set(
    found.filter(({ suffix }) => suffix === fileSuffix.log).map(({ baseOffset }) => baseOffset),
  )
  for (const { name, suffix, baseOffset } of found) {
    if (suffix === fileSuffix.snapshot || logs.has(baseOffset)) continue
    await disk.remove(`${directory}/${name}`)
  }
}
