/**
 * ottla beside Apache Kafka 4.3.1 and kcat on the same machine, with the same clients: `npm run bench
 * [-- --rounds N] [--rows WORD,...] [--json FILE]`. Rounds alternate; a row shows medians and their
 * ratio, above 1 where ottla is better. ottla runs with `durability=replicated`, Kafka's own promise,
 * but for the tables that say fsync. It says what is missing; no figure fails it. The last line, or
 * FILE, has the same as JSON. $RDKAFKA_PERFORMANCE names librdkafka's load generator, if there is one.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { apacheKafka } from '../interop/apache-kafka.ts'
import { isInstalled } from '../interop/process.ts'
import { fetchRows } from './compare/fetch-rows.ts'
import { latencyRows } from './compare/latency-rows.ts'
import { idleMemory, loadedMemory } from './compare/memory-rows.ts'
import { produceRows, syncedRows } from './compare/produce-rows.ts'
import { commandRows, commands, pipeRows, programs } from './compare/program-rows.ts'
import type { Row, Tools } from './compare/row.ts'
import { scaleRows } from './compare/scale-rows.ts'
import { startRows } from './compare/start-rows.ts'
import { type Result, table } from './compare/table.ts'
import { startKafka, startOttla, type Target } from './compare/target.ts'

const flags = new Map(
  process.argv.slice(2).map((word, index, all) => [word, all[index + 1] ?? ''] as const),
)
const rounds = Number(flags.get('--rounds') ?? 3)
const wanted = flags.get('--rows')?.split(',') ?? null
const lineCount = 2_000_000

const kafka = await apacheKafka({ forSpeed: true })
if (typeof kafka === 'string') throw new Error(kafka)
if (!(await isInstalled('kcat'))) throw new Error('kcat is missing; Debian: apt-get install kcat')
const rdkafka = process.env['RDKAFKA_PERFORMANCE'] ?? null
if (rdkafka === null) {
  console.log(
    'No rows of rdkafka_performance: set RDKAFKA_PERFORMANCE to its path. In a source tree of librdkafka' +
      ' (the crate rdkafka-sys holds one): ./configure && make libs && make -C examples rdkafka_performance',
  )
}

const folder = mkdtempSync(join(tmpdir(), 'ottla-bench-lines-'))
const linesFile = join(folder, 'lines.txt')
for (let index = 0; index < lineCount; index += 10_000) {
  const lines = Array.from({ length: 10_000 }, (_, n) => `${index + n} `.padEnd(99, 'x'))
  writeFileSync(linesFile, `${lines.join('\n')}\n`, { flag: 'a' })
}
const tools: Tools = { kafka, rdkafka, linesFile, lineCount }

const replicated = () => startOttla('ottla', ['-c', 'ottla.durability=replicated'])
const fsync = () => startOttla('ottla, fsync', ['-c', 'ottla.durability=fsync'])
const flushing = () =>
  startKafka('Kafka, flush.messages=1', kafka, { 'log.flush.interval.messages': '1' })
const plain = () => startKafka('Apache Kafka', kafka)

const results: Result[] = [
  ...(await brokers(
    'page cache',
    [replicated, plain],
    [
      idleMemory,
      ...latencyRows(tools),
      ...produceRows(tools),
      ...fetchRows(tools),
      ...scaleRows(tools),
      loadedMemory(tools),
    ],
  )),
  ...(await brokers(
    'durability=fsync beside flush.messages=1',
    [fsync, flushing],
    syncedRows(tools),
  )),
  ...(await brokers('durability=fsync beside page cache', [fsync, plain], syncedRows(tools))),
  ...(await table({
    title: 'start',
    rounds,
    subjects: [
      { name: 'ottla', start: () => startOttla('ottla', []) },
      { name: 'Apache Kafka', start: plain },
    ],
    rows: chosen(startRows),
  })),
  ...(await besidePrograms()),
]
rmSync(folder, { recursive: true })
const json = JSON.stringify(results)
const file = flags.get('--json')
if (file === undefined) console.log(json)
else writeFileSync(file, `${json}\n`)

function chosen<Subject>(rows: readonly Row<Subject>[]): Row<Subject>[] {
  return rows.filter(({ name }) => wanted?.some((word) => name.includes(word)) ?? true)
}

async function brokers(
  title: string,
  starts: readonly (() => Promise<Target>)[],
  rows: readonly Row[],
): Promise<Result[]> {
  if (chosen(rows).length === 0) return []
  const subjects: Target[] = []
  try {
    for (const start of starts) subjects.push(await start())
    return await table({ title, rounds, subjects, rows: chosen(rows) })
  } finally {
    for (const target of subjects) await target.close()
  }
}

async function besidePrograms(): Promise<Result[]> {
  const target = await replicated()
  try {
    const pipes = chosen(pipeRows(target, tools))
    const subjects = programs(target, tools)
    return [
      ...(await table({ title: 'ottla beside kcat, one broker', rounds, subjects, rows: pipes })),
      ...(await table({
        title: 'ottla beside node -e 0',
        rounds,
        subjects: commands(target),
        rows: chosen(commandRows),
      })),
    ]
  } finally {
    await target.close()
  }
}
