/** The options of `consume` and `tail`: the table, and what only their combination decides. */

import type { ConsumerOptions } from '../../lib/client/consumer.ts'
import { type Args, type CommandContext, CommandError, exitCodes } from '../command.ts'
import { bytes, choice, duration, flag, integer, option, repeated, text } from '../options.ts'
import { BadValue, parseBytes, parseInteger } from '../values.ts'
import { mergePerField, parseRendering } from './encoding.ts'
import { compileFormat } from './format.ts'
import { type OffsetSpec, parseOffsetSpec } from './offset-spec.ts'
import { parsePartitionList } from './partition-list.ts'
import { type Printer, printerOf } from './record-writers.ts'

/** A format that can be compiled. */
const parseFormatText = (given: string): string => {
  if (given === '') throw new BadValue('a format such as "%k %s\\n"')
  compileFormat(given)
  return given
}

const offsetOption = {
  ...repeated('start, end, committed, N, +N, -N, @TIME, FROM:TO, or 0=10,1=20', String, {
    letter: 'o',
    word: 'O',
  }),
  read: (texts: readonly string[]) => (texts.length === 0 ? null : parseOffsetSpec(texts)),
}

/** What both commands have. */
export const readOptions = {
  partition: option('only these partitions, 0,3-5', parsePartitionList, {
    letter: 'p',
    word: 'LIST',
  }),
  exit: flag('exit at the end that each partition has now', { letter: 'e' }),
  idle: duration('exit when no record came for so long'),
  failEmpty: flag('exit 1 when there was no record'),
  print: option(
    'format: %s value, %k key, %o offset, %d time; see ottla-formats(7)',
    parseFormatText,
    {
      letter: 'f',
      word: 'FMT',
    },
  ),
  meta: flag('with --json: leaderEpoch, producerId and size, too'),
  keyDelimiter: bytes('print key, S and value', { letter: 'K', word: 'S' }),
  delimiter: option('what ends a record', parseBytes, { letter: 'D', word: 'S', fallback: '\\n' }),
  nullMark: flag('a null key or value prints as NULL', { letter: 'Z' }),
  null: bytes('what a null key or value prints as', { word: 'MARK' }),
  decode: repeated('[key=|value=]hex|base64|json: how bytes are shown', parseRendering, {
    word: 'KIND',
  }),
  raw: flag('control characters as they are, on a terminal too'),
  maxOffline: duration('exit 5 when no broker was reached for so long'),
}

export const consumeOptions = {
  offset: offsetOption,
  fromBeginning: flag('as -o start', { hidden: true }),
  tail: integer({ min: 0 })('only the last N records over all partitions, by time; then follow'),
  count: integer({ min: 0 })('exit after N records', {
    letter: 'n',
    aliases: ['c', 'num', 'max-messages'],
  }),
  group: text('read as a member of this consumer group', { letter: 'g', word: 'GROUP' }),
  commit: choice(['auto', 'no', 'exit'])(
    'with -g: commit every 5 s (auto, the default), never, or once at the end',
  ),
  ...readOptions,
}

export const tailOptions = {
  offset: { ...text('', { letter: 'o', hidden: true }), read: refuseOffset },
  count: integer({ min: 0 })('how many to begin with', {
    letter: 'n',
    aliases: ['c', 'num'],
    fallback: '10',
  }),
  ...readOptions,
}

function refuseOffset(texts: readonly string[]): undefined {
  if (texts.length > 0)
    throw new BadValue('no offset: tail begins at the last records; see consume')
  return undefined
}

/**
 * Where reading starts: -o, else what -X auto.offset.reset says, else the start. Throws CommandError
 * 2 for -o beside --from-beginning.
 */
export function offsetSpecOf(
  { offset, fromBeginning }: Args<typeof consumeOptions>,
  { globals }: CommandContext,
): OffsetSpec {
  if (offset !== null && fromBeginning) {
    throw usage('-o and --from-beginning cannot go together')
  }
  const reset = fromBeginning ? 'start' : (globals.properties['auto.offset.reset'] ?? 'start')
  return offset ?? parseOffsetSpec([/latest|largest|end/.test(reset) ? 'end' : 'start'])
}

export type ReadArgs = Args<typeof readOptions>

/** How records are printed with these options. Throws CommandError 2 for options that contradict each other. */
export function readPrinter(args: ReadArgs, context: CommandContext): Printer {
  const { globals, out } = context
  const isJson = globals.json || globals.format === 'json' || globals.format === 'ndjson'
  const hasMark = args.nullMark || args.null !== undefined
  const conflicts: readonly (readonly [boolean, string, string])[] = [
    [isJson && args.print !== undefined, '--json', '-f'],
    [isJson && args.keyDelimiter !== undefined, '--json', '-K'],
    [isJson && hasMark, '--json', args.nullMark ? '-Z' : '--null'],
    [args.print !== undefined && args.keyDelimiter !== undefined, '-f', '-K'],
    [args.nullMark && args.null !== undefined, '-Z', '--null'],
  ]
  for (const [isConflict, one, other] of conflicts) {
    if (isConflict) throw usage(`${one} and ${other} cannot go together`)
  }
  if (args.meta && !isJson) throw usage('--meta needs --json')
  return printerOf({
    isJson,
    meta: args.meta,
    format: args.print ?? null,
    keyDelimiter: args.keyDelimiter ?? null,
    delimiter: args.delimiter,
    nullMark: args.nullMark ? Buffer.from('NULL') : (args.null ?? null),
    decode: mergePerField(args.decode),
    isTty: out.isTty && !args.raw,
  })
}

function usage(message: string): CommandError {
  return new CommandError(exitCodes.usage, message)
}

/** The consumer's settings: flags, then -X and the configuration file, then defaults. */
export function consumerOptionsOf(
  args: ReadArgs,
  context: CommandContext,
  isBounded: boolean,
): ConsumerOptions {
  const { properties, timeoutMs, retryForMs } = context.globals
  const from = (name: string): number | undefined => {
    const given = properties[name]
    return given === undefined ? undefined : parseInteger(given, { min: 0 })
  }
  const minBytes = from('fetch.min.bytes')
  const maxBytes = from('fetch.max.bytes')
  const partitionMaxBytes = from('max.partition.fetch.bytes')
  const maxWaitMs = isBounded ? 0 : from('fetch.max.wait.ms')
  // Who follows waits for brokers to come back; who reads up to an end wants an answer.
  const boundedOfflineMs = isBounded ? Math.max(timeoutMs, retryForMs) : undefined
  const maxOfflineMs = args.maxOffline ?? boundedOfflineMs
  return {
    ...(minBytes === undefined ? {} : { minBytes }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(partitionMaxBytes === undefined ? {} : { partitionMaxBytes }),
    ...(maxWaitMs === undefined ? {} : { maxWaitMs }),
    ...(maxOfflineMs === undefined ? {} : { maxOfflineMs }),
    onOffline: (error) => context.warn(`${error.message}; trying again`),
    onOutOfRange: ({ topic, partition, position, logStartOffset, logEndOffset }) => {
      const isGone = position < logStartOffset
      const next = isGone ? logStartOffset : logEndOffset
      const what = isGone ? `is gone, going on at ${next}, the first` : `is past the end, ${next}`
      context.warn(`${topic}-${partition}: offset ${position} ${what}`)
      return next
    },
  }
}
