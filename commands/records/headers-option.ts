/**
 * Headers that every record gets (`-H`), and headers written in front of a record
 * (`--parse-headers`).
 *
 *   -H name=value   -H name= (empty)   -H name (null)   -H name=@file (the file's bytes)
 *   name:value,name:value<TAB>record   as Kafka's console producer reads it
 */

import type { RecordHeader } from '../../lib/record/record.ts'
import { BadValue } from '../values.ts'

export interface HeaderOption {
  readonly name: string
  /** null: a null value. `file`: the bytes of that file. */
  readonly value: { readonly text: string } | { readonly file: string } | null
}

/** One -H. Throws BadValue. */
export function parseHeaderOption(text: string): HeaderOption {
  const at = text.indexOf('=')
  const name = at === -1 ? text : text.slice(0, at)
  if (name === '') throw new BadValue('name=value, name= (empty), name (null) or name=@file')
  if (at === -1) return { name, value: null }
  const value = text.slice(at + 1)
  if (!value.startsWith('@')) return { name, value: { text: value } }
  if (value === '@') throw new BadValue('a file name after name=@')
  return { name, value: { file: value.slice(1) } }
}

const comma = 44
const colon = 58
const tab = 9

/** A line that does not follow `name:value,...<TAB>record`. */
export class HeaderSyntaxError extends Error {
  override readonly name = 'HeaderSyntaxError'
}

/** The headers in front of a record, and the record. `nullMark` as a value is a null value. */
export function splitHeaders(
  line: Uint8Array,
  nullMark: Uint8Array | null,
): { headers: RecordHeader[]; rest: Uint8Array } {
  const end = line.indexOf(tab)
  if (end === -1) throw new HeaderSyntaxError('no tab after the headers (--parse-headers)')
  const headers: RecordHeader[] = []
  for (let at = 0; at < end; ) {
    const found = line.indexOf(comma, at)
    const stop = found === -1 || found > end ? end : found
    headers.push(parsePair(line.subarray(at, stop), nullMark))
    at = stop + 1
  }
  return { headers, rest: line.subarray(end + 1) }
}

function parsePair(pair: Uint8Array, nullMark: Uint8Array | null): RecordHeader {
  const at = pair.indexOf(colon)
  if (at === -1) {
    throw new HeaderSyntaxError(`header "${Buffer.from(pair).toString()}" has no ":"`)
  }
  const value = pair.subarray(at + 1)
  const isNull = nullMark !== null && Buffer.compare(value, nullMark) === 0
  return { key: Buffer.from(pair.subarray(0, at)).toString(), value: isNull ? null : value }
}
