/**
 * ottla beside Apache Kafka 4.3.1 on the same machine, with the same clients: `npm run bench:compare
 * [-- --rounds N] [--rows WORD,...]`. Rounds alternate between the brokers; a row shows the median of
 * each and their ratio. ottla runs with `durability=replicated`, Kafka's own promise; a second table
 * has `durability=fsync` beside Kafka with `flush.messages=1`. The last line is the same as JSON.
 * It says what is missing; no figure fails it.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ApacheKafka, apacheKafka } from '../interop/apache-kafka.ts'
import { isInstalled } from '../interop/process.ts'
import { type Row, rows } from './compare/rows.ts'
import { startKafka, startOttla, type Target } from './compare/target.ts'

interface Result {
  readonly row: string
  readonly unit: string
  /** Medians, by the broker's name. */
  readonly figures: Readonly<Record<string, number>>
  /** How many times better the first broker is than the second. */
  readonly ratio: number
}

const flags = new Map(
  process.argv.slice(2).map((word, index, all) => [word, all[index + 1] ?? ''] as const),
)
const rounds = Number(flags.get('--rounds') ?? 3)
const wanted = flags.get('--rows')?.split(',') ?? null
const lineCount = 2_000_000

const kafka = await apacheKafka({ forSpeed: true })
if (typeof kafka === 'string') throw new Error(kafka)
if (!(await isInstalled('kcat'))) throw new Error('kcat is missing; Debian: apt-get install kcat')
const folder = mkdtempSync(join(tmpdir(), 'ottla-bench-lines-'))
const linesFile = join(folder, 'lines.txt')
for (let index = 0; index < lineCount; index += 10_000) {
  const lines = Array.from({ length: 10_000 }, (_, n) => `${index + n} `.padEnd(99, 'x'))
  writeFileSync(linesFile, `${lines.join('\n')}\n`, { flag: 'a' })
}
const all = rows({ kafka, linesFile, lineCount })
const chosen = all.filter(({ name }) => wanted?.some((word) => name.includes(word)) ?? true)

const results = [
  ...(await compare('page cache', chosen, [
    () => startOttla('ottla', ['-c', 'ottla.durability=replicated']),
    () => startKafka('Apache Kafka', kafka),
  ])),
  ...(await compare(
    'synced',
    all.filter(({ name }) => name.includes('16 partitions')),
    [
      () => startOttla('ottla fsync', ['-c', 'ottla.durability=fsync']),
      () =>
        startKafka('Kafka flush.messages=1', kafka as ApacheKafka, {
          'log.flush.interval.messages': '1',
        }),
    ],
  )),
]
rmSync(folder, { recursive: true })
console.log(JSON.stringify(results))

async function compare(
  title: string,
  measured: readonly Row[],
  starts: readonly (() => Promise<Target>)[],
): Promise<Result[]> {
  if (measured.length === 0) return []
  const targets: Target[] = []
  for (const start of starts) targets.push(await start())
  console.log(`\n${title}: medians of ${rounds} rounds`)
  console.log(
    ['row'.padEnd(56), ...targets.map(({ name }) => name.padStart(22)), 'ratio'.padStart(8)].join(
      '',
    ),
  )
  const found: Result[] = []
  try {
    for (const row of measured) found.push(await measure(row, targets))
  } finally {
    for (const target of targets) await target.close()
  }
  return found
}

async function measure(row: Row, targets: readonly Target[]): Promise<Result> {
  const seen = new Map<string, number[]>(targets.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? targets : [...targets].reverse()
    for (const target of order) seen.get(target.name)?.push(await row.measure(target))
  }
  const figures = Object.fromEntries([...seen].map(([name, values]) => [name, median(values)]))
  const [first = 0, second = 0] = targets.map(({ name }) => figures[name] ?? 0)
  const ratio = row.better === 'more' ? first / second : second / first
  const cells = targets.map(({ name }) => (figures[name] ?? 0).toFixed(2).padStart(22))
  console.log(
    [`${row.name}, ${row.unit}`.padEnd(56), ...cells, ratio.toFixed(2).padStart(8)].join(''),
  )
  return { row: row.name, unit: row.unit, figures, ratio }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
