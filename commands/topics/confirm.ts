/**
 * Before something is destroyed: with the flag, nothing is asked; on a terminal the name is to be
 * typed; otherwise the caller prints its plan and ends with 2, naming the flag.
 */

import { type CommandContext, CommandError, exitCodes } from '../command.ts'

/** false: nobody can be asked. Throws CommandError 2 when the name was not typed. */
export async function confirmNames(
  context: CommandContext,
  verb: string,
  names: readonly string[],
): Promise<boolean> {
  for (const name of names) {
    const answer = await context.ask(`type the name to ${verb} "${name}": `)
    if (answer === null) return false
    if (answer !== name) {
      throw new CommandError(exitCodes.usage, `"${answer}" is not "${name}": nothing was changed`)
    }
  }
  return true
}

/** The end of a run that only planned. */
export function notExecuted(flag: string): CommandError {
  return new CommandError(exitCodes.usage, `dry run, nothing changed; add ${flag}`)
}
