/** What the interop table is made of: a cell is one thing one client does, and how it went. */

export interface Cell {
  readonly client: string
  /** Column group: produce, consume, group, codec, acks, headers, tombstone, timestamp, admin, schema. */
  readonly group: string
  readonly what: string
  /** Resolves when it passes; throws what went wrong. A string is why it cannot be asked (`n/a ...`). */
  readonly run: () => Promise<void> | Promise<string> | Promise<string | undefined>
}

/** A broker under test. */
export interface Target {
  readonly address: string
  /** Its data directory: the stored batches are looked at there. */
  readonly data: string
}

export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type CodecName = (typeof codecs)[number]

/** Throws, naming both, unless they are equal as JSON. */
export function expect(actual: unknown, expected: unknown, what: string): void {
  const [got, want] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (got !== want) throw new Error(`${what}: got ${got}, expected ${want}`)
}

/** A topic name of its own for each cell. */
export function topicNames(prefix: string): () => string {
  let count = 0
  return () => `${prefix}-${++count}`
}
