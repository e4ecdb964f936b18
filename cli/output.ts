/**
 * Standard output: rows as a table, tsv, JSON or NDJSON, or bytes as they are. A terminal changes
 * the layout, never the content. cli-table3 draws tables on a terminal up to 200 rows (it is
 * quadratic, and writes colour codes into pipes); everything else goes through the padding writer.
 *
 * tsv is reversible: tab, newline, carriage return and backslash in a cell read `\t \n \r \\`;
 * null and an empty list are `-`, and a text that is just `-` reads `\-`. A list is joined with
 * commas.
 */

import type { Cell, Column, Format, Output, Row, Snapshot } from '../commands/command.ts'
import { type ColourLevel, chalkAt } from './colour.ts'
import { stringWidth } from './string-width.ts'

/** Where the bytes go; `write` resolves when they were taken, or when the reader has gone. */
export interface Sink {
  readonly isTty: boolean
  readonly isClosed: boolean
  write(chunks: readonly (Uint8Array | string)[]): Promise<void>
}

export interface OutputOptions {
  readonly sink: Sink
  readonly format: Format
  readonly header: boolean
  readonly colour: ColourLevel
}

/** Above this, cli-table3 takes too long. */
const drawnRowsMax = 200
const blockRows = 1000

export function createOutput({ sink, format, header, colour }: OutputOptions): Output {
  const snapshot = async (given: Snapshot): Promise<void> => {
    switch (format) {
      case 'json':
        return sink.write([`${jsonText(given)}\n`])
      case 'ndjson':
        return writeBlocks(sink, given.rows, (row) => jsonLine(row))
      case 'table':
        if (sink.isTty && given.rows.length <= drawnRowsMax) {
          return sink.write([...leadLines(given), await drawn(given, header, colour)])
        }
        await sink.write(leadLines(given))
        return writePadded(sink, given, header)
      case 'tsv':
      case 'prom':
        if (header) await sink.write([titleLine(given.columns)])
        return writeBlocks(sink, given.rows, (row) => tsvLine(given.columns, row))
    }
  }
  return {
    format,
    isTty: sink.isTty,
    get isClosed() {
      return sink.isClosed
    },
    snapshot,
    stream: async (columns, blocks) => {
      const isJson = format === 'json' || format === 'ndjson'
      const line = (row: Row) => (isJson ? jsonLine(row) : tsvLine(columns, row))
      if (header && !isJson) await sink.write([titleLine(columns)])
      for await (const rows of blocks) {
        if (sink.isClosed) return
        await writeBlocks(sink, rows, line)
      }
    },
    json: (value) => sink.write([jsonLine(value)]),
    line: (text) => sink.write([`${text}\n`]),
    write: (chunks) => sink.write(chunks),
  }
}

function titleLine(columns: readonly Column[]): string {
  return `${columns.map(({ title }) => title).join('\t')}\n`
}

function leadLines({ lead = [] }: Snapshot): string[] {
  return lead.map((line) => `${line}\n`)
}

async function writeBlocks(
  sink: Sink,
  rows: readonly Row[],
  line: (row: Row) => string,
): Promise<void> {
  for (let start = 0; start < rows.length && !sink.isClosed; start += blockRows) {
    await sink.write([
      rows
        .slice(start, start + blockRows)
        .map(line)
        .join(''),
    ])
  }
}

/** `{"kind":...,<extra>,<plural>:[...]}` */
function jsonText({ kind, plural, rows, extra }: Snapshot): string {
  return JSON.stringify({ kind: `ottla.${kind}/v1`, ...extra, [plural]: rows }, jsonValue)
}

function jsonLine(value: unknown): string {
  return `${JSON.stringify(value, jsonValue)}\n`
}

/** Integers are exact: those that a double cannot hold are written as a text. */
function jsonValue(_: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : String(value)
}

function cellOf(row: Row, key: string): Cell {
  // A row's members under its columns' keys are cells; the rest is for JSON only.
  return (row[key] ?? null) as Cell
}

function tsvLine(columns: readonly Column[], row: Row): string {
  return `${columns.map(({ key }) => tsvCell(cellOf(row, key))).join('\t')}\n`
}

/** A cell that `readTsvCell` of the tests turns back. */
export function tsvCell(cell: Cell): string {
  const text = plainCell(cell)
  if (text === null) return '-'
  if (text === '-') return '\\-'
  return /[\t\n\r\\]/.test(text)
    ? text.replace(/[\t\n\r\\]/g, (one) => tsvEscapes[one] ?? one)
    : text
}

const tsvEscapes: Readonly<Record<string, string>> = {
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\\': '\\\\',
}

/** A cell of a table: control characters are shown, not sent. */
function tableCell(cell: Cell): string {
  return shownText(plainCell(cell) ?? '-')
}

/** null where there is nothing: unknown, or an empty list. */
function plainCell(cell: Cell): string | null {
  if (cell === null) return null
  if (typeof cell !== 'object') return String(cell)
  return cell.length === 0 ? null : cell.join(',')
}

/** Control characters as `\n`, `\t` or `\x1b`, so that a terminal does not act on them. */
export function shownText(text: string): string {
  return /[\x00-\x1f\x7f-\x9f]/.test(text)
    ? text.replace(/[\x00-\x1f\x7f-\x9f]/g, (one) => {
        return tsvEscapes[one] ?? `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`
      })
    : text
}

async function drawn(
  { columns, rows }: Snapshot,
  header: boolean,
  colour: ColourLevel,
): Promise<string> {
  const { default: Table } = await import('cli-table3')
  const titles = columns.map(({ title }) => title)
  const shown = colour === 0 ? titles : await boldTitles(titles, colour)
  const table = new Table({
    head: header ? shown : [],
    colAligns: columns.map(({ isNumber }) => (isNumber ? 'right' : 'left')),
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 2 },
    chars: noBorders,
  })
  for (const row of rows) table.push(columns.map(({ key }) => tableCell(cellOf(row, key))))
  const text = table.toString().replace(/ +$/gm, '')
  return text === '' ? '' : `${text}\n`
}

async function boldTitles(titles: readonly string[], colour: ColourLevel): Promise<string[]> {
  const chalk = await chalkAt(colour)
  return titles.map((title) => chalk.bold(title))
}

const noBorders = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
}

/** Columns padded to their widest cell; two blanks between; no blanks at the end of a line. */
async function writePadded(
  sink: Sink,
  { columns, rows }: Snapshot,
  header: boolean,
): Promise<void> {
  const widths = columns.map(({ title }) => (header ? title.length : 0))
  for (const row of rows) {
    for (const [index, { key }] of columns.entries()) {
      const width = stringWidth(tableCell(cellOf(row, key)))
      if (width > (widths[index] ?? 0)) widths[index] = width
    }
  }
  const line = (cells: readonly string[]) =>
    `${cells
      .map((cell, index) => {
        const pad = ' '.repeat(Math.max((widths[index] ?? 0) - stringWidth(cell), 0))
        return columns[index]?.isNumber ? pad + cell : cell + pad
      })
      .join('  ')
      .trimEnd()}\n`
  if (header) await sink.write([line(columns.map(({ title }) => title))])
  await writeBlocks(sink, rows, (row) =>
    line(columns.map(({ key }) => tableCell(cellOf(row, key)))),
  )
}
