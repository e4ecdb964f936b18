/**
 * Reads records from lines of JSON: our envelope (envelope.ts), and what other tools print. The
 * first line decides which, by the names it has:
 *
 *   payload + (ts | tstype | flat headers)   kcat -J        headers ["a","1","n",null], ts in ms
 *   payload                                  kaf            headers [{key,value}], timestamp RFC 3339
 *   Value (or Key, Partition)                kafkactl       headers a map, Timestamp RFC 3339
 *   value, or key with topic and offset      rpk, kcl       empty and null fields are left out
 *   value with timestampType, or neither     ours           value must be there
 *
 * Strict: a wrong type, a text that is no Unicode, a number that JSON cannot carry exactly is an
 * error that names the place, what it wants and what it got. Members it does not know are skipped.
 */

import { isUtf8 } from 'node:buffer'
import { asBuffer } from '../../lib/base/bytes.ts'
import type { RecordHeader } from '../../lib/record/record.ts'
import { decodeBase64 } from './encoding.ts'

/** What a line says about a record; undefined where it says nothing. */
export interface EnvelopeRecord {
  topic: string | undefined
  partition: number | undefined
  timestamp: number | bigint | undefined
  key: Uint8Array | null
  value: Uint8Array | null
  headers: RecordHeader[]
}

/** A line that is no record. The message begins with the place, as `/value must be ...`. */
export class EnvelopeError extends Error {
  override readonly name = 'EnvelopeError'
}

export type EnvelopeShape = 'ottla' | 'rpk' | 'kcat' | 'kaf' | 'kafkactl'

type Members = Readonly<Record<string, unknown>>

const noHeaders: RecordHeader[] = []
const backslash = 92

/** Reads lines of one input, all in the shape of its first line. */
export class EnvelopeReader {
  #shape: EnvelopeShape | null = null

  /** The shape that the first line had; null before it. */
  get shape(): EnvelopeShape | null {
    return this.#shape
  }

  /** The record of a line. Throws EnvelopeError. */
  read(line: Uint8Array): EnvelopeRecord {
    const members = parseObject(line)
    this.#shape ??= shapeOf(members)
    const fields = new Fields(members, line)
    switch (this.#shape) {
      case 'ottla':
        return readOurs(fields, true)
      case 'rpk':
        return readOurs(fields, false)
      case 'kcat':
        return readKcat(fields)
      case 'kaf':
        return readKaf(fields)
      case 'kafkactl':
        return readKafkactl(fields)
    }
  }
}

function parseObject(line: Uint8Array): Members {
  if (!isUtf8(line)) throw new EnvelopeError('not JSON: the line is not valid UTF-8')
  const text = asBuffer(line).toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new EnvelopeError(`not JSON: ${error.message}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EnvelopeError(`must be a JSON object; got ${describe(value)}`)
  }
  return value as Members
}

/** The member of a line as JSON has it: integers of 16 digits and more come as texts. */
function exactMember(line: Uint8Array, name: string): unknown {
  const json = asBuffer(line)
    .toString('utf8')
    .replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
      /^-?\d{16,}$/.test(token) ? `"${token}"` : token,
    )
  const members: unknown = JSON.parse(json)
  return isPlainObject(members) ? members[name] : undefined
}

function shapeOf(members: Members): EnvelopeShape {
  const has = (name: string) => Object.hasOwn(members, name)
  if (has('payload') || has('payload_base64') || has('tstype')) {
    const { headers } = members
    const isFlat =
      Array.isArray(headers) && headers.every((each) => typeof each !== 'object' || each === null)
    return has('ts') || has('tstype') || (isFlat && headers.length > 0) ? 'kcat' : 'kaf'
  }
  if (has('Value') || has('Key') || has('Partition')) return 'kafkactl'
  const isPrinted = has('topic') && has('partition') && has('offset')
  return isPrinted && !has('timestampType') ? 'rpk' : 'ottla'
}

function readOurs(fields: Fields, isStrict: boolean): EnvelopeRecord {
  if (isStrict && !fields.has('value')) {
    throw new EnvelopeError('/value is missing (null makes a tombstone)')
  }
  const isMap = isPlainObject(fields.get('headers'))
  return {
    topic: fields.text('topic'),
    partition: fields.partition('partition'),
    timestamp: fields.timestamp('timestamp'),
    key: fields.bytes('key'),
    value: fields.bytes('value'),
    headers: isMap ? fields.headerMap('headers') : fields.headers('headers'),
  }
}

function readKcat(fields: Fields): EnvelopeRecord {
  const isUnknownTime = fields.get('tstype') === 'unknown'
  return {
    topic: fields.text('topic'),
    partition: fields.partition('partition'),
    timestamp: isUnknownTime ? -1 : fields.timestamp('ts'),
    key: fields.base64('key_base64') ?? fields.bytes('key'),
    value: fields.base64('payload_base64') ?? fields.bytes('payload'),
    headers: fields.flatHeaders('headers'),
  }
}

function readKaf(fields: Fields): EnvelopeRecord {
  return {
    topic: fields.text('topic'),
    partition: fields.partition('partition'),
    timestamp: fields.calendarTime('timestamp'),
    key: fields.bytes('key'),
    value: fields.bytes('payload'),
    headers: fields.headers('headers'),
  }
}

function readKafkactl(fields: Fields): EnvelopeRecord {
  return {
    topic: fields.text('Topic'),
    partition: fields.partition('Partition'),
    timestamp: fields.calendarTime('Timestamp'),
    key: fields.bytes('Key'),
    value: fields.bytes('Value'),
    headers: fields.headerMap('Headers'),
  }
}

/** The members of one line, read with their types. */
class Fields {
  readonly #members: Members
  readonly #line: Uint8Array
  /** Only an escape can put half a surrogate pair into a text that was valid UTF-8. */
  readonly #mayBeBroken: boolean

  constructor(members: Members, line: Uint8Array) {
    this.#members = members
    this.#line = line
    this.#mayBeBroken = line.includes(backslash)
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#members, name)
  }

  get(name: string): unknown {
    return this.has(name) ? this.#members[name] : undefined
  }

  /** A string, null or {"base64"}; absent is null. */
  bytes(name: string): Uint8Array | null {
    const value = this.get(name)
    if (typeof value === 'string') return this.#text(value, `/${name}`)
    return value === undefined ? null : this.#bytesAt(value, `/${name}`)
  }

  #bytesAt(value: unknown, place: string): Uint8Array | null {
    if (value === null) return null
    if (typeof value === 'string') return this.#text(value, place)
    if (isPlainObject(value) && Object.keys(value).length === 1) {
      const { base64 } = value
      const bytes = typeof base64 === 'string' ? decodeBase64(base64) : null
      if (bytes !== null) return bytes
      if (base64 !== undefined) {
        throw new EnvelopeError(`${place}/base64 must be base64; got ${describe(base64)}`)
      }
    }
    throw new EnvelopeError(`${place} must be string, null or {"base64"}; got ${describe(value)}`)
  }

  #text(text: string, place: string): Uint8Array {
    if (this.#mayBeBroken && /\p{Surrogate}/u.test(text)) {
      throw new EnvelopeError(
        `${place} must be valid Unicode; got half a surrogate pair (write bytes as {"base64"})`,
      )
    }
    return Buffer.from(text, 'utf8')
  }

  base64(name: string): Uint8Array | null {
    const value = this.get(name)
    return value === undefined ? null : this.#bytesAt({ base64: value }, `/${name}`)
  }

  text(name: string): string | undefined {
    const value = this.get(name)
    if (value === undefined || typeof value === 'string') return value
    throw new EnvelopeError(`/${name} must be string; got ${describe(value)}`)
  }

  partition(name: string): number | undefined {
    const value = this.get(name)
    if (value === undefined) return undefined
    if (Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 31)
      return Number(value)
    throw new EnvelopeError(`/${name} must be a partition number; got ${describe(value)}`)
  }

  /** Milliseconds, a number or a decimal string; null and absent are none given. */
  timestamp(name: string): number | bigint | undefined {
    let value = this.get(name)
    if (value === undefined || value === null) return undefined
    // From 2^53 on JavaScript has no exact numbers.
    if (typeof value === 'number' && Math.abs(value) >= 2 ** 53) {
      value = exactMember(this.#line, name)
    }
    const digits = typeof value === 'string' && /^-?\d{1,19}$/.test(value) ? value : null
    const exact = digits === null ? null : BigInt(digits)
    if (exact !== null && exact === BigInt.asIntN(64, exact)) {
      const number = Number(exact)
      return Number.isSafeInteger(number) ? number : exact
    }
    if (Number.isSafeInteger(value)) return Number(value)
    throw new EnvelopeError(
      `/${name} must be milliseconds as an integer or a decimal string; got ${describe(value)}`,
    )
  }

  /** RFC 3339, as Go prints it; milliseconds are read too. Go's zero time is none. */
  calendarTime(name: string): number | bigint | undefined {
    const value = this.get(name)
    if (typeof value !== 'string' || /^-?\d+$/.test(value)) return this.timestamp(name)
    const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value)
    const ms = isTime ? Date.parse(value) : Number.NaN
    if (Number.isNaN(ms)) {
      throw new EnvelopeError(`/${name} must be a time in RFC 3339; got ${describe(value)}`)
    }
    return value.startsWith('0001-01-01T00:00:00') ? -1 : ms
  }

  /** [{key, value}, ...] */
  headers(name: string): RecordHeader[] {
    const list = this.#list(name, 'an array of {key, value}')
    if (list.length === 0) return noHeaders
    return list.map((header, index) => {
      const place = `/${name}/${index}`
      if (!isPlainObject(header)) {
        throw new EnvelopeError(`${place} must be {key, value}; got ${describe(header)}`)
      }
      return this.#header(header['key'], header['value'] ?? null, place)
    })
  }

  #header(key: unknown, value: unknown, place: string): RecordHeader {
    if (typeof key !== 'string') {
      throw new EnvelopeError(`${place}/key must be string; got ${describe(key)}`)
    }
    this.#text(key, `${place}/key`)
    return { key, value: this.#bytesAt(value, `${place}/value`) }
  }

  /** ["name", "value", ...], as kcat prints them. */
  flatHeaders(name: string): RecordHeader[] {
    const list = this.#list(name, 'an array of names and values')
    if (list.length % 2 !== 0) {
      throw new EnvelopeError(
        `/${name} must hold names and values in turn; got ${list.length} items`,
      )
    }
    const headers: RecordHeader[] = []
    for (let at = 0; at < list.length; at += 2) {
      headers.push(this.#header(list[at], list[at + 1], `/${name}/${at}`))
    }
    return headers
  }

  /** {"name": "value", ...} */
  headerMap(name: string): RecordHeader[] {
    const map = this.get(name)
    if (map === undefined || map === null) return noHeaders
    if (!isPlainObject(map)) {
      throw new EnvelopeError(
        `/${name} must be an object of names and values; got ${describe(map)}`,
      )
    }
    return Object.entries(map).map(([key, value]) => this.#header(key, value, `/${name}/${key}`))
  }

  #list(name: string, want: string): readonly unknown[] {
    const value = this.get(name)
    if (value === undefined || value === null) return []
    if (Array.isArray(value)) return value
    throw new EnvelopeError(`/${name} must be ${want}; got ${describe(value)}`)
  }
}

function isPlainObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A value for a message: its type, and what it is when that is short. */
function describe(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return `array of ${value.length}`
  if (typeof value === 'object') return 'object'
  const text = JSON.stringify(value)
  return `${typeof value} ${text.length > 40 ? `${text.slice(0, 37)}...` : text}`
}
