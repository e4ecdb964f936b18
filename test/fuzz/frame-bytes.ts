/** Bytes of a frame, changed: what a broken or hostile peer sends. */

import { type Random, randomBelow } from '../../lib/io/random.ts'

const tellingBytes = [0x00, 0x01, 0x02, 0x7f, 0x80, 0xfe, 0xff]
const tellingNumbers = [-1, -2, 0, 1, 0x7fff, 0x7fffffff, -0x8000_0000, 0x00ff_ffff, 50_001]
const varints = [
  'ffffffff07',
  'ffffffff0f',
  'ffffffff1f',
  'ffffffffffffffffff7f',
  '8000',
  '808080808000',
]

type Change = (bytes: Buffer, at: number, random: Random) => Buffer

const changes: readonly Change[] = [
  (bytes, at, random) => {
    bytes[at] = randomBelow(random, 256)
    return bytes
  },
  (bytes, at, random) => {
    bytes[at] = of(tellingBytes, random)
    return bytes
  },
  (bytes, at, random) => {
    if (at + 4 <= bytes.length) bytes.writeInt32BE(of(tellingNumbers, random), at)
    return bytes
  },
  (bytes, at, random) => {
    if (at + 2 <= bytes.length) bytes.writeInt16BE(of([-1, -2, 0, 1, 0x7fff, -0x8000], random), at)
    return bytes
  },
  (bytes, at, random) => spliced(bytes, at, 1, Buffer.from(of(varints, random), 'hex')),
  (bytes, at, random) => spliced(bytes, at, randomBelow(random, 8), empty),
  (bytes, at, random) => spliced(bytes, at, 0, Buffer.from(random.bytes(randomBelow(random, 16)))),
  // A piece that is there stands there twice.
  (bytes, at, random) => spliced(bytes, at, 0, bytes.subarray(at, at + randomBelow(random, 40))),
  (bytes, at) => bytes.subarray(0, at),
]

const empty = Buffer.alloc(0)

/** The frame with `count` changes behind its first `from` bytes. */
export function changed(
  frame: Buffer,
  random: Random,
  { count, from }: { count: number; from: number },
): Buffer {
  let bytes = Buffer.from(frame)
  for (let left = count; left > 0 && bytes.length > from; left--) {
    const at = from + randomBelow(random, bytes.length - from)
    bytes = of(changes, random)(bytes, at, random) as Buffer<ArrayBuffer>
  }
  return bytes
}

/** The same bytes in a few chunks, cut anywhere, as a socket would give them. */
export function inChunks(bytes: Buffer, random: Random): Buffer[] {
  if (randomBelow(random, 4) > 0) return [bytes]
  const cuts = Array.from({ length: randomBelow(random, 4) }, () =>
    randomBelow(random, bytes.length + 1),
  ).sort((a, b) => a - b)
  const ends = [...cuts, bytes.length]
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

function spliced(bytes: Buffer, at: number, removed: number, added: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)])
}

function of<T>(list: readonly T[], random: Random): T {
  return list[randomBelow(random, list.length)] as T
}
