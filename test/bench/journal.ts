/**
 * What durable appends cost: a sync per log, the journal, and no sync, on this disk, in process.
 * `node build/test/bench/journal.mjs [SECONDS] [ROUNDS] [DIRECTORY] [LOGS,...]` prints
 * tables; it never fails by a timing. The modes take turns; of their rounds the middle one counts.
 *
 * Each log has `open` producers, each of which appends its next batch when the last one is durable
 * (none: written).
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

const seconds = Number(process.argv[2] ?? 2)
const rounds = Number(process.argv[3] ?? 3)
const parent = process.argv[4] ?? tmpdir()
/** Only loads of so many logs; none = all. */
const only = process.argv[5]
const env = nodeEnv()

const loads = [
  { logs: 1, open: 1, batchBytes: 16_384 },
  { logs: 1, open: 64, batchBytes: 16_384 },
  { logs: 2, open: 1, batchBytes: 16_384 },
  { logs: 2, open: 8, batchBytes: 65_536 },
  { logs: 16, open: 1, batchBytes: 16_384 },
  { logs: 16, open: 4, batchBytes: 16_384 },
  { logs: 16, open: 2, batchBytes: 262_144 },
  { logs: 128, open: 1, batchBytes: 16_384 },
  { logs: 128, open: 2, batchBytes: 1_024 },
]
const modes = ['none', 'plain', 'journal'] as const
type Mode = (typeof modes)[number]
type Load = (typeof loads)[number]

function makeBatch(sizeBytes: number): Uint8Array {
  const builder = new BatchBuilder({ initialBytes: sizeBytes })
  const value = Buffer.alloc(900, 'x')
  do builder.append(Date.now(), null, value)
  while (builder.sizeBytes + 920 < sizeBytes)
  return Buffer.from(builder.build())
}

/** A mode, and how long each append took. */
interface Measured {
  readonly mode: Mode
  readonly template: Uint8Array
  readonly times: number[]
}

async function produce(log: Log, { mode, template, times }: Measured, untilMs: number) {
  const bytes = Buffer.from(template)
  while (performance.now() < untilMs) {
    const startMs = performance.now()
    bytes.fill(0, 0, 8)
    const { written } = log.append(batchAt(bytes), { leaderEpoch: 0 })
    await written
    if (mode !== 'none') await log.sync()
    times.push(performance.now() - startMs)
  }
}

async function run(mode: Mode, { logs, open, batchBytes }: Load) {
  const path = mkdtempSync(join(parent, 'ottla-bench-'))
  const config = {
    'log.retention.check.interval.ms': 300_000,
    'ottla.disk.floor.bytes': -1,
    'producer.id.expiration.ms': 86_400_000,
    ...(mode === 'journal' ? {} : { 'ottla.journal.max.bytes': 0 }),
  }
  const dir = await LogDir.open({ env, path, nodeId: 1, config })
  await dir.loadLogs(() => logConfigWith())
  const logConfig = logConfigWith({ 'ottla.durability': mode === 'none' ? 'replicated' : 'fsync' })
  const made: Log[] = []
  for (let partition = 0; partition < logs; partition++) {
    const id = randomUuid((count) => env.random.bytes(count))
    made.push(await dir.create({ topic: 'bench', partition }, id, logConfig))
  }
  const template = makeBatch(batchBytes)
  const drive = (times: number[], ms: number) => {
    const untilMs = performance.now() + ms
    return Promise.all(
      made.flatMap((log) =>
        Array.from({ length: open }, () => produce(log, { mode, template, times }, untilMs)),
      ),
    )
  }
  // Until the journal is made, and its second file.
  await drive([], 1500)
  const times: number[] = []
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  await drive(times, seconds * 1000)
  const tookMs = performance.now() - startMs
  const used = process.cpuUsage(cpu)
  await dir.close()
  rmSync(path, { recursive: true })
  times.sort((a, b) => a - b)
  const at = (share: number) => Number((times[Math.floor(times.length * share)] ?? 0).toFixed(1))
  const bytes = times.length * template.length
  return {
    mode,
    logs,
    open,
    'KiB/batch': Math.round(batchBytes / 1024),
    'MB/s': Number((bytes / 1000 / tookMs).toFixed(1)),
    'batches/s': Math.round(times.length / (tookMs / 1000)),
    'p50 ms': at(0.5),
    'p99 ms': at(0.99),
    'cpu ms/MB': Number(((used.user + used.system) / 1000 / (bytes / 1e6)).toFixed(2)),
  }
}

/** The round in the middle, by throughput. */
function median(rows: Row[]): Row | undefined {
  return [...rows].sort((a, b) => a['MB/s'] - b['MB/s'])[rows.length >> 1]
}

type Row = Awaited<ReturnType<typeof run>>

for (const load of loads) {
  if (only !== undefined && !only.split(',').includes(String(load.logs))) continue
  const rows = new Map<Mode, Row[]>(modes.map((mode) => [mode, []]))
  for (let round = 0; round < rounds; round++) {
    for (const mode of modes) rows.get(mode)?.push(await run(mode, load))
  }
  console.table(modes.map((mode) => median(rows.get(mode) ?? [])))
}
