/**
 * The law of the record envelope between real brokers, through real pipes: 10,000 random records
 * written to A, then `ottla consume -e --json A | ottla produce --json --keep-partition B`, then A
 * and B compared byte for byte. A and B are ottla and Apache Kafka in all four combinations.
 * `--kafka HOST:PORT` uses a running Kafka; `--count N` and `--seed N` vary the records. Ends with
 * `N passed, N failed, N skipped`.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '../../lib/client/client.ts'
import {
  dice,
  difference,
  randomRecords,
  readAll,
  writeRecords,
} from '../commands/support/random-records.ts'
import { apacheKafka } from './apache-kafka.ts'
import { output, run, start } from './process.ts'

const ottla = [process.execPath, 'dist/ottla.mjs']
const partitions = 4
const settings = {
  'max.message.bytes': '2000000',
  'message.timestamp.after.max.ms': '9223372036854775807',
}

interface Peer {
  readonly name: string
  readonly address: string
  close(): Promise<void>
}

function flagValue(name: string): string | undefined {
  const at = process.argv.indexOf(name)
  return at === -1 ? undefined : process.argv[at + 1]
}

async function startOttla(): Promise<Peer> {
  const data = mkdtempSync(join(tmpdir(), 'ottla-round-trip-'))
  const { value, stop } = await start(
    [...ottla, 'broker', 'start', '--listen', '127.0.0.1:0', '--data', data],
    (line) => /^BROKERS=(.+)$/.exec(line)?.[1],
  )
  const close = async () => {
    await stop()
    rmSync(data, { recursive: true, force: true })
  }
  return { name: 'ottla', address: value, close }
}

/** Apache Kafka, or what is missing for it. */
async function startKafka(): Promise<Peer | string> {
  const name = 'Apache Kafka'
  const given = flagValue('--kafka')
  if (given !== undefined) return { name, address: given, close: async () => {} }
  const kafka = await apacheKafka()
  if (typeof kafka === 'string') return kafka
  const broker = await kafka.startBroker()
  const close = async () => {
    await broker.stop()
    broker.remove()
  }
  return { name, address: broker.address, close }
}

async function createTopic(peer: Peer, topic: string): Promise<void> {
  const configs = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`])
  const create = ['topic', 'create', topic, '-p', String(partitions), ...configs]
  await output([...ottla, '-b', peer.address, ...create])
}

/** null when the law held, otherwise what broke it. */
async function roundTrip(from: Peer, to: Peer, count: number): Promise<string | null> {
  const seed = Number(flagValue('--seed') ?? 20261121)
  const stamp = process.hrtime.bigint().toString(36)
  const [source, target] = [`round-trip-a-${stamp}`, `round-trip-b-${stamp}`]
  await createTopic(from, source)
  await createTopic(to, target)
  const [reader, writer] = [from, to].map(({ address }) => new Client({ brokers: [address] }))
  if (reader === undefined || writer === undefined) throw new Error('two clients were made')
  try {
    const records = randomRecords(dice(seed), { topic: source, count, partitions })
    await writeRecords(reader, records)
    const program = ottla.map((word) => `'${word}'`).join(' ')
    const consume = `${program} consume -b ${from.address} ${source} -e --json`
    const produce = `${program} produce -b ${to.address} ${target} --json --keep-partition`
    const { code, stderr } = await run(['bash', '-c', `set -o pipefail; ${consume} | ${produce}`])
    if (code !== 0) return `the pipe ended with ${code}: ${stderr}`
    return difference(await readAll(reader, source), await readAll(writer, target))
  } finally {
    reader.close()
    writer.close()
  }
}

const count = Number(flagValue('--count') ?? 10_000)
const peers: Peer[] = [await startOttla()]
const kafka = await startKafka()
if (typeof kafka === 'string') console.log(`skipped: Apache Kafka: ${kafka}`)
else peers.push(kafka)
const totals = { passed: 0, failed: 0, skipped: typeof kafka === 'string' ? 3 : 0 }
for (const from of peers) {
  for (const to of peers) {
    const startedMs = performance.now()
    let problem: string | null
    try {
      problem = await roundTrip(from, to, count)
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error)
    }
    totals[problem === null ? 'passed' : 'failed']++
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    const result = problem === null ? `${count} records equal` : `FAIL ${problem}`
    console.log(`${`${from.name} -> ${to.name}`.padEnd(32)} ${result} (${seconds} s)`)
  }
}
for (const peer of peers) await peer.close()
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
process.exitCode = totals.failed === 0 ? 0 : 1
