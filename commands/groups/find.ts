/**
 * The groups that operands name: plain names, `/patterns/`, or all. A pattern must match the whole
 * name. All groups, and those of patterns, are groups of consumers: others commit no offsets.
 */

import type { Admin } from '../../lib/client/admin.ts'
import type { GroupList, GroupListing } from '../../lib/client/groups.ts'
import { type CommandContext, CommandError, type ExitCode, exitCodes } from '../command.ts'
import { failureOf } from '../failures.ts'
import { didYouMean } from '../suggest.ts'
import { isPattern, nameMatcher } from '../topics/find.ts'

export interface FoundGroups {
  /** In the order of the operands, those of one pattern by name; each once. */
  readonly names: readonly string[]
  /** Those that were named in full: they have to exist. */
  readonly required: ReadonlySet<string>
  /** 5 or 6 when a broker could not tell its groups: some may be missing; else 0. */
  readonly exit: ExitCode
}

/** Without operands: all groups. Throws CommandError 2 for a bad pattern, 3 when nothing matches. */
export async function findGroups(
  context: CommandContext,
  admin: Admin,
  operands: readonly string[],
): Promise<FoundGroups> {
  const required = new Set(operands.filter((operand) => !isPattern(operand)))
  if (operands.length > 0 && required.size === operands.length) {
    return { names: [...new Set(operands)], required, exit: exitCodes.done }
  }
  const matchers = await Promise.all(operands.map((operand) => nameMatcher(operand, false)))
  const list = await admin.listGroups()
  const exit = reportUnlisted(context, list)
  const known = list.groups.filter(isOfConsumers).map(({ groupId }) => groupId)
  if (operands.length === 0) return { names: known, required, exit }
  const names = new Set<string>()
  for (const [index, operand] of operands.entries()) {
    const found = isPattern(operand) ? known.filter((name) => matchers[index]?.(name)) : [operand]
    if (found.length === 0 && exit === exitCodes.done) {
      throw new CommandError(exitCodes.notFound, `no group matches ${operand}`)
    }
    for (const name of found) names.add(name)
  }
  return { names: [...names], required, exit }
}

/** Connectors, share groups and the like have no offsets here. */
function isOfConsumers({ protocolType, type }: GroupListing): boolean {
  const isKnown = type === '' || type === 'classic' || type === 'consumer'
  return isKnown && (protocolType === '' || protocolType === 'consumer')
}

/** Says which brokers did not tell their groups; the exit code that follows. */
export function reportUnlisted(context: CommandContext, { failures }: GroupList): ExitCode {
  let exit: ExitCode = exitCodes.done
  for (const { broker, error } of failures) {
    const failure = failureOf(error)
    context.warn(`broker ${broker} did not list its groups: ${failure.message}`)
    exit = worseExit(exit, unreadableExit(error))
  }
  return exit
}

/** 6 when the broker refused, 5 for whatever else kept us from reading. */
export function unreadableExit(error: unknown): ExitCode {
  const { exit } = failureOf(error)
  return exit === exitCodes.refused || exit === exitCodes.bug ? exit : exitCodes.unavailable
}

/** Of two reasons why something could not be read: what a retry may cure comes first. */
export function worseExit(left: ExitCode, right: ExitCode): ExitCode {
  if (left === exitCodes.done) return right
  if (right === exitCodes.done) return left
  return Math.min(left, right)
}

/** The error for a group that does not exist, with the nearest name. */
export async function noSuchGroup(admin: Admin, name: string): Promise<CommandError> {
  const message = `no such group "${name}"${didYouMean(name, await groupNames(admin))}`
  const details = { name: 'GROUP_ID_NOT_FOUND', group: name }
  return new CommandError(exitCodes.notFound, message, '', { details })
}

/** For a suggestion only: no names rather than a failure. */
async function groupNames(admin: Admin): Promise<string[]> {
  try {
    const { groups } = await admin.listGroups()
    return groups.map(({ groupId }) => groupId)
  } catch (error) {
    if (failureOf(error).exit === exitCodes.bug) throw error
    return []
  }
}

export function isNoSuchGroup(error: Error | null): boolean {
  return error?.name === 'GROUP_ID_NOT_FOUND'
}
