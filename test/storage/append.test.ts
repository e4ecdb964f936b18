import { KafkaError } from '../../lib/base/errors.ts'
import {
  batchCrc,
  codecOf,
  patchLogAppendTime,
  type RecordBatch,
  splitBatches,
  timestampTypeOf,
} from '../../lib/record/batch.ts'
import { InvalidRecordsError } from '../../lib/storage/batch-validation.ts'
import type { LogConfig } from '../../lib/storage/log-config.ts'
import { assert, rejection, suite } from '../support/suite.ts'
import { type BatchOptions, batchOf, Scenario } from './support/scenario.ts'

const test = suite('append')

const leader = { leaderEpoch: 0 }
const nowMs = Date.UTC(2026, 0, 1)
const dayMs = 86_400_000

/** The batch with one number of its header changed; the CRC too when it covers that. */
function withHeader(fields: Partial<RecordBatch['header']>): RecordBatch {
  const batch = batchOf({ values: ['a', 'b', 'c'] })
  return { ...batch, header: { ...batch.header, ...fields } }
}

const refusals: [string, Partial<LogConfig>, () => RecordBatch, string, number[] | null][] = [
  ['a wrong CRC', {}, () => withHeader({ crc: 1 }), 'CORRUPT_MESSAGE', null],
  ['a base offset', {}, () => withHeader({ baseOffset: 5 }), 'INVALID_RECORD', []],
  ['no record', {}, () => withHeader({ recordCount: 0 }), 'INVALID_RECORD', []],
  ['a wrong count', {}, () => withHeader({ recordCount: 2 }), 'INVALID_RECORD', []],
  ['a control batch', {}, () => withHeader({ attributes: 0x20 }), 'INVALID_RECORD', []],
  ['codec 5', {}, () => withHeader({ attributes: 5 }), 'INVALID_RECORD', []],
  ['a producer without sequence', {}, () => withHeader({ producerId: 1 }), 'INVALID_RECORD', []],
  ['an old format', {}, () => withHeader({ magic: 1 }), 'INVALID_RECORD', []],
  ['a transactional batch', {}, () => withHeader({ attributes: 0x10 }), 'INVALID_TXN_STATE', null],
  [
    'a time claimed as ours',
    { 'message.timestamp.type': 'LogAppendTime' },
    () => withHeader({ attributes: 0x08 }),
    'INVALID_TIMESTAMP',
    [0, 1, 2],
  ],
  [
    'too many bytes',
    { 'max.message.bytes': 80 },
    () => batchOf({ values: ['x'.repeat(40)] }),
    'MESSAGE_TOO_LARGE',
    null,
  ],
  [
    'more bytes than a segment',
    { 'internal.segment.bytes': 80 },
    () => batchOf({ values: ['x'.repeat(40)] }),
    'RECORD_LIST_TOO_LARGE',
    null,
  ],
  [
    'a record too old',
    { 'message.timestamp.before.max.ms': dayMs },
    () => batchOf({ values: ['a', 'b', 'c'], timestamps: [nowMs, nowMs - 2 * dayMs, nowMs] }),
    // The header tells only the first and the largest time.
    'accepted',
    null,
  ],
  [
    'the first record too old',
    { 'message.timestamp.before.max.ms': dayMs },
    () =>
      batchOf({
        values: ['a', 'b', 'c'],
        timestamps: [nowMs - 2 * dayMs, nowMs, nowMs - 3 * dayMs],
      }),
    'INVALID_TIMESTAMP',
    [0, 2],
  ],
  [
    'a record from the future',
    {},
    () => batchOf({ values: ['a', 'b'], timestamps: [nowMs, nowMs + 2 * dayMs], codec: 'gzip' }),
    'INVALID_TIMESTAMP',
    [1],
  ],
  [
    'a record without key for a compacted topic',
    { 'cleanup.policy': ['compact'] },
    () => batchOf({ values: ['a', 'b', 'c'], keys: ['k', null, null], codec: 'snappy' }),
    'INVALID_RECORD',
    [1, 2],
  ],
  [
    'keys for a compacted topic',
    { 'cleanup.policy': ['compact', 'delete'] },
    () => batchOf({ values: ['a'], keys: ['k'] }),
    'accepted',
    null,
  ],
]

for (const [what, config, batch, expected, indices] of refusals) {
  test(`${what}: ${expected}`, async () => {
    const { log } = await new Scenario(config).open()
    let got = 'accepted'
    let errors: number[] | null = null
    try {
      log.append(batch(), leader)
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      got = error.name
      if (error instanceof InvalidRecordsError) errors = error.recordErrors.map((e) => e.batchIndex)
    }
    assert.is(got, expected)
    assert.equal(errors, indices)
    assert.is(log.logEndOffset, expected === 'accepted' ? batch().header.recordCount : 0)
  })
}

async function storedBatches(scenario: Scenario) {
  const endOffset = scenario.log.writtenEndOffset
  const read = await scenario.log.read(0, { maxBytes: 1e6, minOneBatch: true, endOffset })
  return splitBatches(read.records)
}

test('LogAppendTime is set in the batch, with its CRC, and answered', async () => {
  const scenario = await new Scenario({ 'message.timestamp.type': 'LogAppendTime' }).open()
  const info = await scenario.append({ values: ['a', 'b'], timestamp: 5, codec: 'gzip' })
  assert.is(info.logAppendTimeMs, nowMs)
  const [batch] = await storedBatches(scenario)
  assert.is(timestampTypeOf(batch?.header.attributes ?? 0), 'LogAppendTime')
  assert.is(batch?.header.maxTimestamp, nowMs)
  assert.equal(
    (await scenario.readAll()).map(({ timestamp }) => timestamp),
    [nowMs, nowMs],
  )
  await scenario.crash()
  assert.is(scenario.log.logEndOffset, 2)
})

test('with CreateTime a time claimed as ours is the record’s own, with its CRC', async () => {
  const scenario = await new Scenario({}).open()
  const batch = batchOf({ values: ['a', 'b'], timestamps: [nowMs - 5, nowMs - 3] })
  patchLogAppendTime(batch, nowMs)
  await scenario.log.append(batch, leader).written
  const [stored] = await storedBatches(scenario)
  assert.is(timestampTypeOf(stored?.header.attributes ?? 8), 'CreateTime')
  assert.is(stored === undefined ? 0 : batchCrc(stored), stored?.header.crc)
  assert.equal(
    (await scenario.readAll()).map(({ timestamp }) => timestamp),
    [nowMs - 5, nowMs - 3],
  )
})

for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
  for (const type of ['producer', 'uncompressed', 'gzip', 'zstd'] as const) {
    test(`a batch in ${codec} is stored as compression.type=${type} says`, async () => {
      const scenario = await new Scenario({ 'compression.type': type }).open()
      const values = Array.from({ length: 50 }, (_, n) => `value ${n}`)
      await scenario.append({ values, codec, timestamp: 77, producerId: 3, baseSequence: 9 })
      const [batch] = await storedBatches(scenario)
      const expected = type === 'producer' ? codec : type === 'uncompressed' ? 'none' : type
      assert.is(codecOf(batch?.header.attributes ?? 0), expected)
      assert.is(batch?.header.producerId, 3)
      assert.is(batch?.header.baseSequence, 9)
      assert.equal((await scenario.texts()).length, 50)
      await scenario.crash()
      assert.is((await scenario.readAll(49))[0]?.timestamp, 77)
    })
  }
}

test('a batch sent again gets the first offset, and waits for the first write', async () => {
  const { log, env } = await new Scenario().open()
  const send = (baseSequence: number) =>
    log.append(batchOf({ values: ['a', 'b'], producerId: 1, baseSequence }), leader)
  const first = send(0)
  const again = send(0)
  assert.equal([again.isDuplicate, again.baseOffset, again.lastOffset], [true, 0, 1])
  assert.is(log.logEndOffset, 2)
  await Promise.all([first.written, again.written])
  send(2)
  env.disk.beforeEach = (operation) => {
    if (operation === 'write') throw new Error('EIO')
  }
  const failed = send(2)
  assert.is(failed.isDuplicate, true)
  assert.is((await rejection(failed.written)).name, 'KAFKA_STORAGE_ERROR')
})

/** Each append, and whether it begins a new segment. */
const rolls: [string, Partial<LogConfig>, [BatchOptions, boolean][]][] = [
  [
    'by size',
    { 'internal.segment.bytes': 200 },
    [
      [{ values: ['x'.repeat(50)] }, false],
      [{ values: ['x'] }, false],
      [{ values: ['x'] }, true],
    ],
  ],
  [
    'by record time',
    { 'segment.ms': 1000 },
    [
      [{ timestamp: 5000 }, false],
      [{ timestamp: 6000 }, false],
      [{ timestamp: 6001 }, true],
      [{ timestamp: 100 }, false],
      [{ timestamp: 7002 }, true],
    ],
  ],
  [
    'by a full index',
    { 'segment.index.bytes': 24, 'index.interval.bytes': 0 },
    [
      [{}, false],
      [{ timestamp: 1 }, false],
      [{ timestamp: 2 }, true],
    ],
  ],
]

for (const [why, config, steps] of rolls) {
  test(`a segment is rolled ${why}`, async () => {
    const scenario = await new Scenario(config).open()
    for (const [options, isNew] of steps) {
      const before = scenario.log.segments.length
      const { baseOffset } = await scenario.append(options)
      assert.is(scenario.log.segments.length - before, isNew ? 1 : 0)
      if (isNew) assert.is(scenario.log.segments.at(-1)?.baseOffset, baseOffset)
    }
    const texts = await scenario.texts()
    await scenario.crash()
    assert.equal(await scenario.texts(), texts)
  })
}

test('a segment without record times is rolled by its age', async () => {
  const scenario = await new Scenario({ 'segment.ms': 1000 }).open()
  await scenario.append({})
  await scenario.env.clock.advance(1001)
  await scenario.append({})
  assert.is(scenario.log.segments.length, 2)
})

test('an empty segment is never rolled onto its own base offset', async () => {
  const scenario = await new Scenario({ 'segment.ms': 1 }).open()
  await scenario.env.clock.advance(1000)
  await scenario.append({})
  assert.equal(
    scenario.log.segments.map(({ baseOffset }) => baseOffset),
    [0],
  )
})

test('a failed write fails all that is queued behind it, for good', async () => {
  const { log, env, dir } = await new Scenario().open()
  let offline = ''
  dir.onOffline = (error) => {
    offline = error.message
  }
  await log.append(batchOf(), leader).written
  let writes = 0
  let fail = () => {}
  env.disk.beforeEach = async (operation, path) => {
    if (operation !== 'write' || !path.endsWith('.log') || ++writes > 1) return
    await new Promise<void>((resolve) => {
      fail = resolve
    })
    throw new Error('EIO here')
  }
  const first = log.append(batchOf(), leader)
  await env.clock.settle()
  const second = log.append(batchOf(), leader)
  assert.is(log.logEndOffset, 3)
  fail()
  for (const { written } of [first, second]) {
    const error = await rejection(written)
    assert.is(error.name, 'KAFKA_STORAGE_ERROR')
    assert.match(error.message, /EIO here/)
  }
  assert.is(writes, 1)
  assert.is(offline, 'EIO here')
  assert.is(log.writtenEndOffset, 1)
  assert.is(log.waitingBytes, 0)
  assert.is(dir.waitingBytes, 0)
  assert.throws(() => log.append(batchOf(), leader), /offline/)
  const options = { maxBytes: 10, minOneBatch: true, endOffset: 1 }
  assert.is((await rejection(log.read(0, options))).name, 'KAFKA_STORAGE_ERROR')
})

test('a failed sync takes the dir offline and is not tried again', async () => {
  const { log, env, dir } = await new Scenario().open()
  let syncs = 0
  env.disk.beforeEach = (operation, path) => {
    if (operation !== 'sync' || !path.endsWith('.log')) return
    syncs++
    throw new Error('sync failed')
  }
  await log.append(batchOf(), leader).written
  assert.is((await rejection(log.sync())).name, 'KAFKA_STORAGE_ERROR')
  await env.clock.settle()
  assert.is(syncs, 1)
  assert.is(log.syncedEndOffset, 0)
  assert.is(dir.failure?.message, 'sync failed')
})

test('with durability fsync one sync serves all that was written meanwhile', async () => {
  const { log, env } = await new Scenario().open()
  let syncs = 0
  let release = () => {}
  env.disk.beforeEach = async (operation, path) => {
    if (operation !== 'sync' || !path.endsWith('.log')) return
    if (++syncs === 1) await new Promise<void>((resolve) => (release = resolve))
  }
  const ends: number[] = []
  log.onProgress = () => ends.push(log.syncedEndOffset)
  await log.append(batchOf(), leader).written
  await env.clock.settle()
  for (let n = 0; n < 5; n++) await log.append(batchOf(), leader).written
  assert.is(syncs, 1)
  assert.is(log.syncedEndOffset, 0)
  release()
  await log.sync()
  assert.is(syncs, 2)
  assert.is(log.syncedEndOffset, 6)
  assert.equal([...new Set(ends)], [0, 1, 6])
})

test('with durability replicated nothing is synced, until flush.messages or flush.ms say so', async () => {
  const scenario = await new Scenario({ 'ottla.durability': 'replicated' }).open()
  const { log, env } = scenario
  for (let n = 0; n < 5; n++) await scenario.append()
  await env.clock.advance(10_000)
  assert.is(log.syncedEndOffset, 0)
  log.setConfig({ ...scenario.config, 'flush.messages': 2 })
  await scenario.append({ values: ['a', 'b'] })
  await env.clock.settle()
  assert.is(log.syncedEndOffset, 7)
  log.setConfig({ ...scenario.config, 'flush.ms': 500 })
  await scenario.append()
  await env.clock.advance(499)
  assert.is(log.syncedEndOffset, 7)
  await env.clock.advance(1)
  assert.is(log.syncedEndOffset, 8)
})
