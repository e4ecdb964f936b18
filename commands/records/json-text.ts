/**
 * JSON text from bytes. A byte string is a JSON string if and only if it is valid UTF-8, otherwise
 * `{"base64":"..."}`: reading it back gives the same bytes. Plain ASCII, which most text is, is
 * copied without ever becoming a string.
 */

import { isUtf8 } from 'node:buffer'
import type { ByteWriter } from './byte-writer.ts'

/** 1 for bytes that stand in a JSON string as they are: ASCII but controls, `"` and `\`. */
const isPlain = new Uint8Array(256)
for (let byte = 32; byte < 128; byte++) isPlain[byte] = byte === 34 || byte === 92 ? 0 : 1

/** Bytes [start, end) as a JSON string or `{"base64":...}`. */
export function writeJsonBytes(
  out: ByteWriter,
  bytes: Buffer,
  { start, end }: { start: number; end: number },
): void {
  let at = start
  while (at < end && isPlain[bytes[at] ?? 0] === 1) at++
  if (at === end) {
    out.byte(34)
    out.slice(bytes, start, end)
    out.byte(34)
  } else if (isUtf8(bytes.subarray(at, end))) {
    out.utf8(JSON.stringify(bytes.toString('utf8', start, end)))
  } else {
    out.ascii('{"base64":"')
    out.ascii(bytes.toString('base64', start, end))
    out.ascii('"}')
  }
}

/** Whether the bytes are one JSON text. */
export function isJson(bytes: Uint8Array): boolean {
  if (!isUtf8(bytes)) return false
  try {
    JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString())
    return true
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

/** JSON text on one line, its numbers and order as they were: between tokens only, breaks are spaces. */
export function writeJsonLine(out: ByteWriter, json: Uint8Array): void {
  if (!json.includes(10) && !json.includes(13)) {
    out.bytes(json)
    return
  }
  // Valid JSON has no raw line break inside a string.
  out.bytes(json.map((byte) => (byte === 10 || byte === 13 ? 32 : byte)))
}
