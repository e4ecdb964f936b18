/**
 * Where a group is to go on reading, as `--to` says it:
 *
 *   start | end | current | N | +N | -N | @TIME | group=GROUP | file=FILE
 *
 * +N and -N count from what is committed. Kafka's own options say the same in other words; exactly
 * one of all may be given.
 */

import { CommandError, exitCodes } from '../command.ts'
import { option, parseText } from '../options.ts'
import { BadValue, parseDuration, parseInteger, parseTime, type Time } from '../values.ts'

export type Target =
  | { readonly kind: 'start' | 'end' | 'current' }
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'shift'; readonly by: number }
  | { readonly kind: 'time'; readonly time: Time }
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'file'; readonly file: string }

const kinds = 'start, end, current, N, +N, -N, @TIME, group=GROUP or file=FILE'
const want = `${kinds}, for example @-24h`

const words: Readonly<Record<string, Target>> = {
  start: { kind: 'start' },
  beginning: { kind: 'start' },
  earliest: { kind: 'start' },
  end: { kind: 'end' },
  latest: { kind: 'end' },
  current: { kind: 'current' },
}

/** Throws BadValue. */
export function parseTarget(text: string): Target {
  const word = Object.hasOwn(words, text) ? words[text] : undefined
  if (word !== undefined) return word
  const [, name, value = ''] = /^(group|file)=(.+)$/s.exec(text) ?? []
  if (name === 'group') return { kind: 'group', group: value }
  if (name === 'file') return { kind: 'file', file: value }
  try {
    if (text.startsWith('@')) return { kind: 'time', time: parseTime(text) }
    if (/^[+-]\d/.test(text)) return { kind: 'shift', by: parseShift(text) }
    return { kind: 'offset', offset: parseInteger(text, { min: 0 }) }
  } catch (error) {
    if (error instanceof BadValue) throw new BadValue(want)
    throw error
  }
}

function parseShift(text: string): number {
  return parseInteger(text.startsWith('+') ? text.slice(1) : text)
}

/** ISO 8601, as Java prints a Duration (`PT1H30M`, `P1DT2H`), or our own `1h30m`. */
function parseAgo(text: string): Time {
  const match = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i.exec(text)
  if (match === null || /^PT?$|T$/i.test(text)) {
    if (/^P/i.test(text)) throw new BadValue('a duration such as PT1H30M or P1D')
    return { agoMs: parseDuration(text) }
  }
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match
    .slice(1)
    .map((one) => Number(one ?? 0))
  const agoMs = Math.round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000)
  if (!Number.isSafeInteger(agoMs)) throw new BadValue('a shorter duration')
  return { agoMs }
}

const hidden = { hidden: true } as const
const kafkaFlag = (word: string) => ({
  ...option(`Kafka's name for --to ${word}`, parseText, { ...hidden, word: '' }),
  read: (texts: readonly string[]): Target | undefined =>
    texts.length > 0 ? words[word] : undefined,
})

/** `--to`, and Kafka's names for its kinds. */
export const targetOptions = {
  to: option(`where to go on: ${kinds}`, parseTarget, { word: 'TARGET' }),
  toEarliest: kafkaFlag('start'),
  toLatest: kafkaFlag('end'),
  toCurrent: kafkaFlag('current'),
  toOffset: option(
    "Kafka's name for --to N",
    (text): Target => ({ kind: 'offset', offset: parseInteger(text, { min: 0 }) }),
    { ...hidden, word: 'N' },
  ),
  toDatetime: option(
    "Kafka's name for --to @TIME",
    (text): Target => ({ kind: 'time', time: parseTime(text) }),
    { ...hidden, word: 'TIME' },
  ),
  shiftBy: option(
    "Kafka's name for --to +N",
    (text): Target => ({ kind: 'shift', by: parseShift(text) }),
    { ...hidden, word: 'N' },
  ),
  byDuration: option(
    "Kafka's name for --to @-D",
    (text): Target => ({ kind: 'time', time: parseAgo(text) }),
    { ...hidden, word: 'D' },
  ),
  fromFile: option(
    "Kafka's name for --to file=FILE",
    (text): Target => ({ kind: 'file', file: parseText(text) }),
    { ...hidden, word: 'FILE', completes: 'file' },
  ),
}

/** The one target that was given. Throws CommandError 2. */
export function oneTarget(given: Readonly<Record<string, Target | undefined>>): Target {
  const targets = Object.values(given).filter((one) => one !== undefined)
  const [target] = targets
  const usage = 'usage: ottla group reset GROUP [--topic T] --to TARGET; see --help'
  if (target === undefined) throw new CommandError(exitCodes.usage, 'no --to given', usage)
  if (targets.length > 1) throw new CommandError(exitCodes.usage, 'more than one --to given', usage)
  return target
}
