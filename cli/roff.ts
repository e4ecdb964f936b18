/** Manual pages in the man(7) macros: texts escaped, one paragraph or list at a time. */

export interface Page {
  /** `ottla-topic-list` */
  readonly name: string
  readonly section: 1 | 5 | 7
  readonly about: string
  readonly body: readonly string[]
}

/** Pages are dated by the version they describe, not by the day they were made. */
const date = '2026-11-21'

export function roffPage({ name, section, about, body }: Page): string {
  const lines = [
    `.\\" Generated from the command table: npm run man`,
    `.TH ${name.toUpperCase()} ${section} ${date} ottla "ottla manual"`,
    heading('NAME'),
    `${escaped(name)} \\- ${escaped(about)}`,
    ...body,
  ]
  return `${lines.join('\n')}\n`
}

/** Backslashes and hyphens as they are typed; a line that begins with a control character is guarded. */
export function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll('"', '\\(dq')
    .replace(/^([.'])/gm, '\\&$1')
}

export function heading(title: string): string {
  return `.SH ${title}`
}

export function paragraphs(texts: readonly string[]): string {
  return texts.map(escaped).join('\n.PP\n')
}

/** Lines as they are. */
export function literal(lines: readonly string[]): string {
  return ['.nf', ...lines.map(escaped), '.fi'].join('\n')
}

/** Terms in bold with what they are. */
export function terms(rows: readonly (readonly [term: string, about: string])[]): string {
  return rows.map(([term, about]) => `.TP\n.B ${escaped(term)}\n${escaped(about)}`).join('\n')
}

export function seeAlso(pages: readonly (readonly [name: string, section: number])[]): string {
  const last = pages.length - 1
  return [
    heading('SEE ALSO'),
    ...pages.map(
      ([name, section], index) => `.BR ${escaped(name)} (${section})${index === last ? '' : ' ,'}`,
    ),
  ].join('\n')
}
