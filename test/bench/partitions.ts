/**
 * What many partitions cost a broker: `node build/test/bench/partitions.mjs [--counts 500,1000] [--seconds N]
 * [--port P]` prints a table, a row per number of partitions; no figure fails it. On disk, with a record in each
 * partition: time to create them, to start after a clean stop and after a kill, memory in use, processor
 * time per record at a steady load on one partition, and processor time per minute when nothing is asked.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Admin } from '../../lib/client/admin.ts'
import { Client } from '../../lib/client/client.ts'
import { Producer } from '../../lib/client/producer.ts'
import { type BrokerProcess, startBroker } from '../interop/support/broker-process.ts'
import { numberFlag, pause } from '../interop/support/checks.ts'

const at = process.argv.indexOf('--counts')
const counts = (at === -1 ? '500,1000,2000,4000' : (process.argv[at + 1] ?? ''))
  .split(',')
  .map(Number)
const seconds = numberFlag('--seconds', 10)
const port = numberFlag('--port', 0)
/** Whatever else fills the disk is not what is measured. */
const args = ['-c', 'ottla.disk.floor.bytes=0']
const topicPartitions = 100
const ticksPerSecond = 100

/** Processor time of the process so far, in ms. */
function cpuMs({ child }: BrokerProcess): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond
}

async function create(client: Client, count: number): Promise<void> {
  const admin = new Admin(client)
  for (let topic = 0; topic * topicPartitions < count; topic++) {
    const partitions = Math.min(topicPartitions, count - topic * topicPartitions)
    const [result] = await admin.createTopics([{ name: `t${topic}`, partitions }])
    if (result?.error) throw result.error
  }
}

async function fill(client: Client, count: number): Promise<void> {
  const producer = new Producer(client)
  const sent: Promise<unknown>[] = []
  for (let n = 0; n < count; n++) {
    const topic = `t${Math.floor(n / topicPartitions)}`
    sent.push(producer.send({ topic, partition: n % topicPartitions, key: null, value: `${n}` }))
  }
  await Promise.all(sent)
  await producer.close()
}

/** Processor time of the broker per record, in us: one producer, one partition, a small batch at a time. */
async function perRecord(broker: BrokerProcess, client: Client): Promise<number> {
  const producer = new Producer(client, { lingerMs: 0 })
  const load = async (untilMs: number) => {
    let records = 0
    while (performance.now() < untilMs) {
      const batch = Array.from({ length: 100 }, (_, n) =>
        producer.send({ topic: 't0', partition: 0, key: null, value: `${n}`.padEnd(100, '.') }),
      )
      await Promise.all(batch)
      records += batch.length
    }
    return records
  }
  await load(performance.now() + 3000)
  const before = cpuMs(broker)
  const records = await load(performance.now() + seconds * 1000)
  const used = cpuMs(broker) - before
  await producer.close()
  return (used * 1000) / records
}

async function idlePerMinute(broker: BrokerProcess): Promise<number> {
  await pause(6000)
  const before = cpuMs(broker)
  await pause(seconds * 2000)
  return ((cpuMs(broker) - before) * 60) / (seconds * 2)
}

async function measure(count: number): Promise<string[]> {
  const data = mkdtempSync(join(tmpdir(), 'ottla-bench-partitions-'))
  const running: BrokerProcess[] = []
  const start = async () => {
    const broker = await startBroker({ data, port, timeoutMs: 300_000, args })
    running.push(broker)
    return broker
  }
  try {
    const first = await start()
    const began = performance.now()
    const client = new Client({ brokers: [first.address] })
    await create(client, count)
    const createMs = performance.now() - began
    await fill(client, count)
    client.close()
    await first.stop()
    const clean = await start()
    const cleanMs = clean.startMs
    const idle = await idlePerMinute(clean)
    const megabytes = clean.residentBytes() / 1e6
    const again = new Client({ brokers: [clean.address] })
    const record = await perRecord(clean, again)
    again.close()
    await clean.stop('SIGKILL')
    const killed = await start()
    const killMs = killed.startMs
    await killed.stop()
    return [
      `${count}`,
      `${(createMs / 1000).toFixed(1)} s`,
      `${(cleanMs / 1000).toFixed(2)} s`,
      `${(killMs / 1000).toFixed(2)} s`,
      `${megabytes.toFixed(0)} MB`,
      `${record.toFixed(2)} us`,
      `${idle.toFixed(0)} ms`,
    ]
  } finally {
    for (const broker of running) await broker.stop('SIGKILL')
    rmSync(data, { recursive: true, force: true })
  }
}

const head = [
  'partitions',
  'create',
  'clean start',
  'after kill',
  'memory',
  'per record',
  'idle/min',
]
const line = (cells: readonly string[]) => cells.map((cell) => cell.padStart(12)).join('')
console.log(line(head))
for (const count of counts) console.log(line(await measure(count)))
