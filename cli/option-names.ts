/** What the command line of a command may hold, by name: for parser, help, man page and completion. */

import type { Command } from '../commands/command.ts'
import type { Option, Options } from '../commands/options.ts'
import { globalOptions } from './globals.ts'

/** The long name of an option: its key in kebab-case. */
export function longName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** The options a command line of this command may hold: its own go before global ones of the same name. */
export function optionsOf(command: Pick<Command, 'options'>): Options {
  const own = command.options
  const letters = new Set(Object.values(own).map(({ letter }) => letter))
  const table: Record<string, Option<unknown>> = { ...own }
  for (const [key, option] of Object.entries<Option<unknown>>(globalOptions)) {
    if (key in own) continue
    table[key] = letters.has(option.letter) ? { ...option, letter: '' } : option
  }
  return table
}

/** Every name of an option, without dashes: the long one first. */
export function namesOf(key: string, option: Option<unknown>): string[] {
  return [longName(key), ...(option.letter === '' ? [] : [option.letter]), ...option.aliases]
}

export interface Positional {
  readonly word: string
  readonly isOptional: boolean
  readonly isRepeated: boolean
}

/** The operands that a usage text names: `TOPIC [FILE...]`. What follows `--` is no operand. */
export function positionalsOf(usage: string): Positional[] {
  return usage
    .replace(/(^| )-- .*$/, '')
    .split(' ')
    .filter((part) => part !== '')
    .map((part) => ({
      word: part.replace(/[[\].]/g, ''),
      isOptional: part.startsWith('['),
      isRepeated: part.includes('...'),
    }))
}

/** `ottla topic create TOPIC...`, with `-- CMD...` where a command line follows. */
export function usageLine(command: Pick<Command, 'name' | 'positionals'>): string {
  return ['ottla', command.name, command.positionals].filter((part) => part !== '').join(' ')
}
