/**
 * Commands over several items: each gets a row with a status, a failed one also a line on standard
 * error; the exit code follows from all of them.
 */

import {
  type CommandContext,
  CommandError,
  type ExitCode,
  exitCodes,
  exitOfItems,
} from '../command.ts'
import { type Failure, failureOf } from '../failures.ts'

/** What became of one item: a word for the STATUS column, or why it failed. */
export interface ItemOutcome {
  readonly name: string
  readonly status: string
  readonly failure: Failure | null
}

export function succeeded(name: string, status: string): ItemOutcome {
  return { name, status, failure: null }
}

/** The status of a failed item is the error's name, as Kafka spells it. */
export function failed(name: string, error: unknown): ItemOutcome {
  const failure = failureOf(error)
  // A bug is not one item's failure: it ends the command.
  if (failure.exit === exitCodes.bug) throw error
  return { name, status: failure.name, failure }
}

/** Says what failed. `what` names an item in a message: `topic`. */
export function reportItems(
  context: CommandContext,
  what: string,
  outcomes: readonly ItemOutcome[],
): ExitCode {
  const [only] = outcomes
  // A single item that failed is the command's own failure, with its hint and JSON form.
  if (only?.failure && outcomes.length === 1) {
    const { exit, name, message, hint, details } = only.failure
    throw new CommandError(exit, named(what, only.name, message), hint, {
      details: { ...details, name, [what]: only.name },
    })
  }
  for (const { name, failure } of outcomes) {
    if (failure === null) continue
    context.warn(named(what, name, failure.message))
  }
  return exitOfItems(outcomes.map(({ failure }) => failure?.exit ?? exitCodes.done))
}

/** The message with the item before it, unless it names it itself. */
function named(what: string, name: string, message: string): string {
  const isNamed = message.includes(`"${name}"`) || message.includes(`'${name}'`)
  return isNamed ? message : `${what} "${name}": ${message}`
}
