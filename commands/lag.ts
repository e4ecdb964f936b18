/** `lag`: how far behind groups are, and whether that is too far: once, until it is not, or again and again. */

import { Admin } from '../lib/client/admin.ts'
import { type GroupLag, readLag, totals } from '../lib/client/lag.ts'
import { sleep } from '../lib/io/clock.ts'
import {
  type Args,
  type CommandContext,
  CommandError,
  command,
  type ExitCode,
  exitCodes,
} from './command.ts'
import { failureOf } from './failures.ts'
import { findGroups, isNoSuchGroup, noSuchGroup, worseExit } from './groups/find.ts'
import { nagiosReport, nagiosUnknown } from './groups/lag-nagios.ts'
import { promText } from './groups/lag-prom.ts'
import { rateColumns } from './groups/lag-rates.ts'
import { groupings, lagColumnsOf, lagJson, lagRows, marked, orders } from './groups/lag-rows.ts'
import { watchLag } from './groups/lag-watch.ts'
import { hasLimit, type Limits, throwIfUnread, type Verdict, verdictOf } from './groups/limits.ts'
import { choice, duration, flag, integer, option, parseText, repeated } from './options.ts'
import { findTopics, isPattern, nameMatcher, noSuchTopic } from './topics/find.ts'
import { BadValue, parseDuration } from './values.ts'

const limit = integer({ min: 0 })
/** More often than this, asking would be most of what a broker does. */
const intervalMinMs = 100

const options = {
  topic: repeated(
    'only this topic, or /re/; every partition of it, for groups named in full',
    parseText,
    {
      word: 'T',
      completes: 'topic',
    },
  ),
  by: choice(groupings)('what a line sums up', { fallback: 'partition' }),
  max: limit('exit 1 if a group is further behind in total'),
  maxPartition: limit('exit 1 if a partition is further behind'),
  maxTime: duration('exit 1 if an unread record is older'),
  warn: limit('say so if a group is further behind in total'),
  uncommitted: choice(['count', 'ignore', 'fail'])(
    'partitions without a commit: count them as unread, leave them out, or exit 1',
    {
      fallback: 'count',
    },
  ),
  wait: duration('until it is within limits, this long at most'),
  watch: flag('again and again, with rates'),
  interval: option('between looks', parseInterval, { word: 'D', fallback: '2s' }),
  count: integer({ min: 1 })('looks, with --watch'),
  onlyLagging: flag('only what is behind'),
  sort: choice(orders)('by name, or the worst first', { fallback: 'name' }),
  nagios: flag('one line for Nagios, which exits 0, 1, 2 or 3'),
}

type LagArgs = Args<typeof options>

export const lag = command({
  name: 'lag',
  about: 'how far behind a consumer group is',
  positionals: '[GROUP|/re/]...',
  options,
  examples: [
    ['lag', 'every group, one line per partition'],
    ['lag billing --max 1000', 'exit 1 if it is over 1000 behind in total'],
    ['lag billing --max 0 --wait 90s', 'block until it has caught up, 90 s at most'],
    ['lag --by group --json | jq .groups[].lag', 'totals for a script'],
    ['lag billing --warn 50 --max 100 --nagios', 'for monitoring'],
    ['lag /bill.*/ --watch --only-lagging', 'what is behind now, with rates'],
  ],
  description: [
    "LAG is what Kafka's own tools say: the log's end minus the commit; without a commit the whole log. Limits compare the effective lag, which leaves out markers of transactions at the end of a log: no reader is ever given those. A partition without a commit has - for COMMITTED; one whose unread records were deleted counts from the log's start and has their number in EXPIRED.",
    'SECONDS is the age of the first unread record, read from the log: of 100 partitions at most, unless --max-time is given. A partition counts for a group that has committed it or has a member that reads it.',
    'It never ends with 0 when something that was asked for could not be read: 5 or 6 then, whatever the rest is like. --nagios has exit codes of its own: 0 within limits, 1 over --warn, 2 over a limit, 3 cannot tell.',
  ],
  columns: [...lagColumnsOf.partition, ...rateColumns],
  exits: {
    0: 'within limits',
    1: 'over a limit or --wait ran out',
    3: 'no such group or topic',
    5: 'cannot reach or cannot read an offset',
    6: 'not allowed',
  },
  hasProm: true,
  run: async (context, args) => {
    checkFlags(context, args)
    if (!args.nagios) return args.watch ? watch(context, args) : once(context, args)
    const { line, exit } = await nagios(context, args)
    await context.out.line(line)
    return exit
  },
})

function parseInterval(text: string): number {
  const intervalMs = parseDuration(text)
  if (intervalMs < intervalMinMs) throw new BadValue(`a duration from ${intervalMinMs}ms`)
  return intervalMs
}

function limitsOf({ max, maxPartition, maxTime, warn, uncommitted }: LagArgs): Limits {
  const isCommitRequired = uncommitted === 'fail'
  return { max, maxPartition, maxTimeMs: maxTime, warn, isCommitRequired }
}

/** What makes no sense together. Throws CommandError 2. */
function checkFlags(context: CommandContext, args: LagArgs): void {
  const { watch: isWatch, wait, nagios: isNagios, count } = args
  const refuse = (why: string) => {
    throw new CommandError(exitCodes.usage, why, 'usage: ottla lag [GROUP|/re/]... ; see --help')
  }
  if (isWatch && wait !== undefined) refuse('--watch and --wait exclude each other')
  if (isWatch && isNagios) refuse('--watch and --nagios exclude each other')
  if (isWatch && context.out.format === 'prom') refuse('--watch has no output in the format prom')
  if (count !== undefined && !isWatch) refuse('--count goes with --watch')
  if (wait !== undefined && !hasLimit(limitsOf(args))) {
    refuse('--wait needs a limit: --max, --max-partition or --max-time')
  }
}

/** What one look showed. */
interface Look {
  readonly groups: readonly GroupLag[]
  /** Groups that were named and do not exist. */
  readonly missing: readonly string[]
  /** 5 or 6 when a broker did not list its groups. */
  readonly unlisted: ExitCode
  readonly verdict: Verdict
}

async function look(context: CommandContext, args: LagArgs): Promise<Look> {
  const client = await context.client()
  const admin = new Admin(client)
  const done = context.waiting(context.globals.brokers.join(','))
  try {
    const { names, required, exit } = await findGroups(context, admin, args.positionals)
    const topics = await topicFilter(context, args)
    const isNamed = args.positionals.length > 0 && required.size === names.length
    const found = await readLag({ client, admin }, names, {
      hasTopic: topics.matches,
      ...(isNamed ? { wholeTopics: topics.names } : {}),
      ...(args.maxTime === undefined ? {} : { peeksMax: Number.POSITIVE_INFINITY }),
    })
    const missing: string[] = []
    const groups = found.filter(({ groupId, error }) => {
      if (!isNoSuchGroup(error)) return true
      // One that was listed and is gone by now is nobody's failure.
      if (required.has(groupId)) missing.push(groupId)
      return false
    })
    const counted = args.uncommitted === 'ignore' ? groups.map(withoutUncommitted) : groups
    const verdict = verdictOf(counted, limitsOf(args))
    return { groups: counted, missing, unlisted: exit, verdict }
  } finally {
    done()
  }
}

/** Which topics count. Throws CommandError 3 for one that does not exist. */
async function topicFilter(
  context: CommandContext,
  { topic: operands }: LagArgs,
): Promise<{ matches: (topic: string) => boolean; names: readonly string[] }> {
  if (operands.length === 0) return { matches: () => true, names: [] }
  const names = operands.filter((operand) => !isPattern(operand))
  const matchers = await Promise.all(operands.map((operand) => nameMatcher(operand, false)))
  if (names.length > 0) {
    const { missing, known } = await findTopics(await context.client(), names)
    const [first] = missing
    if (first !== undefined) throw noSuchTopic(first, context.globals.brokers, known)
  }
  return { matches: (topic) => matchers.some((matches) => matches(topic)), names }
}

function withoutUncommitted(group: GroupLag): GroupLag {
  const kept = group.partitions.filter(({ flag }) => flag !== 'nocommit')
  if (kept.length === group.partitions.length) return group
  return { ...group, partitions: kept, ...totals(kept) }
}

async function once(context: CommandContext, args: LagArgs): Promise<ExitCode> {
  const seen = args.wait === undefined ? await look(context, args) : await waited(context, args)
  throwIfUnread(seen.groups)
  // Nothing but names that do not exist: there is no table of it.
  if (seen.groups.length > 0 || seen.missing.length === 0) await print(context, args, seen)
  return report(context, seen)
}

/** Looks until all limits hold; the last look when the time is over. */
async function waited(context: CommandContext, args: LagArgs): Promise<Look> {
  const { clock } = context.env
  const untilMs = clock.monotonicMs() + (args.wait ?? 0)
  for (;;) {
    const seen = await look(context, args).catch((error: unknown) => {
      // A broker that is gone for a moment is what one waits out.
      const isOver = clock.monotonicMs() + args.interval >= untilMs
      if (isOver || failureOf(error).exit !== exitCodes.unavailable) throw error
      return null
    })
    const isDone = seen !== null && (seen.missing.length > 0 || isWithin(seen))
    if (isDone) return seen
    const leftMs = untilMs - clock.monotonicMs()
    if (seen !== null && leftMs <= 0) return seen
    await sleep(clock, Math.max(Math.min(args.interval, leftMs), 0), context.signal)
  }
}

function isWithin({ verdict, unlisted }: Look): boolean {
  return verdict.over.length === 0 && verdict.exit === exitCodes.done && unlisted === exitCodes.done
}

/** What is said of it on standard error, and the exit code. */
async function report(
  context: CommandContext,
  { missing, verdict, unlisted }: Look,
): Promise<ExitCode> {
  for (const text of verdict.unreadable) context.warn(text)
  for (const { text } of verdict.warned) context.warn(text)
  const failures = verdict.over.map(
    ({ group, text }) => new CommandError(exitCodes.no, text, '', { details: { group } }),
  )
  const admin = new Admin(await context.client())
  for (const name of missing) failures.push(await noSuchGroup(admin, name))
  const unread = worseExit(verdict.exit, unlisted)
  const worst = missing.length > 0 ? exitCodes.notFound : exitCodes.no
  const exit = unread !== exitCodes.done ? unread : failures.length > 0 ? worst : exitCodes.done
  const [only] = failures
  // The one thing that is wrong is the command's own failure, in JSON too.
  if (only !== undefined && failures.length === 1 && only.exit === exit) throw only
  for (const { message } of failures) context.warn(message)
  return exit
}

/** The first look must succeed; a group that was named and goes later is only said to be gone. */
async function watch(context: CommandContext, args: LagArgs): Promise<ExitCode> {
  let last: Look | null = null
  return watchLag(context, {
    by: args.by,
    order: args.sort,
    intervalMs: args.interval,
    count: args.count,
    look: async () => {
      const seen = await look(context, args)
      const [missing] = seen.missing
      if (last === null && missing !== undefined) {
        throw await noSuchGroup(new Admin(await context.client()), missing)
      }
      if (last === null) throwIfUnread(seen.groups)
      last = seen
      const over = new Set(seen.verdict.over.map(({ group }) => group))
      const groups = args.onlyLagging ? lagging(seen.groups) : seen.groups
      const problems = seen.verdict.unreadable
      return { groups, problems, isOver: (group) => over.has(group) }
    },
    exitOf: async () => (last === null ? exitCodes.done : report(context, last)),
  })
}

async function nagios(
  context: CommandContext,
  args: LagArgs,
): Promise<{ line: string; exit: ExitCode }> {
  try {
    const seen = args.wait === undefined ? await look(context, args) : await waited(context, args)
    const [missing] = seen.missing
    if (missing !== undefined && seen.verdict.over.length === 0) {
      return nagiosUnknown((await noSuchGroup(new Admin(await context.client()), missing)).message)
    }
    if (seen.unlisted !== exitCodes.done && seen.verdict.over.length === 0) {
      return nagiosUnknown('a broker did not list its groups')
    }
    return nagiosReport(seen.groups, { limits: limitsOf(args), verdict: seen.verdict })
  } catch (error) {
    const { exit, message } = failureOf(error)
    if (exit === exitCodes.bug) throw error
    return nagiosUnknown(message)
  }
}

/** Groups and partitions that are behind, or of which nobody knows. */
function lagging(groups: readonly GroupLag[]): GroupLag[] {
  return groups
    .map((group) => ({
      ...group,
      partitions: group.partitions.filter(({ effectiveLag }) => effectiveLag !== 0),
    }))
    .filter(({ partitions, error }) => partitions.length > 0 || error !== null)
}

async function print(context: CommandContext, args: LagArgs, seen: Look): Promise<void> {
  const { out } = context
  const groups = args.onlyLagging ? lagging(seen.groups) : seen.groups
  if (out.format === 'prom') return out.line(promText(groups))
  const isJson = out.format === 'json' || out.format === 'ndjson'
  await out.snapshot({
    kind: 'lag',
    plural: 'groups',
    columns: lagColumnsOf[args.by],
    rows: isJson ? jsonOf(args, groups, seen) : lagRows(groups, args.by, args.sort).map(marked),
  })
}

function jsonOf(args: LagArgs, groups: readonly GroupLag[], { verdict }: Look) {
  const over = new Set(verdict.over.map(({ group }) => group))
  return lagJson(groups, { by: args.by, order: args.sort, isOver: (group) => over.has(group) })
}
