/**
 * Timestamps in a format, in UTC: `%d` as ISO 8601 with milliseconds, `%d{...}` by strftime's
 * letters. A record without a timestamp (-1) prints `-`; one outside of the calendar prints its
 * milliseconds.
 */

import { BadValue } from '../values.ts'
import type { ByteWriter } from './byte-writer.ts'

/** Beyond this, in either direction, JavaScript has no date. */
const calendarMaxMs = 8.64e15

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

const letters: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => String(date.getUTCFullYear()).padStart(4, '0'),
  y: (date) => pad(date.getUTCFullYear() % 100),
  m: (date) => pad(date.getUTCMonth() + 1),
  d: (date) => pad(date.getUTCDate()),
  e: (date) => String(date.getUTCDate()).padStart(2, ' '),
  H: (date) => pad(date.getUTCHours()),
  M: (date) => pad(date.getUTCMinutes()),
  S: (date) => pad(date.getUTCSeconds()),
  L: (date) => pad(date.getUTCMilliseconds(), 3),
  N: (date) => pad(date.getUTCMilliseconds() * 1_000_000, 9),
  j: (date) => pad(dayOfYear(date), 3),
  a: (date) => days[date.getUTCDay()] ?? '',
  b: (date) => months[date.getUTCMonth()] ?? '',
  s: (date) => String(Math.floor(date.getTime() / 1000)),
  F: (date) => expand('%Y-%m-%d', date),
  T: (date) => expand('%H:%M:%S', date),
  R: (date) => expand('%H:%M', date),
  z: () => '+0000',
  Z: () => 'UTC',
  '%': () => '%',
}

/** The writer for `%d` with what stood in its braces. Throws BadValue. */
export function timeWriter(
  pattern: string | null,
): (out: ByteWriter, timestamp: number | bigint) => void {
  for (const [, letter = ''] of pattern?.matchAll(/%(.?)/gs) ?? []) {
    if (letters[letter] === undefined) {
      throw new BadValue(`one of %${Object.keys(letters).join(' %')} inside %d{}, not %${letter}`)
    }
  }
  return (out, timestamp) => {
    if (timestamp === -1) {
      out.byte(45)
      return
    }
    const ms = Number(timestamp)
    if (Math.abs(ms) > calendarMaxMs) out.integer(timestamp)
    else if (pattern === null) out.ascii(new Date(ms).toISOString())
    else out.utf8(expand(pattern, new Date(ms)))
  }
}

function expand(pattern: string, date: Date): string {
  return pattern.replace(/%(.)/gs, (_, letter: string) => letters[letter]?.(date) ?? '')
}

function pad(value: number, width = 2): string {
  return String(value).padStart(width, '0')
}

function dayOfYear(date: Date): number {
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1
}
