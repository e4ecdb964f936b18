/** `help [WORD...]`: the overview, a command, the exit codes, the global options, or all as JSON. */

import { type Command, CommandError, command, exitCodes } from '../commands/command.ts'
import type { Option, Options } from '../commands/options.ts'
import { didYouMean } from '../commands/suggest.ts'
import { environmentVariables, globalOptions } from './globals.ts'
import { namesOf } from './option-names.ts'
import { findCommand, registry, verbsOf } from './registry.ts'
import {
  exitCodeTable,
  exitsOf,
  globalOptionsText,
  helpText,
  overviewText,
  twoColumns,
  verbsText,
} from './usage.ts'

export const help = command({
  name: 'help',
  about: 'help on a command, exit-codes or options',
  positionals: '[TOPIC...]',
  options: {},
  examples: [
    ['help topic create', 'what topic create does and takes'],
    ['help exit-codes', 'what a script can rely on'],
    ['help options', 'the options that every command takes'],
    ['help --json', 'every command with its options, as JSON'],
  ],
  isLocal: true,
  run: async ({ out, globals }, { positionals }) => {
    const text = globals.json ? await treeText() : await textFor(positionals)
    await out.write([Buffer.from(text)])
    return exitCodes.done
  },
})

function loadAll(): Promise<Command[]> {
  return Promise.all(registry().map((entry) => entry.load()))
}

async function textFor(words: readonly string[]): Promise<string> {
  const [first] = words
  if (first === undefined) return overviewText(await loadAll())
  if (first === 'exit-codes') {
    return `${twoColumns(exitCodeTable.map(([code, about]) => [String(code), about]))}\n`
  }
  if (first === 'options') return globalOptionsText()
  const found = findCommand(words)
  if (found.kind === 'command') return helpText(await found.entry.load())
  if (found.kind === 'group' && found.verb === undefined) {
    const verbs = await Promise.all(verbsOf(found.noun).map((entry) => entry.load()))
    return verbsText(found.noun, verbs)
  }
  const name = words.join(' ')
  const known = [...registry().map((entry) => entry.name), 'exit-codes', 'options']
  throw new CommandError(exitCodes.usage, `no help on "${name}"${didYouMean(name, known)}`)
}

/** The whole tree, for programs that build on it. */
async function treeText(): Promise<string> {
  const commands = (await loadAll()).map((one) => ({
    name: one.name,
    about: one.about,
    positionals: one.positionals,
    options: optionList(one.options),
    columns: one.columns.map(({ title, key, about }) => ({ title, key, about })),
    exits: exitsOf(one).map(([code, about]) => ({ code, about })),
    examples: one.examples.map(([line, about]) => ({ line: `ottla ${line}`, about })),
  }))
  const tree = {
    kind: 'ottla.help/v1',
    globalOptions: optionList(globalOptions),
    environment: environmentVariables.map(({ name, about }) => ({ name, about })),
    exits: exitCodeTable.map(([code, about]) => ({ code, about })),
    commands,
  }
  return `${JSON.stringify(tree)}\n`
}

function optionList(options: Options): unknown[] {
  return Object.entries<Option<unknown>>(options)
    .filter(([, option]) => !option.isHidden)
    .map(([key, option]) => ({
      names: namesOf(key, option).map((name) => (name.length === 1 ? `-${name}` : `--${name}`)),
      value: option.word === '' ? null : option.word,
      about: option.about,
      default: option.fallbackText === '' ? null : option.fallbackText,
      isRepeatable: option.isRepeatable,
    }))
}
