/**
 * At the start of a log: brings in order the files that a crash left on their way (cleaner/swap.ts
 * has the steps).
 *
 *   .deleted   on its way out             removed
 *   .cleaned   written, perhaps in part   removed
 *   .swap      whole and durable          takes the place of the segments in its range of offsets;
 *              with a `.cleaned` file at   removed: its renaming had only begun, so the old segments
 *              its base or below it        are all there (Kafka: an incomplete split, KAFKA-6264)
 *
 * Running it again after a crash ends the same way. Source: apache/kafka: storage/.../log/LogLoader.java.
 */

import type { Offset } from '../base/types.ts'
import type { Disk } from '../io/disk.ts'
import { fileSuffix, parseSegmentFileName, type SegmentFileName } from './segment-files.ts'
import { walkToEnd } from './segment-gaps.ts'

type Found = SegmentFileName & { readonly name: string }

/** Finishes or undoes what was under way in a log's directory. DecodeError for an unreadable `.swap`. */
export async function finishFileChanges(disk: Disk, directory: string): Promise<void> {
  const found = await filesOf(disk, directory)
  const swaps = await removeTemporary(disk, directory, found)
  await removeReplaced(disk, { directory, found, swaps })
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

/** Removes what is on its way out, or was not ready; gives the `.swap` files that count. */
async function removeTemporary(
  disk: Disk,
  directory: string,
  found: readonly Found[],
): Promise<Found[]> {
  let firstCleaned = Number.POSITIVE_INFINITY
  for (const { mark, baseOffset } of found) {
    if (mark === '.cleaned') firstCleaned = Math.min(firstCleaned, baseOffset)
  }
  const swaps: Found[] = []
  // The `.cleaned` last: they say which `.swap` does not count.
  const byMark = [...found].sort(
    (a, b) => Number(a.mark === '.cleaned') - Number(b.mark === '.cleaned'),
  )
  for (const file of byMark) {
    const isIncomplete = file.mark === '.swap' && file.baseOffset >= firstCleaned
    if (file.mark === '.swap' && !isIncomplete) swaps.push(file)
    else if (file.mark !== '') await disk.remove(`${directory}/${file.name}`)
  }
  return swaps
}

/** Removes the segments that a `.swap` was made from, durably, before it takes their place. */
async function removeReplaced(
  disk: Disk,
  { directory, found, swaps }: { directory: string; found: Found[]; swaps: Found[] },
): Promise<void> {
  for (const swap of swaps) {
    if (swap.suffix !== fileSuffix.log) continue
    const end = await endOfFile(disk, `${directory}/${swap.name}`, swap.baseOffset)
    for (const { name, mark, suffix, baseOffset } of found) {
      const isInRange =
        baseOffset === swap.baseOffset || (baseOffset > swap.baseOffset && baseOffset < end)
      const isOld = mark === '' && suffix !== fileSuffix.snapshot
      if (isInRange && isOld) await disk.remove(`${directory}/${name}`)
    }
  }
  if (swaps.length > 0) await disk.syncDir(directory)
}

/** The offset after the last batch of a whole file. */
async function endOfFile(disk: Disk, path: string, baseOffset: Offset): Promise<Offset> {
  const file = await disk.open(path, 'read')
  try {
    return (await walkToEnd(file, { from: 0, to: await file.size() }, baseOffset)).end
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
