/** `topic trim`: deletes the oldest records of a topic's partitions, up to an offset or a time. */

import type { Offset } from '../lib/base/types.ts'
import { Admin } from '../lib/client/admin.ts'
import { type CommandContext, CommandError, command, type ExitCode, exitCodes } from './command.ts'
import { failureOf } from './failures.ts'
import { flag, option } from './options.ts'
import { parsePartitionList } from './records/partition-list.ts'
import { confirmNames, notExecuted } from './topics/confirm.ts'
import { findTopic } from './topics/find.ts'
import { type PartitionRange, partitionRanges, selectPartitions } from './topics/ranges.ts'
import { BadValue, parseInteger, parseTime, type Time, timeMs } from './values.ts'

const columns = [
  { title: 'PARTITION', key: 'partition', about: 'number', isNumber: true },
  { title: 'OLD', key: 'old', about: 'offset of the first record before', isNumber: true },
  { title: 'NEW', key: 'new', about: 'offset of the first record then', isNumber: true },
]

type Target = { readonly offset: Offset } | { readonly time: Time } | 'end'

interface Step {
  readonly topic: string
  readonly partition: number
  readonly old: Offset
  readonly next: Offset
}

export const topicTrim = command({
  name: 'topic trim',
  about: 'delete the oldest records of a topic',
  positionals: 'TOPIC',
  options: {
    to: option('first record to keep: OFFSET, @TIME or end', parseTarget, { word: 'TARGET' }),
    partition: option('only these partitions, such as 0,3-5', parsePartitionList, {
      word: 'LIST',
      letter: 'p',
    }),
    execute: flag('do it; otherwise the plan is shown'),
  },
  examples: [
    ['topic trim orders --to @-7d', 'what would go if a week were kept'],
    ['topic trim orders --to @-7d --execute', 'delete it'],
    ['topic trim orders --to end --execute', 'empty the topic'],
    ['topic trim orders -p 0 --to 1000 --execute', 'the first thousand of partition 0'],
  ],
  description: [
    'Without --execute it asks on a terminal for the name to be typed; elsewhere it prints the plan and ends with 2. An offset below the first record of a partition changes nothing there, one beyond its end empties it; one beyond the end of all is an error.',
  ],
  columns,
  exits: {
    2: 'usage, or not confirmed',
    3: 'no such topic or partition',
    7: 'some partitions failed',
  },
  run: async (context, { to, partition, execute, positionals: [name = ''] }) => {
    if (to === undefined) {
      const usage = 'usage: ottla topic trim TOPIC --to OFFSET|@TIME|end; see --help'
      throw new CommandError(exitCodes.usage, 'no --to given', usage)
    }
    const client = await context.client()
    const topic = await findTopic(client, name, context.globals.brokers)
    const wanted = selectPartitions(topic, partition)
    const atMs =
      typeof to === 'object' && 'time' in to ? timeMs(to.time, context.env.clock.nowMs()) : null
    const ranges = await partitionRanges(client, [wanted], atMs)
    if (typeof to === 'object' && 'offset' in to) checkOffset(to.offset, ranges)
    const plan = ranges.map((range) => stepOf(range, to))
    const isNeeded = plan.some(({ old, next }) => next > old)
    if (!execute && !(isNeeded && (await confirmNames(context, 'trim', [name])))) {
      await print(context, name, plan)
      throw notExecuted('--execute')
    }
    return trim(context, name, plan)
  },
})

function parseTarget(text: string): Target {
  if (text === 'end') return 'end'
  try {
    if (text.startsWith('@')) return { time: parseTime(text) }
    return { offset: parseInteger(text, { min: 0 }) }
  } catch {
    throw new BadValue('an offset, @TIME or end, for example @-24h')
  }
}

function stepOf(range: PartitionRange, to: Target): Step {
  const { topic, partition, start, end, at, error } = range
  if (error !== null) throw error
  if (start === null || end === null) {
    throw new CommandError(exitCodes.unavailable, `partition ${partition} has no offsets to tell`)
  }
  // No record at or after the time: everything is older.
  const wanted = to === 'end' ? end : 'offset' in to ? to.offset : (at ?? end)
  return { topic, partition, old: start, next: Math.max(Math.min(wanted, end), start) }
}

/** Beyond every partition's end an offset is rather a slip than a wish. Throws CommandError 2. */
function checkOffset(offset: Offset, ranges: readonly PartitionRange[]): void {
  const last = Math.max(...ranges.map(({ end }) => end ?? 0))
  if (offset <= last) return
  throw new CommandError(
    exitCodes.usage,
    `bad --to ${offset}: no partition asked for goes beyond ${last}; "end" is all there is`,
  )
}

async function trim(
  context: CommandContext,
  name: string,
  plan: readonly Step[],
): Promise<ExitCode> {
  const steps = plan.filter(({ old, next }) => next > old)
  const admin = new Admin(await context.client())
  const results = await admin.deleteRecords(
    steps.map(({ topic, partition, next }) => ({ topic, partition, offset: next })),
  )
  const exits: ExitCode[] = plan.filter(({ old, next }) => next <= old).map(() => exitCodes.done)
  const reached = new Map<number, Offset>()
  for (const { partition, lowWatermark, error } of results) {
    if (error === null) {
      exits.push(exitCodes.done)
      reached.set(partition, lowWatermark)
      continue
    }
    const { exit, message } = failureOf(error)
    exits.push(exit)
    context.warn(`partition ${partition}: ${message}`)
  }
  const done = plan.map((step) => ({ ...step, next: reached.get(step.partition) ?? step.old }))
  await print(context, name, done)
  const [first = exitCodes.done] = exits
  return exits.every((exit) => exit === first) ? first : exitCodes.someFailed
}

function print(context: CommandContext, name: string, plan: readonly Step[]): Promise<void> {
  return context.out.snapshot({
    kind: 'topic-trim',
    plural: 'partitions',
    columns,
    rows: plan.map(({ partition, old, next }) => ({ partition, old, new: next })),
    extra: { topic: name },
  })
}
