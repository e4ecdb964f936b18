/**
 * Snappy. Two forms are in use, and readers tell them apart by the first bytes:
 *
 *   raw block   | uncompressed size: varint | tags and literals |
 *   xerial      | 82 'SNAPPY' 00 | version: int32 | oldest reader: int32 | (size: int32, raw block)* |
 *
 * A raw block is written: librdkafka writes nothing else, and the Java client (which writes xerial),
 * librdkafka and kafkajs' codec all read it. Several xerial streams may follow each other.
 * Sources: google/snappy format_description.txt; xerial/snappy-java SnappyOutputStream.java.
 */

import { asBuffer } from '../base/bytes.ts'
import { once } from '../base/once.ts'
import { corrupt, loadPackage, tooLarge } from './compression-errors.ts'

interface SnappyPackage {
  compressSync(input: Uint8Array): Buffer
  uncompressSync(input: Uint8Array): Buffer | string
}

const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const xerialHeaderSize = 16

export function compressSnappy(bytes: Uint8Array): Uint8Array {
  return loadSnappy().compressSync(bytes)
}

export function decompressSnappy(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const input = asBuffer(bytes)
  return startsXerial(input, 0)
    ? decompressXerial(input, maxBytes)
    : decompressBlock(input, maxBytes)
}

function startsXerial(input: Buffer, position: number): boolean {
  return input.length >= position + 8 && xerialMagic.compare(input, position, position + 8) === 0
}

function decompressBlock(block: Buffer, maxBytes: number): Uint8Array {
  const sizeBytes = uncompressedSize(block)
  if (sizeBytes > maxBytes) throw tooLarge('snappy', maxBytes, sizeBytes)
  // A copy of two bytes stands for 64 at most: a size beyond that is a lie, not worth its memory.
  if (sizeBytes > block.length * 64) {
    throw corrupt('snappy', `${block.length} bytes cannot stand for ${sizeBytes}`)
  }
  const snappy = loadSnappy()
  try {
    const output = snappy.uncompressSync(block)
    return typeof output === 'string' ? Buffer.from(output, 'utf8') : output
  } catch (error) {
    throw corrupt('snappy', error)
  }
}

/** The size that a raw block begins with. */
function uncompressedSize(block: Buffer): number {
  let size = 0
  for (let index = 0; index < 5; index++) {
    const byte = block[index]
    if (byte === undefined) break
    size += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) {
      if (size > 0xffff_ffff) break
      return size
    }
  }
  throw corrupt('snappy', 'the block does not begin with its size')
}

function decompressXerial(input: Buffer, maxBytes: number): Uint8Array {
  const blocks: Uint8Array[] = []
  let left = maxBytes
  let position = 0
  while (position < input.length) {
    if (startsXerial(input, position)) {
      position += xerialHeaderSize
      continue
    }
    if (position + 4 > input.length) throw corrupt('snappy', `cut off at byte ${input.length}`)
    const size = input.readInt32BE(position)
    position += 4
    if (size < 0 || size > input.length - position) {
      throw corrupt('snappy', `block of ${size} bytes, ${input.length - position} there`)
    }
    const block = decompressBlock(input.subarray(position, position + size), left)
    blocks.push(block)
    left -= block.length
    position += size
  }
  if (position > input.length) throw corrupt('snappy', `cut off at byte ${input.length}`)
  const [only] = blocks
  return only !== undefined && blocks.length === 1 ? only : Buffer.concat(blocks)
}

const loadSnappy = once(() => loadPackage('snappy') as SnappyPackage)
