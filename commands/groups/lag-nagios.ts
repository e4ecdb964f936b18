/**
 * The line and the exit code that Nagios and its kin expect of a plug-in:
 * `LAG CRITICAL - billing 543 behind (max 100) | lag=543;50;100;0 seconds=12s;;;0`.
 */

import type { GroupLag } from '../../lib/client/lag.ts'
import type { ExitCode } from '../command.ts'
import { type Limits, type Verdict, wholeSeconds } from './limits.ts'

const statuses = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 } as const
type Status = keyof typeof statuses

interface Report {
  readonly line: string
  readonly exit: ExitCode
}

/** A limit that is passed outweighs what could not be read, and that outweighs a warning. */
export function nagiosReport(
  groups: readonly GroupLag[],
  { limits, verdict }: { limits: Limits; verdict: Verdict },
): Report {
  const values = groups.flatMap((group) => performance(group, limits, groups.length > 1))
  const tail = values.length === 0 ? '' : ` | ${values.join(' ')}`
  const said = (findings: Verdict['over']) =>
    findings.map(({ group, brief }) => `${group} ${brief}`).join(', ')
  const of = (status: Status, text: string): Report => ({
    line: `LAG ${status} - ${shown(text)}${tail}`,
    exit: statuses[status],
  })
  if (verdict.over.length > 0) return of('CRITICAL', said(verdict.over))
  if (verdict.unreadable.length > 0) return of('UNKNOWN', verdict.unreadable.join(', '))
  if (verdict.warned.length > 0) return of('WARNING', said(verdict.warned))
  const [first, ...others] = [...groups].sort((a, b) => b.effectiveLag - a.effectiveLag)
  if (first === undefined) return of('OK', 'no groups')
  const rest = others.length === 0 ? '' : `, the most of ${groups.length} groups`
  return of('OK', `${first.groupId} ${first.effectiveLag} behind${rest}`)
}

/** Nothing could be asked. */
export function nagiosUnknown(message: string): Report {
  return { line: `LAG UNKNOWN - ${shown(message)}`, exit: statuses.UNKNOWN }
}

/** A bar would begin the values, a line end would end the message. */
function shown(text: string): string {
  return text.replace(/[|\r\n]/g, ' ')
}

/** `label=value;warn;critical;least`, in the labels of the group when there are several. */
function performance(group: GroupLag, limits: Limits, isOneOfMany: boolean): string[] {
  if (group.error !== null) return []
  const label = (what: string) => (isOneOfMany ? quoted(`${group.groupId} ${what}`) : what)
  const bound = (limit: number | undefined) => limit ?? ''
  const lag = `${label('lag')}=${group.effectiveLag};${bound(limits.warn)};${bound(limits.max)};0`
  if (group.seconds === null) return [lag]
  const maxSeconds = limits.maxTimeMs === undefined ? '' : limits.maxTimeMs / 1000
  return [lag, `${label('seconds')}=${wholeSeconds(group.seconds)}s;;${maxSeconds};0`]
}

/** Quotes are doubled; an equals sign cannot stand in a label. */
function quoted(label: string): string {
  return `'${shown(label).replaceAll("'", "''").replaceAll('=', ' ')}'`
}
