import * as fc from 'fast-check'
import { readFile } from '../../../lib/io/disk.ts'
import { nativeError } from '../../../lib/io/memory/disk.ts'
import { type MemoryEnv, memoryEnv } from '../../../lib/io/memory/env.ts'
import { hasDeleteHorizon, readBatchHeader } from '../../../lib/record/batch.ts'
import type { Codec } from '../../../lib/record/compression.ts'
import type { LogConfig } from '../../../lib/storage/log-config.ts'
import { assert, suite } from '../../support/suite.ts'
import { CleaningScenario } from '../support/cleaning.ts'
import { topicPartition } from '../support/scenario.ts'

const base = suite('log-cleaner')
let isThreaded = false

/** Each twice: the cleaner works in the event loop, and as in a thread. */
function test(what: string, body: () => Promise<void>): void {
  for (const where of ['', ', in a thread']) {
    base(`${what}${where}`, () => {
      isThreaded = where !== ''
      return body()
    })
  }
}

function scenarioWith(config?: Partial<LogConfig>, env?: MemoryEnv): CleaningScenario {
  return new CleaningScenario(config, env, { isThreaded })
}

const retentionMs = 60_000
const directory = '/data/events-0'

async function fill(scenario: CleaningScenario, rounds: number, codec: Codec = 'none') {
  for (let round = 0; round < rounds; round++) {
    await scenario.put({
      codec,
      rows: [
        ['a', `a${round}`.padEnd(50, 'x')],
        ['b', `b${round}`],
        [`c${round}`, 'once'],
      ],
    })
  }
}

for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
  test(`the last value of each key stays, with its offset and time: ${codec}`, async () => {
    const scenario = await scenarioWith({ 'internal.segment.bytes': 600 }).open()
    await fill(scenario, 50, codec)
    const { sizeBytes } = scenario.log
    assert.ok(scenario.log.segments.length > 5)
    assert.ok((await scenario.clean()) > 0)
    await scenario.check()
    assert.ok(scenario.log.sizeBytes < 0.9 * sizeBytes)
    const rows = await scenario.rows()
    assert.ok(rows.length < 110, `${rows.length} of 150 left`)
    await scenario.reopen()
    assert.equal(await scenario.rows(), rows)
    await scenario.crash()
    assert.equal(await scenario.rows(), rows)
    assert.is(await scenario.clean(), 0)
  })
}

/** What keeps a log from being cleaned, or makes it due. */
const dueness: [what: string, config: Partial<LogConfig>, afterMs: number, isCleaned: boolean][] = [
  ['dirty enough', { 'min.cleanable.dirty.ratio': 0.5 }, 0, true],
  ['never dirty enough', { 'min.cleanable.dirty.ratio': 1 }, 0, false],
  ['not compacted', { 'cleanup.policy': ['delete'] }, 0, false],
  ['compacted and deleted', { 'cleanup.policy': ['compact', 'delete'] }, 0, true],
  ['younger than min.compaction.lag.ms', { 'min.compaction.lag.ms': 1000 }, 500, false],
  ['older than min.compaction.lag.ms', { 'min.compaction.lag.ms': 1000 }, 1001, true],
  [
    'younger than max.compaction.lag.ms',
    { 'min.cleanable.dirty.ratio': 1, 'max.compaction.lag.ms': 1000 },
    500,
    false,
  ],
  [
    'older than max.compaction.lag.ms',
    { 'min.cleanable.dirty.ratio': 1, 'max.compaction.lag.ms': 1000 },
    1001,
    true,
  ],
]

for (const [what, config, afterMs, isCleaned] of dueness) {
  test(`a log that is ${what} is ${isCleaned ? '' : 'not '}cleaned`, async () => {
    const scenario = await scenarioWith(config).open()
    await fill(scenario, 30)
    await scenario.env.clock.advance(afterMs)
    assert.is((await scenario.clean()) > 0, isCleaned)
    await scenario.check()
  })
}

test('what is not below the high watermark, or in the active segment, is not touched', async () => {
  const scenario = await scenarioWith().open()
  await fill(scenario, 30)
  scenario.highWatermark = 31
  await scenario.clean()
  const { cleanedOffset } = scenario
  assert.ok(cleanedOffset > 0 && cleanedOffset <= 31, `${cleanedOffset}`)
  scenario.highWatermark = null
  await scenario.clean()
  assert.is(scenario.cleanedOffset, scenario.log.segments.at(-1)?.baseOffset)
  await scenario.check()
})

test('a tombstone stays for delete.retention.ms from its first cleaning on, then goes', async () => {
  const scenario = await scenarioWith({ 'delete.retention.ms': retentionMs }).open()
  await scenario.put({
    rows: [
      ['a', 'value'],
      ['b', 'value'],
    ],
  })
  await scenario.put({ rows: [['a', null]] })
  await fill(scenario, 20)
  await scenario.put({ rows: [['d', 'value']] })
  const tombstones = async () =>
    (await scenario.rows()).filter(({ value }) => value === null).map(({ offset }) => offset)
  await scenario.put({
    rows: [
      ['gone', 'value'],
      ['gone', null],
    ],
  })
  await fill(scenario, 20)
  await scenario.env.clock.advance(100_000)
  await scenario.clean()
  assert.equal(await tombstones(), [65])
  const horizons = (await scenario.batches()).filter((one) => hasDeleteHorizon(one.attributes))
  assert.equal(
    horizons.map(({ baseTimestamp }) => baseTimestamp),
    [scenario.env.clock.nowMs() + retentionMs],
  )
  await scenario.env.clock.advance(retentionMs - 1)
  await fill(scenario, 20)
  await scenario.clean()
  assert.equal(await tombstones(), [65])
  await scenario.env.clock.advance(1)
  await fill(scenario, 20)
  await scenario.clean()
  assert.equal(await tombstones(), [])
  await scenario.check()
})

test('the last batch of a producer stays, without records, and its sequences go on after a crash', async () => {
  const scenario = await scenarioWith().open()
  await scenario.put({
    rows: [
      ['a', '1'],
      ['b', '1'],
    ],
    producerId: 7,
    baseSequence: 0,
  })
  await scenario.put({
    rows: [
      ['a', '2'],
      ['b', '2'],
    ],
    producerId: 7,
    baseSequence: 2,
  })
  await fill(scenario, 30)
  await scenario.clean()
  await scenario.check()
  const kept = (await scenario.batches()).filter(({ producerId }) => producerId === 7)
  assert.ok(kept.some(({ recordCount, baseSequence }) => recordCount === 0 && baseSequence === 2))
  for (const { name } of await scenario.env.disk.list(directory)) {
    if (name.endsWith('.snapshot')) await scenario.env.disk.remove(`${directory}/${name}`)
  }
  await scenario.env.disk.syncDir(directory)
  await scenario.crash()
  const again = {
    rows: [
      ['a', '2'],
      ['b', '2'],
    ] as [string, string][],
    producerId: 7,
  }
  await scenario.put({ ...again, baseSequence: 4 })
})

test('keys that do not fit into the map are cleaned in several passes', async () => {
  const scenario = scenarioWith()
  // 24 bytes a slot, nine tenths of them: about 38 keys.
  scenario.cleanerConfig = { ...scenario.cleanerConfig, 'log.cleaner.dedupe.buffer.size': 1024 }
  await scenario.open()
  await fill(scenario, 60)
  const count = await scenario.clean()
  assert.ok(count >= 2, `${count} passes`)
  assert.is(scenario.cleanedOffset, scenario.log.segments.at(-1)?.baseOffset)
  await scenario.check()
})

test('a cleaning that ends where the map is full leaves no offset out behind its last segment', async () => {
  const scenario = scenarioWith({ 'cleanup.policy': ['delete'] })
  scenario.cleanerConfig = { ...scenario.cleanerConfig, 'log.cleaner.dedupe.buffer.size': 1024 }
  await scenario.open()
  for (let round = 0; round < 8; round++) {
    const keys = Array.from({ length: 10 }, (_, n) => `key ${round}.${n}`)
    await scenario.put({ rows: keys.map((key) => [key, 'x'.repeat(30)]) })
    // Nothing is left of records without a key, but for the header of the batch.
    await scenario.put({ rows: [[null, 'x'.repeat(400)]] })
  }
  scenario.config = { ...scenario.config, 'cleanup.policy': ['compact'] }
  await scenario.reopen()
  assert.ok(await scenario.cleaner.cleanDirtiest())
  const { segments, logEndOffset } = scenario.log
  assert.ok(scenario.cleanedOffset > 0 && scenario.cleanedOffset < logEndOffset)
  const ends = new Set(
    (await scenario.batches()).map(({ baseOffset, lastOffsetDelta }) => {
      return baseOffset + lastOffsetDelta + 1
    }),
  )
  for (const { baseOffset } of segments.slice(1)) assert.ok(ends.has(baseOffset), `${baseOffset}`)
})

test('a log that was compacted once is recovered as one, whatever its policy is now', async () => {
  const scenario = await scenarioWith().open()
  for (let round = 0; round < 50; round++) {
    await scenario.put({ rows: [[`key ${round % 3}`, 'x'.repeat(100)]] })
  }
  assert.ok((await scenario.clean()) > 0)
  const rows = await scenario.rows()
  scenario.config = { ...scenario.config, 'cleanup.policy': ['delete'] }
  await scenario.reopen()
  // So that all of it is looked at.
  await scenario.env.disk.remove('/data/recovery-point-offset-checkpoint')
  await scenario.env.disk.syncDir('/data')
  await scenario.crash()
  assert.is(scenario.log.failure, null)
  assert.equal(await scenario.rows(), rows)
})

test('a swap that a full disk refused leaves nothing that a start would finish', async () => {
  const scenario = await scenarioWith().open()
  await fill(scenario, 50)
  const { disk } = scenario.env
  disk.beforeEach = (operation, path) => {
    const isSwap = operation === 'rename' && path.endsWith('.timeindex.cleaned')
    if (isSwap) throw nativeError('ENOSPC', operation, path)
  }
  assert.is(await scenario.cleaner.cleanDirtiest(), false)
  disk.beforeEach = () => {}
  assert.is(scenario.log.failure, null)
  const names = (await disk.list(directory)).map(({ name }) => name)
  assert.equal(
    names.filter((name) => /\.(cleaned|swap)$/.test(name)),
    [],
  )
  assert.ok((await scenario.clean()) > 0)
  await scenario.crash()
  await scenario.check()
})

test('what an earlier cleaning left is gone before the next one', async () => {
  const scenario = await scenarioWith().open()
  await fill(scenario, 50)
  const [, second] = scenario.log.segments
  const { disk } = scenario.env
  for (const suffix of ['log', 'txnindex']) {
    const name = `${String(second?.baseOffset).padStart(20, '0')}.${suffix}.cleaned`
    await (await disk.open(`${directory}/${name}`, 'create')).close()
  }
  assert.ok((await scenario.clean()) > 0)
  const names = (await disk.list(directory)).map(({ name }) => name)
  assert.is(
    names.find((name) => name.includes('.cleaned')),
    undefined,
  )
  await scenario.crash()
  await scenario.check()
})

test('a segment of which nothing is left keeps a header, also when its end was taken before', async () => {
  const scenario = scenarioWith({ 'internal.segment.bytes': 400 })
  await scenario.open()
  for (let round = 0; round < 12; round++) {
    await scenario.put({ rows: [['same', `${round}`.padEnd(100, 'x')]] })
  }
  const [first] = scenario.log.segments
  const path = first?.path('.log') ?? ''
  await scenario.close()
  // As Apache Kafka's compaction leaves it: the last batch is gone, and the segment ends before the next.
  const file = await scenario.env.disk.open(path, 'write')
  await file.truncate(
    readBatchHeader(Buffer.from((await readFile(scenario.env.disk, path)) ?? [])).sizeBytes,
  )
  await file.close()
  await scenario.open()
  assert.ok((await scenario.clean()) > 0)
  for (const { sizeBytes } of scenario.log.segments) assert.ok(sizeBytes > 0)
  assert.is((await scenario.rows()).filter(({ key }) => key === 'same').at(-1)?.offset, 11)
})

test('a damaged batch makes its log uncleanable, once told, and another log goes on', async () => {
  const told: string[] = []
  const log = { debug() {}, info() {}, warn() {}, error: (event: string) => void told.push(event) }
  const scenario = await scenarioWith({}, memoryEnv({ log })).open()
  await fill(scenario, 30)
  const other = await scenario.dir.create(
    { topic: 'other', partition: 0 },
    'rHhEuM_rRum3h5MzkJsVrw',
    scenario.config,
  )
  scenario.dir.highWatermarks = () => [
    [topicPartition, 90],
    [other.topicPartition, other.writtenEndOffset],
  ]
  const path = `${directory}/00000000000000000000.log`
  const file = await scenario.env.disk.open(path, 'write')
  await file.writeAt([Buffer.from('!')], 100)
  await file.close()
  assert.is(await scenario.clean(), 0)
  assert.is(await scenario.clean(), 0)
  assert.equal(told, ['log.uncleanable'])
  const bytes = await readFile(scenario.env.disk, path)
  assert.is(Buffer.from(bytes ?? []).toString('latin1', 100, 101), '!')
})

test('reads under way while segments are swapped give the old records or the new ones', async () => {
  const scenario = await scenarioWith().open()
  await fill(scenario, 60)
  let isDone = false
  const reading = (async () => {
    let count = 0
    while (!isDone) {
      const rows = await scenario.rows()
      const offsets = rows.map(({ offset }) => offset)
      assert.equal(
        rows,
        offsets.map((offset) => scenario.appended[offset]),
      )
      assert.equal(
        offsets,
        [...new Set(offsets)].sort((a, b) => a - b),
      )
      count++
      await new Promise<void>((resolve) => scenario.env.clock.endOfTurn(resolve))
    }
    return count
  })()
  for (let round = 0; round < 5; round++) {
    await scenario.clean()
    await fill(scenario, 20)
  }
  isDone = true
  assert.ok((await reading) > 5)
  // The old files go when their delay is over, the new ones stay.
  await scenario.env.clock.advance(61_000)
  const names = (await scenario.env.disk.list(directory)).map(({ name }) => name)
  assert.equal(
    names.filter((name) => /deleted|swap|cleaned/.test(name)),
    [],
  )
  await scenario.check()
})

test('a topic that is deleted while it is cleaned goes; its name begins anew', async () => {
  const scenario = await scenarioWith().open()
  await fill(scenario, 60)
  const cleaning = scenario.cleaner.cleanDirtiest()
  await scenario.dir.remove(scenario.log)
  await cleaning
  const checkpoint = await readFile(scenario.env.disk, '/data/cleaner-offset-checkpoint')
  assert.not.match(Buffer.from(checkpoint ?? []).toString(), 'events')
  assert.is(scenario.dir.failure, null)
})

test('a full disk ends a cleaning and not the log; with space it is done', async () => {
  const scenario = await scenarioWith().open()
  await fill(scenario, 60)
  const { disk } = scenario.env
  disk.capacityBytes = disk.usedBytes + 100
  assert.is(await scenario.clean(), 0)
  assert.is(scenario.log.failure, null)
  const names = (await disk.list(directory)).map(({ name }) => name)
  assert.equal(
    names.filter((name) => name.endsWith('.cleaned')),
    [],
  )
  disk.capacityBytes = Number.MAX_SAFE_INTEGER
  assert.ok((await scenario.clean()) > 0)
  await scenario.check()
})

test('a batch with more keys than the map holds is told; a larger map cleans it', async () => {
  const scenario = scenarioWith({ 'internal.segment.bytes': 5000 })
  scenario.cleanerConfig = { ...scenario.cleanerConfig, 'log.cleaner.dedupe.buffer.size': 1024 }
  await scenario.open()
  const rows = Array.from({ length: 100 }, (_, n): [string, string] => [`k${n}`, 'v'])
  await scenario.put({ rows })
  await fill(scenario, 60)
  assert.is(await scenario.clean(), 0)
  scenario.cleaner.setConfig({ ...scenario.cleanerConfig, 'log.cleaner.dedupe.buffer.size': 1e6 })
  assert.ok((await scenario.clean()) > 0)
  await scenario.check()
})

test('a cleaning keeps to log.cleaner.io.max.bytes.per.second, and to a new one at once', async () => {
  const scenario = scenarioWith()
  const slow = { ...scenario.cleanerConfig, 'log.cleaner.io.max.bytes.per.second': 1000 }
  scenario.cleanerConfig = slow
  await scenario.open()
  await fill(scenario, 60)
  let isDone = false
  const cleaning = scenario.cleaner.cleanDirtiest().then(() => {
    isDone = true
  })
  await scenario.env.clock.advance(5000)
  assert.is(isDone, false)
  scenario.cleaner.setConfig({ ...slow, 'log.cleaner.io.max.bytes.per.second': 1e9 })
  await scenario.env.clock.advance(10_000)
  assert.is(isDone, true)
  await cleaning
  await scenario.check()
})

test('lanes clean by themselves, as many as log.cleaner.threads says, until the close', async () => {
  const scenario = scenarioWith()
  scenario.cleanerConfig = { ...scenario.cleanerConfig, 'log.cleaner.threads': 2 }
  await scenario.open()
  await fill(scenario, 60)
  await scenario.env.clock.advance(16_000)
  assert.is(scenario.cleanedOffset, scenario.log.segments.at(-1)?.baseOffset)
  await scenario.check()
  await scenario.close()
})

/** Fails every disk operation from the `at`th of a cleaning on. Gives the number of operations. */
async function cleanWithFailure(scenario: CleaningScenario, at: number): Promise<number> {
  let count = 0
  scenario.env.disk.beforeEach = (operation, path) => {
    if (count++ >= at) throw nativeError('EIO', operation, path)
  }
  await scenario.clean()
  scenario.env.disk.beforeEach = () => {}
  return count
}

const survivals: [what: string, keepsAll: boolean][] = [
  ['only what was synced is left', false],
  ['everything reached the disk', true],
]

for (const [what, keepsAll] of survivals) {
  test(`a power cut at each disk operation of a cleaning loses nothing: ${what}`, async () => {
    for (let at = 0; ; at++) {
      const scenario = await scenarioWith({ 'internal.segment.bytes': 500 }).open()
      await scenario.put({
        rows: [
          ['x', '1'],
          ['y', null],
        ],
        producerId: 3,
        baseSequence: 0,
      })
      await fill(scenario, 12)
      const count = await cleanWithFailure(scenario, at)
      await scenario.cleaner.close()
      if (keepsAll) await syncTree(scenario, '/data')
      await scenario.crash()
      assert.is(scenario.log.failure, null, `operation ${at}: ${scenario.log.failure?.message}`)
      await scenario.check({ isUnderWay: true })
      await scenario.clean()
      await scenario.check()
      assert.is(scenario.log.failure, null)
      if (count <= at) break
    }
  })
}

/** Makes durable whatever is there, as a kill of the process alone would. */
async function syncTree({ env: { disk } }: CleaningScenario, path: string): Promise<void> {
  for (const { name, kind } of await disk.list(path)) {
    if (kind === 'directory')
      await syncTree({ env: { disk } } as CleaningScenario, `${path}/${name}`)
    else {
      const file = await disk.open(`${path}/${name}`, 'write')
      await file.sync()
      await file.close()
    }
  }
  await disk.syncDir(path)
}

const codecs: Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const row = fc.tuple(
  fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'),
  fc.option(fc.string({ maxLength: 60 }), { nil: null, freq: 3 }),
)
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      rows: fc.array(row, { minLength: 1, maxLength: 8 }),
      codec: fc.constantFrom(...codecs),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('clean' as const, 'reopen', 'crash') }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.integer({ min: 1, max: 2000 }),
    }),
  },
)

test('any history of appends, cleanings, waits, restarts and crashes keeps to the model', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 80, size: 'max' }),
      async (steps) => {
        const scenario = await scenarioWith({
          'internal.segment.bytes': 400,
          'delete.retention.ms': 1000,
        }).open()
        for (const action of [...steps, { kind: 'clean' as const }]) {
          if (action.kind === 'put') await scenario.put(action)
          else if (action.kind === 'wait') await scenario.env.clock.advance(action.ms)
          else if (action.kind === 'reopen') await scenario.reopen()
          else if (action.kind === 'crash') {
            await scenario.cleaner.close()
            await scenario.crash()
          } else await scenario.clean()
          if (action.kind !== 'put') await scenario.check()
        }
        await scenario.close()
      },
    ),
    { numRuns: 40 },
  )
})

test('retention that drops segments under a cleaning ends the cleaning, and harms nothing', async () => {
  for (let turns = 0; turns < 40; turns++) {
    const scenario = await scenarioWith().open()
    await fill(scenario, 40)
    await scenario.reopen()
    const cleaning = scenario.cleaner.cleanDirtiest()
    for (let turn = 0; turn < turns * 5; turn++) await Promise.resolve()
    const end = scenario.log.segments[3]?.baseOffset ?? 0
    await scenario.log.deleteOldest(3)
    await cleaning
    assert.is(scenario.dir.failure, null)
    assert.is(scenario.log.failure, null)
    await scenario.clean()
    assert.is(scenario.cleanedOffset, scenario.log.segments.at(-1)?.baseOffset)
    const rows = await scenario.rows()
    assert.ok(rows.every(({ offset }) => offset >= end))
    assert.ok(rows.some(({ key }) => key === 'a'))
  }
})

test('a rotten offset keeps the log from being cleaned, and takes no record of another', async () => {
  for (const [position, value] of [
    [3, 1],
    [6, 1],
    [26, 90],
  ] as const) {
    const scenario = await scenarioWith({ 'internal.segment.bytes': 600 }).open()
    await fill(scenario, 30)
    await scenario.close()
    const path = `${directory}/00000000000000000000.log`
    const bytes = (await readFile(scenario.env.disk, path)) ?? new Uint8Array()
    const file = await scenario.env.disk.open(path, 'write')
    // Offsets are outside the CRC; the number of offsets is not.
    await file.writeAt([bytes.with(position, value)], 0)
    await file.close()
    await scenario.open()
    assert.is(await scenario.clean(), 0)
    assert.is(scenario.dir.failure, null)
    assert.equal(await readFile(scenario.env.disk, path), bytes.with(position, value))
    await scenario.close()
  }
})
