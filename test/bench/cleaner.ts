/**
 * What compaction costs: `node build/test/bench/cleaner.mjs [MEGABYTES] [SECONDS]` prints tables; it
 * never fails by a timing.
 *
 * First in this process, in its event loop and in a thread: how fast a log is cleaned, per codec and size
 * of batch, in CPU time of the process, and how long the event loop is held meanwhile. Then a broker of
 * its own: latency of produce requests at a steady rate, before, beside and after a cleaning.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { randomUuid } from '../../lib/base/uuid.ts'
import { Admin } from '../../lib/client/admin.ts'
import { Client } from '../../lib/client/client.ts'
import { nodeEnv } from '../../lib/io/node/env.ts'
import { batchAt } from '../../lib/record/batch.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { type Codec, codecs } from '../../lib/record/compression.ts'
import { type CleanerConfig, LogCleaner } from '../../lib/storage/cleaner/log-cleaner.ts'
import { logConfigWith } from '../../lib/storage/log-config.ts'
import { LogDir } from '../../lib/storage/log-dir.ts'
import { Peer } from '../interop/differential/peer.ts'
import { startBroker } from '../interop/support/broker-process.ts'
import { seeded } from '../support/records.ts'

const megabytes = Number(process.argv[2] ?? 64)
const seconds = Number(process.argv[3] ?? 8)
const keyCount = 200_000
const random = seeded(1)
const folder = mkdtempSync(join(tmpdir(), 'ottla-bench-cleaner-'))

function dirtyBatch(codec: Codec, recordsPerBatch = 150): Buffer {
  const builder = new BatchBuilder({ codec })
  for (let n = 0; n < recordsPerBatch; n++) {
    const key = Buffer.from(`key-${random(keyCount)}`)
    builder.append(Date.now(), key, Buffer.from(`value ${random(1e9)} `.repeat(6)))
  }
  return Buffer.from(builder.build())
}

const cleanerConfig: CleanerConfig = {
  'log.cleaner.enable': true,
  'log.cleaner.threads': 0,
  'log.cleaner.backoff.ms': 15_000,
  'log.cleaner.dedupe.buffer.size': 134_217_728,
  'log.cleaner.io.buffer.load.factor': 0.9,
  'log.cleaner.io.buffer.size': 524_288,
  'log.cleaner.io.max.bytes.per.second': Number.MAX_VALUE,
}

/** Of the whole process: what its helper threads do for the cleaner counts too. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** One log on this disk, cleaned once in this process. */
async function cleanHere(
  codec: Codec,
  { records, isThreaded }: { records: number; isThreaded: boolean },
): Promise<Record<string, string | number>> {
  const machine = nodeEnv()
  const env = isThreaded ? machine : { ...machine, disk: { ...machine.disk, threads: null } }
  const config = {
    'log.retention.check.interval.ms': 300_000,
    'ottla.disk.floor.bytes': 0,
    'producer.id.expiration.ms': 86_400_000,
  }
  const path = join(folder, `${codec}-${records}-${isThreaded}`)
  const dir = await LogDir.open({ env, path, nodeId: 1, config })
  const settings = logConfigWith({
    'cleanup.policy': ['compact'],
    'segment.bytes': 2 * 1024 * 1024,
    'max.message.bytes': 2 * 1024 * 1024,
    'ottla.durability': 'replicated',
    'min.cleanable.dirty.ratio': 0,
  })
  const id = randomUuid((count) => env.random.bytes(count))
  const log = await dir.create({ topic: 'dirty', partition: 0 }, id, settings)
  dir.highWatermarks = () => [[log.topicPartition, log.writtenEndOffset]]
  for (let sent = 0; sent < megabytes * 1024 * 1024; sent += records * 110) {
    await log.append(batchAt(dirtyBatch(codec, records)), { leaderEpoch: 0 }).written
  }
  await log.sync()
  const cleaner = await LogCleaner.start(dir, cleanerConfig)
  const before = log.sizeBytes
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  const began = cpuMs()
  const isCleaned = await cleaner.cleanDirtiest()
  const tookMs = cpuMs() - began
  delays.disable()
  const row = {
    codec: isCleaned ? codec : `${codec}: nothing to clean`,
    'records a batch': records,
    where: isThreaded ? 'thread' : 'event loop',
    'MB before': Math.round(before / 1e6),
    'MB after': Math.round(log.sizeBytes / 1e6),
    'CPU s': (tookMs / 1000).toFixed(2),
    'records/CPU s': Math.round((log.logEndOffset / tookMs) * 1000),
    // Wall clock: of use on a quiet machine.
    'loop p99 ms': (delays.percentile(99) / 1e6).toFixed(1),
    'loop max ms': (delays.max / 1e6).toFixed(1),
  }
  await cleaner.close()
  await dir.close()
  rmSync(path, { recursive: true })
  return row
}

interface Latencies {
  readonly ms: number[]
}

/** Sends one batch every two milliseconds for a while, or until told. */
async function measure(peer: Peer, isOver: () => boolean): Promise<Latencies> {
  const ms: number[] = []
  const value = Buffer.alloc(1000, 'v')
  let next = performance.now()
  while (!isOver()) {
    const builder = new BatchBuilder()
    builder.append(Date.now(), Buffer.from('k'), value)
    const bytes = Buffer.from(builder.build())
    const began = performance.now()
    await peer.produce('live', [bytes])
    ms.push(performance.now() - began)
    next = Math.max(next + 2, began)
    await new Promise((resolve) => setTimeout(resolve, Math.max(next - performance.now(), 0)))
  }
  return { ms }
}

function summary(what: string, { ms }: Latencies): Record<string, string | number> {
  const sorted = [...ms].sort((a, b) => a - b)
  const at = (part: number) => (sorted[Math.floor(part * (sorted.length - 1))] ?? 0).toFixed(2)
  return { what, requests: ms.length, 'p50 ms': at(0.5), 'p99 ms': at(0.99), 'max ms': at(1) }
}

async function setRatio(address: string, value: string): Promise<void> {
  const client = new Client({ brokers: [address], retryForMs: 30_000, timeoutMs: 30_000 })
  const changes = [{ key: 'min.cleanable.dirty.ratio', operation: 'set' as const, value }]
  await new Admin(client).alterConfigs([{ type: 'topic', name: 'dirty', changes }])
  client.close()
}

async function produceBeside(durability: string): Promise<Record<string, string | number>[]> {
  const data = join(folder, `broker-${durability}`)
  const args = ['-c', 'log.cleaner.backoff.ms=100', '-c', 'log.cleaner.io.buffer.size=524288']
  const broker = await startBroker({ data, args })
  const peer = await Peer.connect('ottla', broker.address)
  try {
    await peer.create('live', { configs: { 'ottla.durability': durability } })
    const configs = {
      'cleanup.policy': 'compact',
      'segment.bytes': '8388608',
      'ottla.durability': 'replicated',
      'min.cleanable.dirty.ratio': '1',
    }
    await peer.create('dirty', { configs })
    for (let sent = 0; sent < megabytes * 1024 * 1024; ) {
      const batches = Array.from({ length: 16 }, () => dirtyBatch('none'))
      await peer.produce('dirty', batches)
      for (const { length } of batches) sent += length
    }
    const alone = () => {
      const endMs = performance.now() + seconds * 1000
      return measure(peer.other('live'), () => performance.now() > endMs)
    }
    const before = await alone()
    const isCleaned = () => broker.log().includes('log.cleaned')
    await setRatio(broker.address, '0')
    const lastMs = performance.now() + 60_000
    const isOver = () => isCleaned() || performance.now() > lastMs
    const beside = await measure(peer.other('live'), isOver)
    const took = /"?ms"?[:=](\d+)/.exec(broker.log().split('log.cleaned')[1] ?? '')?.[1]
    return [
      summary(`${durability}: produce alone`, before),
      { ...summary(`${durability}: beside a cleaning`, beside), 'cleaning ms': took ?? '?' },
      summary(`${durability}: alone again`, await alone()),
    ]
  } finally {
    peer.close()
    await broker.stop()
    rmSync(data, { recursive: true, force: true })
  }
}

const rows = []
for (const codec of codecs) {
  for (const records of [150, 10_000]) {
    for (const isThreaded of [false, true])
      rows.push(await cleanHere(codec, { records, isThreaded }))
  }
}
console.table(rows)
for (const durability of ['fsync', 'replicated']) console.table(await produceBeside(durability))
rmSync(folder, { recursive: true, force: true })
