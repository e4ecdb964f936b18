/**
 * Kafka's own tool over our files: `node build/test/interop/log-files.mjs`. Writes a log with every
 * codec, several segments and idempotent producers, then lets `kafka-dump-log` print it, check its
 * indexes and read its snapshots, and compares; then the same with a log that clients wrote through
 * our broker (log-files/served.ts). Ends with `N passed, N failed, N skipped`. With a folder as
 * argument the first log is written there and kept.
 */

import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomUuid } from '../../lib/base/uuid.ts'
import { nodeEnv } from '../../lib/io/node/env.ts'
import { batchAt } from '../../lib/record/batch.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { codecs } from '../../lib/record/compression.ts'
import { logConfigWith } from '../../lib/storage/log-config.ts'
import { LogDir } from '../../lib/storage/log-dir.ts'
import { apacheKafka } from './apache-kafka.ts'
import { checkServed } from './log-files/served.ts'
import { Checks } from './support/checks.ts'

const env = nodeEnv({ verify: true })
const batchCount = 300
const keep = process.argv[2]

interface Expected {
  readonly batches: string[]
  readonly records: string[]
}

/** Writes the log; gives what the tool should print of it. */
async function writeLog(path: string): Promise<Expected> {
  const config = {
    'log.retention.check.interval.ms': 300_000,
    'ottla.disk.floor.bytes': -1,
    'producer.id.expiration.ms': 86_400_000,
  }
  const dir = await LogDir.open({ env, path, nodeId: 1, config })
  const settings = logConfigWith({ 'internal.segment.bytes': 20_000, 'index.interval.bytes': 512 })
  const id = randomUuid((count) => env.random.bytes(count))
  const log = await dir.create({ topic: 'ours', partition: 0 }, id, settings)
  const expected: Expected = { batches: [], records: [] }
  const startMs = env.clock.nowMs() - 100_000
  const sequences = [0, 0, 0]
  for (let n = 0; n < batchCount; n++) {
    const codec = codecs[n % codecs.length] ?? 'none'
    const builder = new BatchBuilder({ codec })
    const recordCount = 1 + (n % 6)
    const baseOffset = log.logEndOffset
    for (let index = 0; index < recordCount; index++) {
      const timestamp = startMs + n * 10 + ((index * 7) % 5)
      const key = index % 2 ? Buffer.from(`k${n}`) : null
      const value = index % 3 === 2 ? null : Buffer.from(`value ${n}.${index} `.repeat(1 + (n % 9)))
      builder.append(timestamp, key, value, n % 4 ? [] : [{ key: 'h', value: null }])
      const sizes = `${key?.length ?? -1} ${value?.length ?? -1}`
      expected.records.push(`${baseOffset + index} ${timestamp} ${sizes}`)
    }
    const producerId = n % 4
    const baseSequence = sequences[producerId]
    const isIdempotent = baseSequence !== undefined
    if (isIdempotent) sequences[producerId] = baseSequence + recordCount
    const fields = isIdempotent
      ? { producerId: 100 + producerId, producerEpoch: 0, baseSequence }
      : {}
    const batch = batchAt(builder.build(fields))
    const { written } = log.append(batch, { leaderEpoch: n < 150 ? 0 : 2 })
    await written
    expected.batches.push(
      `${baseOffset} ${baseOffset + recordCount - 1} ${recordCount} ${codec} ${batch.header.crc} ${n < 150 ? 0 : 2}`,
    )
  }
  await dir.close()
  return expected
}

/** The same facts from the tool's lines. */
function readDump(text: string): Expected {
  const found: Expected = { batches: [], records: [] }
  for (const line of text.split('\n')) {
    const value = (name: string) => new RegExp(`\\b${name}: (\\S+)`).exec(line)?.[1] ?? '?'
    if (line.startsWith('baseOffset')) {
      const isValid = value('isvalid') === 'true' ? '' : ' invalid'
      found.batches.push(
        `${value('baseOffset')} ${value('lastOffset')} ${value('count')} ${value('compresscodec')} ${value('crc')} ${value('partitionLeaderEpoch')}${isValid}`,
      )
    } else if (line.startsWith('| offset')) {
      found.records.push(
        `${value('offset')} ${value('CreateTime')} ${value('keySize')} ${value('valueSize')}`,
      )
    }
  }
  return found
}

const kafka = await apacheKafka()
if (typeof kafka === 'string') {
  console.log(kafka)
  console.log('0 passed, 0 failed, 1 skipped')
  process.exit(1)
}
const checks = new Checks()
const check = (what: string, problem: string | null) =>
  checks.run(what, () => {
    if (problem !== null) throw new Error(problem)
  })

const path = keep ?? mkdtempSync(join(tmpdir(), 'ottla-log-files-'))
mkdirSync(path, { recursive: true })
const expected = await writeLog(path)
const folder = join(path, 'ours-0')
const names = readdirSync(folder).sort()
const filesWith = (suffix: string) =>
  names.filter((name) => name.endsWith(suffix)).map((name) => join(folder, name))

const logs = filesWith('.log')
const found = readDump(
  await kafka.tool('kafka-dump-log', [
    '--files',
    logs.join(','),
    '--print-data-log',
    '--deep-iteration',
  ]),
)
await check(
  `${found.batches.length} batches in ${logs.length} segments`,
  difference(expected.batches, found.batches),
)
await check(`${found.records.length} records`, difference(expected.records, found.records))
const indexes = [...filesWith('.index'), ...filesWith('.timeindex')]
const sanity = await kafka.tool('kafka-dump-log', [
  '--files',
  indexes.join(','),
  '--index-sanity-check',
])
const passes = sanity.match(/passed sanity check/g)?.length ?? 0
await check(
  `${indexes.length} index files are sane`,
  passes === indexes.length ? null : sanity.slice(-300),
)
const verified = await kafka.tool('kafka-dump-log', [
  '--files',
  indexes.join(','),
  '--verify-index-only',
])
const mismatches = verified
  .split('\n')
  .filter((line) => /mismatch|not found|out of order|corrupt/i.test(line))
await check(
  'index entries point to their batches',
  mismatches.length === 0 ? null : mismatches.slice(0, 3).join('; '),
)
const snapshots = await kafka.tool('kafka-dump-log', ['--files', filesWith('.snapshot').join(',')])
const producers = new Set(snapshots.match(/producerId: \d+/g))
await check(
  `${filesWith('.snapshot').length} snapshots name the producers`,
  producers.size === 3 ? null : snapshots.slice(-300),
)
if (keep === undefined) rmSync(path, { recursive: true })
if (keep === undefined) await checkServed(kafka, checks)
checks.end()

/** The first line that differs; null when none does. */
function difference(wanted: readonly string[], got: readonly string[]): string | null {
  const at = wanted.findIndex((line, index) => line !== got[index])
  if (at === -1 && wanted.length === got.length) return null
  return `line ${at}: expected "${wanted[at]}", got "${got[at]}" (${wanted.length} and ${got.length} lines)`
}
