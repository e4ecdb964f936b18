/**
 * `ottla produce TOPIC [FILE...]`: records from standard input or files into a topic. Exit 0 only
 * when every record was acknowledged. The work is in records/: produce-run.ts reads and counts,
 * line-record.ts makes records, input.ts opens sources.
 */

import type { TopicMetadata } from '../lib/client/metadata-cache.ts'
import type { RecordHeader } from '../lib/record/record.ts'
import { type CommandContext, CommandError, command, type ExitCode, exitCodes } from './command.ts'
import { failureOf } from './failures.ts'
import { mergePerField } from './records/encoding.ts'
import { fileSource, readWhole, repeatable, type Source, sourcesOf } from './records/input.ts'
import {
  envelopeParser,
  InvalidRecordError,
  type NewRecord,
  type RecordDefaults,
  type RecordParser,
  textParser,
} from './records/line-record.ts'
import {
  bufferBytesOf,
  checkProduceArgs,
  type ProduceArgs,
  produceOptions,
  producerOptionsOf,
} from './records/produce-options.ts'
import { ProduceRun } from './records/produce-run.ts'
import { countText, secondsText, sizeText } from './records/summary.ts'
import { checkPartition, lookUpTopic, noSuchPartition } from './records/topics.ts'
import { timeMs } from './values.ts'

export const produce = command({
  name: 'produce',
  jsonIsInput: true,
  about: 'write records from standard input or files to a topic',
  positionals: 'TOPIC [FILE...]',
  onSignal: 'finish',
  options: produceOptions,
  examples: [
    ['produce logs < app.log', 'Each line is a record.'],
    ['produce logs app.log', 'The same from a file.'],
    ['produce users -K : < pairs.txt', 'key:value in each line.'],
    ['produce orders --json < orders.ndjson', 'What `consume --json` wrote, byte for byte.'],
  ],
  description: [
    'Input is bytes, never text: it is cut at the delimiter, carriage returns are data, and a last line without a delimiter counts. Empty lines are skipped and counted unless --keep-empty or -Z is given.',
    'What a read returns is sent at once; a batch lingers 5 ms for more. Records of one partition stay in order. Memory is bounded by --buffer: a full buffer stops the reading. After a failed record nothing more is read, and the run ends when everything on its way is settled.',
    'With --json each line is a record envelope, see ottla-record(5); what kcat -J, kaf, rpk, kcl and kafkactl print is recognised by the first line. The topic is never created.',
  ],
  exits: {
    1: 'no record, with --fail-empty',
    3: 'no such topic or partition',
    4: 'a line is no record, or too large',
    7: 'some records failed',
  },
  run: async (context, args): Promise<ExitCode> => {
    checkProduceArgs(args, context.globals.json)
    const [topicName = '', ...files] = args.positionals
    const topic = await lookUpTopic(context, topicName)
    const partition = (args.partition ?? -1) < 0 ? undefined : args.partition
    if (partition !== undefined) checkPartition(topic, partition)
    const sources = await openSources(context, args, files)
    const parserFor = await parserOf(context, args, { topic: topicName, partition })
    const { Producer } = await import('../lib/client/producer.ts')
    const producer = new Producer(await context.client(), producerOptionsOf(args, context))
    const run = new ProduceRun(context, producer, {
      parserFor,
      delimiter: args.whole || args.filePerMessage ? null : args.delimiter,
      keepEmpty: args.keepEmpty || args.emptyNull,
      check: checkOf(context, args, topic),
      maxPieceBytes: bufferBytesOf(args, context),
      countMax: args.count ?? Number.POSITIVE_INFINITY,
      rate: args.rate ?? 0,
      repeat: args.repeat,
      tee: args.tee,
      report: args.report,
    })
    context.onForcedExit(() =>
      run.inFlight === 0 ? '' : `${countText(run.inFlight, 'record')} dropped`,
    )
    const startedMs = context.env.clock.monotonicMs()
    await run.run(sources)
    return settle(context, run, {
      topic: topicName,
      tookMs: context.env.clock.monotonicMs() - startedMs,
      failEmpty: args.failEmpty,
    })
  },
})

async function openSources(
  context: CommandContext,
  args: ProduceArgs,
  files: readonly string[],
): Promise<Source[]> {
  const sources = sourcesOf(files, context)
  if (context.stdinIsTty && sources.some(({ name }) => name === 'stdin')) {
    const what = args.whole ? 'one record' : 'records'
    const how = args.whole ? '' : ', one per line'
    context.note(`reading ${what} from the terminal${how}; Ctrl-D ends`)
  }
  if (!args.repeat) return sources
  const maxBytes = bufferBytesOf(args, context)
  return await Promise.all(sources.map((source) => repeatable(source, maxBytes)))
}

/** Makes the parser for each source: -k and -H may name its file. */
async function parserOf(
  context: CommandContext,
  args: ProduceArgs,
  place: { topic: string; partition: number | undefined },
): Promise<(source: Source) => RecordParser> {
  const { nowMs } = context.env.clock
  const timestampMs = args.timestamp && timeMs(args.timestamp, nowMs.call(context.env.clock))
  const files = await headerFiles(context, args)
  const { keepPartition, keepTopic } = args
  let envelopes: RecordParser | null = null
  return (source) => {
    const named = (given: string) =>
      args.filePerMessage ? given.replaceAll('%f', source.name) : given
    const headers = args.header.map(({ name, value }): RecordHeader => {
      if (value === null) return { key: named(name), value: null }
      if ('file' in value) return { key: named(name), value: files.get(value.file) ?? null }
      return { key: named(name), value: Buffer.from(named(value.text)) }
    })
    const key = args.key === undefined ? null : Buffer.from(named(args.key))
    const defaults: RecordDefaults = { ...place, key, headers, timestampMs }
    if (context.globals.json) {
      envelopes ??= envelopeParser(defaults, { keepPartition, keepTopic })
      return envelopes
    }
    return textParser(defaults, {
      keyDelimiter: args.keyDelimiter,
      nullMark: args.null,
      emptyIsNull: args.emptyNull,
      encoding: mergePerField(args.encoding),
      parseHeaders: args.parseHeaders,
    })
  }
}

/** The bytes of -H name=@FILE, by file. */
async function headerFiles(
  context: CommandContext,
  args: ProduceArgs,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  const maxBytes = bufferBytesOf(args, context)
  for (const { value } of args.header) {
    if (value === null || !('file' in value)) continue
    files.set(value.file, await readWhole(fileSource(context, value.file), maxBytes))
  }
  return files
}

/** What has to be known of a record's topic and partition before it is sent. */
function checkOf(
  context: CommandContext,
  { keepPartition, keepTopic }: ProduceArgs,
  topic: TopicMetadata,
): (record: NewRecord) => Promise<void> | null {
  if (!keepPartition && !keepTopic) return () => null
  const known = new Map([[topic.name, topic]])
  const checkKnown = (found: TopicMetadata, { partition }: NewRecord) => {
    if (partition === undefined || partition < found.partitions.length) return
    throw new InvalidRecordError(`/partition: ${noSuchPartition(found, partition)}`)
  }
  return (record) => {
    const found = known.get(record.topic)
    if (found !== undefined) {
      const { partition } = record
      if (partition === undefined || partition < found.partitions.length) return null
    }
    return (async () => {
      const checked = found ?? (await lookUpTopic(context, record.topic))
      known.set(record.topic, checked)
      checkKnown(checked, record)
    })()
  }
}

/** The summary on standard error and the exit code; throws CommandError when something failed. */
function settle(
  context: CommandContext,
  run: ProduceRun,
  { topic, tookMs, failEmpty }: { topic: string; tookMs: number; failEmpty: boolean },
): ExitCode {
  const { counts, invalid, firstFailure } = run
  const { delivered, failed, skippedEmpty, rejected, topics } = counts
  if (invalid !== null) {
    const also = failed === 0 ? '' : `, ${failed} failed`
    throw new CommandError(
      exitCodes.invalidData,
      `${invalid.place}: ${invalid.message} (${countText(rejected, 'line')} rejected, ${delivered} sent${also})`,
    )
  }
  const to = topics.size > 1 ? countText(topics.size, 'topic') : ([...topics][0] ?? topic)
  const size = failed === 0 ? ` (${sizeText(counts.bytes)})` : ''
  const parts = [
    `${countText(delivered, 'record')}${size} to ${to} in ${secondsText(tookMs)}`,
    `${failed} failed`,
  ]
  if (skippedEmpty > 0) parts.push(`${countText(skippedEmpty, 'empty line')} skipped`)
  if (firstFailure !== null) {
    const { exit, name } = failureOf(firstFailure.error)
    const code = exit === exitCodes.invalidData || delivered === 0 ? exit : exitCodes.someFailed
    const summary = `${parts.join(', ')}; first ${firstFailure.place}: ${firstFailure.message}`
    throw new CommandError(code, summary, '', { details: { name }, cause: firstFailure.error })
  }
  context.note(parts.join(', '))
  return failEmpty && delivered === 0 ? exitCodes.no : exitCodes.done
}
