/**
 * argv -> the command it names and its values. yargs splits; what it would do silently is refused
 * here: unknown flags, repeated options, missing values, values for switches, a wrong number of
 * operands. Short options may carry their value (`-p3`, `-K:`), which yargs reads as more letters,
 * so those are taken apart before it sees them.
 */

import { Parser } from 'yargs/helpers'
import { type Args, type Command, CommandError, exitCodes } from '../commands/command.ts'
import type { Option, Options } from '../commands/options.ts'
import { closest } from '../commands/suggest.ts'
import { BadValue } from '../commands/values.ts'
import { longName, namesOf, positionalsOf, usageLine } from './option-names.ts'

/** What stands in argv: texts per option (as given, in order), and operands. */
export interface Split {
  readonly texts: ReadonlyMap<string, readonly string[]>
  readonly positionals: readonly string[]
  readonly commandLine: readonly string[] | null
}

/** Splits argv (without the words of the command). Throws CommandError 2. */
export function split(table: Options, argv: readonly string[]): Split {
  const byName = new Map<string, readonly [key: string, option: Option<unknown>]>()
  for (const [key, option] of Object.entries(table)) {
    for (const name of namesOf(key, option)) byName.set(name, [key, option])
  }
  const parsed = runYargs(table, takeApart(byName, argv))
  for (const name of Object.keys(parsed)) {
    if (name !== '_' && name !== '$0' && name !== '--' && !byName.has(name)) {
      throw unknownFlag(name, byName.keys())
    }
  }
  const texts = new Map<string, string[]>()
  for (const [key, option] of Object.entries(table)) {
    const given = textsOf(parsed[longName(key)])
    if (given.length > 1 && !option.isRepeatable && option.word !== '') {
      throw new CommandError(exitCodes.usage, `--${longName(key)} given twice`)
    }
    texts.set(key, given)
  }
  const rest = parsed['--']
  return {
    texts,
    positionals: textsOf(parsed['_']),
    commandLine: rest === undefined ? null : textsOf(rest),
  }
}

/** A number for a counted switch, a boolean, a text or several: as the texts that were given. */
function textsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String)
  if (typeof value === 'number') return Array.from({ length: value }, () => '')
  if (typeof value === 'boolean') return value ? [''] : []
  return typeof value === 'string' ? [value] : []
}

function unknownFlag(name: string, known: Iterable<string>): CommandError {
  const dashed = name.length === 1 ? `-${name}` : `--${name}`
  const near =
    name.length === 1
      ? null
      : closest(
          name,
          [...known].filter((one) => one.length > 1),
        )
  const hint = near === null ? '' : `; did you mean "--${near}"?`
  return new CommandError(exitCodes.usage, `no flag "${dashed}"${hint}`)
}

/** Clusters and attached values of short options as separate words; refuses `--switch=value`. */
function takeApart(
  byName: ReadonlyMap<string, readonly [key: string, option: Option<unknown>]>,
  argv: readonly string[],
): string[] {
  const words: string[] = []
  for (const [index, word] of argv.entries()) {
    if (word === '--') return [...words, ...argv.slice(index)]
    const [, long, given] = /^--([^=]+)(=.*)?$/s.exec(word) ?? []
    const found = long === undefined ? undefined : byName.get(long)
    if (found !== undefined && given !== undefined && found[1].word === '') {
      throw new CommandError(exitCodes.usage, `--${long} takes no value, got "${given.slice(1)}"`)
    }
    if (/^-[a-zA-Z]./.test(word)) words.push(...cluster(byName, word))
    else words.push(word)
  }
  return words
}

/** `-qp3` -> `-q --partition=3`; left as it is from the first letter that is not known. */
function cluster(
  byName: ReadonlyMap<string, readonly [key: string, option: Option<unknown>]>,
  word: string,
): string[] {
  const words: string[] = []
  for (let at = 1; at < word.length; at++) {
    const found = byName.get(word.charAt(at))
    if (found === undefined) return [...words, `-${word.slice(at)}`]
    const [key, option] = found
    if (option.word === '') {
      words.push(`-${word.charAt(at)}`)
      continue
    }
    const value = word.slice(at + 1)
    words.push(value === '' ? `-${word.charAt(at)}` : `--${longName(key)}=${value}`)
    break
  }
  return words
}

/** Only the parser of yargs: its interface around it doubles the time that a command takes to start. */
function runYargs(table: Options, words: string[]): Readonly<Record<string, unknown>> {
  const alias: Record<string, string[]> = {}
  const [string, boolean, count]: [string[], string[], string[]] = [[], [], []]
  for (const [key, option] of Object.entries(table)) {
    const [name = key, ...others] = namesOf(key, option)
    alias[name] = others
    if (option.word !== '') string.push(name)
    else if (option.isRepeatable) count.push(name)
    else boolean.push(name)
  }
  const { argv, error } = Parser.detailed(words, {
    alias,
    string,
    boolean,
    count,
    narg: Object.fromEntries(string.map((name) => [name, 1])),
    configuration: {
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'greedy-arrays': false,
      'dot-notation': false,
      'camel-case-expansion': false,
      'boolean-negation': false,
      'populate--': true,
    },
  })
  if (error !== null) throw missingValue(error.message)
  return argv
}

function missingValue(message: string): CommandError {
  const name = /following: (\S+)/.exec(message)?.[1]
  if (name === undefined) return new CommandError(exitCodes.usage, message)
  const dashed = name.length === 1 ? `-${name}` : `--${name}`
  return new CommandError(
    exitCodes.usage,
    `${dashed} needs a value; one that begins with a dash is written ${name.length === 1 ? `${dashed}VALUE` : `${dashed}=VALUE`}`,
  )
}

/** The values of a command's own options. Throws CommandError 2 that names option, text and want. */
export function readArgs<O extends Options>(command: Command<O>, given: Split): Args<O> {
  const values: Record<string, unknown> = {}
  for (const [key, option] of Object.entries(command.options)) {
    values[key] = readOption(key, option, given.texts.get(key) ?? [])
  }
  let positionals = given.positionals
  if (!command.hasCommandLine) positionals = [...positionals, ...(given.commandLine ?? [])]
  checkPositionals(command, positionals)
  const commandLine = command.hasCommandLine ? given.commandLine : null
  // The table of options is what ValuesOf describes; the loop cannot show it to the compiler.
  return { ...values, positionals, commandLine } as Args<O>
}

/** One option's value. Throws CommandError 2. */
export function readOption<T>(key: string, option: Option<T>, texts: readonly string[]): T {
  try {
    return option.read(texts)
  } catch (error) {
    if (!(error instanceof BadValue)) throw error
    const shown = texts.map((text) => `"${text}"`).join(', ')
    throw new CommandError(exitCodes.usage, `bad --${longName(key)} ${shown}: want ${error.want}`)
  }
}

function checkPositionals(command: Command, given: readonly string[]): void {
  const wanted = positionalsOf(command.positionals)
  const missing = wanted.filter(({ isOptional }) => !isOptional)[given.length]
  const hint = `usage: ${usageLine(command)}; see --help`
  if (missing !== undefined) {
    const name = missing.word.toLowerCase().replaceAll('|', ' or ')
    throw new CommandError(exitCodes.usage, `no ${name} given`, hint)
  }
  const surplus = given[wanted.length]
  if (surplus !== undefined && !wanted.some(({ isRepeated }) => isRepeated)) {
    throw new CommandError(exitCodes.usage, `unexpected "${surplus}"`, hint)
  }
}
