/**
 * The record envelope that `consume --json` writes: one line of JSON per record, lossless.
 *
 *   {"topic":"orders","partition":0,"offset":42,"timestamp":1732154400000,"timestampType":"create",
 *    "headers":[{"key":"trace","value":"abc"}],"key":"k1","value":{"base64":"AP8="}}
 *
 * Byte strings: json-text.ts. null is null. Headers keep their order and duplicates. A timestamp is
 * a number while JavaScript reads it exactly (below 2^53), otherwise a decimal string; -1 = none. envelope-reader.ts reads it back.
 */

import { asBuffer } from '../../lib/base/bytes.ts'
import type { ByteWriter } from './byte-writer.ts'
import type { PerField, Rendering } from './encoding.ts'
import { isJson, writeJsonBytes, writeJsonLine } from './json-text.ts'
import {
  type OutputPlace,
  type OutputRecord,
  type RecordWriter,
  recordSize,
} from './output-record.ts'

export interface EnvelopeOptions {
  /** Adds leaderEpoch, producerId and size. */
  readonly meta?: boolean
  /** Adds keyJson, keyHex, valueBase64, ... beside the field, for people; it is not read back. */
  readonly decode?: PerField<Rendering>
}

/** The writer of envelopes, each ended by a line feed. */
export function envelopeWriter({ meta = false, decode }: EnvelopeOptions = {}): RecordWriter {
  const prefixes = new Map<string, string>()
  const keyRendering = decode?.key ?? null
  const valueRendering = decode?.value ?? null
  return (out, record, place) => {
    let prefix = prefixes.get(place.topic)
    if (prefix === undefined) {
      prefix = `{"topic":${JSON.stringify(place.topic)},"partition":`
      prefixes.set(place.topic, prefix)
    }
    out.utf8(prefix)
    out.integer(place.partition)
    out.ascii(',"offset":')
    out.integer(record.offset)
    writeTimestamp(out, record.timestamp)
    out.ascii(place.timestampType === 'create' ? createType : appendType)
    writeHeaders(out, record)
    writeField(out, record, { field: 'key', rendering: keyRendering })
    writeField(out, record, { field: 'value', rendering: valueRendering })
    if (meta) writeMeta(out, record, place)
    out.ascii('}\n')
  }
}

const createType = ',"timestampType":"create","headers":['
const appendType = ',"timestampType":"append","headers":['

function writeTimestamp(out: ByteWriter, timestamp: number | bigint): void {
  out.ascii(',"timestamp":')
  if (Number.isSafeInteger(timestamp)) out.integer(timestamp)
  else out.ascii(`"${timestamp}"`)
}

function writeHeaders(out: ByteWriter, record: OutputRecord): void {
  if (record.headerCount > 0) {
    let separator = '{"key":'
    for (const { key, value } of record.headers()) {
      out.ascii(separator)
      out.utf8(JSON.stringify(key))
      out.ascii(',"value":')
      if (value === null) out.ascii('null')
      else writeJsonBytes(out, asBuffer(value), { start: 0, end: value.length })
      separator = '},{"key":'
    }
    out.byte(125)
  }
  out.byte(93)
}

function writeField(
  out: ByteWriter,
  record: OutputRecord,
  { field, rendering }: { field: 'key' | 'value'; rendering: Rendering | null },
): void {
  const isKey = field === 'key'
  const size = isKey ? record.keySize : record.valueSize
  const start = isKey ? record.keyPosition : record.valuePosition
  out.ascii(isKey ? ',"key":' : ',"value":')
  if (size < 0) {
    out.ascii('null')
    return
  }
  writeJsonBytes(out, record.bytes, { start, end: start + size })
  if (rendering !== null)
    writeRendered(out, record.bytes.subarray(start, start + size), { field, rendering })
}

function writeRendered(
  out: ByteWriter,
  bytes: Buffer,
  { field, rendering }: { field: string; rendering: Rendering },
): void {
  if (rendering === 'json') {
    if (!isJson(bytes)) return
    out.ascii(`,"${field}Json":`)
    writeJsonLine(out, bytes)
  } else {
    out.ascii(`,"${field}${rendering === 'hex' ? 'Hex' : 'Base64'}":"`)
    out.ascii(bytes.toString(rendering))
    out.byte(34)
  }
}

function writeMeta(out: ByteWriter, record: OutputRecord, place: OutputPlace): void {
  out.ascii(',"leaderEpoch":')
  out.integer(place.leaderEpoch)
  out.ascii(',"producerId":')
  out.integer(place.producerId)
  out.ascii(',"size":')
  out.integer(recordSize(record))
}
