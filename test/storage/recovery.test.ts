import { joinChunks } from '../../lib/base/bytes.ts'
import { readFile, writeFileAtomic } from '../../lib/io/disk.ts'
import { nativeError } from '../../lib/io/memory/disk.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import { checkPartition } from '../../lib/storage/inspect.ts'
import { verdictOf } from '../../lib/storage/recovery.ts'
import { assert, rejection, suite } from '../support/suite.ts'
import { batchOf, Scenario } from './support/scenario.ts'

const test = suite('recovery')

const directory = '/data/events-0'
const firstLog = `${directory}/00000000000000000000.log`

test('the decision table', () => {
  const rows: [boolean, number, number, string][] = [
    [true, 10, 10, 'whole'],
    [true, 12, 10, 'whole'],
    [true, 9, 10, 'damaged'],
    [false, 10, 10, 'torn'],
    [false, 11, 10, 'torn'],
    [false, 9, 10, 'damaged'],
    [false, 0, 0, 'torn'],
  ]
  for (const [isWhole, endOffset, recoveryPoint, verdict] of rows) {
    assert.is(verdictOf({ isWhole, endOffset, recoveryPoint }), verdict)
  }
})

/** What a torn write may leave behind the batches that were synced. */
const tails: [string, (next: Buffer) => Buffer][] = [
  ['nothing', () => Buffer.alloc(0)],
  ['one byte', (next) => next.subarray(0, 1)],
  ['half a header', (next) => next.subarray(0, 30)],
  ['a header', (next) => next.subarray(0, 61)],
  ['all but one byte', (next) => next.subarray(0, -1)],
  ['zeros', () => Buffer.alloc(4096)],
  ['a batch with a flipped bit', (next) => flipped(next, next.length - 3)],
  ['a bad batch before a good one', (next) => Buffer.concat([flipped(next, 70), next])],
  [
    'an enormous size',
    (next) =>
      Buffer.concat([next.subarray(0, 8), Buffer.from('7fffffff', 'hex'), next.subarray(12)]),
  ],
  [
    'a negative size',
    (next) =>
      Buffer.concat([next.subarray(0, 8), Buffer.from('ffffffff', 'hex'), next.subarray(12)]),
  ],
  ['another magic', (next) => flipped(next, 16)],
  ['text', () => Buffer.from('not a batch at all '.repeat(10))],
  ['a batch with an offset before the end', (next) => withOffset(next, 1)],
]

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 0x10
  return copy
}

function withOffset(bytes: Buffer, offset: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeBigInt64BE(BigInt(offset))
  return copy
}

for (const [what, tail] of tails) {
  test(`a torn tail is cut: ${what}`, async () => {
    const scenario = await new Scenario().open()
    for (let n = 0; n < 5; n++) await scenario.append({ values: [`a${n}`, `b${n}`] })
    const next = withOffset(Buffer.from(joinChunks(batchOf({ values: ['torn'] }).chunks)), 10)
    await scenario.crash((durable, _, path) =>
      path.endsWith('.log') ? Buffer.concat([durable, tail(next)]) : durable,
    )
    assert.is(scenario.log.failure, null)
    assert.is(scenario.log.logEndOffset, 10)
    assert.is((await scenario.texts()).length, 10)
    await scenario.append({ values: ['after'] })
    assert.is((await scenario.texts()).at(-1), '10:after')
    assert.equal((await checkPartition(scenario.env.disk, directory)).findings, [])
    await scenario.reopen()
    assert.is((await scenario.texts()).length, 11)
  })
}

test('a bad batch behind the recovery point is damage, wherever the bit: the log goes offline, untouched', async () => {
  const scenario = await new Scenario().open()
  for (let n = 0; n < 4; n++) await scenario.append({ values: [`value ${n}`] })
  await scenario.close()
  const { disk } = scenario.env
  await disk.remove('/data/.kafka_cleanshutdown')
  const good = Buffer.from((await readFile(disk, firstLog)) ?? [])
  let offline = 0
  for (let at = 0; at < good.length; at++) {
    const damaged = flipped(good, at)
    await writeFileAtomic(disk, firstLog, damaged)
    await scenario.open()
    const { log } = scenario
    if (log.failure === null) {
      // The only bytes outside every check: the leader epoch.
      const inBatch = at % (good.length / 4)
      assert.ok(inBatch >= 12 && inBatch < 16, `byte ${at} was believed`)
      assert.ok(log.logEndOffset >= 4)
    } else {
      offline++
      assert.match(log.failure.message, /damage, not a torn tail|only compaction leaves gaps/)
      assert.throws(() => log.append(batchOf(), { leaderEpoch: 0 }), /offline/)
      assert.equal(Buffer.from((await readFile(disk, firstLog)) ?? []), damaged)
    }
    await scenario.close()
    await disk.remove('/data/.kafka_cleanshutdown')
    await writeFileAtomic(
      disk,
      `/data/recovery-point-offset-checkpoint`,
      Buffer.from('0\n1\nevents 0 4\n'),
    )
  }
  assert.ok(offline > good.length * 0.8)
  await writeFileAtomic(disk, firstLog, good)
  await scenario.open()
  assert.is((await scenario.texts()).length, 4)
})

test('a file that ends before the recovery point, and one that is missing, are damage', async () => {
  for (const damage of ['cut', 'remove', 'cut after a clean stop'] as const) {
    const scenario = await new Scenario({ 'internal.segment.bytes': 300 }).open()
    for (let n = 0; n < 8; n++) await scenario.append({ values: [`value ${n}`] })
    const last = scenario.log.segments.at(-1)?.path('.log') ?? ''
    await scenario.close()
    const { disk } = scenario.env
    if (damage !== 'cut after a clean stop') await disk.remove('/data/.kafka_cleanshutdown')
    if (damage === 'remove') await disk.remove(last)
    else {
      const bytes = (await readFile(disk, last)) ?? new Uint8Array(0)
      await writeFileAtomic(disk, last, bytes.subarray(0, bytes.length - 20))
    }
    await scenario.open()
    assert.match(scenario.log.failure?.message ?? '', /were synced/, damage)
  }
})

test('index files are made anew when they are missing, damaged or of something else', async () => {
  const changes: [string, (bytes: Uint8Array) => Uint8Array | null][] = [
    ['missing', () => null],
    ['empty', () => new Uint8Array(0)],
    ['zeros', (bytes) => new Uint8Array(bytes.length)],
    ['zeros behind', (bytes) => Buffer.concat([bytes, Buffer.alloc(160)])],
    ['garbage', () => Buffer.from('garbage!'.repeat(9))],
    ['cut in an entry', (bytes) => bytes.subarray(0, bytes.length - 3)],
    ['flipped', (bytes) => flipped(Buffer.from(bytes), 5)],
  ]
  for (const suffix of ['.index', '.timeindex']) {
    for (const isClean of [true, false]) {
      for (const [what, change] of changes) {
        const scenario = await new Scenario({
          'internal.segment.bytes': 2000,
          'index.interval.bytes': 100,
        }).open()
        for (let n = 0; n < 40; n++)
          await scenario.append({ values: [`v${n}`], timestamp: 1e12 + n })
        await scenario.close()
        const { disk } = scenario.env
        for (const { name } of await disk.list(directory)) {
          if (!name.endsWith(suffix)) continue
          const changed = change(
            (await readFile(disk, `${directory}/${name}`)) ?? new Uint8Array(0),
          )
          if (changed === null) await disk.remove(`${directory}/${name}`)
          else await writeFileAtomic(disk, `${directory}/${name}`, changed)
        }
        if (!isClean) await disk.remove('/data/.kafka_cleanshutdown')
        await scenario.open()
        const label = `${suffix} ${what} clean=${isClean}`
        for (let offset = 0; offset < 40; offset += 7) {
          assert.is((await scenario.texts(offset))[0], `${offset}:v${offset}`, label)
        }
        const found = await scenario.log.offsetForTimestamp(1e12 + 33, 40)
        assert.is(found?.offset, 33, label)
        await scenario.append({ values: ['more'] })
        await scenario.close()
      }
    }
  }
})

test('leftovers of interrupted changes are finished or dropped', async () => {
  const scenario = await new Scenario({ 'internal.segment.bytes': 200 }).open()
  for (let n = 0; n < 6; n++) await scenario.append({ values: [`v${n}`] })
  await scenario.close()
  const { disk } = scenario.env
  const second = '00000000000000000002'
  const bytes = (await readFile(disk, `${directory}/${second}.log`)) ?? new Uint8Array(0)
  await writeFileAtomic(disk, `${directory}/${second}.log.swap`, bytes)
  await writeFileAtomic(disk, `${directory}/00000000000000000004.log.cleaned`, bytes)
  await writeFileAtomic(disk, `${directory}/00000000000000000009.log.deleted`, bytes)
  await writeFileAtomic(disk, `${directory}/00000000000000000099.index`, bytes)
  await scenario.open()
  assert.equal(await scenario.texts(), ['0:v0', '1:v1', '2:v2', '3:v3', '4:v4', '5:v5'])
  const names = (await disk.list(directory)).map(({ name }) => name)
  assert.equal(
    names.filter((name) => /swap|cleaned|deleted|0099/.test(name)),
    [],
  )
})

test('damaged or missing checkpoints cost time, not records', async () => {
  const files = [
    'recovery-point-offset-checkpoint',
    'replication-offset-checkpoint',
    'log-start-offset-checkpoint',
    'events-0/leader-epoch-checkpoint',
  ]
  for (const file of files) {
    for (const bytes of [null, Buffer.from('garbage\n'), new Uint8Array(0)]) {
      const scenario = await new Scenario({ 'internal.segment.bytes': 300 }).open()
      for (let n = 0; n < 9; n++) await scenario.append({ values: [`v${n}`] }, n < 5 ? 0 : 3)
      await scenario.close()
      const { disk } = scenario.env
      if (bytes === null) await disk.remove(`/data/${file}`)
      else await writeFileAtomic(disk, `/data/${file}`, bytes)
      await disk.remove('/data/.kafka_cleanshutdown')
      await scenario.open()
      assert.is((await scenario.texts()).length, 9, file)
      assert.equal(scenario.log.endOffsetForEpoch(0), { leaderEpoch: 0, endOffset: 5 }, file)
    }
  }
})

/** Appends, rolls, trims and closes; calls `acked` with what must survive from then on. */
async function workload(scenario: Scenario, acked: (end: number, start: number) => void) {
  let sequence = 0
  for (let n = 0; n < 12; n++) {
    const values = [`v${n}`, `w${n}`]
    const { lastOffset } = await scenario.append(
      { values, producerId: 5, baseSequence: sequence },
      n >= 6 ? 1 : 0,
    )
    sequence += 2
    acked(lastOffset + 1, scenario.log.logStartOffset)
    if (n === 8) {
      await scenario.log.advanceLogStart(5)
      acked(lastOffset + 1, 5)
      await scenario.dir.retain()
    }
  }
  await scenario.close()
}

const keeps: [string, Parameters<Scenario['crash']>[0]][] = [
  ['only what was synced', (durable) => durable],
  ['everything', (_, current) => current],
  [
    'half of what was not synced',
    (durable, current) => current.subarray(0, (durable.length + current.length + 1) >> 1),
  ],
]

for (const [what, keep] of keeps) {
  test(
    `a power cut at any disk operation loses nothing acknowledged: it keeps ${what}`,
    async () => {
      const config = { 'internal.segment.bytes': 450, 'index.interval.bytes': 100 }
      let operations = 0
      for (let failAt = 1; failAt < 400; failAt++) {
        const scenario = await new Scenario(config, memoryEnv({ seed: failAt })).open()
        let count = 0
        let isDown = false
        scenario.env.disk.beforeEach = (operation) => {
          if (operation === 'read' || operation === 'list') return
          isDown ||= ++count >= failAt
          if (isDown) throw new Error('power cut')
        }
        let ackedEnd = 0
        let ackedStart = 0
        await workload(scenario, (end, start) => {
          ackedEnd = end
          ackedStart = start
        }).catch(() => {})
        scenario.env.disk.beforeEach = () => {}
        await scenario.crash(keep)
        const { log } = scenario
        const label = `operation ${failAt}`
        assert.is(log.failure, null, label)
        assert.ok(log.logEndOffset >= ackedEnd, `${label}: ${log.logEndOffset} < ${ackedEnd}`)
        assert.ok(log.logStartOffset >= ackedStart, label)
        const texts = await scenario.texts()
        const expected = Array.from(
          { length: log.logEndOffset - log.logStartOffset },
          (_, index) => {
            const offset = log.logStartOffset + index
            return `${offset}:${offset % 2 ? 'w' : 'v'}${offset >> 1}`
          },
        )
        assert.equal(texts, expected, label)
        const epoch = log.endOffsetForEpoch(0)
        if (log.logEndOffset > 12) assert.is(epoch.endOffset, 12, label)
        // The producer goes on, and what it sends again is known.
        if (log.logEndOffset >= 2) {
          const again = { producerId: 5, baseSequence: log.logEndOffset - 2, values: ['x', 'y'] }
          const info = log.append(batchOf(again), { leaderEpoch: 2 })
          assert.is(info.isDuplicate, true, label)
          assert.is(info.baseOffset, log.logEndOffset - 2, label)
        }
        await scenario.append({ producerId: 5, baseSequence: log.logEndOffset, values: ['n'] }, 2)
        const checked = await checkPartition(scenario.env.disk, directory)
        assert.equal(
          checked.findings.filter(({ severity }) => severity === 'error'),
          [],
          label,
        )
        await scenario.close()
        operations = count
        if (!isDown) break
      }
      assert.ok(operations > 60, `${operations} operations`)
    },
    { timeoutMs: 60_000 },
  )
}

test('what a failed sync left in the page cache only is on the disk once the log was recovered', async () => {
  const scenario = await new Scenario().open()
  await scenario.append({ values: ['a'] })
  scenario.env.disk.beforeEach = (operation) => {
    if (operation === 'sync') throw Object.assign(new Error('EIO'), { code: 'EIO' })
  }
  await rejection(scenario.append({ values: ['x'.repeat(9000)] }))
  scenario.env.disk.beforeEach = () => {}
  scenario.env.disk.killProcess()
  await scenario.open()
  await scenario.append({ values: ['b'] })
  const texts = await scenario.texts()
  await scenario.crash()
  assert.equal(await scenario.texts(), texts)
})

test('after a crash the last five batches of a producer are known, also those before the snapshot', async () => {
  const scenario = await new Scenario({ 'internal.segment.bytes': 300 }).open()
  for (let n = 0; n < 7; n++) {
    await scenario.append({ producerId: 5, baseSequence: n, values: [`v${n}`] })
  }
  await scenario.env.clock.settle()
  await scenario.crash()
  assert.ok(scenario.log.segments.length > 1)
  for (let n = 2; n < 7; n++) {
    const again = batchOf({ producerId: 5, baseSequence: n, values: [`v${n}`] })
    const { isDuplicate, baseOffset } = scenario.log.append(again, { leaderEpoch: 0 })
    assert.equal([isDuplicate, baseOffset], [true, n])
  }
})

test('after a crash the last five batches of a producer are known, also those that were deleted', async () => {
  const scenario = await new Scenario({ 'internal.segment.bytes': 300 }).open()
  for (let n = 0; n < 7; n++) {
    await scenario.append({ producerId: 5, baseSequence: n, values: [`v${n}`] })
  }
  const { segments } = scenario.log
  await scenario.log.advanceLogStart(segments.at(-1)?.baseOffset ?? 0)
  await scenario.dir.retain()
  await scenario.env.clock.settle()
  await scenario.crash()
  assert.ok(scenario.log.logStartOffset > 2)
  for (let n = 2; n < 7; n++) {
    const again = batchOf({ producerId: 5, baseSequence: n, values: [`v${n}`] })
    const { isDuplicate, baseOffset } = scenario.log.append(again, { leaderEpoch: 0 })
    assert.equal([isDuplicate, baseOffset], [true, n])
  }
})

test('epochs that were cut at a log start that a crash took back are found again in the batches', async () => {
  const scenario = await new Scenario({ 'internal.segment.bytes': 150 }).open()
  for (let epoch = 0; epoch < 6; epoch++) await scenario.append({}, epoch)
  const { entries } = scenario.log.leaderEpochs
  scenario.env.disk.beforeEach = (_, path) => {
    const isStart = path.includes('log-start-offset-checkpoint')
    return isStart ? new Promise(() => {}) : undefined
  }
  void scenario.log.advanceLogStart(4)
  await scenario.env.clock.settle()
  scenario.env.disk.beforeEach = () => {}
  await scenario.crash()
  assert.is(scenario.log.logStartOffset, 0)
  assert.equal(scenario.log.leaderEpochs.entries, entries)
})

test('a compacted log ends where a segment lost its bytes with the power: that is no gap of the cleaner', async () => {
  const compact = { 'cleanup.policy': ['compact'], 'internal.segment.bytes': 150 } as const
  const scenario = await new Scenario(compact).open()
  for (let n = 0; n < 6; n++) await scenario.append({ keys: [`k${n}`] })
  await scenario.env.clock.settle()
  const lost = scenario.log.segments.at(-2)?.path('.log')
  const base = scenario.log.segments.at(-2)?.baseOffset
  await scenario.crash((durable, _, path) => (path === lost ? new Uint8Array(0) : durable))
  assert.is(scenario.log.writtenEndOffset, base)
  assert.is((await scenario.append({ keys: ['k'] })).baseOffset, base)
})

test('nor is it one where a segment lost its last batches beyond what was synced', async () => {
  const compact = { 'cleanup.policy': ['compact'], 'internal.segment.bytes': 220 } as const
  const scenario = await new Scenario(compact).open()
  await scenario.append({ keys: ['synced'] })
  await scenario.reopen()
  for (let n = 0; n < 8; n++) await scenario.append({ keys: [`k${n}`] })
  await scenario.env.clock.settle()
  const cut = scenario.log.segments.at(-2)
  const lost = cut?.path('.log')
  const oneBatch = (bytes: Uint8Array) => bytes.subarray(0, Buffer.from(bytes).readInt32BE(8) + 12)
  await scenario.crash((durable, current, path) => (path === lost ? oneBatch(current) : durable))
  assert.is(scenario.log.writtenEndOffset, (cut?.baseOffset ?? 0) + 1)
})

test('nor where all that followed was lost before the first checkpoint', async () => {
  const compact = { 'cleanup.policy': ['compact'], 'internal.segment.bytes': 220 } as const
  const scenario = await new Scenario(compact).open()
  for (let n = 0; n < 8; n++) await scenario.append({ keys: [`k${n}`] })
  await scenario.env.clock.settle()
  const [cut, active] = scenario.log.segments.slice(-2)
  const oneBatch = (bytes: Uint8Array) => bytes.subarray(0, Buffer.from(bytes).readInt32BE(8) + 12)
  await scenario.crash((_, current, path) => {
    if (path === active?.path('.log')) return new Uint8Array(0)
    return path === cut?.path('.log') ? oneBatch(current) : current
  })
  assert.is(scenario.log.writtenEndOffset, (cut?.baseOffset ?? 0) + 1)
})

test('epochs that a full disk did not take hold up the recovery point until it takes them', async () => {
  const scenario = await new Scenario({ 'internal.segment.bytes': 150 }).open()
  const { disk, clock } = scenario.env
  await scenario.append({}, 0)
  const refuse = (operation: string, path: string) => {
    if (operation === 'write' && path.includes('leader-epoch'))
      throw nativeError('ENOSPC', operation, path)
  }
  disk.beforeEach = refuse
  for (let epoch = 1; epoch < 6; epoch++) await scenario.append({}, epoch)
  await scenario.log.sync()
  await clock.advance(20_000)
  const { entries } = scenario.log.leaderEpochs
  assert.is(scenario.log.recoveryPoint, 1)
  disk.beforeEach = () => {}
  await scenario.crash()
  assert.equal(scenario.log.leaderEpochs.entries, entries)
  disk.beforeEach = refuse
  await scenario.append({}, 6)
  await scenario.close()
  disk.beforeEach = () => {}
  await scenario.open()
  assert.is(scenario.dir.isClean, false)
  assert.is(scenario.log.leaderEpochs.latestEpoch, 6)
  disk.beforeEach = refuse
  await scenario.append({}, 7)
  await clock.settle()
  disk.beforeEach = () => {}
  await clock.advance(6_000)
  assert.is(scenario.log.recoveryPoint, 8)
  await scenario.reopen()
  assert.is(scenario.dir.isClean, true)
  assert.is(scenario.log.leaderEpochs.latestEpoch, 7)
})

/** In a crash turns one bit of the file at `path`, as it is on the medium. */
function turned(path: string) {
  return (durable: Uint8Array, _: Uint8Array, name: string) => {
    if (name === path) durable[80] = (durable[80] ?? 0) ^ 1
    return durable
  }
}

test('the recovery point of a damaged log stays, whatever epoch its new leader has', async () => {
  const scenario = await new Scenario().open()
  for (let n = 0; n < 5; n++) await scenario.append({ values: [`${n}`] })
  await scenario.reopen()
  const path = scenario.log.segments[0]?.path('.log') ?? ''
  await scenario.crash(turned(path))
  for (let epoch = 1; epoch < 3; epoch++) {
    assert.match(scenario.log.failure?.message ?? '', /damage/)
    scenario.log.leaderEpochs.assign(epoch, scenario.log.logEndOffset)
    await scenario.env.clock.advance(6_000)
    await scenario.crash()
  }
})

test('records that were deleted stay deleted when a damaged log is repaired', async () => {
  const scenario = await new Scenario({ 'internal.segment.bytes': 300 }).open()
  for (let n = 0; n < 12; n++) await scenario.append({ values: [`${n}`] })
  await scenario.log.advanceLogStart(6)
  await scenario.dir.retain()
  await scenario.log.advanceLogStart(10)
  const first = scenario.log.segments[0]?.baseOffset ?? 0
  assert.ok(first > 0 && first <= 6, `the log begins at ${first}`)
  await scenario.reopen()
  const path = scenario.log.segments.at(-1)?.path('.log') ?? ''
  await scenario.crash(turned(path))
  assert.match(scenario.log.failure?.message ?? '', /damage/)
  await scenario.dir.saveLogStarts()
  await scenario.crash(turned(path))
  assert.is(scenario.log.failure, null)
  assert.equal(await scenario.texts(), ['10:10', '11:11'])
})

test('a start with a full disk leaves indexes and epochs for later, and no log offline', async () => {
  const scenario = await new Scenario({ 'internal.segment.bytes': 150 }).open()
  const { disk } = scenario.env
  for (let epoch = 0; epoch < 6; epoch++) await scenario.append({}, epoch)
  const { entries } = scenario.log.leaderEpochs
  await scenario.log.sync()
  const epochsPath = '/data/events-0/leader-epoch-checkpoint'
  disk.crash()
  await writeFileAtomic(disk, epochsPath, Buffer.from('0\n0\n'))
  const isSpared = (path: string) => path.includes('leader-epoch') || path.endsWith('index')
  disk.beforeEach = (operation, path) => {
    if (operation === 'write' && isSpared(path)) throw nativeError('ENOSPC', operation, path)
  }
  await scenario.open()
  assert.is(scenario.log.failure, null)
  assert.equal(scenario.log.leaderEpochs.entries, entries)
  assert.is((await scenario.texts()).length, 6)
  disk.beforeEach = () => {}
  await scenario.env.clock.advance(6_000)
  await scenario.reopen()
  assert.equal(scenario.log.leaderEpochs.entries, entries)
  assert.is((await scenario.texts()).length, 6)
})

test('a turned bit in an offset is no gap of a log that is not compacted', async () => {
  for (const policy of ['delete', 'compact'] as const) {
    const scenario = await new Scenario({ 'cleanup.policy': [policy] }).open()
    for (let n = 0; n < 4; n++) await scenario.append({ keys: [`${n}`], values: [`${n}`] })
    const path = scenario.log.segments.at(-1)?.path('.log') ?? ''
    const at = 2 * batchOf({ keys: ['0'], values: ['0'] }).header.sizeBytes + 7
    await scenario.crash((_, current, name) => {
      if (name === path) current[at] = (current[at] ?? 0) ^ 0x20
      return current
    })
    const told = scenario.log.failure?.message ?? `ends at ${scenario.log.logEndOffset}`
    if (policy === 'compact') assert.is(told, 'ends at 35')
    else assert.match(told, /a batch at offset 34, expected 2; only compaction leaves gaps/)
  }
})

test('a clean start does not take the end of a log from a last batch that has rotted', async () => {
  const scenario = await new Scenario().open()
  for (let n = 0; n < 4; n++) await scenario.append({ values: [`${n}`] })
  await scenario.close()
  const { disk } = scenario.env
  const bytes = Buffer.from((await readFile(disk, firstLog)) ?? [])
  const lastOffsetDeltaAt = (bytes.length / 4) * 3 + 23
  bytes[lastOffsetDeltaAt] = 0x20
  await writeFileAtomic(disk, firstLog, bytes)
  await scenario.open()
  assert.match(scenario.log.failure?.message ?? '', /damage, not a torn tail/)
})
