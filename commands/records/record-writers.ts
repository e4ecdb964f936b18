/**
 * Which writer prints the records of `consume`: envelopes (--json), a format (-f), or key and value
 * with delimiters (-K, -D), which by default is the value and a line feed.
 */

import type { PerField, Rendering } from './encoding.ts'
import { envelopeWriter } from './envelope.ts'
import { compileFormat, type FormatOptions } from './format.ts'
import type { RecordWriter } from './output-record.ts'

export interface WriterOptions {
  readonly isJson: boolean
  readonly meta: boolean
  readonly format: string | null
  readonly keyDelimiter: Uint8Array | null
  readonly delimiter: Uint8Array
  readonly nullMark: Uint8Array | null
  readonly decode: PerField<Rendering>
  /** Show control characters instead of sending them. */
  readonly isTty: boolean
}

/** Throws BadValue for a format that is none. */
export function recordWriter(options: WriterOptions): RecordWriter {
  const { isJson, meta, format, decode } = options
  if (isJson) return envelopeWriter({ meta, decode })
  const formatOptions: FormatOptions = {
    nullMark: options.nullMark,
    keyRendering: decode.key,
    valueRendering: decode.value,
    isTty: options.isTty,
  }
  if (format !== null) return compileFormat(format, formatOptions)
  return delimitedWriter(options, formatOptions)
}

function delimitedWriter(
  { keyDelimiter, delimiter, nullMark, decode, isTty }: WriterOptions,
  formatOptions: FormatOptions,
): RecordWriter {
  const isPlain = keyDelimiter === null && nullMark === null && decode.value === null && !isTty
  if (isPlain) return plainWriter(delimiter)
  const value = compileFormat('%s', formatOptions)
  if (keyDelimiter === null) {
    return (out, record, place) => {
      value(out, record, place)
      out.bytes(delimiter)
    }
  }
  const key = compileFormat('%k', formatOptions)
  return (out, record, place) => {
    key(out, record, place)
    out.bytes(keyDelimiter)
    value(out, record, place)
    out.bytes(delimiter)
  }
}

/** Value and delimiter, bytes as they are: the hot path of `consume | ...`. */
function plainWriter(delimiter: Uint8Array): RecordWriter {
  const [only] = delimiter
  if (only === undefined || delimiter.length > 1) {
    return (out, { bytes, valuePosition, valueSize }) => {
      if (valueSize > 0) out.slice(bytes, valuePosition, valuePosition + valueSize)
      out.bytes(delimiter)
    }
  }
  return (out, record) => {
    const { valuePosition, valueSize } = record
    if (valueSize > 0) out.slice(record.bytes, valuePosition, valuePosition + valueSize)
    out.byte(only)
  }
}
