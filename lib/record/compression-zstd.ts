/**
 * Zstandard, by node:zlib where it has it (Node 22.15, 23.8 and later), else by WebAssembly.
 *
 * The frames are walked before they are expanded. The content size, where a frame states it (librdkafka
 * does not), and the sum over the blocks both bound the output: a block stands for at most 128 KiB.
 *
 *   28 B5 2F FD | descriptor: 1 | window: 0-1 | dictionary: 0-4 | content size: 0-8 |
 *   (last: 1 bit, type: 2 bits, size: 21 bits; block)* | checksum: 0 or 4
 *
 * Source: RFC 8878.
 */

import * as zlib from 'node:zlib'
import { asBuffer } from '../base/bytes.ts'
import { once } from '../base/once.ts'
import { corrupt, tooLarge } from './compression-errors.ts'
import { isTooLarge } from './compression-gzip.ts'
import { loadZstdWasm } from './compression-zstd-wasm.ts'

/** Newer than the oldest Node that we support, and so unknown to its types. */
interface NodeZstd {
  readonly zstdCompressSync?: (input: Uint8Array, options?: object) => Buffer
  readonly zstdDecompressSync?: (input: Uint8Array, options?: object) => Buffer
}

/** ZSTD_c_compressionLevel, the number of the parameter in zstd.h. */
const compressionLevelParameter = 100
const levelDefault = 3
const frameMagic = 0xfd2fb528
const skippableMagic = 0x184d2a50
const blockBytesMax = 128 * 1024
const blockType = { raw: 0, repeated: 1, compressed: 2 }

export function compressZstd(bytes: Uint8Array, level = levelDefault): Uint8Array {
  const { zstdCompressSync } = zlib as NodeZstd
  if (zstdCompressSync === undefined) return compressZstdByWasm(bytes, level)
  return zstdCompressSync(bytes, { params: { [compressionLevelParameter]: level } })
}

export function decompressZstd(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const { zstdDecompressSync } = zlib as NodeZstd
  if (zstdDecompressSync === undefined) return decompressZstdByWasm(bytes, maxBytes)
  const input = asBuffer(bytes)
  let left = maxBytes
  // One by one: Node's decoder silently stops after the first of several frames.
  const outputs = readFrames(input, maxBytes).map(({ start, end, bound }) => {
    try {
      const output = zstdDecompressSync(input.subarray(start, end), {
        maxOutputLength: Math.max(Math.min(bound, left), 1),
      })
      left -= output.length
      return output
    } catch (error) {
      if (isTooLarge(error)) throw tooLarge('zstd', maxBytes)
      throw corrupt('zstd', error)
    }
  })
  const [only] = outputs
  return only !== undefined && outputs.length === 1 ? only : Buffer.concat(outputs)
}

/** `compressZstd` on a Node without zstd. */
export function compressZstdByWasm(bytes: Uint8Array, level = levelDefault): Uint8Array {
  return loadWasm().compress(bytes, level)
}

/** `decompressZstd` on a Node without zstd. */
export function decompressZstdByWasm(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const frames = readFrames(asBuffer(bytes), maxBytes)
  const capacity = Math.min(
    frames.reduce((sum, { bound }) => sum + bound, 0),
    maxBytes,
  )
  const output = loadWasm().decompress(bytes, capacity)
  // The decoder tells "too small" from "corrupt" no more than this.
  if (output === null) throw corrupt('zstd', `not ${capacity} bytes or fewer once expanded`)
  return output
}

const loadWasm = once(loadZstdWasm)

/** A frame in the input: [start, end), and the most that it can stand for. */
interface Frame {
  readonly start: number
  readonly end: number
  readonly bound: number
  readonly contentSize: number | null
}

/** All frames, without the skippable ones. DecodeError when they state more than `maxBytes`. */
function readFrames(input: Buffer, maxBytes: number): Frame[] {
  const frames: Frame[] = []
  let stated = 0
  let position = 0
  while (position < input.length) {
    need(input, position, 4)
    const magic = input.readUInt32LE(position)
    if (magic === frameMagic) {
      const frame = readFrame(input, position)
      frames.push(frame)
      stated += frame.contentSize ?? 0
      position = frame.end
    } else if ((magic & 0xfffffff0) === skippableMagic) {
      need(input, position, 8)
      const size = input.readUInt32LE(position + 4)
      need(input, position + 8, size)
      position += 8 + size
    } else {
      throw corrupt('zstd', `no frame at byte ${position}, but 0x${magic.toString(16)}`)
    }
  }
  if (stated > maxBytes) throw tooLarge('zstd', maxBytes, stated)
  return frames
}

function readFrame(input: Buffer, start: number): Frame {
  need(input, start, 5)
  const descriptor = input[start + 4] ?? 0
  const isSingleSegment = (descriptor & 0x20) !== 0
  if (descriptor & 0x08) throw corrupt('zstd', 'a reserved bit of the frame header is set')
  const sizeAt = start + 5 + (isSingleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0)
  const sizeCode = descriptor >> 6
  const sizeSize = sizeCode === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeCode
  need(input, sizeAt, sizeSize)
  const contentSize = readContentSize(input, sizeAt, sizeSize)
  const blocks = readBlocks(input, sizeAt + sizeSize)
  const checksumSize = descriptor & 0x04 ? 4 : 0
  need(input, blocks.end, checksumSize)
  const bound = Math.min(blocks.bound, contentSize ?? blocks.bound)
  return { start, end: blocks.end + checksumSize, bound, contentSize }
}

function readContentSize(input: Buffer, position: number, size: number): number | null {
  if (size === 0) return null
  if (size === 1) return input.readUInt8(position)
  if (size === 2) return input.readUInt16LE(position) + 256
  if (size === 4) return input.readUInt32LE(position)
  return input.readUInt32LE(position) + input.readUInt32LE(position + 4) * 2 ** 32
}

function readBlocks(input: Buffer, start: number): { end: number; bound: number } {
  let bound = 0
  let position = start
  for (let isLast = false; !isLast; ) {
    need(input, position, 3)
    const word = input.readUIntLE(position, 3)
    isLast = (word & 1) === 1
    const type = (word >> 1) & 3
    const size = word >> 3
    position += 3
    if (type > blockType.compressed || size > blockBytesMax) {
      throw corrupt('zstd', `block of type ${type} and ${size} bytes`)
    }
    const storedSize = type === blockType.repeated ? 1 : size
    need(input, position, storedSize)
    position += storedSize
    bound += type === blockType.compressed ? blockBytesMax : size
  }
  return { end: position, bound }
}

function need(input: Buffer, position: number, size: number): void {
  if (position + size > input.length) {
    throw corrupt('zstd', `cut off: ${size} bytes at byte ${position} of ${input.length}`)
  }
}
