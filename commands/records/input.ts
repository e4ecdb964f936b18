/** Where the records of `produce` come from: standard input or files, one after another. */

import { hasErrorCode } from '../../lib/io/disk.ts'
import { type CommandContext, CommandError, exitCodes } from '../command.ts'

/** One file or standard input. */
export interface Source {
  /** `stdin`, or the file as it was given: for messages. */
  readonly name: string
  /** Reads it from its beginning. */
  open(): AsyncIterable<Uint8Array>
}

/** The sources that operands name: `-` and nothing at all are standard input. */
export function sourcesOf(
  files: readonly string[],
  context: Pick<CommandContext, 'read' | 'path' | 'stdin'>,
): Source[] {
  const stdin: Source = { name: 'stdin', open: () => context.stdin() }
  if (files.length === 0) return [stdin]
  if (files.filter((file) => file === '-').length > 1) {
    throw new CommandError(exitCodes.usage, 'standard input (-) given twice')
  }
  return files.map((file) => (file === '-' ? stdin : fileSource(context, file)))
}

/** A file that was named on the command line. Reading it throws CommandError 2 when it can't be read. */
export function fileSource(
  { read, path }: Pick<CommandContext, 'read' | 'path'>,
  name: string,
): Source {
  return {
    name,
    open: async function* () {
      try {
        yield* read(path(name))
      } catch (error) {
        throw unreadable(name, error)
      }
    },
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
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
