import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeEnv } from '../../lib/io/node/env.ts'
import {
  batchAt,
  batchCrc,
  codecOf,
  isControl,
  isTransactional,
  lastOffsetOf,
} from '../../lib/record/batch.ts'
import { forEachRecord } from '../../lib/record/record.ts'
import {
  checkPartition,
  inspectLogFile,
  offsetIndexEntries,
  timeIndexEntries,
} from '../../lib/storage/inspect.ts'
import type { Log } from '../../lib/storage/log.ts'
import { logConfigWith } from '../../lib/storage/log-config.ts'
import { LogDir } from '../../lib/storage/log-dir.ts'
import { decodeProducerSnapshot } from '../../lib/storage/producer-snapshot.ts'
import { transactionIndexEntries } from '../../lib/storage/transaction-index.ts'
import { assert, rejection, suite } from '../support/suite.ts'
import { batchOf } from './support/scenario.ts'

const test = suite('inspect')

const kafka = 'fixtures/logs/kafka-4.3.1'
const env = nodeEnv({ verify: true })
const { disk } = env
const partitions = ['plain-0', 'codecs-0', 'txn-0']
const config = {
  'log.retention.check.interval.ms': 300_000,
  'ottla.disk.floor.bytes': 0,
  'producer.id.expiration.ms': 86_400_000,
}

let folder = ''
test.beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ottla-inspect-'))
})
test.afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** What kafka-dump-log printed of the same files, line by line. */
async function dump(partition: string): Promise<string[]> {
  const lines: string[] = []
  const logs = readdirSync(join(kafka, partition)).filter((name) => name.endsWith('.log'))
  for (const name of logs.sort()) {
    const end = await inspectLogFile(disk, join(kafka, partition, name), (batch) => {
      const { header, position, computedCrc, bytes } = batch
      assert.is(computedCrc, header.crc)
      const lastSequence = header.baseSequence
      lines.push(
        ['batch', header.baseOffset, lastOffsetOf(header), header.recordCount, lastSequence]
          .concat([header.producerId, header.producerEpoch, position, header.sizeBytes])
          .concat([codecOf(header.attributes), header.crc])
          .concat([
            String(isTransactional(header.attributes)),
            String(isControl(header.attributes)),
          ])
          .join(' '),
      )
      forEachRecord(bytes, { maxBytes: 1_000_000 }, ({ offset, timestamp, key, value }) => {
        lines.push(`record ${offset} ${timestamp} ${key?.length ?? -1} ${value?.length ?? -1}`)
      })
      return undefined
    })
    assert.is(end.kind, 'end')
  }
  return lines
}

for (const partition of partitions) {
  test(`Kafka's ${partition} reads as Kafka's own tool reads it`, async () => {
    const expected = readFileSync(join(kafka, `${partition}.expected.txt`), 'utf8')
    assert.equal(await dump(partition), expected.trimEnd().split('\n'))
  })

  test(`Kafka's ${partition} is found whole, also while its index files end in zeros`, async () => {
    const copy = join(folder, partition)
    cpSync(join(kafka, partition), copy, { recursive: true })
    assert.equal((await checkPartition(disk, copy)).findings, [])
    for (const name of readdirSync(copy)) {
      if (!name.endsWith('index')) continue
      const bytes = readFileSync(join(copy, name))
      writeFileSync(join(copy, name), Buffer.concat([bytes, Buffer.alloc(12_000 - bytes.length)]))
    }
    const checked = await checkPartition(disk, copy)
    assert.equal(checked.findings, [])
    assert.ok(checked.batchCount > 3)
  })
}

test('a directory of Kafka is adopted with its records, epochs and producers, and goes on', async () => {
  cpSync(kafka, folder, { recursive: true })
  for (const partition of partitions) rmSync(join(folder, `${partition}.expected.txt`))
  const refused = await rejection(LogDir.open({ env, path: folder, nodeId: 1, config }))
  assert.match(refused.message, /--adopt/)
  const dir = await LogDir.open({ env, path: folder, nodeId: 1, config, adopt: true })
  assert.is(dir.needsAdoption, true)
  assert.is(dir.isClean, true)
  const logs = await dir.loadLogs(() => logConfigWith())
  const ends = logs
    .map((log) => [log.name, log.logEndOffset, log.topicId?.length])
    .sort((a, b) => (String(a) < String(b) ? -1 : 1))
  assert.equal(ends, [
    ['codecs-0', 601, 22],
    ['plain-0', 240, 22],
    ['txn-0', 63, 22],
  ])
  const plain = dir.logOf({ topic: 'plain', partition: 0 }) as Log
  assert.equal(plain.endOffsetForEpoch(0), { leaderEpoch: 0, endOffset: 240 })
  assert.is(plain.producers.get(1)?.batches.at(-1)?.lastOffset, 239)
  // The last five batches are known again, though the snapshot holds one.
  assert.is(plain.producers.get(1)?.batches.length, 5)
  assert.is(plain.producers.get(0)?.batches.at(-1)?.lastOffset, 119)
  await dir.completeAdoption()
  const { written } = plain.append(batchOf({ values: ['ours'] }), { leaderEpoch: 4 })
  await written
  await dir.close()
  const again = await LogDir.open({ env, path: folder, nodeId: 1, config })
  assert.is(again.needsAdoption, false)
  assert.is(again.clusterId, 'Xn7qOiGNcHfufTfuTUR-VQ')
  const [, second] = await again.loadLogs(() => logConfigWith())
  assert.is(second?.failure, null)
  assert.is(again.logOf({ topic: 'plain', partition: 0 })?.logEndOffset, 241)
  await again.close()
  for (const partition of partitions) {
    assert.equal((await checkPartition(disk, join(folder, partition))).findings, [])
  }
})

test("Kafka's directory is recovered after a kill as ours is", async () => {
  cpSync(kafka, folder, { recursive: true })
  const meta = join(folder, 'meta.properties')
  writeFileSync(meta, `${readFileSync(meta, 'utf8')}ottla.format=1\n`)
  rmSync(join(folder, '.kafka_cleanshutdown'))
  writeFileSync(join(folder, 'recovery-point-offset-checkpoint'), '0\n1\nplain 0 100\n')
  const last = join(folder, 'plain-0/00000000000000000166.log')
  const bytes = readFileSync(last)
  writeFileSync(last, bytes.subarray(0, bytes.length - 10))
  const dir = await LogDir.open({ env, path: folder, nodeId: 1, config })
  await dir.loadLogs(() => logConfigWith())
  const log = dir.logOf({ topic: 'plain', partition: 0 }) as Log
  assert.is(log.failure, null)
  assert.ok(log.logEndOffset > 230 && log.logEndOffset < 240)
  assert.is(log.producers.get(1)?.batches.at(-1)?.lastOffset, log.logEndOffset - 1)
  await dir.close()
})

test('indexes, snapshots and transaction indexes are decoded', () => {
  const read = (name: string) => readFileSync(join(kafka, name))
  const index = offsetIndexEntries(166, read('plain-0/00000000000000000166.index'))
  assert.ok(index.every(({ offset, position }) => offset > 166 && position > 0))
  assert.is(index.length, 25)
  const times = timeIndexEntries(0, read('plain-0/00000000000000000000.timeindex'))
  assert.is(times.at(-1)?.offset, 158)
  const {
    entries: [producer],
    hasWindows,
  } = decodeProducerSnapshot(read('txn-0/00000000000000000063.snapshot'))
  assert.is(producer?.producerId, 7)
  assert.is(hasWindows, false)
  assert.is(producer?.currentTxnFirstOffset, -1)
  const entry = Buffer.alloc(34)
  entry.writeBigInt64BE(9n, 2)
  entry.writeBigInt64BE(55n, 18)
  assert.equal(transactionIndexEntries(entry), [
    { version: 0, producerId: 9, firstOffset: 0, lastOffset: 55, lastStableOffset: 0 },
  ])
  assert.throws(() => transactionIndexEntries(entry.subarray(1)), /33 bytes/)
})

/** Damage to the copied partition, and what the check must say of it. */
const damages: [string, string, (bytes: Buffer) => Buffer, RegExp][] = [
  ['a flipped bit in a value', '00000000000000000000.log', (b) => change(b, 200, 1), /CRC/],
  ['a cut log', '00000000000000000166.log', (b) => b.subarray(0, -5), /no whole batch.*torn tail/],
  [
    'a cut log in the middle',
    '00000000000000000000.log',
    (b) => b.subarray(0, -5),
    /no whole batch/,
  ],
  [
    'a batch offset that falls',
    '00000000000000000166.log',
    (b) => change(b, 7, 0xa6),
    /base offset 0 after/,
  ],
  [
    'an index entry off by one',
    '00000000000000000000.index',
    (b) => change(b, 7, 1),
    /entry 0 says offset/,
  ],
  [
    'index entries out of order',
    '00000000000000000000.index',
    (b) => Buffer.concat([b, b]),
    /does not rise/,
  ],
  [
    'a time that no batch has',
    '00000000000000000000.timeindex',
    (b) => change(b, 7, 1),
    /no batch does/,
  ],
  ['a snapshot with a bad CRC', '00000000000000000166.snapshot', (b) => change(b, 20, 1), /CRC/],
  [
    'epochs that fall',
    'leader-epoch-checkpoint',
    () => Buffer.from('0\n2\n4 0\n1 9\n'),
    /leader epoch 1/,
  ],
  [
    'no epoch for the batches',
    'leader-epoch-checkpoint',
    () => Buffer.from('0\n0\n'),
    /epoch 0 begins/,
  ],
]

function change(bytes: Buffer, at: number, mask: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ mask
  return copy
}

for (const [what, file, damage, expected] of damages) {
  test(`the check names ${what}`, async () => {
    cpSync(join(kafka, 'plain-0'), folder, { recursive: true })
    const path = join(folder, file)
    writeFileSync(path, damage(readFileSync(path)))
    const { findings } = await checkPartition(disk, folder)
    const finding = findings.find((one) => one.file === file && expected.test(one.message))
    assert.ok(finding, JSON.stringify(findings))
  })
}

test('what DeleteRecords left of an epoch inside a segment is no finding', async () => {
  cpSync(join(kafka, 'plain-0'), join(folder, 'plain-0'), { recursive: true })
  writeFileSync(join(folder, 'plain-0/leader-epoch-checkpoint'), '0\n1\n0 100\n')
  const [finding] = (await checkPartition(disk, join(folder, 'plain-0'))).findings
  assert.match(finding?.message ?? '', /epoch 0 begins at 0 or before, the file says 100/)
  writeFileSync(join(folder, 'log-start-offset-checkpoint'), '0\n1\nplain 0 100\n')
  assert.equal((await checkPartition(disk, join(folder, 'plain-0'))).findings, [])
})

/** A batch of one record at `baseOffset`, of which compaction took the others up to `lastOffset`. */
function compactedBatch(baseOffset: number, lastOffset: number): Buffer {
  const { chunks } = batchOf({ timestamp: 1_700_000_000_000 })
  const bytes = Buffer.concat(chunks)
  bytes.writeBigInt64BE(BigInt(baseOffset), 0)
  bytes.writeInt32BE(lastOffset - baseOffset, 23)
  bytes.writeUInt32BE(batchCrc(batchAt(bytes)), 17)
  return bytes
}

/** Segments of a log: first offset, and batches as first and last offset. */
const holes: [string, [number, [number, number][]][], RegExp | null][] = [
  [
    'between compacted segments',
    [
      [0, [[0, 9]]],
      [40, [[40, 49]]],
    ],
    null,
  ],
  [
    'round a segment that compaction emptied',
    [
      [0, [[0, 9]]],
      [30, []],
      [50, [[50, 59]]],
    ],
    null,
  ],
  [
    'in a log that was not compacted',
    [
      [0, [[0, 0]]],
      [40, [[40, 40]]],
    ],
    /begins at 40/,
  ],
]

for (const [what, segments, expected] of holes) {
  test(`a hole ${what} is ${expected === null ? 'no finding' : 'a finding'}`, async () => {
    for (const [base, batches] of segments) {
      const name = join(folder, String(base).padStart(20, '0'))
      const bytes = batches.map(([first, last]) => compactedBatch(first, last))
      writeFileSync(`${name}.log`, Buffer.concat(bytes))
      writeFileSync(`${name}.index`, '')
      const entry = Buffer.alloc(bytes.length > 0 ? 12 : 0)
      if (bytes.length > 0) {
        entry.writeBigInt64BE(1_700_000_000_000n)
        entry.writeInt32BE((batches[0]?.[1] ?? 0) - base, 8)
      }
      writeFileSync(`${name}.timeindex`, entry)
    }
    const { findings } = await checkPartition(disk, folder)
    if (expected === null) assert.equal(findings, [])
    else assert.match(findings[0]?.message ?? '', expected)
  })
}
