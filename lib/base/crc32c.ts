/**
 * CRC-32C (Castagnoli): the checksum of record batches; and CRC-32 (IEEE): that of the old message
 * sets. Both chain: the result over the first chunk is the seed of the next.
 *
 * The native package does the long runs. Below a few hundred bytes the call into it costs more than
 * the slicing-by-8 tables here, which also do everything where the package has no binary.
 * The threshold comes from test/bench/record.ts.
 */

import { createRequire } from 'node:module'
import { once } from './once.ts'

interface NativeChecksums {
  crc32(bytes: Uint8Array, seed?: number): number
  crc32c(bytes: Uint8Array, seed?: number): number
}

/** From this many bytes on the native call is faster than the tables. */
const nativeBytesMin = 192

/** CRC-32C of `bytes`, going on from `seed`: the CRC-32C of what came before. */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  const native = bytes.length < nativeBytesMin ? null : lazily.native()
  return native === null ? tableCrc32c(bytes, seed) : native.crc32c(bytes, seed)
}

/** CRC-32 (IEEE, as in zip) of `bytes`, going on from `seed`. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  const native = bytes.length < nativeBytesMin ? null : lazily.native()
  return native === null ? tableCrc32(bytes, seed) : native.crc32(bytes, seed)
}

/** CRC-32C without the native package: its fallback, and its oracle in tests. */
export function tableCrc32c(bytes: Uint8Array, seed = 0): number {
  return sliceByEight(lazily.castagnoli(), bytes, seed)
}

/** CRC-32 (IEEE) without the native package. */
export function tableCrc32(bytes: Uint8Array, seed = 0): number {
  return sliceByEight(lazily.ieee(), bytes, seed)
}

/** What is made at its first use, so that importing this file costs nothing. */
const lazily = {
  native: once(loadNative),
  castagnoli: once(() => makeTables(0x82f63b78)),
  ieee: once(() => makeTables(0xedb88320)),
}

function loadNative(): NativeChecksums | null {
  try {
    // By require: `import` would first parse the package for its exports, twenty times slower.
    return createRequire(import.meta.url)('@node-rs/crc32') as NativeChecksums
  } catch {
    // No binary for this platform: slower, and right all the same.
    return null
  }
}

/** Eight tables of 256: table n holds the effect of a byte that n zero bytes follow. */
function makeTables(polynomial: number): Int32Array {
  const tables = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    tables[byte] = crc
  }
  for (let index = 256; index < tables.length; index++) {
    const before = tables[index - 256] ?? 0
    tables[index] = (before >>> 8) ^ (tables[before & 0xff] ?? 0)
  }
  return tables
}

function sliceByEight(t: Int32Array, bytes: Uint8Array, seed: number): number {
  // The `as number` are for bytes and table entries that the loop's bounds rule in: a `?? 0` here
  // costs a fifth of the speed.
  let crc = ~seed
  let at = 0
  for (const end = bytes.length - 7; at < end; at += 8) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    crc =
      (t[1792 + (crc & 0xff)] as number) ^
      (t[1536 + ((crc >>> 8) & 0xff)] as number) ^
      (t[1280 + ((crc >>> 16) & 0xff)] as number) ^
      (t[1024 + (crc >>> 24)] as number) ^
      (t[768 + (bytes[at + 4] as number)] as number) ^
      (t[512 + (bytes[at + 5] as number)] as number) ^
      (t[256 + (bytes[at + 6] as number)] as number) ^
      (t[bytes[at + 7] as number] as number)
  }
  for (; at < bytes.length; at++) {
    crc = (crc >>> 8) ^ (t[(crc ^ (bytes[at] as number)) & 0xff] as number)
  }
  return ~crc >>> 0
}
