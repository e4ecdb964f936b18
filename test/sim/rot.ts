/**
 * Bit rot: a bit turns over in a file at rest, below what the recovery point on the disk says is synced.
 * Later the operator restores the file, and then all must be as it was: a broker may refuse to serve
 * what is damaged, it may not cut it away.
 */

import { type Random, randomBelow } from '../../lib/io/random.ts'
import { batchAt, batchCrc, readBatchHeader } from '../../lib/record/batch.ts'
import type { Cluster } from './cluster.ts'
import { pick } from './world.ts'

interface Flip {
  readonly path: string
  readonly position: number
  readonly mask: number
  readonly after: number
}

const crcPosition = 17

export class Rot {
  readonly #cluster: Cluster
  readonly #random: Random
  #flips: Flip[] = []

  constructor(cluster: Cluster, random: Random) {
    this.#cluster = cluster
    this.#random = random
  }

  /** Turns a bit in a log file; nothing when there is none old enough. */
  strike(): boolean {
    const { host, ledgers } = this.#cluster
    const { disk } = host.machine
    const points = this.#recoveryPoints()
    const files = [...disk.files('/data')].flatMap(({ path, file }) => {
      const name = /^\/data\/([^/]+)\/\d{20}\.log$/.exec(path)?.[1]
      const ledger = name === undefined ? undefined : ledgers.get(name)
      if (name === undefined || ledger === undefined || !ledger.isDurable || file.isDirty) return []
      // The cleaner would carry the place elsewhere, and it could not be restored.
      if (ledger.isCompacted) return []
      const bytes = file.content.bytes()
      const size = syncedBytes(bytes, points.get(name) ?? 0)
      return size > 0 ? [{ path, file, ledger, size }] : []
    })
    if (files.length === 0) return false
    const { path, file, ledger, size } = pick(this.#random, files)
    const position = this.#placeIn(file.content.bytes(), size)
    const mask = 1 << randomBelow(this.#random, 8)
    file.rot(position, mask)
    const after = byteAt(file.content.bytes(), position)
    this.#flips.push({ path, position, mask, after })
    ledger.isRotten = true
    host.hasRot = true
    this.#cluster.world.note('rot', position, path)
    return true
  }

  /** Somewhere that the format can tell: a batch's offset and epoch are not under its CRC. */
  #placeIn(bytes: Uint8Array, size: number): number {
    const wanted = randomBelow(this.#random, size)
    let at = 0
    for (;;) {
      const { sizeBytes } = headerAt(bytes, at)
      if (at + sizeBytes > wanted) break
      at += sizeBytes
    }
    return wanted - at < crcPosition ? at + crcPosition : wanted
  }

  /** The files are restored, where they still are what rot made of them. */
  heal(): void {
    const { host, ledgers } = this.#cluster
    for (const { path, position, mask, after } of this.#flips.splice(0).reverse()) {
      const file = host.machine.disk.file(path)
      if (file === undefined || position >= file.size) continue
      if (byteAt(file.content.bytes(), position) === after) file.rot(position, mask)
    }
    for (const ledger of ledgers.values()) ledger.isRotten = false
    host.hasRot = false
  }

  /** As the file on the disk has them, by the log's name. */
  #recoveryPoints(): Map<string, number> {
    const { disk } = this.#cluster.host.machine
    const file = disk.file('/data/recovery-point-offset-checkpoint')
    const text = file === undefined ? '' : Buffer.from(file.mediumBytes()).toString()
    const points = new Map<string, number>()
    for (const [, topic, partition, offset] of text.matchAll(/^(\S+) (\d+) (\d+)$/gm)) {
      points.set(`${topic}-${partition}`, Number(offset))
    }
    return points
  }
}

function byteAt(bytes: Uint8Array, position: number): number {
  return bytes[position] ?? -1
}

/** Bytes of whole batches that lie before an offset. */
function syncedBytes(bytes: Uint8Array, recoveryPoint: number): number {
  let at = 0
  while (at + 61 <= bytes.length) {
    const { baseOffset, lastOffsetDelta, sizeBytes, magic } = headerAt(bytes, at)
    if (magic !== 2 || at + sizeBytes > bytes.length) break
    if (baseOffset + lastOffsetDelta >= recoveryPoint) break
    const batch = batchAt(bytes.subarray(at, at + sizeBytes))
    if (batchCrc(batch) !== batch.header.crc) break
    at += sizeBytes
  }
  return at
}

function headerAt(bytes: Uint8Array, at: number) {
  try {
    return readBatchHeader(bytes, at)
  } catch {
    return { baseOffset: 0, lastOffsetDelta: 0, sizeBytes: 0, magic: -1 }
  }
}
