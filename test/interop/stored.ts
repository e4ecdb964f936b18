/** What a broker keeps on disk: the batch headers of a partition, read from its segment files. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CodecName, codecs, type Target } from './cells.ts'

export interface StoredBatch {
  readonly codec: CodecName
  readonly recordCount: number
  readonly producerId: number
}

/** The batches of `topic-partition` in order. Waits a moment for a broker that writes behind. */
export function storedBatches({ data }: Target, topic: string, partition = 0): StoredBatch[] {
  const folder = join(data, `${topic}-${partition}`)
  const batches: StoredBatch[] = []
  for (const name of readdirSync(folder)
    .filter((file) => file.endsWith('.log'))
    .sort()) {
    const bytes = readFileSync(join(folder, name))
    for (
      let at = 0;
      at + 61 <= bytes.length && bytes.readInt32BE(at + 8) > 0;
      at += 12 + bytes.readInt32BE(at + 8)
    ) {
      batches.push({
        codec: codecs[bytes.readInt16BE(at + 21) & 7] ?? 'none',
        recordCount: bytes.readInt32BE(at + 57),
        producerId: Number(bytes.readBigInt64BE(at + 43)),
      })
    }
  }
  return batches
}

/** The codecs of all stored batches, each once. */
export function storedCodecs(target: Target, topic: string): CodecName[] {
  return [...new Set(storedBatches(target, topic).map(({ codec }) => codec))]
}
