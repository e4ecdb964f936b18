/**
 * Text encodings of binary keys and values: `--encoding` says what produce reads, `--decode` what
 * consume shows. `[key=|value=]KIND`; without a field it holds for both.
 */

import { asBuffer } from '../../lib/base/bytes.ts'
import { BadValue } from '../values.ts'

export type Encoding = 'utf8' | 'hex' | 'base64'
export type Rendering = 'hex' | 'base64' | 'json'

export interface PerField<T> {
  readonly key: T | null
  readonly value: T | null
}

export function parseEncoding(text: string): PerField<Encoding> {
  return parsePerField(text, ['utf8', 'hex', 'base64'])
}

export function parseRendering(text: string): PerField<Rendering> {
  return parsePerField(text, ['hex', 'base64', 'json'])
}

function parsePerField<K extends string>(text: string, kinds: readonly K[]): PerField<K> {
  const [, field, word] = /^(?:(key|value)=)?(.*)$/s.exec(text) ?? []
  const kind = kinds.find((each) => each === word)
  if (kind === undefined) {
    throw new BadValue(`${kinds.join(', ')}, or one of them after key= or value=`)
  }
  return { key: field === 'value' ? null : kind, value: field === 'key' ? null : kind }
}

/** Several options as one; the later wins. */
export function mergePerField<T>(options: readonly PerField<T>[]): PerField<T> {
  let merged: PerField<T> = { key: null, value: null }
  for (const each of options) {
    merged = { key: each.key ?? merged.key, value: each.value ?? merged.value }
  }
  return merged
}

/** The bytes that `text` encodes; null when it is not valid in its encoding. Spaces are not skipped. */
export function decodeText(text: Uint8Array, encoding: Encoding): Uint8Array | null {
  if (encoding === 'utf8') return text
  return encoding === 'hex'
    ? decodeHex(asBuffer(text).toString('latin1'))
    : decodeBase64(asBuffer(text).toString('latin1'))
}

function decodeHex(text: string): Uint8Array | null {
  return text.length % 2 === 0 && /^[0-9a-fA-F]*$/.test(text) ? Buffer.from(text, 'hex') : null
}

/** Standard or URL-safe alphabet, padded or not; Node itself would skip whatever it does not know. */
export function decodeBase64(text: string): Uint8Array | null {
  const body = text.replace(/={1,2}$/, '')
  const isPadded = body.length !== text.length
  if (!/^[A-Za-z0-9+/]*$|^[A-Za-z0-9_-]*$/.test(body) || body.length % 4 === 1) return null
  if (isPadded && text.length % 4 !== 0) return null
  return Buffer.from(body, 'base64')
}
