/**
 * Escapes inside a format (`-f`): `\n \r \t \0 \\ \xNN`, one byte each, as in every option that
 * takes bytes (values.ts). Anything else after a backslash is an error, so that a mistyped
 * delimiter never silently prints as something else.
 */

import { BadValue } from '../values.ts'

const simple: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, '0': 0, '\\': 92 }

/** The byte that the escape at `at` (a backslash) stands for, and how many characters it takes. */
export function escapeAt(text: string, at: number): { byte: number; length: number } {
  const byte = simple[text.charAt(at + 1)]
  if (byte !== undefined) return { byte, length: 2 }
  const hex = /^x([0-9a-fA-F]{2})/.exec(text.slice(at + 1, at + 4))?.[1]
  if (hex !== undefined) return { byte: Number.parseInt(hex, 16), length: 4 }
  throw new BadValue('only the escapes \\n \\r \\t \\0 \\\\ \\xNN')
}
