/** Byte strings in a format: as they are, safe for a terminal, or as text by a modifier. */

import { BadValue } from '../values.ts'
import type { ByteWriter } from './byte-writer.ts'
import { writeJsonBytes } from './json-text.ts'

export interface BytesOptions {
  /** What null prints as: nothing by default (NULL in `%h`, as kcat does). */
  readonly nullMark?: Uint8Array | null
  /** Control characters are shown as \xNN, so that no record moves the cursor or worse. */
  readonly isTty?: boolean
}

/** Writes bytes [start, end), or what stands for null when `end` is below `start`. */
export type BytesWriter = (out: ByteWriter, bytes: Buffer, start: number, end: number) => void

/** The writer for `token` with a modifier. Throws BadValue for one it does not have. */
export function bytesWriter(
  token: string,
  modifier: string | null,
  options: BytesOptions,
): BytesWriter {
  const nullMark = options.nullMark ?? new Uint8Array(0)
  switch (modifier) {
    case null:
    case 'raw': {
      const write = options.isTty === true && modifier === null ? writeVisible : writeSlice
      return (out, bytes, start, end) =>
        end < start ? out.bytes(nullMark) : write(out, bytes, start, end)
    }
    case 'hex':
    case 'base64':
      return (out, bytes, start, end) =>
        end < start ? out.bytes(nullMark) : out.ascii(bytes.toString(modifier, start, end))
    case 'json':
      return (out, bytes, start, end) =>
        end < start ? out.ascii('null') : writeJsonBytes(out, bytes, { start, end })
    case 'len':
      return (out, _, start, end) => out.integer(end - start)
    default:
      throw new BadValue(`${token} with {hex}, {base64}, {json}, {len} or {raw}, not {${modifier}}`)
  }
}

const writeSlice: BytesWriter = (out, bytes, start, end) => out.slice(bytes, start, end)

const writeVisible: BytesWriter = (out, bytes, start, end) => {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0
    // The C1 controls are 0xc2 0x80 to 0xc2 0x9f in UTF-8.
    const next = at + 1 < end ? (bytes[at + 1] ?? 0) : 0
    const isC1 = byte === 0xc2 && next >= 0x80 && next < 0xa0
    const isControl = (byte < 32 && byte !== 9 && byte !== 10) || byte === 127
    if (isC1 || isControl) out.ascii(`\\x${(isC1 ? next : byte).toString(16).padStart(2, '0')}`)
    else out.byte(byte)
    if (isC1) at++
  }
}
