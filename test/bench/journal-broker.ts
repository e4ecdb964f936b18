/**
 * The journal through a broker: our client produces records of 1 KiB with acks=all to 1, 16 and 128
 * partitions of a broker process, with a sync per log, the journal, and no sync.
 * `node build/test/bench/journal-broker.mjs [SECONDS] [ROUNDS] [PARTITIONS,...]` prints a table; it never fails by a
 * timing. The modes take turns; of their rounds the middle one counts.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '../../lib/client/client.ts'
import { Producer } from '../../lib/client/producer.ts'
import { freePort, startBroker } from '../interop/support/broker-process.ts'

const seconds = Number(process.argv[2] ?? 3)
const rounds = Number(process.argv[3] ?? 3)
const partitionCounts = (process.argv[4] ?? '1,16,128').split(',').map(Number)
const modes = {
  none: 'ottla.durability=replicated',
  plain: 'ottla.journal.max.bytes=0',
  journal: 'ottla.durability=fsync',
}
type Mode = keyof typeof modes
/** Unanswered records of a partition, as a bound on what a client has under way. */
const openMax = 200

async function run(mode: Mode, partitions: number) {
  const data = mkdtempSync(join(tmpdir(), 'ottla-bench-'))
  const args = ['-c', modes[mode], '--topic', `bench:${partitions}`]
  const broker = await startBroker({ data, port: await freePort(), args })
  const client = new Client({ brokers: [broker.address] })
  const producer = new Producer(client, { deliveryTimeoutMs: 120_000 })
  const value = Buffer.alloc(1024, 'x')
  const sentMs: number[] = []
  const times: number[] = []
  let startMs = Number.POSITIVE_INFINITY
  let open = 0
  const failures: Error[] = []
  producer.onDelivery = ({ error, tags }) => {
    if (error !== null) failures.push(error)
    const nowMs = performance.now()
    open -= tags.length
    for (const tag of tags) if (nowMs > startMs) times.push(nowMs - (sentMs[tag] ?? nowMs))
  }
  const drive = async (ms: number) => {
    const untilMs = performance.now() + ms
    while (performance.now() < untilMs && failures.length === 0) {
      for (let count = 0; count < partitions && open < partitions * openMax; count++) {
        const record = { topic: 'bench', partition: count, value }
        sentMs.push(performance.now())
        open++
        if (!producer.append(record, sentMs.length - 1)) await producer.drained()
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await drive(2000)
  startMs = performance.now()
  await drive(seconds * 1000)
  const tookMs = performance.now() - startMs
  const count = times.length
  await producer.close()
  client.close()
  await broker.stop()
  rmSync(data, { recursive: true })
  const [failure] = failures
  if (failure !== undefined) throw failure
  times.sort((a, b) => a - b)
  const at = (share: number) => Math.round(times[Math.floor(times.length * share)] ?? 0)
  return {
    mode,
    partitions,
    'records/s': Math.round(count / (tookMs / 1000)),
    'MB/s': Number(((count * 1024) / 1000 / tookMs).toFixed(1)),
    'p50 ms': at(0.5),
    'p99 ms': at(0.99),
  }
}

type Row = Awaited<ReturnType<typeof run>>

const results: (Row | undefined)[] = []
for (const partitions of partitionCounts) {
  const rows: Row[] = []
  for (let round = 0; round < rounds; round++) {
    for (const mode of Object.keys(modes) as Mode[]) rows.push(await run(mode, partitions))
  }
  for (const mode of Object.keys(modes) as Mode[]) {
    const own = rows.filter((row) => row.mode === mode)
    results.push(own.sort((a, b) => a['MB/s'] - b['MB/s'])[own.length >> 1])
  }
}
console.table(results)
