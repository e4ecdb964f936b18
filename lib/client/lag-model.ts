/**
 * How far behind a reader is: numbers in, numbers out. Lag as Kafka's own tool counts it, and what
 * that leaves out: markers that nobody reads, records that were deleted before they were read, time.
 *
 * With committed c, log start s, log end e (high watermark), newest data record d:
 *   lag        c none: e - s; c < s: e - s; c > e: 0; else e - c
 *   effective  0 when d is known and lies before max(c, s), else lag
 *   seconds    0 when effective is 0, else from the time of the first unread record until now
 * Invariants: 0 <= effective <= lag; nothing is negative; what is unknown is null, never 0.
 */

import type { Offset } from '../base/types.ts'

export interface LagInput {
  /** null: no commit. */
  readonly committed: Offset | null
  readonly logStart: Offset
  readonly logEnd: Offset
  /** The offset of the newest record that is no marker; null when it is not known. */
  readonly newestData: Offset | null
  /** Where readers of committed records have to stop; null when it is not known. */
  readonly lastStable: Offset | null
  /** Of the first record at or after what was committed, ms since 1970; null when it is not known. */
  readonly firstUnreadMs: number | null
  readonly nowMs: number
}

/**
 * nocommit: the whole log counts. expired: records were deleted before they were read. ahead: the
 * commit lies beyond the end, so the log is not what it was. blocked: an open transaction keeps a
 * reader of committed records from going on.
 */
export type LagFlag = 'nocommit' | 'expired' | 'ahead' | 'blocked'

export interface Lag {
  readonly lag: number
  /** Without what only looks unread: markers at the end. */
  readonly effectiveLag: number
  readonly seconds: number | null
  /** Records that were deleted unread. */
  readonly expired: number
  readonly flag: LagFlag | null
}

export function lagOf(input: LagInput): Lag {
  const { committed, logStart, logEnd, newestData, firstUnreadMs, nowMs } = input
  const position = unreadFrom(input)
  const lag = Math.max(logEnd - position, 0)
  const isMarkersOnly = newestData !== null && position > newestData
  const effectiveLag = isMarkersOnly ? 0 : lag
  const expired = committed === null ? 0 : Math.max(logStart - committed, 0)
  // Clocks of producers differ from ours: a record from the future is not negative time.
  const agoMs = firstUnreadMs === null ? null : Math.max(nowMs - firstUnreadMs, 0)
  const seconds = effectiveLag === 0 ? 0 : agoMs === null ? null : agoMs / 1000
  return { lag, effectiveLag, seconds, expired, flag: flagOf(input) }
}

/** Where the unread records begin: the commit, or the log's start when there is none or it is lost. */
export function unreadFrom({
  committed,
  logStart,
}: Pick<LagInput, 'committed' | 'logStart'>): Offset {
  return committed === null ? logStart : Math.max(committed, logStart)
}

function flagOf({ committed, logStart, logEnd, lastStable }: LagInput): LagFlag | null {
  if (committed === null) return 'nocommit'
  if (committed < logStart) return 'expired'
  if (committed > logEnd) return 'ahead'
  return committed === lastStable && lastStable < logEnd ? 'blocked' : null
}

/** The largest of several times behind; null when none of those that are behind is known. */
export function worstSeconds(seconds: readonly (number | null)[]): number | null {
  const known = seconds.filter((one) => one !== null)
  if (known.length === 0) return seconds.length === 0 ? 0 : null
  const worst = Math.max(...known)
  return worst === 0 && known.length < seconds.length ? null : worst
}
