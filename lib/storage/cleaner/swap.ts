/**
 * Puts a cleaned segment in the place of those it was made from, so that a crash at any moment leaves
 * either the old ones or the new one, and readers under way end with the bytes they began with.
 *
 *   1  .cleaned     written and synced, names made durable         restart: removed, old ones stay
 *   2  .swap        all of it renamed, the log file first; synced  restart: finishes what follows
 *   3  in memory    readers find the new segment; a read under way is repeated (generation)
 *   4  .deleted     the old files renamed; synced                  restart: finishes
 *   5  no suffix    the new files renamed; synced                  restart: nothing to do
 *   6  old files    removed after file.delete.delay.ms, when their readers are done
 *
 * Each step is durable before the next begins: with names of 2 and 4 out of order, a power cut could
 * leave old and new records side by side, or neither. Recovery: segment-swaps.ts.
 * Source: apache/kafka: LocalLog.replaceSegments, LogLoader.
 */

import { planted } from '../../base/planted.ts'
import type { Disk } from '../../io/disk.ts'
import type { Env } from '../../io/env.ts'
import type { Log } from '../log.ts'
import type { Segment } from '../segment.ts'
import { parseSegmentFileName } from '../segment-files.ts'
import { removeLater, runStart } from '../segment-runs.ts'

/**
 * Whether the swap was done; when not, the segments were cut or dropped meanwhile and the new files
 * are gone. Native errors: before step 3 nothing has changed but files that a restart removes; after
 * it the log is offline until the restart.
 */
export async function swapSegments(
  { env, log }: { env: Env; log: Log },
  replaced: readonly Segment[],
  replacement: Segment,
): Promise<boolean> {
  const { directory } = log
  const syncNames = async () => {
    if (!planted.cleanerSwapUnsynced) await env.disk.syncDir(directory)
  }
  // In use from here on, so that nobody opens its files while their names change.
  const swap = async () => {
    await syncNames()
    if (runStart(log.segments, replaced) === -1) return false
    await replacement.rename('.swap')
    await syncNames()
    return log.replaceSegments(replaced, replacement, async () => {
      try {
        for (const [index, segment] of replaced.entries()) {
          // The new segment has the base of the first, hence its snapshot too.
          await segment.markDeleted({ keepsSnapshot: index === 0 })
        }
        await syncNames()
        await replacement.rename('')
        await syncNames()
      } catch (error) {
        // Half renamed: only a restart knows what to do.
        log.goOffline(error instanceof Error ? error : new Error(String(error)))
        throw error
      }
    })
  }
  let isDone: boolean
  try {
    isDone = await replacement.use(swap)
  } catch (error) {
    // Before step 3: what is left would be taken for a swap to be finished, of segments that have changed since.
    if (log.failure === null) await removeLeftOver(env.disk, directory).catch(() => undefined)
    throw error
  }
  if (isDone) {
    removeLater(env, log, replaced)
    return true
  }
  await replacement.removeFiles()
  await env.disk.syncDir(directory)
  return false
}

/** Removes what a cleaning left that did not end well. The log must be online, and not being cleaned. */
export async function removeLeftOver(disk: Disk, directory: string): Promise<void> {
  let hasRemoved = false
  for (const { name } of await disk.list(directory)) {
    const mark = parseSegmentFileName(name)?.mark
    if (mark !== '.cleaned' && mark !== '.swap') continue
    await disk.remove(`${directory}/${name}`)
    hasRemoved = true
  }
  if (hasRemoved) await disk.syncDir(directory)
}
