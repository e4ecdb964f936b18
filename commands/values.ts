/**
 * How texts from the command line are read: integers, sizes, durations, times, byte strings.
 * Every parser takes the whole text or throws BadValue with what it wants instead; nothing is
 * guessed, rounded or cut. The caller adds the name of the option and the text.
 */

/** A text that is not a value of its kind. `want` ends the sentence "want ...". */
export class BadValue extends Error {
  override readonly name = 'BadValue'
  readonly want: string

  constructor(want: string) {
    super(`want ${want}`)
    this.want = want
  }
}

/** A whole decimal number within [min, max], exact: nothing beyond 2^53, no sign `+`, no exponent. */
export function parseInteger(
  text: string,
  {
    min = Number.MIN_SAFE_INTEGER,
    max = Number.MAX_SAFE_INTEGER,
  }: { min?: number; max?: number } = {},
): number {
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new BadValue(integerRange(min, max))
  }
  return value === 0 ? 0 : value
}

function integerRange(min: number, max: number): string {
  if (max === Number.MAX_SAFE_INTEGER) {
    return min === Number.MIN_SAFE_INTEGER ? 'a whole number' : `a whole number from ${min}`
  }
  return `a whole number from ${min} to ${max}`
}

const sizeUnits: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
}

/** Bytes: `64k`, `1m`, `1048576`; k, m, g and t are powers of 1024; `kb` and `KiB` are the same as `k`. */
export function parseSize(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+)([a-z]?)(?:i?b)?$/i.exec(text) ?? []
  const factor = sizeUnits[unit.toLowerCase()]
  const bytes = Number(digits) * (factor ?? Number.NaN)
  if (digits === '' || !Number.isSafeInteger(bytes)) throw new BadValue('a size such as 64k or 1m')
  return bytes
}

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** Milliseconds: `500ms 5s 2m 1h 3d`, several in a row (`1h30m`), fractions (`0.5s`), or `0`. */
export function parseDuration(text: string): number {
  if (text === '0') return 0
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text)) throw new BadValue(durationWant)
  let total = 0
  for (const [, digits = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(digits) * (durationUnits[unit] ?? Number.NaN)
  }
  if (!Number.isSafeInteger(Math.round(total))) throw new BadValue(durationWant)
  return Math.round(total)
}

const durationWant = 'a duration such as 500ms, 5s, 2m, 1h or 3d'

/** A point in time, absolute or counted from now; `timeMs` gives it as milliseconds since 1970. */
export type Time = { readonly atMs: number } | { readonly agoMs: number }

/** Milliseconds since 1970 of a time, at the moment `nowMs`. */
export function timeMs(time: Time, nowMs: number): number {
  return 'atMs' in time ? time.atMs : nowMs - time.agoMs
}

/**
 * `1732154400000` (ms) or `1732154400` (s: below 10^11), `2026-11-20`, `2026-11-20T10:00:00Z`,
 * `2026-11-20 10:00`, `-10m`, `now`. Without a zone it is UTC. A leading `@` may stand before it.
 */
export function parseTime(text: string): Time {
  const bare = text.startsWith('@') ? text.slice(1) : text
  if (bare === 'now') return { agoMs: 0 }
  if (/^\d+$/.test(bare)) {
    const value = parseEpoch(Number(bare))
    return { atMs: value }
  }
  if (bare.startsWith('-')) {
    try {
      return { agoMs: parseDuration(bare.slice(1)) }
    } catch {
      throw new BadValue(timeWant)
    }
  }
  return { atMs: parseCalendar(bare) }
}

const timeWant =
  'a time such as 2026-11-20, 2026-11-20T10:00:00Z, -10m, now, or seconds or milliseconds since 1970'

function parseEpoch(value: number): number {
  if (!Number.isSafeInteger(value)) throw new BadValue(timeWant)
  return value < 100_000_000_000 ? value * 1000 : value
}

const calendar =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s?(Z|[+-]\d\d:?\d\d)?)?$/i

function parseCalendar(text: string): number {
  const match = calendar.exec(text)
  if (match === null) throw new BadValue(timeWant)
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((part) => Number(part ?? 0))
  const ms = Math.floor(Number(`0.${match[7] ?? '0'}`) * 1000)
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second, ms))
  // Date rolls 31 November over to December; such a day does not exist.
  const isReal =
    date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60
  if (!isReal || second > 59) throw new BadValue(timeWant)
  return date.getTime() - zoneMs(match[8])
}

function zoneMs(zone: string | undefined): number {
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(zone ?? '') ?? []
  const ms = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000
  return sign === '-' ? -ms : ms
}

/** Bytes of a text with the escapes `\n \r \t \0 \\ \xNN`; any other escape is an error. */
export function parseBytes(text: string): Uint8Array {
  if (!text.includes('\\')) return Buffer.from(text, 'utf8')
  const pieces: Buffer[] = []
  const pattern = /\\(?:x([0-9a-fA-F]{2})|([nrt0\\]))|[^\\]+|\\/gu
  for (const [piece, hex, letter] of text.matchAll(pattern)) {
    if (hex !== undefined) pieces.push(Buffer.from([Number.parseInt(hex, 16)]))
    else if (letter !== undefined) pieces.push(Buffer.from(escapes[letter] ?? '', 'latin1'))
    else if (piece === '\\') throw new BadValue('only the escapes \\n \\r \\t \\0 \\\\ \\xNN')
    else pieces.push(Buffer.from(piece, 'utf8'))
  }
  return Buffer.concat(pieces)
}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '0': '\0',
  '\\': '\\',
}
