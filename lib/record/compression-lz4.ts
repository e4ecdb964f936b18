/**
 * LZ4 in its frame format. Written: FLG 0x60 (version 1, independent blocks, no checksums, no content
 * size), the form that every Kafka client reads. Read: any number of frames and skippable frames,
 * independent or linked blocks, with checksums or without, and the header checksum of Kafka's old
 * message sets, which by mistake covers the magic number too (KAFKA-3160).
 *
 *   04 22 4D 18 | FLG | BD | content size: 8, if FLG says so | HC |
 *   (block size: uint32 LE, high bit = stored; block; its checksum: 4, if FLG says so)* |
 *   00 00 00 00 | content checksum: 4, if FLG says so
 *
 * The package expands without a bound, so the frames are walked first. No block stands for more than
 * 255 times its size nor for more than BD allows; only when that sum is above the bound are the
 * blocks' sequences added up exactly.
 * Sources: lz4/lz4 doc/lz4_Frame_format.md, lz4_Block_format.md; apache/kafka: .../Lz4BlockInputStream.java.
 */

import { asBuffer } from '../base/bytes.ts'
import { once } from '../base/once.ts'
import { corrupt, loadPackage, tooLarge } from './compression-errors.ts'

interface Lz4Package {
  compressFrameSync(input: Buffer): Buffer
  decompressFrameSync(input: Buffer): Buffer
}

/** A frame in the input: [start, end), its blocks, and the most that it can stand for. */
interface Frame {
  readonly start: number
  readonly end: number
  readonly blocks: readonly Block[]
  readonly bound: number
  /** The right header checksum, where the frame carries Kafka's old wrong one. */
  readonly repaired: { readonly position: number; readonly checksum: number } | null
}

interface Block {
  readonly start: number
  readonly end: number
  readonly isStored: boolean
}

interface Descriptor {
  readonly flags: number
  readonly blockBytesMax: number
  readonly end: number
  readonly repaired: Frame['repaired']
}

const frameMagic = 0x184d2204
const skippableMagic = 0x184d2a50
const flag = { blockChecksum: 0x10, contentSize: 0x08, contentChecksum: 0x04, dictionary: 0x01 }

export function compressLz4(bytes: Uint8Array): Uint8Array {
  return loadLz4().compressFrameSync(asBuffer(bytes))
}

export function decompressLz4(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const input = asBuffer(bytes)
  const frames = readFrames(input)
  let bound = 0
  for (const frame of frames) bound += frame.bound
  if (bound > maxBytes) {
    const sizeBytes = exactSize(input, frames)
    if (sizeBytes > maxBytes) throw tooLarge('lz4', maxBytes, sizeBytes)
  }
  const outputs = frames.map((frame) => decompressFrame(input, frame))
  const [only] = outputs
  return only !== undefined && outputs.length === 1 ? only : Buffer.concat(outputs)
}

function decompressFrame(input: Buffer, { start, end, repaired }: Frame): Buffer {
  let frame = input.subarray(start, end)
  if (repaired !== null) {
    frame = Buffer.from(frame)
    frame[repaired.position - start] = repaired.checksum
  }
  const lz4 = loadLz4()
  try {
    return lz4.decompressFrameSync(frame)
  } catch (error) {
    throw corrupt('lz4', error)
  }
}

function readFrames(input: Buffer): Frame[] {
  const frames: Frame[] = []
  let position = 0
  while (position < input.length) {
    need(input, position, 4)
    const magic = input.readUInt32LE(position)
    if (magic === frameMagic) {
      const frame = readFrame(input, position)
      frames.push(frame)
      position = frame.end
    } else if ((magic & 0xfffffff0) === skippableMagic) {
      need(input, position, 8)
      const size = input.readUInt32LE(position + 4)
      need(input, position + 8, size)
      position += 8 + size
    } else {
      throw corrupt('lz4', `no frame at byte ${position}, but 0x${magic.toString(16)}`)
    }
  }
  return frames
}

function readFrame(input: Buffer, start: number): Frame {
  const { flags, blockBytesMax, end, repaired } = readDescriptor(input, start)
  const blocks: Block[] = []
  let bound = 0
  let position = end
  for (;;) {
    need(input, position, 4)
    const word = input.readUInt32LE(position)
    position += 4
    if (word === 0) break
    const isStored = word >= 0x8000_0000
    const size = word & 0x7fff_ffff
    need(input, position, size)
    blocks.push({ start: position, end: position + size, isStored })
    bound += isStored ? size : Math.min(size * 255, blockBytesMax)
    position += size + (flags & flag.blockChecksum ? 4 : 0)
  }
  if (flags & flag.contentChecksum) {
    need(input, position, 4)
    position += 4
  }
  return { start, end: position, blocks, bound, repaired }
}

function readDescriptor(input: Buffer, start: number): Descriptor {
  need(input, start, 7)
  const flags = input[start + 4] ?? 0
  const sizeCode = ((input[start + 5] ?? 0) >> 4) & 0x07
  if (flags >> 6 !== 1) throw corrupt('lz4', `frame version ${flags >> 6}, expected 1`)
  if (flags & flag.dictionary) throw corrupt('lz4', 'the frame needs a dictionary')
  if (sizeCode < 4) throw corrupt('lz4', `block size code ${sizeCode}, expected 4 to 7`)
  const checksumAt = start + 6 + (flags & flag.contentSize ? 8 : 0)
  need(input, checksumAt, 1)
  const found = input[checksumAt] ?? 0
  const expected = headerChecksum(input, start + 4, checksumAt)
  if (found !== expected && found !== headerChecksum(input, start, checksumAt)) {
    throw corrupt('lz4', `frame header checksum ${found}, expected ${expected}`)
  }
  return {
    flags,
    blockBytesMax: 1 << (8 + 2 * sizeCode),
    end: checksumAt + 1,
    repaired: found === expected ? null : { position: checksumAt, checksum: expected },
  }
}

/** The second byte of xxHash-32 (seed 0) over [start, end), at most 15 bytes. */
function headerChecksum(input: Buffer, start: number, end: number): number {
  let hash = (374761393 + (end - start)) | 0
  let at = start
  for (; at + 4 <= end; at += 4) {
    hash = (hash + Math.imul(input.readInt32LE(at), 3266489917)) | 0
    hash = Math.imul((hash << 17) | (hash >>> 15), 668265263)
  }
  for (; at < end; at++) {
    hash = (hash + Math.imul(input[at] ?? 0, 374761393)) | 0
    hash = Math.imul((hash << 11) | (hash >>> 21), 2654435761)
  }
  hash = Math.imul(hash ^ (hash >>> 15), 2246822519)
  hash = Math.imul(hash ^ (hash >>> 13), 3266489917)
  hash ^= hash >>> 16
  return (hash >>> 8) & 0xff
}

function exactSize(input: Buffer, frames: readonly Frame[]): number {
  let sizeBytes = 0
  for (const { blocks } of frames) {
    for (const block of blocks) {
      sizeBytes += block.isStored ? block.end - block.start : expandedSize(input, block)
    }
  }
  return sizeBytes
}

/** What the sequences of a block stand for: literals and matches, added up and not copied. */
function expandedSize(input: Buffer, { start, end }: Block): number {
  let size = 0
  let at = start
  while (at < end) {
    const token = input[at++] ?? 0
    let literals = token >> 4
    if (literals === 15) {
      for (let more = 255; more === 255 && at < end; ) literals += more = input[at++] ?? 0
    }
    size += literals
    at += literals
    if (at >= end) break
    at += 2
    let match = token & 15
    if (match === 15) {
      for (let more = 255; more === 255 && at < end; ) match += more = input[at++] ?? 0
    }
    size += match + 4
  }
  return size
}

function need(input: Buffer, position: number, size: number): void {
  if (position + size > input.length) {
    throw corrupt('lz4', `cut off: ${size} bytes at byte ${position} of ${input.length}`)
  }
}

const loadLz4 = once(() => loadPackage('lz4-napi') as Lz4Package)
