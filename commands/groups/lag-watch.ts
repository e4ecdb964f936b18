/**
 * `lag --watch`: looks again and again. A terminal is redrawn in place; a pipe gets one block of
 * rows per look under one header, each with the time; JSON is one object per look. A look that fails
 * is said once and tried again, unless it is the first.
 */

import type { GroupLag } from '../../lib/client/lag.ts'
import { sleep } from '../../lib/io/clock.ts'
import type { Column, CommandContext, ExitCode, Row } from '../command.ts'
import { exitCodes } from '../command.ts'
import { failureOf } from '../failures.ts'
import { type Counts, countsOf, rateColumns, ratesOf } from './lag-rates.ts'
import { type Grouping, lagColumnsOf, lagJson, lagRows, marked, type Order } from './lag-rows.ts'

export interface Tick {
  readonly groups: readonly GroupLag[]
  /** What could not be read. */
  readonly problems: readonly string[]
  readonly isOver: (group: string) => boolean
}

export interface WatchOptions {
  readonly by: Grouping
  readonly order: Order
  readonly intervalMs: number
  /** Looks; without end when undefined. */
  readonly count: number | undefined
  /** Groups to show, and how the look ends when it is the last. Throws what ends the watch. */
  readonly look: () => Promise<Tick>
  readonly exitOf: () => Promise<ExitCode>
}

interface Rates {
  readonly before: Counts | null
  readonly now: Counts
}

const atColumn: Column = { title: 'AT', key: 'at', about: 'when it was so' }
/** Home, and clear what is below: what was there is overwritten, not scrolled away. */
const redraw = '\x1b[H\x1b[J'

/** The exit code is that of the last look; without `count` it goes on until it is stopped. */
export async function watchLag(context: CommandContext, options: WatchOptions): Promise<ExitCode> {
  const { out } = context
  const columns = [...lagColumnsOf[options.by], ...rateColumns]
  const ticks = looks(context, options)
  if (out.format === 'table') {
    let isFirst = true
    for await (const { at, rows } of ticks) {
      if (out.isClosed) break
      if (out.isTty) await out.write([Buffer.from(redraw)])
      const lead = isFirst || out.isTty ? [at] : ['', at]
      await out.snapshot({ kind: 'lag', plural: 'groups', columns, rows, lead })
      isFirst = false
    }
  } else {
    await out.stream([atColumn, ...columns], blocksOf(ticks))
  }
  return options.exitOf()
}

interface Seen {
  readonly at: string
  /** For a table, or one object for JSON. */
  readonly rows: readonly Row[]
}

async function* blocksOf(ticks: AsyncIterable<Seen>): AsyncIterable<readonly Row[]> {
  for await (const { rows } of ticks) yield rows
}

async function* looks(context: CommandContext, options: WatchOptions): AsyncIterable<Seen> {
  const { clock } = context.env
  let before: Counts | null = null
  let told: readonly string[] = []
  const tell = (problems: readonly string[]) => {
    for (const problem of problems) if (!told.includes(problem)) context.warn(problem)
    told = problems
  }
  for (let tick = 1; ; tick++) {
    const beganMs = clock.monotonicMs()
    try {
      const seen = await options.look()
      const now = countsOf(seen.groups, options.by, clock.monotonicMs())
      // The last one's are for `exitOf` to tell.
      if (tick !== options.count) tell(seen.problems)
      yield seenAs(context, { seen, options, rates: { before, now } })
      before = now
    } catch (error) {
      const { message, exit } = failureOf(error)
      const isLast = tick === options.count
      if (before === null || isLast || exit !== exitCodes.unavailable) throw error
      tell([message])
    }
    if (tick === options.count) return
    const restMs = Math.max(options.intervalMs - (clock.monotonicMs() - beganMs), 0)
    await sleep(clock, restMs, context.signal)
  }
}

function seenAs(
  { env, out }: CommandContext,
  {
    seen: { groups, isOver },
    options: { by, order },
    rates,
  }: { seen: Tick; options: WatchOptions; rates: Rates },
): Seen {
  const at = new Date(env.clock.nowMs()).toISOString()
  if (out.format === 'json' || out.format === 'ndjson') {
    const rows = lagJson(groups, { by, order, isOver }).map((group) => withRates(group, by, rates))
    return { at, rows: [{ kind: 'ottla.lag/v1', at, groups: rows }] }
  }
  const rows = lagRows(groups, by, order)
  return { at, rows: rows.map((row) => ({ at, ...marked(row), ...ratesOf(row, by, rates) })) }
}

/** The rates of a group and of its parts. */
function withRates(group: Row, by: Grouping, rates: Rates): Row {
  const parts = Object.entries(group).map(([key, value]) => {
    if (!Array.isArray(value)) return [key, value]
    const rows: readonly Row[] = value
    const rated = rows.map((row) => {
      return { ...row, ...ratesOf({ group: group['group'], ...row }, by, rates) }
    })
    return [key, rated]
  })
  return { ...Object.fromEntries(parts), ...ratesOf(group, 'group', rates) }
}
