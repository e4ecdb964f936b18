/** `log check DIR...`: whether the logs of a data directory are whole: checksums, offsets, indexes, epochs. */

import { join } from 'node:path'
import { hasErrorCode } from '../lib/io/disk.ts'
import { checkPartition, type Finding } from '../lib/storage/inspect.ts'
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
    'DIR is a data directory or the directory of one partition, of ottla or Apache Kafka. Every batch is read and its checksum computed; indexes, producer snapshots and leader epochs are compared with the batches. Nothing is changed. Beside a running broker the end of the newest segment may be reported as torn, because it is being written.',
    'Findings are on standard error, one a line; under --json they are members of each log.',
  ],
  columns,
  exits: { 1: 'an error was found', 3: 'no such directory', 4: 'the directory holds no logs' },
  isLocal: true,
  run: async (context, { positionals }) => {
    const rows: Row[] = []
    for (const given of positionals) {
      for (const log of await logsUnder(context, given)) rows.push(await checkLog(context, log))
    }
    await context.out.snapshot({ kind: 'log-check', plural: 'logs', columns, rows })
    return rows.some(({ errors }) => errors !== 0) ? exitCodes.no : exitCodes.done
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

async function checkLog(context: CommandContext, log: string): Promise<Row> {
  const checked = await checkPartition(context.env.disk, context.path(log))
  const { findings } = checked
  const count = (severity: Finding['severity']) =>
    findings.filter((finding) => finding.severity === severity).length
  if (!context.globals.json) {
    for (const { severity, file, position, message } of findings) {
      context.warn(
        `${severity}: ${join(log, file)}${position === null ? '' : ` at byte ${position}`}: ${message}`,
      )
    }
  }
  return {
    log,
    segments: checked.segmentCount,
    batches: checked.batchCount,
    records: checked.recordCount,
    start: checked.firstOffset,
    end: checked.endOffset,
    size: checked.sizeBytes,
    errors: count('error'),
    warnings: count('warning'),
    findings,
  }
}
