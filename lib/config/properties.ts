/**
 * Kafka's key=value files: Java's properties format. A line is `key=value`, `key: value` or
 * `key value`; `#` or `!` begins a comment; a backslash at the end of a line goes on in the next;
 * backslash escapes t, n, r, f, uXXXX and any other character itself.
 * Source: java.util.Properties.load. Unlike there, a key that stands twice is an error.
 */

import { SettingError } from '../base/setting.ts'

/** Throws SettingError with the line at fault. */
export function parseProperties(text: string): Record<string, string> {
  const found = new Map<string, string>()
  for (const { line, number } of logicalLines(text)) {
    const { key, rest } = splitKey(line)
    const name = unescaped(key, number)
    if (['__proto__', 'constructor', 'prototype'].includes(name)) {
      throw new SettingError(`line ${number}: ${name} cannot be the name of a setting`)
    }
    if (found.has(name)) throw new SettingError(`line ${number}: ${name} is set twice`)
    found.set(name, unescaped(rest, number))
  }
  return Object.fromEntries(found)
}

/** Lines that say something, continued ones joined; leading space is gone. */
function logicalLines(text: string): { line: string; number: number }[] {
  const lines: { line: string; number: number }[] = []
  let open: { line: string; number: number } | null = null
  for (const [index, raw] of text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const line = raw.replace(/^[ \t\f]+/, '')
    if (!open && (line === '' || line.startsWith('#') || line.startsWith('!'))) continue
    const isContinued = /(^|[^\\])(\\\\)*\\$/.test(line)
    const content = isContinued ? line.slice(0, -1) : line
    open = open
      ? { line: open.line + content, number: open.number }
      : { line: content, number: index + 1 }
    if (isContinued) continue
    lines.push(open)
    open = null
  }
  if (open) lines.push(open)
  return lines
}

/** The key ends at the first `=`, `:` or space that no backslash precedes. */
function splitKey(line: string): { key: string; rest: string } {
  const key = /^(?:\\.|[^\\=: \t\f])*/s.exec(line)?.[0] ?? ''
  return { key, rest: line.slice(key.length).replace(/^[ \t\f]*[=:]?[ \t\f]*/, '') }
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['t', '\t'],
  ['n', '\n'],
  ['r', '\r'],
  ['f', '\f'],
])

function unescaped(text: string, lineNumber: number): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|.|$)/gs, (_, escaped: string) => {
    if (escaped.length === 5) return String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
    if (escaped === 'u') throw new SettingError(`line ${lineNumber}: \\u needs four hex digits`)
    return escapes.get(escaped) ?? escaped
  })
}
