/**
 * Setting: one named value with its type, default, range and doc. A table of settings is at once
 * the TypeScript type of the resolved values, the validation, the text of the man page and what
 * DescribeConfigs answers. Values travel as text, exactly as Kafka writes them (`parse` and
 * `format` are inverse up to spelling); the kinds are those of Kafka's ConfigDef.Type.
 *
 * A setting's check is the whole validation: there is no second schema to keep in step, and a
 * start pays nothing for it (compiling a JSON Schema of the same tables costs 50 ms of import).
 */

/** Kafka's names of the types, in lower case. */
export type SettingKind =
  | 'boolean'
  | 'string'
  | 'int'
  | 'short'
  | 'long'
  | 'double'
  | 'list'
  | 'class'
  | 'password'

export type SettingUnit = 'bytes' | 'ms' | 'minutes' | 'hours' | 'seconds' | 'bytes/s'

/** no: only at start. cluster: by AlterConfigs for one broker or all. broker: for one broker only. */
export type SettingDynamics = 'no' | 'cluster' | 'broker'

export interface Setting<T> {
  readonly kind: SettingKind
  readonly fallback: T
  /** What a valid value looks like, to follow the word "expected". */
  readonly expected: string
  /** One sentence. */
  readonly doc: string
  readonly unit: SettingUnit | null
  readonly dynamic: SettingDynamics
  /** For tests and old tools: works, but is listed nowhere. */
  readonly internal: boolean
  /** The value, or undefined when `text` is not a valid one. */
  parse(text: string): T | undefined
  /** As Kafka prints it; null stands for "not set". */
  format(value: T): string | null
}

export type SettingTable = Readonly<Record<string, Setting<unknown>>>

/** The resolved values of a table, keys verbatim. */
export type SettingValues<T extends SettingTable> = {
  readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : never
}

/** `name: got X, expected Y`: what a user wrote does not fit the setting. */
export class SettingError extends Error {
  override readonly name = 'SettingError'
}

interface Options {
  readonly doc: string
  readonly unit?: SettingUnit
  readonly dynamic?: SettingDynamics
  readonly internal?: boolean
}

interface NumberOptions extends Options {
  readonly min?: number
  readonly max?: number
  /** Allowed besides the range. */
  readonly or?: number
}

type OrNull<F, T> = F extends null ? T | null : T

const int32Max = 0x7fffffff
/** 2^63: the number nearest to Long.MAX_VALUE, which it stands for. */
export const longMax = 2 ** 63
const longMaxText = '9223372036854775807'

function common({ doc, unit, dynamic, internal }: Options) {
  return { doc, unit: unit ?? null, dynamic: dynamic ?? 'no', internal: internal ?? false } as const
}

export function bool(fallback: boolean, options: Options): Setting<boolean> {
  return {
    ...common(options),
    kind: 'boolean',
    fallback,
    expected: 'true or false',
    parse(text) {
      const word = text.trim().toLowerCase()
      return word === 'true' ? true : word === 'false' ? false : undefined
    },
    format: String,
  }
}

/** Int32. */
export function int<F extends number | null>(
  fallback: F,
  options: NumberOptions,
): Setting<OrNull<F, number>> {
  return wholeNumber('int', fallback, { min: -int32Max - 1, max: int32Max, ...options })
}

/** Int16. */
export function short<F extends number | null>(
  fallback: F,
  options: NumberOptions,
): Setting<OrNull<F, number>> {
  return wholeNumber('short', fallback, { min: -32768, max: 32767, ...options })
}

/** Int64 as a number: rounded beyond 2^53; Long.MAX_VALUE reads as 2^63 and prints as itself. */
export function long<F extends number | null>(
  fallback: F,
  options: NumberOptions,
): Setting<OrNull<F, number>> {
  return wholeNumber('long', fallback, { min: -longMax, max: longMax, ...options })
}

function wholeNumber<F extends number | null>(
  kind: 'int' | 'short' | 'long',
  fallback: F,
  options: NumberOptions & { min: number; max: number },
): Setting<OrNull<F, number>> {
  const { min, max, or } = options
  return {
    ...common(options),
    kind,
    fallback: fallback as OrNull<F, number>,
    expected: `a whole number ${rangeText(options)}`,
    parse(text) {
      const digits = text.trim()
      if (!/^[+-]?\d{1,19}$/.test(digits) || isBeyondLong(digits)) return undefined
      const value = Number(digits)
      const fits = (value >= min && value <= max) || value === or
      return fits ? value : undefined
    },
    format: (value) => (value === null ? null : formatLong(value as number)),
  }
}

function isBeyondLong(digits: string): boolean {
  const value = BigInt(digits.replace('+', ''))
  return value > 0x7fff_ffff_ffff_ffffn || value < -0x8000_0000_0000_0000n
}

/** A whole number as Java prints a long. */
export function formatLong(value: number): string {
  return value >= longMax ? longMaxText : String(BigInt(value))
}

function rangeText({ min, max, or }: { min: number; max: number; or?: number }): string {
  const isWholeRange = min <= -int32Max - 1 && max >= int32Max
  const range =
    max >= int32Max
      ? isWholeRange
        ? `up to ${formatLong(max)}`
        : `of at least ${min}`
      : `from ${min} to ${max}`
  return or === undefined ? range : `${range}, or ${or}`
}

export function double(
  fallback: number,
  options: Options & { min?: number; max?: number },
): Setting<number> {
  const { min = -Number.MAX_VALUE, max = Number.MAX_VALUE } = options
  const hasRange = options.min !== undefined || options.max !== undefined
  return {
    ...common(options),
    kind: 'double',
    fallback,
    expected: hasRange ? `a number from ${min} to ${max}` : 'a number',
    parse(text) {
      if (!/^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/.test(text)) return undefined
      const value = Number(text)
      return value >= min && value <= max ? value : undefined
    },
    format: formatDouble,
  }
}

/** As Java prints a double: 1.0, 0.5, 1.0E7, 1.7976931348623157E308. */
function formatDouble(value: number): string {
  const size = Math.abs(value)
  if (size === 0 || (size >= 1e-3 && size < 1e7)) {
    return Number.isInteger(value) ? `${value}.0` : String(value)
  }
  const [digits = '', exponent = '0'] = value.toExponential().split('e')
  return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`
}

export function string<F extends string | null>(
  fallback: F,
  options: Options & { pattern?: RegExp; expected?: string; kind?: 'string' | 'class' },
): Setting<OrNull<F, string>> {
  const { pattern, kind = 'string', expected = 'a text' } = options
  return {
    ...common(options),
    kind,
    fallback: fallback as OrNull<F, string>,
    expected,
    parse: (text) => (pattern && !pattern.test(text) ? undefined : text),
    format: (value) => value,
  }
}

/** A secret: taken, but never shown. */
export function password(options: Options): Setting<string | null> {
  return {
    ...common(options),
    kind: 'password',
    fallback: null,
    expected: 'a secret',
    parse: (text) => text,
    format: () => null,
  }
}

/** One of a few words. */
export function oneOf<const W extends string>(
  words: readonly W[],
  fallback: NoInfer<W>,
  options: Options & { ignoreCase?: boolean },
): Setting<W> {
  const same = (a: string, b: string) =>
    options.ignoreCase ? a.toLowerCase() === b.toLowerCase() : a === b
  return {
    ...common(options),
    kind: 'string',
    fallback,
    expected: `one of ${words.join(', ')}`,
    parse: (text) => words.find((word) => same(word, text)),
    format: (value) => value,
  }
}

/** Words joined by commas; spaces round them do not count. The empty text is the empty list. */
export function list<F extends readonly string[] | null>(
  fallback: F,
  options: Options & { words?: readonly string[]; each?: RegExp; expected?: string },
): Setting<OrNull<F, readonly string[]>> {
  const { words, each } = options
  const isFine = (item: string) => (words?.includes(item) ?? true) && (each?.test(item) ?? true)
  return {
    ...common(options),
    kind: 'list',
    fallback: fallback as OrNull<F, readonly string[]>,
    expected: options.expected ?? (words ? `a list of ${words.join(', ')}` : 'a list'),
    parse(text) {
      const items = listItems(text)
      return items.every(isFine) ? items : undefined
    },
    format: (value) => value?.join(',') ?? null,
  }
}

/** The words of a list's text. */
export function listItems(text: string): string[] {
  const trimmed = text.trim()
  return trimmed === '' ? [] : trimmed.split(',').map((item) => item.trim())
}

/** The value of `text`. Throws SettingError. */
export function parseSetting<T>(name: string, setting: Setting<T>, text: string): T {
  const value = setting.parse(text)
  if (value !== undefined) return value
  const got = setting.kind === 'password' ? 'a secret' : JSON.stringify(text)
  throw new SettingError(`${name}: got ${got}, expected ${setting.expected}`)
}
