/**
 * How fast records come in and are read, from two looks at the same groups: `lag --watch` shows it.
 * A reader that is as fast as its writers, or slower, never catches up.
 */

import type { GroupLag } from '../../lib/client/lag.ts'
import type { Column, Row } from '../command.ts'
import type { Grouping } from './lag-rows.ts'

export const rateColumns: readonly Column[] = [
  { title: 'IN/S', key: 'inPerSecond', about: 'records written per second', isNumber: true },
  { title: 'OUT/S', key: 'outPerSecond', about: 'records read per second', isNumber: true },
  {
    title: 'ETA',
    key: 'eta',
    about: 'seconds until it has caught up at this rate, or never',
    isNumber: true,
  },
]

interface Count {
  end: number
  committed: number
  lag: number
}

/** Sums by the key of a row, at one moment. */
export interface Counts {
  readonly atMs: number
  readonly byKey: ReadonlyMap<string, Count>
}

/** What is known of both ends of each row. */
export function countsOf(groups: readonly GroupLag[], by: Grouping, atMs: number): Counts {
  const byKey = new Map<string, Count>()
  for (const { groupId, partitions } of groups) {
    for (const one of partitions) {
      if (one.logEnd === null || one.lag === null) continue
      // Without a commit nothing has been read: it begins at the log's start.
      const committed = one.committed ?? one.logStart ?? 0
      const keys = [rowKey({ group: groupId, ...one, memberId: one.member?.memberId }, by)]
      if (by !== 'group') keys.push(rowKey({ group: groupId }, 'group'))
      for (const key of keys) {
        const sum = byKey.get(key) ?? { end: 0, committed: 0, lag: 0 }
        sum.end += one.logEnd
        sum.committed += committed
        sum.lag += one.lag
        byKey.set(key, sum)
      }
    }
  }
  return { atMs, byKey }
}

function rowKey(
  row: {
    readonly group?: unknown
    readonly topic?: unknown
    readonly partition?: unknown
    readonly memberId?: unknown
  },
  by: Grouping,
): string {
  const { group, topic, partition, memberId } = row
  if (by === 'group') return JSON.stringify([group])
  if (by === 'topic') return JSON.stringify([group, 'topic', topic])
  if (by === 'member') return JSON.stringify([group, 'member', memberId ?? null])
  return JSON.stringify([group, 'partition', topic, partition])
}

/** The rates of one row; null where there is nothing to compare with. */
export function ratesOf(
  row: Row,
  by: Grouping,
  { before, now }: { before: Counts | null; now: Counts },
): Row {
  const key = rowKey(row, by)
  const [old, current] = [before?.byKey.get(key), now.byKey.get(key)]
  const seconds = before === null ? 0 : (now.atMs - before.atMs) / 1000
  if (old === undefined || current === undefined || seconds <= 0) {
    return { inPerSecond: null, outPerSecond: null, eta: null }
  }
  const inPerSecond = (current.end - old.end) / seconds
  const outPerSecond = (current.committed - old.committed) / seconds
  return {
    inPerSecond: rounded(inPerSecond),
    outPerSecond: rounded(outPerSecond),
    eta: etaOf(current.lag, outPerSecond - inPerSecond),
  }
}

function etaOf(lag: number, perSecond: number): number | 'never' {
  if (lag === 0) return 0
  return perSecond <= 0 ? 'never' : Math.ceil(lag / perSecond)
}

function rounded(rate: number): number {
  return Math.round(rate * 10) / 10
}
