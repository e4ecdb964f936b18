/** `log dump FILE...`: what is in a file of a broker's data directory, ottla's or Apache Kafka's. */

import { DecodeError } from '../lib/base/errors.ts'
import { hasErrorCode } from '../lib/io/disk.ts'
import { type CommandContext, CommandError, command, exitCodes, exitOfItems } from './command.ts'
import { type FileRows, fileRowsOf, recordColumns } from './log/file-kinds.ts'
import { flag } from './options.ts'

export const logDump = command({
  name: 'log dump',
  about: 'print the files of a data directory',
  positionals: 'FILE...',
  options: { batches: flag('of a segment: a line per batch, not per record') },
  examples: [
    ['log dump data/orders-0/00000000000000000000.log', 'Each record of a segment.'],
    [
      'log dump data/orders-0/00000000000000000000.log --batches --json',
      'Its batch headers, for a script.',
    ],
  ],
  description: [
    'Reads .log, .index, .timeindex, .txnindex, .snapshot and checkpoint files, partition.metadata and meta.properties, of ottla and of Apache Kafka. Nothing is changed, and no broker is asked.',
    'The columns follow from the kind of the file; those below are of records.',
  ],
  columns: recordColumns,
  exits: {
    3: 'no such file',
    4: 'a file is damaged or of no known kind; what is before the damage is printed',
    7: 'some of several files failed',
  },
  isLocal: true,
  run: async (context, { positionals, batches }) => {
    const exits: number[] = []
    for (const given of positionals) exits.push(await dumpFile(context, given, batches))
    return exitOfItems(exits)
  },
})

async function dumpFile(
  context: CommandContext,
  given: string,
  showBatches: boolean,
): Promise<number> {
  const path = context.path(given)
  const kind = fileRowsOf(path, showBatches)
  if (kind === null) {
    context.warn(
      `${given}: no file of a data directory, by its name; known: .log, .index, .timeindex, .txnindex, .snapshot, checkpoints`,
    )
    return exitCodes.invalidData
  }
  return await printRows(context, { kind, path, given })
}

async function printRows(
  context: CommandContext,
  { kind, path, given }: { kind: FileRows; path: string; given: string },
): Promise<number> {
  try {
    await context.out.stream(kind.columns, kind.rows(context.env.disk, path))
    return exitCodes.done
  } catch (error) {
    if (error instanceof DecodeError) {
      context.warn(`${given}: ${error.message}`)
      return exitCodes.invalidData
    }
    if (hasErrorCode(error, 'ENOENT')) {
      context.warn(`${given}: no such file`)
      return exitCodes.notFound
    }
    if (
      hasErrorCode(error, 'EACCES') ||
      hasErrorCode(error, 'EISDIR') ||
      hasErrorCode(error, 'ELOOP')
    ) {
      throw new CommandError(exitCodes.invalidData, `${given} cannot be read`, '', { cause: error })
    }
    throw error
  }
}
