/**
 * Options of commands: name, letter, kind, default, sentence. One table entry gives the parser, the
 * type of the value, the line in --help, the man page and the completion. The name of an option is
 * its key in the table in kebab-case (`ifNotExists` -> `--if-not-exists`). Repeating an option that
 * is not `repeated` is an error of the command line, as is an empty or missing value.
 */

import {
  BadValue,
  parseBytes,
  parseDuration,
  parseInteger,
  parseSize,
  parseTime,
  type Time,
} from './values.ts'

/** What the shell offers behind an option or for an operand. */
export type Completes = 'topic' | 'group' | 'file' | 'broker' | 'nothing' | readonly string[]

export interface Option<T> {
  /** One character after a single dash; '' when there is none. */
  readonly letter: string
  /** The word that stands for the value in help; '' for a switch, which takes none. */
  readonly word: string
  /** One line, no full stop. */
  readonly about: string
  /** The default as help shows it; '' when there is none. */
  readonly fallbackText: string
  /** Further names that work and stand in no help (Kafka's own), without dashes. */
  readonly aliases: readonly string[]
  /** Stands in no help, man page or completion. */
  readonly isHidden: boolean
  readonly isRepeatable: boolean
  readonly completes: Completes
  /** The value from the texts as given, [] when absent. Throws BadValue. */
  read(texts: readonly string[]): T
}

export type Options = Readonly<Record<string, Option<unknown>>>

/** What a table of options gives to the command. */
export type ValuesOf<O extends Options> = {
  readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never
}

interface Common {
  readonly letter?: string
  readonly word?: string
  readonly aliases?: readonly string[]
  readonly hidden?: boolean
  readonly completes?: Completes
}

/** A switch: false unless given. */
export function flag(about: string, common: Common = {}): Option<boolean> {
  return { ...base(about, common, ''), read: (texts) => texts.length > 0 }
}

/** A switch that may be repeated: the number of times. */
export function count(about: string, common: Common = {}): Option<number> {
  return { ...base(about, common, ''), isRepeatable: true, read: (texts) => texts.length }
}

/** An option of any kind: `parse` reads one text, `fallback` is its text when it is not given. */
export function option<T>(
  about: string,
  parse: (text: string) => T,
  common: Common & { word: string; fallback: string },
): Option<T>
export function option<T>(
  about: string,
  parse: (text: string) => T,
  common: Common & { word: string },
): Option<T | undefined>
export function option<T>(
  about: string,
  parse: (text: string) => T,
  common: Common & { word: string; fallback?: string },
): Option<T | undefined> {
  const { fallback } = common
  return {
    ...base(about, common, common.word),
    fallbackText: fallback ?? '',
    read: ([text]) => {
      const given = text ?? fallback
      return given === undefined ? undefined : parse(given)
    },
  }
}

/** An option that may be given several times: every value, in order. */
export function repeated<T>(
  about: string,
  parse: (text: string) => T,
  common: Common & { word: string },
): Option<readonly T[]> {
  return {
    ...base(about, common, common.word),
    isRepeatable: true,
    read: (texts) => texts.map(parse),
  }
}

function base(about: string, common: Common, word: string): Omit<Option<never>, 'read'> {
  return {
    letter: common.letter ?? '',
    word,
    about,
    fallbackText: '',
    aliases: common.aliases ?? [],
    isHidden: common.hidden ?? false,
    isRepeatable: false,
    completes: common.completes ?? 'nothing',
  }
}

type Described = Common & { readonly fallback?: string }
type Kind<T> = {
  (about: string, common: Common & { readonly fallback: string }): Option<T>
  (about: string, common?: Common): Option<T | undefined>
}

/** A kind of option from its parser. */
function kind<T>(word: string, parse: (text: string) => T): Kind<T> {
  function make(about: string, common: Common & { readonly fallback: string }): Option<T>
  function make(about: string, common?: Common): Option<T | undefined>
  function make(about: string, common: Described = {}): Option<T | undefined> {
    return option(about, parse, { word, ...common })
  }
  return make
}

/** A text, not empty. */
export const text: Kind<string> = kind('TEXT', parseText)
/** A file's name; `-` may stand for standard input where the command says so. */
export const file: Kind<string> = kind('FILE', parseText)
/** Milliseconds. */
export const duration: Kind<number> = kind('D', parseDuration)
/** Bytes, as a number. */
export const size: Kind<number> = kind('SIZE', parseSize)
export const time: Kind<Time> = kind('TIME', parseTime)
/** A byte string written with escapes. */
export const bytes: Kind<Uint8Array> = kind('S', parseBytes)

export function parseText(given: string): string {
  if (given === '') throw new BadValue('a text that is not empty')
  return given
}

/** A whole number within bounds. */
export function integer(range: { min?: number; max?: number } = {}): Kind<number> {
  return kind('N', (given) => parseInteger(given, range))
}

/** One of a few words. */
export function choice<const W extends string>(words: readonly W[]): Kind<W> {
  const parse = (given: string): W => {
    const found = words.find((word) => word === given)
    if (found === undefined) throw new BadValue(`one of ${words.join(', ')}`)
    return found
  }
  function make(about: string, common: Common & { readonly fallback: string }): Option<W>
  function make(about: string, common?: Common): Option<W | undefined>
  function make(about: string, common: Described = {}): Option<W | undefined> {
    return option(about, parse, { word: words.join('|'), completes: words, ...common })
  }
  return make
}

/** `key=value` with a key that is not empty; the value may be. */
export function parsePair(given: string): readonly [key: string, value: string] {
  const at = given.indexOf('=')
  if (at < 1) throw new BadValue('key=value')
  return [given.slice(0, at), given.slice(at + 1)]
}
