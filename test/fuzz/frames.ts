/**
 * Request frames, decoded: every API in every version that has a schema, served or not. A frame is
 * made from its schema, then changed byte by byte; one in eight stays as it is.
 *
 * - What does not decode is a DecodeError, never anything else.
 * - What decodes is encoded again, and reads as before.
 * - Each ends within `slowMs`, and takes at most `heapFactor` times its own size of memory, beside
 *   `heapSlack`. (A struct of three bytes is an object of a hundred and more: what bounds a large frame is
 *   `requestElementsMax`.) No bytes are taken outside of the heap.
 *
 * Frame `n` of a run depends on `seed + n` and nothing else, so a find is replayed alone.
 */

import { getHeapStatistics } from 'node:v8'
import { type Chunks, joinChunks } from '../../lib/base/bytes.ts'
import { DecodeError } from '../../lib/base/errors.ts'
import { seededRandom } from '../../lib/io/memory/random.ts'
import { randomBelow } from '../../lib/io/random.ts'
import { apiByKey, apis } from '../../lib/protocol/apis/index.ts'
import { decodeRequest, decodeRequestHeader, encodeRequest } from '../../lib/protocol/codec.ts'
import type { Api } from '../../lib/protocol/schema.ts'
import { changed, inChunks } from './frame-bytes.ts'
import { structValue } from './message-values.ts'

const slowMs = 50
const heapFactor = 64
const heapSlack = 96 * 1024
const sizeFieldBytes = 4
/** API key and version: they change in one frame of sixteen, else the body would be read by another schema only. */
const keyBytes = 4

export interface FrameCounts {
  frames: number
  decoded: number
  refused: number
  bytes: number
  slowestMs: number
  /** The largest growth of the heap per byte of the frame, beyond the slack. */
  heapRatio: number
}

const cells = apis.flatMap((api) => {
  const [min, max] = api.versions
  return Array.from({ length: max - min + 1 }, (_, index) => ({ api, version: min + index }))
})

/** APIs times versions. */
export const cellCount = cells.length

/** The bytes of frame `seed`, without the size field. */
export function makeFrame(seed: number): Buffer {
  const random = seededRandom(seed)
  const { api, version } = cells[seed % cells.length] ?? { api: apis[0] as Api, version: 0 }
  const clientId = randomBelow(random, 8) === 0 ? null : 'fuzz'
  const body = structValue(api.request.fields, { random, version })
  const whole = Buffer.concat(
    encodeRequest(api, version, { correlationId: seed | 0, clientId }, body),
  )
  const isWhole = randomBelow(random, 8) === 0
  const from = randomBelow(random, 16) === 0 ? 0 : keyBytes
  const count = isWhole ? 0 : 1 + randomBelow(random, 4)
  return changed(whole.subarray(sizeFieldBytes), random, { count, from })
}

/** Decodes a frame; gives what encodes it again, or null for a DecodeError. Throws anything else. */
function decode(chunks: Chunks): { api: Api; apiVersion: number; body: object } | null {
  try {
    const { apiKey, apiVersion, reader } = decodeRequestHeader(chunks, apiByKey)
    const api = apiByKey(apiKey)
    if (api === undefined) return null
    return { api, apiVersion, body: decodeRequest(api, apiVersion, reader) as object }
  } catch (error) {
    if (error instanceof DecodeError) return null
    throw error
  }
}

function encode({ api, apiVersion, body }: { api: Api; apiVersion: number; body: object }): Buffer {
  return Buffer.concat(
    encodeRequest(api, apiVersion, { correlationId: 1, clientId: 'fuzz' }, body),
  ).subarray(sizeFieldBytes)
}

interface Cost {
  readonly ms: number
  readonly heapBytes: number
  readonly outsideBytes: number
}

function costOf(chunks: Chunks): Cost {
  const before = getHeapStatistics()
  const began = performance.now()
  decode(chunks)
  const ms = performance.now() - began
  const after = getHeapStatistics()
  // Less than before: the collector ran in between.
  return {
    ms,
    heapBytes: after.used_heap_size - before.used_heap_size,
    outsideBytes: after.external_memory - before.external_memory,
  }
}

/** Throws with what is wrong about frame `seed`. */
export function checkFrame(seed: number, counts: FrameCounts): void {
  const frame = makeFrame(seed)
  const chunks = inChunks(frame, seededRandom(seed + 1))
  const found = decode(chunks)
  counts.frames++
  counts.bytes += frame.length
  if (found === null) counts.refused++
  else counts.decoded++
  checkCost(chunks, frame.length, counts)
  if (found !== null) checkRoundTrip(found)
}

/** Too much five times in a row is too much; once may be the machine, the compiler or the collector. */
function checkCost(chunks: Chunks, frameBytes: number, counts: FrameCounts): void {
  const heapMax = heapFactor * frameBytes + heapSlack
  let ms = Number.POSITIVE_INFINITY
  let heapBytes = ms
  let outsideBytes = ms
  for (let times = 0; times < 5; times++) {
    const cost = costOf(chunks)
    ms = Math.min(ms, cost.ms)
    heapBytes = Math.min(heapBytes, cost.heapBytes)
    outsideBytes = Math.min(outsideBytes, cost.outsideBytes)
    if (ms <= slowMs && heapBytes <= heapMax && outsideBytes <= 4 * frameBytes + heapSlack) break
  }
  counts.slowestMs = Math.max(counts.slowestMs, ms)
  counts.heapRatio = Math.max(counts.heapRatio, (heapBytes - heapSlack) / frameBytes)
  if (ms > slowMs) throw new Error(`it took ${ms.toFixed(1)} ms`)
  if (heapBytes > heapMax) throw new Error(`the heap grew by ${heapBytes} bytes for ${frameBytes}`)
  if (outsideBytes > 4 * frameBytes + heapSlack) {
    throw new Error(`${outsideBytes} bytes outside of the heap for ${frameBytes}`)
  }
}

function checkRoundTrip(found: { api: Api; apiVersion: number; body: object }): void {
  const bytes = encode(found)
  const again = decode([bytes])
  const name = `${found.api.name} v${found.apiVersion}`
  if (again === null) throw new Error(`${name} encoded again does not decode`)
  if (!encode(again).equals(bytes)) throw new Error(`${name} encoded again reads otherwise`)
}

/** Runs `count` frames from `seed` on; stops at the first that fails, and says which. */
export function fuzzFrames({ seed, count }: { seed: number; count: number }): FrameCounts {
  // Codecs are composed at their first use.
  for (let cell = 0; cell < cells.length; cell++) decode([makeFrame(cell)])
  const counts = { frames: 0, decoded: 0, refused: 0, bytes: 0, slowestMs: 0, heapRatio: 0 }
  for (let index = 0; index < count; index++) {
    try {
      checkFrame(seed + index, counts)
    } catch (error) {
      const hex = Buffer.from(joinChunks([makeFrame(seed + index)])).toString('hex')
      throw new Error(
        `frame ${seed + index}: ${error instanceof Error ? error.message : String(error)}\n  again: npm run fuzz -- --frames 1 --seed ${seed + index}\n  ${hex.slice(0, 2000)}`,
        { cause: error },
      )
    }
  }
  return counts
}
