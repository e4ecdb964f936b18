/**
 * Help as people see it: what it is, examples first, usage, options, exit codes; at most 60 lines
 * of 80 columns. Made from the same table as the parser, the man page and the completion.
 */

import { type Command, exitCodes } from '../commands/command.ts'
import type { Option, Options } from '../commands/options.ts'
import { clientOptionNames, globalOptions } from './globals.ts'
import { longName, usageLine } from './option-names.ts'

const width = 80

/** Breaks at blanks; lines after the first begin with `indent` blanks. */
export function wrap(text: string, first: number, indent: number): string {
  const lines: string[] = []
  let line = ''
  let room = width - first
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line)
      line = word
      room = width - indent
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line].join(`\n${' '.repeat(indent)}`)
}

/** Two columns: `left` and what it is; what does not fit beside it goes below. */
export function twoColumns(rows: readonly (readonly [string, string])[], leftMax = 40): string {
  const fitting = rows.map(([left]) => left.length).filter((length) => length <= leftMax)
  const left = Math.max(...fitting, 8)
  return rows
    .map(([name, about]) => {
      const body = wrap(about, left + 4, left + 4)
      if (name.length > left) return `  ${name}\n${' '.repeat(left + 4)}${body}`
      return `  ${name.padEnd(left)}  ${body}`
    })
    .join('\n')
}

export function helpText(command: Command): string {
  const options = optionRows(command.options)
  const parts = [
    `ottla ${command.name} - ${command.about}`,
    twoColumns(command.examples.map(([line, about]) => [`ottla ${line}`, about])),
    `usage: ${wrap(`${usageLine(command)}${options.length === 0 ? '' : ' [options]'}`, 7, 7)}`,
  ]
  if (options.length > 0) parts.push(twoColumns(options, 26))
  const tail: string[] = []
  if (command.columns.length > 0) {
    tail.push(`columns: ${wrap(command.columns.map(({ title }) => title).join(' '), 9, 9)}`)
  }
  tail.push(`exit: ${wrap(exitText(command), 6, 6)}`)
  tail.push(`global: ${wrap(globalText(command), 8, 8)}`)
  return `${[...parts, tail.join('\n')].join('\n\n')}\n`
}

/** `-p, --partitions N` and its sentence, with the default. */
export function optionRows(options: Options): (readonly [string, string])[] {
  return Object.entries(options)
    .filter(([, option]) => !option.isHidden)
    .map(([key, option]) => [optionHead(key, option), optionAbout(option)] as const)
}

export function optionHead(key: string, option: Option<unknown>): string {
  const letter = option.letter === '' ? '    ' : `-${option.letter}, `
  return `${letter}--${longName(key)}${option.word === '' ? '' : ` ${option.word}`}`
}

export function optionAbout({ about, fallbackText, isRepeatable, word }: Option<unknown>): string {
  const fallback = fallbackText === '' ? '' : ` (${fallbackText})`
  return `${about}${fallback}${isRepeatable && word !== '' ? ' (may be repeated)' : ''}`
}

/** The exit codes of a command with what they mean there. */
export function exitsOf(command: Command): (readonly [code: number, about: string])[] {
  const common: Record<number, string> = { 0: 'done', 2: 'usage' }
  if (!command.isLocal) Object.assign(common, { 5: 'cannot reach', 6: 'not allowed' })
  return Object.entries({ ...common, ...command.exits }).map(([code, about]) => [
    Number(code),
    about,
  ])
}

function exitText(command: Command): string {
  return exitsOf(command)
    .map(([code, about]) => `${code} ${about}`)
    .join(', ')
}

function globalText(command: Command): string {
  const shown = Object.entries<Option<unknown>>(globalOptions)
    .filter(([key]) => !(key in command.options))
    .filter(([key]) => !command.isLocal || !clientOptionNames.includes(key))
    .map(([key, option]) => {
      const name = option.letter === '' ? `--${longName(key)}` : `-${option.letter}`
      return option.word === '' || option.word.includes('|') ? name : `${name} ${option.word}`
    })
  return `${shown.join(' ')}; see ottla help`
}

/** What `ottla` alone shows. */
export function overviewText(commands: readonly Command[]): string {
  const rows = commands.map(({ name, about }) => [name, about] as const)
  return `ottla - Kafka's job in one binary: a broker, and a client for pipes

  tail -f app.log | ottla produce logs
  ottla consume logs | grep ERROR

usage: ottla [global options] COMMAND [arguments]

${twoColumns(rows, 20)}

ottla COMMAND --help tells more, as does man ottla-COMMAND. ottla help options:
options of every command; ottla help exit-codes: what a script can rely on.
`
}

/** What a noun without its verb shows. */
export function verbsText(noun: string, commands: readonly Command[]): string {
  const rows = commands.map((one) => [usageLine(one), one.about] as const)
  return `usage: ottla ${noun} VERB ...\n\n${twoColumns(rows, 44)}\n\nottla ${noun} VERB --help tells more.\n`
}

/** `ottla help options`: the global options. */
export function globalOptionsText(): string {
  return `${twoColumns(optionRows(globalOptions), 26)}\n`
}

/** The exit codes in general, for help, ottla-exit-codes(7) and every page. */
export const exitCodeTable: readonly (readonly [code: number, about: string])[] = [
  [exitCodes.done, 'done'],
  [
    exitCodes.no,
    'the answer is no: over --max, a wait ran out, nothing matched with --fail-empty, a check failed',
  ],
  [exitCodes.usage, 'usage or bad configuration'],
  [exitCodes.notFound, 'no such topic, partition, group or broker'],
  [exitCodes.invalidData, 'input data are invalid: a bad JSON line, encoding, too large'],
  [exitCodes.unavailable, 'unavailable: no broker, connection lost, time-out'],
  [
    exitCodes.refused,
    'refused by the broker: authentication, authorization, policy, exists already',
  ],
  [
    exitCodes.someFailed,
    'some of several items failed, or in different ways; details per item. All of them in the same way: that code',
  ],
  [exitCodes.bug, 'a bug in ottla'],
  [exitCodes.interrupted, 'stopped by SIGINT, after a clean stop'],
  [exitCodes.terminated, 'stopped by SIGTERM, after a clean stop'],
]
