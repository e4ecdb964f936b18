/**
 * The bare log on this disk: appends per second and bytes per second, in both durability modes, and
 * reading it all back. `node build/test/bench/log.mjs [SECONDS] [DIRECTORY]` prints a table; it
 * never fails by a timing.
 *
 * Each row keeps `open` batches waiting per log, as that many producers would.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomUuid } from '../../lib/base/uuid.ts'
import { nodeEnv } from '../../lib/io/node/env.ts'
import { batchAt } from '../../lib/record/batch.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import type { Log } from '../../lib/storage/log.ts'
import { logConfigWith } from '../../lib/storage/log-config.ts'
import { LogDir } from '../../lib/storage/log-dir.ts'

const seconds = Number(process.argv[2] ?? 3)
const parent = process.argv[3] ?? tmpdir()
const env = nodeEnv()

interface Row {
  durability: 'fsync' | 'replicated'
  logs: number
  open: number
  batchBytes: number
}

const rows: Row[] = [
  { durability: 'replicated', logs: 1, open: 32, batchBytes: 16_384 },
  { durability: 'replicated', logs: 1, open: 8, batchBytes: 1_000_000 },
  { durability: 'replicated', logs: 16, open: 4, batchBytes: 16_384 },
  { durability: 'fsync', logs: 1, open: 1, batchBytes: 16_384 },
  { durability: 'fsync', logs: 1, open: 64, batchBytes: 16_384 },
  { durability: 'fsync', logs: 1, open: 8, batchBytes: 1_000_000 },
  { durability: 'fsync', logs: 16, open: 1, batchBytes: 16_384 },
  { durability: 'fsync', logs: 16, open: 8, batchBytes: 16_384 },
]

function makeBatch(sizeBytes: number): Uint8Array {
  const builder = new BatchBuilder({ initialBytes: sizeBytes })
  const value = Buffer.alloc(100, 'x')
  while (builder.sizeBytes + 120 < sizeBytes) builder.append(Date.now(), null, value)
  return Buffer.from(builder.build())
}

/** Appends again and again, waiting each time until the batch counts as stored. */
async function produce(log: Log, template: Uint8Array, untilMs: number, isSynced: boolean) {
  const bytes = Buffer.from(template)
  let count = 0
  while (performance.now() < untilMs) {
    bytes.fill(0, 0, 8)
    const { written } = log.append(batchAt(bytes), { leaderEpoch: 0 })
    await written
    if (isSynced) await log.sync()
    count++
  }
  return count
}

async function run({ durability, logs, open, batchBytes }: Row) {
  const path = mkdtempSync(join(parent, 'ottla-bench-'))
  const dir = await LogDir.open({
    env,
    path,
    nodeId: 1,
    config: {
      'log.retention.check.interval.ms': 300_000,
      'ottla.disk.floor.bytes': -1,
      'producer.id.expiration.ms': 86_400_000,
    },
  })
  const config = logConfigWith({ 'ottla.durability': durability })
  const made = await Promise.all(
    Array.from({ length: logs }, (_, partition) =>
      dir.create(
        { topic: 'bench', partition },
        randomUuid((count) => env.random.bytes(count)),
        config,
      ),
    ),
  )
  const template = makeBatch(batchBytes)
  const recordCount = batchAt(template).header.recordCount
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  const counts = await Promise.all(
    made.flatMap((log) =>
      Array.from({ length: open }, () =>
        produce(log, template, startMs + seconds * 1000, durability === 'fsync'),
      ),
    ),
  )
  const tookMs = performance.now() - startMs
  const used = process.cpuUsage(cpu)
  const count = counts.reduce((sum, value) => sum + value, 0)
  const readStartMs = performance.now()
  let readBytes = 0
  for (const log of made) readBytes += await readAll(log)
  const readMs = performance.now() - readStartMs
  const closeStartMs = performance.now()
  await dir.close()
  const closeMs = performance.now() - closeStartMs
  rmSync(path, { recursive: true })
  const cpuS = (used.user + used.system) / 1e6
  return {
    durability,
    logs,
    open,
    'KiB/batch': Math.round(batchBytes / 1024),
    'batches/s': Math.round(count / (tookMs / 1000)),
    'MB/s': Math.round((count * template.length) / 1000 / tookMs),
    'cpu s per M records': Number(((cpuS * 1e6) / (count * recordCount)).toFixed(3)),
    'read MB/s': Math.round(readBytes / 1000 / readMs),
    'close ms': Math.round(closeMs),
    'rss MB': Math.round(process.memoryUsage.rss() / 1e6),
  }
}

/** From start to end in fetches of 1 MiB. */
async function readAll(log: Log): Promise<number> {
  let offset = 0
  let total = 0
  while (offset < log.writtenEndOffset) {
    const read = await log.read(offset, {
      maxBytes: 1_048_576,
      minOneBatch: true,
      endOffset: log.writtenEndOffset,
    })
    total += read.sizeBytes
    for (const view of read.records) {
      for (let at = 0; at < view.length; ) {
        const { header } = batchAt(view, at)
        offset = header.baseOffset + header.lastOffsetDelta + 1
        at += header.sizeBytes
      }
    }
    read.release()
  }
  return total
}

const results = []
for (const row of rows) results.push(await run(row))
console.table(results)
