/** The options of `produce`: the table, and what only their combination decides. */

import type { ProducerOptions } from '../../lib/client/producer.ts'
import { type Args, type CommandContext, CommandError, exitCodes } from '../command.ts'
import {
  bytes,
  choice,
  duration,
  flag,
  integer,
  type Option,
  option,
  repeated,
  size,
  text,
  time,
} from '../options.ts'
import { BadValue, parseBytes, parseDuration, parseInteger, parseSize } from '../values.ts'
import { parseReport } from './delivery-report.ts'
import { parseEncoding } from './encoding.ts'
import { parseHeaderOption } from './headers-option.ts'

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
const partitioners = ['murmur2', 'crc32', 'random', 'rr'] as const
const acksWords = ['all', '1', '0', '-1'] as const

/** A default that -X may replace, hence not a value of the option: only help shows it. */
function shown<T>(fallbackText: string, given: Option<T>): Option<T> {
  return { ...given, fallbackText }
}

const delimiter = (given: string): Uint8Array => {
  const parsed = parseBytes(given)
  if (parsed.length === 0) throw new BadValue('a delimiter of at least one byte')
  return parsed
}

export const produceOptions = {
  delimiter: option('what ends a record', delimiter, { letter: 'D', word: 'S', fallback: '\\n' }),
  keyDelimiter: option(
    'what separates key and value: K is before its first occurrence',
    delimiter,
    {
      letter: 'K',
      word: 'S',
    },
  ),
  key: text('key of records that bring none (%f: file name)', { letter: 'k', word: 'S' }),
  header: repeated('header: n=v, n= (empty), n (null), n=@FILE', parseHeaderOption, {
    letter: 'H',
    word: 'N=V',
  }),
  partition: integer({ min: -1, max: 0x7fffffff })('partition (default: by key)', { letter: 'p' }),
  emptyNull: flag('an empty value is null, an empty key too', { letter: 'Z' }),
  null: bytes('what stands for a null key, value or header', { word: 'MARK' }),
  encoding: repeated('[key=|value=]utf8|hex|base64 of the input', parseEncoding, { word: 'KIND' }),
  parseHeaders: flag('lines begin with k:v,k:v and a tab'),
  filePerMessage: flag('each FILE is one record'),
  whole: flag('standard input is one record'),
  keepEmpty: flag('send empty lines, too'),
  keepPartition: flag('with --json: to the partition that the line names'),
  keepTopic: flag('with --json: to the topic that the line names'),
  timestamp: time('timestamp of every record (default: now)'),
  compression: shown('none', choice(codecs)('compression', { letter: 'z', word: 'CODEC' })),
  acks: shown('all', choice(acksWords)('who must have it: all, 1 (the leader), 0')),
  noIdempotence: flag('a repeated attempt may store a record twice'),
  partitioner: shown('murmur2', choice(partitioners)('how a key chooses its partition')),
  rate: integer({ min: 1 })('at most N records a second'),
  count: integer({ min: 0 })('stop after N records', { letter: 'n', aliases: ['c', 'num'] }),
  repeat: flag('begin again at the end of the input, until -n or Ctrl-C'),
  linger: shown('5ms', duration('how long a batch may wait for more')),
  batch: shown('64k', size('bytes of a full batch')),
  buffer: shown('32m', size('memory for records on their way; longest record')),
  deliveryTimeout: shown('30s', duration('until a record counts as failed')),
  report: option('a line per record on stdout: none, json, or a format', parseReport, {
    word: 'FMT',
    fallback: 'none',
  }),
  tee: flag('copy what is sent to stdout', { letter: 'T' }),
  failEmpty: flag('exit 1 when there was no record'),
}

export type ProduceArgs = Args<typeof produceOptions>

/** Throws CommandError 2 for options that contradict each other. */
export function checkProduceArgs(args: ProduceArgs, isJson: boolean): void {
  const conflicts: [boolean, string, string][] = []
  const jsonNot: [boolean, string][] = [
    [args.keyDelimiter !== undefined, '-K'],
    [args.key !== undefined, '-k'],
    [args.emptyNull, '-Z'],
    [args.null !== undefined, '--null'],
    [args.encoding.length > 0, '--encoding'],
    [args.parseHeaders, '--parse-headers'],
    [args.filePerMessage, '--file-per-message'],
    [args.whole, '--whole'],
  ]
  for (const [isGiven, name] of jsonNot) conflicts.push([isJson && isGiven, '--json', name])
  const partitionIsFixed = (args.partition ?? -1) >= 0
  conflicts.push([partitionIsFixed && args.keepPartition, '-p', '--keep-partition'])
  conflicts.push([args.whole && args.filePerMessage, '--whole', '--file-per-message'])
  conflicts.push([args.tee && args.report !== null, '-T', '--report'])
  for (const [isConflict, one, other] of conflicts) {
    if (isConflict) usage(`${one} and ${other} cannot go together`)
  }
  if (!isJson && args.keepPartition) usage('--keep-partition needs --json')
  if (!isJson && args.keepTopic) usage('--keep-topic needs --json')
  const files = args.positionals.slice(1)
  if (args.filePerMessage && files.length === 0) usage('--file-per-message needs a FILE')
  if (args.whole && files.length > 0) usage('--whole reads standard input; see --file-per-message')
}

function usage(message: string): never {
  throw new CommandError(exitCodes.usage, message)
}

/** The producer's settings: flag, else -X or configuration file, else default. */
export function producerOptionsOf(args: ProduceArgs, context: CommandContext): ProducerOptions {
  const { properties } = context.globals
  const from = <T>(name: string, parse: (text: string) => T): T | undefined => {
    const given = properties[name]
    return given === undefined ? undefined : parse(given)
  }
  const acksWord = args.acks ?? from('acks', (given) => given) ?? 'all'
  const acks = acksWord === 'all' || acksWord === '-1' ? 'all' : acksWord === '1' ? 1 : 0
  const isOff = args.noIdempotence || from('enable.idempotence', (given) => given) === 'false'
  const partitionerWord = args.partitioner ?? from('partitioner', partitionerOf)
  const whole = (given: string) => parseInteger(given, { min: 0 })
  return {
    acks,
    idempotent: acks === 'all' && !isOff,
    codec: args.compression ?? from('compression.type', codecOf) ?? 'none',
    lingerMs: args.linger ?? from('linger.ms', whole) ?? parseDuration('5ms'),
    batchBytes: args.batch ?? from('batch.size', whole) ?? parseSize('64k'),
    bufferBytes: bufferBytesOf(args, context),
    deliveryTimeoutMs: args.deliveryTimeout ?? from('delivery.timeout.ms', whole) ?? 30_000,
    partitioner: partitionerWord ?? 'murmur2',
  }
}

/** What --buffer or -X buffer.memory gives, at least one batch's worth. */
export function bufferBytesOf(args: ProduceArgs, { globals }: CommandContext): number {
  const given = globals.properties['buffer.memory']
  const parsed = given === undefined ? parseSize('32m') : parseInteger(given, { min: 1 })
  return Math.max(args.buffer ?? parsed, 1024)
}

function codecOf(given: string): (typeof codecs)[number] {
  return codecs.find((codec) => codec === given) ?? 'none'
}

function partitionerOf(given: string): (typeof partitioners)[number] {
  if (given === 'consistent_random') return 'crc32'
  return partitioners.find((name) => name === given) ?? 'murmur2'
}
