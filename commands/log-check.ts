/** `log check DIR...`: whether the logs of a data directory are whole: checksums, offsets, indexes, epochs. */

import { join } from 'node:path'
import { hasErrorCode } from '../lib/io/disk.ts'
import { checkPartition } from '../lib/storage/inspect.ts'
import {
  type Finding,
  type InspectedDirectory,
  inspectDirectory,
} from '../lib/storage/inspect-directory.ts'
import {
  type Column,
  type CommandContext,
  CommandError,
  command,
  exitCodes,
  type Row,
} from './command.ts'

const columns: readonly Column[] = [
  { title: 'LOG', key: 'log', about: 'directory of the partition' },
  { title: 'SEGMENTS', key: 'segments', about: 'segment files', isNumber: true },
  { title: 'BATCHES', key: 'batches', about: 'batches in them', isNumber: true },
  { title: 'RECORDS', key: 'records', about: 'records in them', isNumber: true },
  { title: 'START', key: 'start', about: 'first offset', isNumber: true },
  { title: 'END', key: 'end', about: 'offset after the last record', isNumber: true },
  { title: 'SIZE', key: 'size', about: 'bytes of the segments', isNumber: true },
  {
    title: 'JOURNAL',
    key: 'journalRecords',
    about: 'records that only the journal has: the next start appends them',
    isNumber: true,
  },
  { title: 'ERRORS', key: 'errors', about: 'records that are lost or unreadable', isNumber: true },
  { title: 'WARNINGS', key: 'warnings', about: 'what the next start repairs', isNumber: true },
]

export const logCheck = command({
  name: 'log check',
  about: 'check the logs of a data directory',
  positionals: 'DIR...',
  options: {},
  examples: [['log check ~/.local/share/ottla/node-1', 'Every partition of a stopped broker.']],
  description: [
    'DIR is a data directory or the directory of one partition, of ottla or Apache Kafka. Every batch is read and its checksum computed; indexes, producer snapshots and leader epochs are compared with the batches, and the end of each log with its recovery point and with the journal of the data directory. Nothing is changed. Beside a running broker the end of the newest segment, or of the journal, may be reported as torn, because it is being written.',
    'After a crash the journal may hold records that were acknowledged and that the segments lack: how many of each log, and whether the journal itself can be read. They are not lost; the next start appends them.',
    'Findings are on standard error, one a line; under --json they are members of each log, and those about the journal and the checkpoints of each data directory (with journalFiles, journalBlocks, journalSize).',
  ],
  columns,
  exits: { 1: 'an error was found', 3: 'no such directory', 4: 'the directory holds no logs' },
  isLocal: true,
  run: async (context, { positionals }) => {
    const places = new Map<string, InspectedDirectory>()
    const directories: Row[] = []
    const rows: Row[] = []
    for (const given of positionals) {
      for (const log of await logsUnder(context, given)) {
        const parent = join(log, '..')
        let inspected = places.get(parent)
        if (inspected === undefined) {
          inspected = await inspectDirectory(context.env.disk, context.path(parent))
          places.set(parent, inspected)
          directories.push(directoryRow(context, parent, inspected))
        }
        rows.push(await checkLog(context, log, inspected))
      }
    }
    const extra = { directories }
    await context.out.snapshot({ kind: 'log-check', plural: 'logs', columns, rows, extra })
    const hasErrors = [...directories, ...rows].some(({ errors }) => errors !== 0)
    return hasErrors ? exitCodes.no : exitCodes.done
  },
})

/** Directories of partitions: the one given, or those in it. */
async function logsUnder({ env, path }: CommandContext, given: string): Promise<string[]> {
  const entries = await env.disk.list(path(given)).catch((error: unknown) => {
    if (hasErrorCode(error, 'ENOENT'))
      throw new CommandError(exitCodes.notFound, `no such directory: ${given}`)
    if (hasErrorCode(error, 'ENOTDIR'))
      throw new CommandError(
        exitCodes.usage,
        `${given} is a file`,
        `print it with: ottla log dump ${given}`,
      )
    throw error
  })
  if (entries.some(({ name, kind }) => kind === 'file' && name.endsWith('.log'))) return [given]
  const logs = entries.filter(({ name, kind }) => kind === 'directory' && /^.+-\d+$/.test(name))
  if (logs.length === 0) {
    throw new CommandError(
      exitCodes.invalidData,
      `${given} holds no logs`,
      'give a data directory, or the directory of a partition',
    )
  }
  return logs.map(({ name }) => join(given, name))
}

function directoryRow(
  context: CommandContext,
  directory: string,
  { journal, findings }: InspectedDirectory,
): Row {
  warnOf(context, directory, findings)
  return {
    directory,
    journalFiles: journal.fileCount,
    journalBlocks: journal.blockCount,
    journalSize: journal.sizeBytes,
    ...counted(findings),
  }
}

async function checkLog(
  context: CommandContext,
  log: string,
  inspected: InspectedDirectory,
): Promise<Row> {
  const checked = await checkPartition(context.env.disk, context.path(log), inspected)
  warnOf(context, log, checked.findings)
  return {
    log,
    segments: checked.segmentCount,
    batches: checked.batchCount,
    records: checked.recordCount,
    start: checked.firstOffset,
    end: checked.endOffset,
    size: checked.sizeBytes,
    journalRecords: checked.journal.recordCount,
    journalBatches: checked.journal.batchCount,
    ...counted(checked.findings),
  }
}

function warnOf(context: CommandContext, directory: string, findings: readonly Finding[]): void {
  if (context.globals.json) return
  for (const { severity, file, position, message } of findings) {
    const at = position === null ? '' : ` at byte ${position}`
    context.warn(`${severity}: ${join(directory, file)}${at}: ${message}`)
  }
}

function counted(findings: readonly Finding[]): Row {
  const count = (severity: Finding['severity']) =>
    findings.filter((finding) => finding.severity === severity).length
  return { errors: count('error'), warnings: count('warning'), findings }
}
