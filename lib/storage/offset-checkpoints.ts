/**
 * The offset checkpoints of a log dir: an offset for each log, by file. A file is replaced as a whole,
 * and only when it would read differently; entries whose name is no log's are left out.
 */

import type { Offset } from '../base/types.ts'
import { type Disk, writeFileAtomic } from '../io/disk.ts'
import { encodeOffsetCheckpoint } from './checkpoint.ts'
import { directoryKind } from './segment-files.ts'

/** Whether any of `maps` had the name. */
export function forgetName(name: string, maps: readonly Map<string, Offset>[]): boolean {
  let isFound = false
  for (const offsets of maps) isFound = offsets.delete(name) || isFound
  return isFound
}

export class OffsetCheckpoints {
  readonly #disk: Disk
  readonly #directory: string
  /** What each file holds, as far as it was written here. */
  readonly #written = new Map<string, Uint8Array>()

  constructor(disk: Disk, directory: string) {
    this.#disk = disk
    this.#directory = directory
  }

  /** Throws native errors; the old file is then as it was. */
  async write(file: string, offsets: ReadonlyMap<string, Offset>): Promise<void> {
    const entries = []
    for (const [name, offset] of offsets) {
      const named = directoryKind(name)
      if (named.kind === 'log') entries.push({ ...named.topicPartition, offset })
    }
    const bytes = encodeOffsetCheckpoint(entries)
    const before = this.#written.get(file)
    if (before !== undefined && Buffer.compare(before, bytes) === 0) return
    await writeFileAtomic(this.#disk, `${this.#directory}/${file}`, bytes)
    this.#written.set(file, bytes)
  }
}
