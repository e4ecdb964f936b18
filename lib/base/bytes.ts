/** Small operations on bytes: views, joins, text. A view shares memory with what it was cut from. */

/** Bytes as a list of views in order, never joined: what a socket gave, or what it is to be given. */
export type Chunks = readonly Uint8Array[]

/** Total size in bytes. */
export function chunksSize(chunks: Chunks): number {
  let size = 0
  for (const chunk of chunks) size += chunk.length
  return size
}

/** One contiguous run of bytes; a single chunk is returned as it is, without a copy. */
export function joinChunks(chunks: Chunks): Uint8Array {
  const [only] = chunks
  if (only !== undefined && chunks.length === 1) return only
  return Buffer.concat(chunks)
}

/** Views over bytes [start, end) of the chunks. */
export function sliceChunks(chunks: Chunks, start: number, end: number): Uint8Array[] {
  const views: Uint8Array[] = []
  let position = 0
  for (const chunk of chunks) {
    const from = Math.max(start - position, 0)
    const to = Math.min(end - position, chunk.length)
    if (from < to) views.push(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to))
    position += chunk.length
    if (position >= end) break
  }
  return views
}

/** A Buffer over the same memory, for its readers of numbers and text. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8')
}

export function utf8Text(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('utf8')
}
