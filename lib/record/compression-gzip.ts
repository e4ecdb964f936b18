/** gzip (RFC 1952) by Node's zlib; concatenated members are read as one. */

import { gunzipSync, gzipSync } from 'node:zlib'
import { corrupt, tooLarge } from './compression-errors.ts'

export function compressGzip(bytes: Uint8Array, level?: number): Uint8Array {
  return gzipSync(bytes, {
    chunkSize: chunkSize(bytes.length + 64),
    ...(level === undefined ? {} : { level }),
  })
}

export function decompressGzip(bytes: Uint8Array, maxBytes: number): Uint8Array {
  try {
    return gunzipSync(bytes, {
      maxOutputLength: Math.max(maxBytes, 1),
      chunkSize: chunkSize(bytes.length * 4),
    })
  } catch (error) {
    if (isTooLarge(error)) throw tooLarge('gzip', maxBytes)
    throw corrupt('gzip', error)
  }
}

/**
 * zlib allocates its output in pieces of this size: what is expected, in one; its default, 16 KiB,
 * makes many of a large batch and wastes most of one on a small batch.
 */
function chunkSize(expectedBytes: number): number {
  return Math.min(Math.max(expectedBytes, 1024), 256 * 1024)
}

/** Whether zlib stopped at its `maxOutputLength`. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
}
