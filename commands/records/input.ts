/**
 * Where the records of `produce` come from: standard input or files, one after another, as chunks
 * of bytes. A file is read in large pieces into memory of its own, since pieces of a chunk are kept
 * until they are in a batch.
 */

import { type Disk, hasErrorCode } from '../../lib/io/disk.ts'
import { CommandError, exitCodes } from '../command.ts'

/** One file or standard input. */
export interface Source {
  /** `stdin`, or the file as it was given: for messages. */
  readonly name: string
  /** Reads it from its beginning. */
  open(): AsyncIterable<Uint8Array>
}

const chunkBytes = 256 * 1024

/** The sources that operands name: `-` and nothing at all are standard input. */
export function sourcesOf(
  files: readonly string[],
  from: { disk: Disk; path: (given: string) => string; stdin: () => AsyncIterable<Uint8Array> },
): Source[] {
  const stdin: Source = { name: 'stdin', open: from.stdin }
  if (files.length === 0) return [stdin]
  if (files.filter((file) => file === '-').length > 1) {
    throw new CommandError(exitCodes.usage, 'standard input (-) given twice')
  }
  return files.map((file) =>
    file === '-' ? stdin : { name: file, open: () => fileChunks(from.disk, from.path(file), file) },
  )
}

async function* fileChunks(disk: Disk, path: string, name: string): AsyncGenerator<Uint8Array> {
  const file = await disk.open(path, 'read').catch((error: unknown) => {
    throw unreadable(name, error)
  })
  try {
    for (let position = 0; ; ) {
      const chunk = Buffer.allocUnsafeSlow(chunkBytes)
      const count = await file.readAt(chunk, position).catch((error: unknown) => {
        throw unreadable(name, error)
      })
      if (count > 0) yield chunk.subarray(0, count)
      if (count < chunkBytes) return
      position += count
    }
  } finally {
    await file.close()
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ESPIPE: 'it is a pipe; give it as standard input (-)',
}

function unreadable(name: string, error: unknown): CommandError {
  const code = Object.keys(reasons).find((each) => hasErrorCode(error, each))
  const other = error instanceof Error ? error.message : String(error)
  const reason = code === undefined ? other : reasons[code]
  return new CommandError(exitCodes.usage, `cannot read ${name}: ${reason}`, '', { cause: error })
}

/** The whole of a source. Throws CommandError 4 when it is larger than `maxBytes`. */
export async function readWhole(source: Source, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of source.open()) {
    size += chunk.length
    if (size > maxBytes) {
      throw new CommandError(
        exitCodes.invalidData,
        `${source.name} is longer than ${maxBytes} bytes`,
        'raise --buffer to send it as one record',
      )
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** A source that can be read again: standard input is kept in memory, up to `maxBytes`. */
export async function repeatable(source: Source, maxBytes: number): Promise<Source> {
  if (source.name !== 'stdin') return source
  const bytes = await readWhole(source, maxBytes)
  return {
    name: source.name,
    open: async function* () {
      // A copy each time: what is sent may not change, and records are views over it.
      if (bytes.length > 0) yield bytes
    },
  }
}
