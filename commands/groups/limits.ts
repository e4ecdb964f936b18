/**
 * Limits on lag and whether groups keep within them. Limits compare effective lag: markers of
 * transactions at the end of a log, which no reader is ever given, count for nothing.
 */

import type { GroupLag, PartitionLag } from '../../lib/client/lag.ts'
import { type ExitCode, exitCodes } from '../command.ts'
import { failureOf } from '../failures.ts'
import { unreadableExit, worseExit } from './find.ts'

export interface Limits {
  /** Of a group's total. */
  readonly max: number | undefined
  readonly maxPartition: number | undefined
  /** Of the partition that is furthest behind. */
  readonly maxTimeMs: number | undefined
  readonly warn: number | undefined
  /** A partition without a commit is over the limit. */
  readonly isCommitRequired: boolean
}

export interface Finding {
  readonly group: string
  /** `billing is 543 behind, limit 10` */
  readonly text: string
  /** `543 behind (max 10)`, for the line of a monitoring plug-in. */
  readonly brief: string
}

export interface Verdict {
  readonly over: readonly Finding[]
  readonly warned: readonly Finding[]
  /** Why something could not be compared. */
  readonly unreadable: readonly string[]
  /** 5 or 6 when something is unreadable, else 0. */
  readonly exit: ExitCode
}

export function hasLimit({ max, maxPartition, maxTimeMs, isCommitRequired }: Limits): boolean {
  return isCommitRequired || [max, maxPartition, maxTimeMs].some((limit) => limit !== undefined)
}

/** Compares every group; what could not be read is never within limits. */
export function verdictOf(groups: readonly GroupLag[], limits: Limits): Verdict {
  let exit: ExitCode = exitCodes.done
  const unreadable: string[] = []
  const addUnreadable = (text: string, code: ExitCode) => {
    unreadable.push(text)
    exit = worseExit(exit, code)
  }
  for (const { groupId, partitions, error } of groups) {
    if (error !== null) {
      addUnreadable(`group "${groupId}": ${failureOf(error).message}`, unreadableExit(error))
    }
    for (const one of partitions) {
      if (one.error !== null) {
        const { message } = failureOf(one.error)
        addUnreadable(`${groupId}, ${placeOf(one)}: ${message}`, unreadableExit(one.error))
      } else if (limits.maxTimeMs !== undefined && one.seconds === null) {
        const what = 'the first unread record could not be read'
        addUnreadable(`${groupId}, ${placeOf(one)}: ${what}`, exitCodes.unavailable)
      }
    }
  }
  const over = groups.flatMap((group) => overOf(group, limits))
  const warned = groups.flatMap((group) =>
    over.some((finding) => finding.group === group.groupId) ? [] : warningOf(group, limits),
  )
  return { over, warned, unreadable, exit }
}

/** When no group at all could be read, and for one reason, that is the command's own failure. */
export function throwIfUnread(groups: readonly GroupLag[]): void {
  const [first] = groups
  const error = first?.error ?? null
  if (error === null) return
  const isShared = groups.every((group) => group.error?.message === error.message)
  if (isShared) throw error
}

function overOf(
  { groupId: group, effectiveLag, partitions }: GroupLag,
  { max, maxPartition, maxTimeMs, isCommitRequired }: Limits,
): Finding[] {
  const findings: Finding[] = []
  if (max !== undefined && effectiveLag > max) {
    const text = `${group} is ${effectiveLag} behind, limit ${max}`
    findings.push({ group, text, brief: `${effectiveLag} behind (max ${max})` })
  }
  const furthest = most(partitions, (one) => one.effectiveLag)
  const lag = furthest?.effectiveLag ?? 0
  if (maxPartition !== undefined && furthest !== null && lag > maxPartition) {
    const place = placeOf(furthest)
    const text = `${group} is ${lag} behind on ${place}, limit ${maxPartition}`
    findings.push({ group, text, brief: `${lag} behind on ${place} (max ${maxPartition})` })
  }
  const oldest = most(partitions, (one) => one.seconds)
  const seconds = oldest?.seconds ?? 0
  if (maxTimeMs !== undefined && oldest !== null && seconds * 1000 > maxTimeMs) {
    const [shown, place] = [wholeSeconds(seconds), placeOf(oldest)]
    const text = `${group} is ${shown} s behind on ${place}, limit ${maxTimeMs / 1000} s`
    const brief = `${shown} s behind on ${place} (max ${maxTimeMs / 1000} s)`
    findings.push({ group, text, brief })
  }
  const missing = partitions.filter(({ flag }) => flag === 'nocommit')
  const [first] = missing
  if (isCommitRequired && first !== undefined) {
    const rest = missing.length === 1 ? '' : ` and ${missing.length - 1} more`
    const brief = `no commit for ${placeOf(first)}${rest}`
    findings.push({ group, text: `${group} has ${brief}`, brief })
  }
  return findings
}

function warningOf({ groupId: group, effectiveLag }: GroupLag, { warn }: Limits): Finding[] {
  if (warn === undefined || effectiveLag <= warn) return []
  const text = `${group} is ${effectiveLag} behind, warning at ${warn}`
  return [{ group, text, brief: `${effectiveLag} behind (warn ${warn})` }]
}

function most(
  partitions: readonly PartitionLag[],
  of: (one: PartitionLag) => number | null,
): PartitionLag | null {
  let best: PartitionLag | null = null
  for (const one of partitions) {
    if (best === null || (of(one) ?? -1) > (of(best) ?? -1)) best = one
  }
  return best
}

/** `orders[2]` */
export function placeOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}[${partition}]`
}

/** A part of a second is no news about lag. */
export function wholeSeconds(seconds: number): number {
  return Math.floor(seconds)
}
