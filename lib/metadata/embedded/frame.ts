/**
 * Frames of the embedded store's files. Each is written by one write that is synced before the next
 * begins. Numbers are big-endian.
 *
 *   | magic "OTLA" | size u32 | crc u32 | revision u64 | payload: `size` bytes of JSON |
 *   crc = CRC-32C of size, revision and payload
 *
 * So a bad frame is a torn tail (a crash came before its sync, nobody was told of it) only if no
 * good frame follows; before a good frame it is damage, and opening the file must fail.
 */

import { crc32c } from '../../base/crc32c.ts'

export interface Frame {
  readonly revision: number
  readonly payload: unknown
}

export interface FrameScan {
  readonly frames: readonly Frame[]
  /** Where the good frames end; below the file's size when the tail is torn. */
  readonly endPosition: number
  /** Where the last good frame begins. */
  readonly lastPosition: number
}

/** A file of the store that cannot have come from a crash: nothing is to be concluded from it. */
export class DamageError extends Error {
  override readonly name = 'DamageError'
}

const magic = Buffer.from('OTLA')
const headerSize = 20
const payloadSizeMax = 1024 * 1024 * 1024

export function encodeFrame({ revision, payload }: Frame): Uint8Array {
  const body = Buffer.from(JSON.stringify(payload))
  const bytes = Buffer.alloc(headerSize + body.length)
  magic.copy(bytes, 0)
  bytes.writeUInt32BE(body.length, 4)
  bytes.writeBigUInt64BE(BigInt(revision), 12)
  body.copy(bytes, headerSize)
  bytes.writeUInt32BE(checksum(bytes), 8)
  return bytes
}

function checksum(frame: Buffer): number {
  return crc32c(frame.subarray(12), crc32c(frame.subarray(4, 8)))
}

/** All frames of a file. Throws DamageError when a good frame follows a bad one. */
export function scanFrames(path: string, file: Uint8Array): FrameScan {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  const frames: Frame[] = []
  let position = 0
  let lastPosition = 0
  for (;;) {
    const frame = frameAt(bytes, position)
    if (frame === null) break
    frames.push(frame.frame)
    lastPosition = position
    position = frame.endPosition
  }
  const later = position < bytes.length ? nextGoodFrame(bytes, position + 1) : -1
  if (later >= 0) {
    throw new DamageError(
      `${path} is damaged at byte ${position}: a good record follows at byte ${later}, so this is no torn write; restore the file from a backup`,
    )
  }
  return { frames, endPosition: position, lastPosition }
}

function frameAt(bytes: Buffer, position: number): { frame: Frame; endPosition: number } | null {
  if (position + headerSize > bytes.length) return null
  if (bytes.compare(magic, 0, 4, position, position + 4) !== 0) return null
  const size = bytes.readUInt32BE(position + 4)
  const endPosition = position + headerSize + size
  if (size > payloadSizeMax || endPosition > bytes.length) return null
  const whole = bytes.subarray(position, endPosition)
  if (whole.readUInt32BE(8) !== checksum(whole)) return null
  const revision = Number(whole.readBigUInt64BE(12))
  const payload: unknown = JSON.parse(whole.toString('utf8', headerSize))
  return { frame: { revision, payload }, endPosition }
}

function nextGoodFrame(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(magic, from); at >= 0; at = bytes.indexOf(magic, at + 1)) {
    if (frameAt(bytes, at) !== null) return at
  }
  return -1
}
