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

/** How records are printed. */
export interface Printer {
  readonly write: RecordWriter
  /** Values as they are, each followed by this byte: whole batches may go a faster way. -1 = no. */
  readonly plainDelimiter: number
}

/** Throws BadValue for a format that is none. */
export function printerOf(options: WriterOptions): Printer {
  const [only = -1] = options.delimiter
  const isFast = isPlain(options) && options.delimiter.length === 1
  return { write: recordWriter(options), plainDelimiter: isFast ? only : -1 }
}

function isPlain(options: WriterOptions): boolean {
  const { isJson, format, keyDelimiter, nullMark, decode, isTty } = options
  if (isJson || format !== null || isTty) return false
  return keyDelimiter === null && nullMark === null && decode.value === null
}

function recordWriter(options: WriterOptions): RecordWriter {
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

function delimitedWriter(options: WriterOptions, formatOptions: FormatOptions): RecordWriter {
  const { keyDelimiter, delimiter } = options
  if (isPlain(options)) return plainWriter(delimiter)
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

/** Value and delimiter, bytes as they are. */
function plainWriter(delimiter: Uint8Array): RecordWriter {
  return (out, { bytes, valuePosition, valueSize }) => {
    if (valueSize > 0) out.slice(bytes, valuePosition, valuePosition + valueSize)
    out.bytes(delimiter)
  }
}
