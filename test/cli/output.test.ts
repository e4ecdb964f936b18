/** Rows in each format; tsv can be read back. */

import * as fc from 'fast-check'
import { createOutput, type Sink, shownText, tsvCell } from '../../cli/output.ts'
import type { Cell, Format, Snapshot } from '../../commands/command.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('output')

function collect(isTty = false): { sink: Sink; text: () => string } {
  let text = ''
  const sink: Sink = {
    isTty,
    isClosed: false,
    write: async (chunks) => {
      for (const chunk of chunks) {
        text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
      }
    },
  }
  return { sink, text: () => text }
}

const snapshot: Snapshot = {
  kind: 'topic-list',
  plural: 'topics',
  columns: [
    { title: 'TOPIC', key: 'topic', about: '' },
    { title: 'COUNT', key: 'count', about: '', isNumber: true },
    { title: 'LIST', key: 'list', about: '' },
  ],
  rows: [
    { topic: 'a\tb', count: 12, list: [1, 2], hidden: true },
    { topic: '-', count: null, list: [] },
    { topic: '日本', count: 3n, list: null },
  ],
  extra: { cluster: 'x' },
  lead: ['above'],
}

async function render(format: Format, options: { isTty?: boolean; header?: boolean } = {}) {
  const { isTty = false, header = true } = options
  const { sink, text } = collect(isTty)
  await createOutput({ sink, format, header, colour: 0 }).snapshot(snapshot)
  return text()
}

test('tsv: titles, then cells without tabs or line feeds of their own', async () => {
  const lines = 'a\\tb\t12\t1,2\n\\-\t-\t-\n日本\t3\t-\n'
  assert.is(await render('tsv'), `TOPIC\tCOUNT\tLIST\n${lines}`)
  assert.is(await render('tsv', { header: false }), lines)
})

test('json: one object with the kind, extras and whole rows', async () => {
  assert.equal(JSON.parse(await render('json')), {
    kind: 'ottla.topic-list/v1',
    cluster: 'x',
    topics: [
      { topic: 'a\tb', count: 12, list: [1, 2], hidden: true },
      { topic: '-', count: null, list: [] },
      { topic: '日本', count: 3, list: null },
    ],
  })
})

test('ndjson: a row per line', async () => {
  const lines = (await render('ndjson')).trimEnd().split('\n')
  assert.equal(
    lines.map((line) => JSON.parse(line).topic),
    ['a\tb', '-', '日本'],
  )
})

test('table: the same on a terminal and in a pipe', async () => {
  const expected =
    'above\nTOPIC  COUNT  LIST\na\\tb      12  1,2\n-          -  -\n日本       3  -\n'
  assert.is(await render('table'), expected)
  assert.is(await render('table', { isTty: true }), expected)
})

test('10,000 rows take no time to speak of', async () => {
  const rows = Array.from({ length: 10_000 }, (_, index) => ({ topic: `t${index}`, count: index }))
  const { sink, text } = collect(true)
  const startedMs = performance.now()
  await createOutput({ sink, format: 'table', header: true, colour: 0 }).snapshot({
    ...snapshot,
    rows,
  })
  assert.is(text().split('\n').length, 10_003)
  assert.ok(performance.now() - startedMs < 3000)
})

test('any text in a tsv cell is read back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const cell = tsvCell(text)
      assert.not(/[\t\n\r]/.test(cell))
      assert.is(readTsvCell(cell), text)
    }),
  )
  assert.is(readTsvCell(tsvCell('-')), '-')
  assert.is(readTsvCell(tsvCell(null)), null)
  const control: Cell = 'a\u001b[2J'
  assert.is(shownText(control), 'a\\x1b[2J')
})

/** The inverse of tsvCell. */
function readTsvCell(cell: string): string | null {
  if (cell === '-') return null
  if (cell === '\\-') return '-'
  return cell.replace(/\\(.)/g, (_, letter: string) => {
    const known: Record<string, string> = { t: '\t', n: '\n', r: '\r', '\\': '\\' }
    return known[letter] ?? letter
  })
}
