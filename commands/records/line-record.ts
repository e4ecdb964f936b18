/**
 * A piece of the input -> a record. Steps, in this order: headers in front (--parse-headers), key
 * and value at the first delimiter (-K), marks of null (--null, -Z), encoding (--encoding). Or the
 * piece is a line of JSON (envelope-reader.ts). Without any option the piece is the value.
 */

import { asBuffer } from '../../lib/base/bytes.ts'
import type { RecordHeader } from '../../lib/record/record.ts'
import { decodeText, type Encoding, type PerField } from './encoding.ts'
import { EnvelopeError, EnvelopeReader } from './envelope-reader.ts'
import { HeaderSyntaxError, splitHeaders } from './headers-option.ts'

/** What the producer is given. `partition` and `timestamp` are left out where the client decides. */
export interface NewRecord {
  topic: string
  partition?: number
  key: Uint8Array | null
  value: Uint8Array | null
  headers?: RecordHeader[]
  timestamp?: number | bigint
}

/** A piece that is no record: what is wrong with it, without its place. */
export class InvalidRecordError extends Error {
  override readonly name = 'InvalidRecordError'
}

/** What every record of the input shares. */
export interface RecordDefaults {
  readonly topic: string
  readonly partition?: number | undefined
  readonly key?: Uint8Array | null
  readonly headers?: readonly RecordHeader[]
  readonly timestampMs?: number | undefined
}

/**
 * A record from a piece. Throws InvalidRecordError. The record may be the same object each time: it
 * is valid until the next call.
 */
export type RecordParser = (piece: Uint8Array) => NewRecord

export interface TextOptions {
  readonly keyDelimiter?: Uint8Array | undefined
  readonly nullMark?: Uint8Array | undefined
  readonly emptyIsNull?: boolean
  readonly encoding?: PerField<Encoding>
  readonly parseHeaders?: boolean
}

/** Reads pieces as text with these options. */
export function textParser(defaults: RecordDefaults, options: TextOptions = {}): RecordParser {
  const fixedKey = defaults.key ?? null
  const isPlain =
    options.keyDelimiter === undefined &&
    options.nullMark === undefined &&
    options.emptyIsNull !== true &&
    options.parseHeaders !== true &&
    (options.encoding?.value ?? 'utf8') === 'utf8'
  if (isPlain) {
    const record = newRecord(defaults, fixedKey, null)
    return (piece) => {
      record.value = piece
      return record
    }
  }
  return (piece) => parseText(piece, { defaults, options, fixedKey })
}

function newRecord(
  defaults: RecordDefaults,
  key: Uint8Array | null,
  value: Uint8Array | null,
): NewRecord {
  const record: NewRecord = { topic: defaults.topic, key, value }
  if (defaults.partition !== undefined) record.partition = defaults.partition
  if (defaults.timestampMs !== undefined) record.timestamp = defaults.timestampMs
  if (defaults.headers !== undefined && defaults.headers.length > 0) {
    record.headers = [...defaults.headers]
  }
  return record
}

function parseText(
  piece: Uint8Array,
  parts: { defaults: RecordDefaults; options: TextOptions; fixedKey: Uint8Array | null },
): NewRecord {
  const { defaults, options, fixedKey } = parts
  let rest = piece
  let headers: RecordHeader[] = []
  if (options.parseHeaders === true) {
    try {
      ;({ headers, rest } = splitHeaders(piece, options.nullMark ?? null))
    } catch (error) {
      if (error instanceof HeaderSyntaxError) throw new InvalidRecordError(error.message)
      throw error
    }
  }
  let key = fixedKey
  const delimiter = options.keyDelimiter
  const at = delimiter === undefined ? -1 : asBuffer(rest).indexOf(delimiter)
  if (delimiter !== undefined && at !== -1) {
    key = readField('key', rest.subarray(0, at), options)
    rest = rest.subarray(at + delimiter.length)
  }
  const record = newRecord(defaults, key, readField('value', rest, options))
  if (headers.length > 0) record.headers = [...headers, ...(record.headers ?? [])]
  return record
}

function readField(
  field: 'key' | 'value',
  bytes: Uint8Array,
  { nullMark, emptyIsNull, encoding }: TextOptions,
): Uint8Array | null {
  if (emptyIsNull === true && bytes.length === 0) return null
  if (nullMark !== undefined && asBuffer(bytes).equals(nullMark)) return null
  const kind = encoding?.[field] ?? 'utf8'
  const decoded = decodeText(bytes, kind)
  if (decoded === null) throw new InvalidRecordError(`the ${field} is not valid ${kind}`)
  return decoded
}

export interface EnvelopeParserOptions {
  readonly keepPartition?: boolean
  readonly keepTopic?: boolean
}

/** Reads pieces as lines of JSON. What `defaults` gives goes before what a line says. */
export function envelopeParser(
  defaults: RecordDefaults,
  { keepPartition = false, keepTopic = false }: EnvelopeParserOptions = {},
): RecordParser {
  const reader = new EnvelopeReader()
  return (piece) => {
    try {
      const { topic, partition, timestamp, key, value, headers } = reader.read(piece)
      const record = newRecord(defaults, key, value)
      if (headers.length > 0) record.headers = [...headers, ...(record.headers ?? [])]
      if (record.timestamp === undefined && timestamp !== undefined) record.timestamp = timestamp
      if (keepTopic && topic !== undefined) record.topic = topic
      if (keepPartition) {
        if (partition === undefined)
          throw new EnvelopeError('/partition is missing (--keep-partition)')
        record.partition = partition
      }
      return record
    } catch (error) {
      if (error instanceof EnvelopeError) throw new InvalidRecordError(error.message)
      throw error
    }
  }
}
