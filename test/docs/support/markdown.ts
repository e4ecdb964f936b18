/** What the documents hold that can be checked: fenced blocks, tables, names in backticks. */

export interface Block {
  readonly language: string
  readonly code: string
  /** The text of an HTML comment on the line before the block; '' without one. */
  readonly note: string
}

/** The fenced blocks of a document, in order. */
export function blocksOf(markdown: string): Block[] {
  const pattern = /(?:<!-- (.*?) -->\n)?```(\w*)\n([\s\S]*?)\n```/g
  return [...markdown.matchAll(pattern)].map(([, note = '', language = '', code = '']) => ({
    language,
    code,
    note,
  }))
}

/** The cells of every table row, without headers and rules; `\|` in a cell is a bar. */
export function rowsOf(markdown: string): string[][] {
  const rows: string[][] = []
  const lines = markdown.split('\n')
  for (const [index, line] of lines.entries()) {
    const isRule = /^\|[-|: ]+\|$/.test(line)
    if (!line.startsWith('|') || isRule || /^\|[-|: ]+\|$/.test(lines[index + 1] ?? '')) continue
    const cells = line.replaceAll('\\|', '\0').split('|').slice(1, -1)
    rows.push(cells.map((cell) => cell.trim().replaceAll('\0', '|')))
  }
  return rows
}

/** What stands between backticks, outside fenced blocks. */
export function codeSpansOf(markdown: string): string[] {
  const prose = markdown.replaceAll(/```[\s\S]*?```/g, '')
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span)
}

/** The text of a section: from its heading to the next of the same depth. */
export function sectionOf(markdown: string, heading: string): string {
  const depth = /^#+/.exec(heading)?.[0] ?? '#'
  const from = markdown.indexOf(`\n${heading}`)
  if (from < 0) throw new Error(`no heading "${heading}"`)
  const to = markdown.indexOf(`\n${depth} `, from + heading.length)
  return markdown.slice(from, to < 0 ? undefined : to)
}
