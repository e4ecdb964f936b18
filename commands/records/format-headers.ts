/**
 * Headers in a format: `%h` as kcat writes them (`a=1,b=NULL,c=`), `%h{NAME}` the last value of
 * that name, `%h{%k=%v,}` a format of its own for each header.
 */

import { asBuffer } from '../../lib/base/bytes.ts'
import type { RecordHeader } from '../../lib/record/record.ts'
import { BadValue } from '../values.ts'
import type { ByteWriter } from './byte-writer.ts'
import { type BytesOptions, bytesWriter } from './format-bytes.ts'
import { numberWriter } from './format-numbers.ts'
import { parseFormat } from './format-parser.ts'
import type { RecordWriter } from './output-record.ts'

type HeaderStep = (out: ByteWriter, header: RecordHeader) => void

/** The writer for `%h` with what stood in its braces. Throws BadValue. */
export function headersWriter(modifier: string | null, options: BytesOptions): RecordWriter {
  if (modifier === null) {
    const nullMark = options.nullMark ?? Buffer.from('NULL')
    return eachHeader('%k=%v', { options: { ...options, nullMark }, separator: ',' })
  }
  if (modifier.includes('%')) return eachHeader(modifier, { options, separator: '' })
  if (modifier === '') throw new BadValue('a name or a format in %h{}')
  const write = bytesWriter('%h', null, options)
  return (out, record) => {
    if (record.headerCount === 0) return
    const header = record.headers().findLast(({ key }) => key === modifier)
    if (header === undefined) return
    writeNullable(out, header.value, write)
  }
}

const nothing = Buffer.alloc(0)

function writeNullable(
  out: ByteWriter,
  value: Uint8Array | null,
  write: ReturnType<typeof bytesWriter>,
): void {
  if (value === null) write(out, nothing, 0, -1)
  else write(out, asBuffer(value), 0, value.length)
}

function eachHeader(
  format: string,
  { options, separator }: { options: BytesOptions; separator: string },
): RecordWriter {
  const steps = parseFormat(format).map((part): HeaderStep => {
    if (!('literal' in part)) return headerStep(part.letter, part.modifier, options)
    const { literal } = part
    return (out) => out.bytes(literal)
  })
  return (out, record) => {
    if (record.headerCount === 0) return
    let between = ''
    for (const header of record.headers()) {
      out.ascii(between)
      for (const step of steps) step(out, header)
      between = separator
    }
  }
}

function headerStep(letter: string, modifier: string | null, options: BytesOptions): HeaderStep {
  switch (letter) {
    case 'k': {
      const write = bytesWriter('%k', modifier, options)
      return (out, { key }) => {
        const bytes = Buffer.from(key)
        write(out, bytes, 0, bytes.length)
      }
    }
    case 'v':
    case 's': {
      const write = bytesWriter('%v', modifier, options)
      return (out, { value }) => writeNullable(out, value, write)
    }
    case 'K': {
      const write = numberWriter('%K', modifier)
      return (out, { key }) => write(out, Buffer.byteLength(key))
    }
    case 'V':
    case 'S': {
      const write = numberWriter('%V', modifier)
      return (out, { value }) => write(out, value?.length ?? -1)
    }
    default:
      throw new BadValue(`only %k %v %K %V inside %h{}, not %${letter}`)
  }
}
