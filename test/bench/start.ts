/**
 * How long `startCluster` takes until it listens, in memory and on disk: the first of a
 * process, loading included, and those after it. Beside it the same for `ottla broker start` and for
 * Apache Kafka as processes, formatting included. Medians; no figure fails it.
 * `node build/test/bench/start.mjs [--rounds N] [--kafka-rounds N]`; the last line is the same as JSON.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { apacheKafka } from '../interop/apache-kafka.ts'
import { output } from '../interop/process.ts'
import { startBroker } from '../interop/support/broker-process.ts'

const flags = new Map(
  process.argv.slice(2).map((word, index, all) => [word, all[index + 1] ?? ''] as const),
)
const rounds = Number(flags.get('--rounds') ?? 20)
const kafkaRounds = Number(flags.get('--kafka-rounds') ?? 5)
const product = join(process.cwd(), 'dist/testing.mjs')
const folder = mkdtempSync(join(tmpdir(), 'ottla-bench-start-'))
let folders = 0
const newFolder = () => join(folder, String(folders++))

/** A process of its own: what the first start takes, and then the median of the others. */
const program = `
const began = performance.now()
const { startCluster } = await import(process.env['PRODUCT'])
const times = []
for (let round = 0; round <= Number(process.env['ROUNDS']); round++) {
  const start = round === 0 ? began : performance.now()
  const data = process.env['DATA']
  const cluster = await startCluster({ topics: ['orders:3'], ...(data && { data: data + round }) })
  times.push(performance.now() - start)
  await cluster.stop()
}
console.log(JSON.stringify(times))
`

interface Row {
  readonly what: string
  readonly rounds: number
  readonly medianMs: number
}

async function inProcess(what: string, data: () => string): Promise<Row[]> {
  const firsts: number[] = []
  let later: number[] = []
  for (let round = 0; round < rounds; round++) {
    const isLast = round === rounds - 1
    const env = { PRODUCT: product, DATA: data(), ROUNDS: String(isLast ? rounds : 0) }
    const text = await output([process.execPath, '--input-type=module', '-e', program], { env })
    const [first = 0, ...others] = JSON.parse(text) as number[]
    firsts.push(first)
    later = others
  }
  return [
    { what: `startCluster, ${what}, first of a process`, rounds, medianMs: median(firsts) },
    { what: `startCluster, ${what}, after the first`, rounds, medianMs: median(later) },
  ]
}

async function ottlaProcess(): Promise<Row> {
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const broker = await startBroker({ data: newFolder() })
    times.push(broker.startMs)
    await broker.stop()
  }
  return { what: 'ottla broker start, on disk', rounds, medianMs: median(times) }
}

async function kafkaProcess(): Promise<Row | null> {
  const kafka = await apacheKafka()
  if (typeof kafka === 'string') {
    console.log(`skipped: Apache Kafka: ${kafka}`)
    return null
  }
  const times: number[] = []
  for (let round = 0; round < kafkaRounds; round++) {
    const began = performance.now()
    const broker = await kafka.startBroker()
    times.push(performance.now() - began)
    await broker.stop()
    broker.remove()
  }
  return { what: 'Apache Kafka, format and start', rounds: kafkaRounds, medianMs: median(times) }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

const kafkaRow = kafkaRounds > 0 ? await kafkaProcess() : null
const rows = [
  ...(await inProcess('in memory', () => '')),
  ...(await inProcess('on disk', newFolder)),
  await ottlaProcess(),
  ...(kafkaRow === null ? [] : [kafkaRow]),
]
for (const row of rows) {
  const ratio = kafkaRow === null ? '' : `${(kafkaRow.medianMs / row.medianMs).toFixed(0)}x`
  const figures = `${row.medianMs.toFixed(1).padStart(9)} ms ${ratio.padStart(6)}`
  console.log(`${row.what.padEnd(48)}${figures}   median of ${row.rounds}`)
}
rmSync(folder, { recursive: true, force: true })
console.log(JSON.stringify(rows))
