/**
 * Files that a person names for reading, as chunks in order: like cat it follows links and reads
 * pipes and devices, which Disk (for files of our own) does not.
 */

import { createReadStream, fstatSync } from 'node:fs'
import type { Readable } from 'node:stream'

const chunkBytes = 256 * 1024

/** The bytes of a file as they come. Throws native errors (ENOENT, EACCES, EISDIR). */
export async function* fileChunks(path: string): AsyncGenerator<Uint8Array> {
  const stream = createReadStream(path, { highWaterMark: chunkBytes })
  try {
    for await (const chunk of stream) if (chunk instanceof Uint8Array) yield chunk
  } finally {
    stream.destroy()
  }
}

/** Standard input; a regular file is read in larger pieces than Node would, each costs a thread's hand-over. */
export function openStdin(): Readable {
  return isFile(0)
    ? createReadStream('', { fd: 0, autoClose: false, highWaterMark: chunkBytes })
    : process.stdin
}

function isFile(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isFile()
  } catch {
    // Closed: process.stdin is an empty stream then.
    return false
  }
}
