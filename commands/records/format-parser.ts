/**
 * The syntax of formats: literal text with escapes, and `%` followed by a letter and perhaps by a
 * modifier in braces. Which letters there are is not known here.
 */

import { BadValue } from '../values.ts'
import { escapeAt } from './escapes.ts'

/** A piece of a format: literal bytes, or a letter with what stood in its braces. */
export type FormatPart =
  | { readonly literal: Uint8Array }
  | { readonly letter: string; readonly modifier: string | null }

/** A format's parts in order; neighbouring literals are one. Throws BadValue for what it can't read. */
export function parseFormat(format: string): FormatPart[] {
  const parts: FormatPart[] = []
  let literal: Uint8Array[] = []
  const endLiteral = () => {
    if (literal.length > 0) parts.push({ literal: Buffer.concat(literal) })
    literal = []
  }
  for (let at = 0; at < format.length; ) {
    const character = format.charAt(at)
    if (character === '\\') {
      const { byte, length } = escapeAt(format, at)
      literal.push(Uint8Array.of(byte))
      at += length
    } else if (format.startsWith('%%', at)) {
      literal.push(Buffer.from('%'))
      at += 2
    } else if (character === '%') {
      endLiteral()
      const modifier = format.charAt(at + 2) === '{' ? bracedAt(format, at + 2) : null
      parts.push({ letter: format.charAt(at + 1), modifier })
      at += 2 + (modifier === null ? 0 : modifier.length + 2)
    } else {
      const next = format.slice(at).search(/[\\%]/)
      const end = next === -1 ? format.length : at + next
      literal.push(Buffer.from(format.slice(at, end)))
      at = end
    }
  }
  endLiteral()
  return parts
}

/** What stands between the braces that open at `at`; braces inside it come in pairs. */
function bracedAt(format: string, at: number): string {
  let depth = 0
  for (let position = at; position < format.length; position++) {
    const character = format.charAt(position)
    if (character === '{') depth++
    if (character === '}') depth--
    if (depth === 0) return format.slice(at + 1, position)
  }
  throw new BadValue(`a closing } after %${format.slice(at - 1)}`)
}
