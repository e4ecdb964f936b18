/**
 * How long a broker takes to start with a full journal: `npm run bench:replay -- [ROUNDS] [MEGABYTES] [PARTITIONS]`
 * prints a table; it never fails by a timing. A broker on a lossy disk is killed when it has written so
 * many megabytes, without a checkpoint: as after a power cut, they are in the journal only. The next
 * start, on a disk as it is, finds the journal in the page cache.
 */

import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '../../lib/client/client.ts'
import { listOffsets } from '../../lib/client/offsets.ts'
import { Producer } from '../../lib/client/producer.ts'
import { type BrokerProcess, startBroker } from '../interop/support/broker-process.ts'
import { pause } from '../interop/support/checks.ts'

const rounds = Number(process.argv[2] ?? 3)
const megabytes = Number(process.argv[3] ?? 250)
const partitions = Number(process.argv[4] ?? 32)
const topic = 'bench'
const value = Buffer.alloc(1024, 'x')
const count = Math.floor((megabytes * 1024) / 1.03)
// One file and no checkpoint: all of it is still to be replayed.
const args = [
  ...['-c', 'ottla.journal.max.bytes=268435456', '-c', 'ottla.journal.file.bytes=268435456'],
  ...['-c', 'ottla.journal.checkpoint.interval.ms=600000', '-c', 'ottla.disk.floor.bytes=0'],
  ...['--topic', `${topic}:${partitions}`],
]

/** Few bytes at a time: large writes are synced in the segments, without a journal. */
const load = { batchBytes: 8 * 1024, bufferBytes: 1024 * 1024, deliveryTimeoutMs: 120_000 }

/** Sends `count` records, once there is a journal: it is made beside the first ones. */
async function fill({ address }: BrokerProcess, journal: string): Promise<number> {
  const client = new Client({ brokers: [address] })
  const producer = new Producer(client, load)
  let sent = 0
  const send = async () => {
    const record = { topic, partition: sent % partitions, value }
    if (!producer.append(record, sent++)) await producer.drained()
  }
  for (const untilMs = performance.now() + 60_000; performance.now() < untilMs; ) {
    if (existsSync(journal) && readdirSync(journal).some((name) => name.endsWith('.journal'))) break
    for (let index = 0; index < partitions; index++) await send()
    await pause(10)
  }
  for (let left = count; left > 0; left--) await send()
  await producer.close()
  client.close()
  return sent
}

async function storedCount({ address }: BrokerProcess): Promise<number> {
  const client = new Client({ brokers: [address] })
  const asked = Array.from({ length: partitions }, (_, partition) => ({
    topic,
    partition,
    at: 'latest' as const,
  }))
  const ends = await listOffsets(client, asked)
  client.close()
  return ends.reduce((sum, { offset }) => sum + (offset ?? 0), 0)
}

async function round() {
  const data = mkdtempSync(join(tmpdir(), 'ottla-bench-replay-'))
  const empty = await startBroker({ data, args: [...args, '--test-disk=lossy'] })
  const files = join(data, 'journal')
  const sent = await fill(empty, files)
  await empty.stop('SIGKILL')
  const journal = readdirSync(files).reduce(
    (sum, name) => sum + statSync(join(files, name)).size,
    0,
  )
  const segmentBytes = Array.from({ length: partitions }, (_, partition) => {
    return statSync(join(data, `${topic}-${partition}`, `${'0'.repeat(20)}.log`)).size
  }).reduce((sum, size) => sum + size)
  const replayed = await startBroker({ data, args })
  const stored = await storedCount(replayed)
  await replayed.stop()
  const clean = await startBroker({ data, args })
  await clean.stop()
  rmSync(data, { recursive: true })
  rmSync(`${data}.lossy`, { recursive: true, force: true })
  return {
    'records acknowledged': sent,
    'records after the start': stored,
    'journal MB': Math.round(journal / 1e6),
    'MB in segments before': Math.round(segmentBytes / 1e6),
    'start, replaying, ms': Math.round(replayed.startMs),
    'start, clean, ms': Math.round(clean.startMs),
  }
}

const rows = []
for (let at = 0; at < rounds; at++) rows.push(await round())
console.table(rows)
