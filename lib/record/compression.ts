/**
 * The five codecs of record batches, as their attribute bits name them. Calls are synchronous (the
 * thread pool is not deterministic) and bounded: `decompress` refuses what would be larger than
 * `maxBytes` before it is expanded, or as soon as it grows beyond.
 *
 * What each codec writes, chosen so that the Java client, librdkafka and kafkajs all read it:
 *   gzip    one gzip member
 *   snappy  one raw block, as librdkafka writes it; the Java client's block framing ("xerial") is read
 *   lz4     one standard frame of independent blocks (the Java client refuses dependent ones)
 *   zstd    one frame
 * Each codec's package is loaded at its first use.
 */

import { unreachable } from '../base/assert.ts'
import { DecodeError } from '../base/errors.ts'
import { compressGzip, decompressGzip } from './compression-gzip.ts'
import { compressLz4, decompressLz4 } from './compression-lz4.ts'
import { compressSnappy, decompressSnappy } from './compression-snappy.ts'
import { compressZstd, decompressZstd } from './compression-zstd.ts'

/** A codec's name; its place here is its number in the attributes. */
export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

export type Codec = (typeof codecs)[number]

/**
 * `bytes` compressed. `level` is gzip's (1 to 9) or zstd's (1 to 22); snappy and lz4 have none.
 * 'none' gives back `bytes` itself.
 */
export function compress(codec: Codec, bytes: Uint8Array, level?: number): Uint8Array {
  switch (codec) {
    case 'none':
      return bytes
    case 'gzip':
      return compressGzip(bytes, level)
    case 'snappy':
      return compressSnappy(bytes)
    case 'lz4':
      return compressLz4(bytes)
    case 'zstd':
      return compressZstd(bytes, level)
    default:
      return unreachable(codec, 'codec')
  }
}

/**
 * The original of what `codec` compressed. DecodeError when it is corrupt or larger than `maxBytes`.
 * 'none' gives back `bytes` itself.
 */
export function decompress(codec: Codec, bytes: Uint8Array, maxBytes: number): Uint8Array {
  switch (codec) {
    case 'none':
      if (bytes.length > maxBytes) {
        throw new DecodeError(`${bytes.length} bytes of records, at most ${maxBytes} allowed`)
      }
      return bytes
    case 'gzip':
      return decompressGzip(bytes, maxBytes)
    case 'snappy':
      return decompressSnappy(bytes, maxBytes)
    case 'lz4':
      return decompressLz4(bytes, maxBytes)
    case 'zstd':
      return decompressZstd(bytes, maxBytes)
    default:
      return unreachable(codec, 'codec')
  }
}
