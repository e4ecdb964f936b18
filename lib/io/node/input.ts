/**
 * Files that a person names for reading, as chunks in order: like cat it follows links and reads
 * pipes and devices, which Disk (for files of our own) does not.
 */

import { createReadStream } from 'node:fs'

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
