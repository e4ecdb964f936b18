/**
 * `-f FORMAT`: compiled once into a list of steps that write bytes; no text is made on the way.
 *
 *   %s %v value        %S %V its size (-1 null)      %R size as 4 bytes, big-endian
 *   %k key             %K its size (-1 null)         %j value as JSON
 *   %t topic           %p partition  %o offset       %e leader epoch
 *   %T timestamp ms    %d ISO time (%d{%F %T})       %i counter from 1
 *   %h headers a=1,b=NULL   %h{NAME} one   %h{%k=%v,} each    %H how many
 *   %L %E log start, log end               %% a percent sign
 *
 * Modifiers in braces: `{hex}` `{base64}` `{json}` of byte strings (`{len}` their size); `{big32}`
 * and the like (format-numbers.ts) of numbers. Escapes as in escapes.ts. kcat's ten letters mean
 * what they mean there; the rest are rpk's and kcl's.
 */

import { BadValue } from '../values.ts'
import type { Rendering } from './encoding.ts'
import { type BytesOptions, bytesWriter } from './format-bytes.ts'
import { headersWriter } from './format-headers.ts'
import { numberWriter } from './format-numbers.ts'
import { type FormatPart, parseFormat } from './format-parser.ts'
import { timeWriter } from './format-time.ts'
import type { OutputPlace, OutputRecord, RecordWriter } from './output-record.ts'

export interface FormatOptions extends BytesOptions {
  /** How `%s` and `%k` print without a modifier of their own. */
  readonly keyRendering?: Rendering | null
  readonly valueRendering?: Rendering | null
}

/** The writer for a format. Throws BadValue. */
export function compileFormat(format: string, options: FormatOptions = {}): RecordWriter {
  const steps = parseFormat(format).map((part) => compilePart(part, options))
  const [only] = steps
  if (only !== undefined && steps.length === 1) return only
  return (out, record, place) => {
    for (const step of steps) step(out, record, place)
  }
}

const tokens = '%s %v %S %V %R %k %K %T %d %t %p %o %e %i %h %H %L %E %j %%'

const numbers: Readonly<
  Record<string, (record: OutputRecord, place: OutputPlace) => number | bigint>
> = {
  S: (record) => record.valueSize,
  V: (record) => record.valueSize,
  K: (record) => record.keySize,
  T: (record) => record.timestamp,
  p: (_, place) => place.partition,
  o: (record) => record.offset,
  e: (_, place) => place.leaderEpoch,
  i: (_, place) => place.count + 1,
  H: (record) => record.headerCount,
  L: (_, place) => place.logStart,
  E: (_, place) => place.logEnd,
}

function compilePart(part: FormatPart, options: FormatOptions): RecordWriter {
  if ('literal' in part) {
    const { literal } = part
    return (out) => out.bytes(literal)
  }
  const { letter, modifier } = part
  const number = numbers[letter]
  if (number !== undefined && letter !== '') {
    const write = numberWriter(`%${letter}`, modifier)
    return (out, record, place) => write(out, number(record, place))
  }
  switch (letter) {
    case 's':
    case 'v':
      return compileValue(modifier ?? options.valueRendering ?? null, options)
    case 'k':
      return compileKey(modifier ?? options.keyRendering ?? null, options)
    case 'j':
      if (modifier !== null) throw new BadValue('%j without a modifier')
      return compileValue('json', options)
    case 'R': {
      const write = numberWriter('%R', modifier ?? 'big32')
      return (out, record) => write(out, record.valueSize)
    }
    case 't':
      return compileTopic(modifier, options)
    case 'd': {
      const write = timeWriter(modifier)
      return (out, record) => write(out, record.timestamp)
    }
    case 'h':
      return headersWriter(modifier, options)
    default:
      throw new BadValue(`only the tokens ${tokens}, not %${letter}`)
  }
}

function compileValue(modifier: string | null, options: FormatOptions): RecordWriter {
  const write = bytesWriter('%s', modifier, options)
  return (out, { bytes, valuePosition, valueSize }) =>
    write(out, bytes, valuePosition, valuePosition + valueSize)
}

function compileKey(modifier: string | null, options: FormatOptions): RecordWriter {
  const write = bytesWriter('%k', modifier, options)
  return (out, { bytes, keyPosition, keySize }) =>
    write(out, bytes, keyPosition, keyPosition + keySize)
}

function compileTopic(modifier: string | null, options: FormatOptions): RecordWriter {
  const write = bytesWriter('%t', modifier, options)
  const names = new Map<string, Buffer>()
  return (out, _, { topic }) => {
    let bytes = names.get(topic)
    if (bytes === undefined) {
      bytes = Buffer.from(topic)
      names.set(topic, bytes)
    }
    write(out, bytes, 0, bytes.length)
  }
}
