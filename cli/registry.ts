/** Every command there is: those of commands/ and the two that tell about the others. */

import { commandEntries, type Entry } from '../commands/index.ts'
import { globalOptions } from './globals.ts'
import { namesOf } from './option-names.ts'

const own: readonly Entry[] = [
  {
    name: 'completion',
    load: async () => (await import('./completion.ts')).completion,
  },
  { name: 'help', load: async () => (await import('./help.ts')).help },
]

export function registry(): readonly Entry[] {
  return [...commandEntries(), ...own]
}

/** What the first words of a command line name. */
export type Found =
  | { readonly kind: 'command'; readonly entry: Entry; readonly wordCount: number }
  /** A noun whose verb is missing or unknown. */
  | { readonly kind: 'group'; readonly noun: string; readonly verb: string | undefined }
  | { readonly kind: 'none' }

export function findCommand(words: readonly string[], entries = registry()): Found {
  const [noun = '', verb] = words
  const one = entries.find(({ name }) => name === noun)
  if (one !== undefined) return { kind: 'command', entry: one, wordCount: 1 }
  const two = entries.find(({ name, aliases }) => {
    return name === `${noun} ${verb}` || aliases?.includes(`${noun} ${verb}`)
  })
  if (two !== undefined) return { kind: 'command', entry: two, wordCount: 2 }
  const isNoun = entries.some(({ name }) => name.startsWith(`${noun} `))
  return isNoun ? { kind: 'group', noun, verb } : { kind: 'none' }
}

/** The verbs of a noun, in the order of help. */
export function verbsOf(noun: string, entries = registry()): readonly Entry[] {
  return entries.filter(({ name }) => name.startsWith(`${noun} `))
}

/** Where `--` stands, or the length. */
export function endOfFlags(argv: readonly string[]): number {
  const end = argv.indexOf('--')
  return end < 0 ? argv.length : end
}

/**
 * The first two words of argv that are no global flag nor the value of one, and argv without the
 * first so many of them.
 */
export function commandWords(argv: readonly string[]): {
  words: string[]
  rest: (count: number) => string[]
} {
  const takesValue = new Set<string>()
  for (const [key, option] of Object.entries(globalOptions)) {
    if (option.word === '') continue
    for (const name of namesOf(key, option)) {
      takesValue.add(name.length === 1 ? `-${name}` : `--${name}`)
    }
  }
  const places: number[] = []
  for (let at = 0; at < endOfFlags(argv) && places.length < 2; at++) {
    const word = argv[at] ?? ''
    if (takesValue.has(word)) at++
    else if (!word.startsWith('-') || word === '-') places.push(at)
    // A word after a flag that is not global may be its value, no verb.
    else if (places.length > 0 && !isGlobalSwitch(word)) break
  }
  return {
    words: places.map((at) => argv[at] ?? ''),
    rest: (count) => argv.filter((_, index) => !places.slice(0, count).includes(index)),
  }
}

function isGlobalSwitch(word: string): boolean {
  return Object.entries(globalOptions).some(([key, option]) =>
    namesOf(key, option).some((name) => word.replace(/^--?/, '').split('=')[0] === name),
  )
}
