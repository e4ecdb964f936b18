import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { joinChunks } from '../../lib/base/bytes.ts'
import { writeFileAtomic } from '../../lib/io/disk.ts'
import { silentLogger } from '../../lib/io/logger.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import { nodeEnv } from '../../lib/io/node/env.ts'
import { batchAt, batchCrc, headOf, splitBatches, writeInt64 } from '../../lib/record/batch.ts'
import { logConfigWith } from '../../lib/storage/log-config.ts'
import { LogDir } from '../../lib/storage/log-dir.ts'
import { SegmentPool } from '../../lib/storage/segment-pool.ts'
import { assert, rejection, suite } from '../support/suite.ts'
import { type BatchOptions, batchOf, Scenario } from './support/scenario.ts'

const test = suite('read')

const leader = { leaderEpoch: 0 }
/** Only such a log has gaps. */
const compacted = { 'cleanup.policy': ['compact'] }

/** A log on the memory disk whose file holds these batches, as compaction or Kafka may have left it. */
async function logWith(batches: (BatchOptions & { at: number })[], config = {}) {
  const scenario = await new Scenario(config).open()
  await scenario.close()
  const bytes = batches.map(({ at, ...options }) => {
    const batch = batchOf(options)
    writeInt64(headOf(batch), 0, at)
    return joinChunks(batch.chunks)
  })
  const { disk } = scenario.env
  await disk.remove('/data/.kafka_cleanshutdown')
  await writeFileAtomic(disk, '/data/events-0/00000000000000000000.log', Buffer.concat(bytes))
  return scenario.open()
}

test('an offset that compaction took starts at the next batch', async () => {
  const batches = [
    { at: 0, values: ['a', 'b'] },
    { at: 5, values: ['f', 'g'] },
    { at: 9, values: ['j'] },
  ]
  const { log } = await logWith(batches, compacted)
  assert.is(log.logEndOffset, 10)
  for (const [offset, first] of [
    [0, 0],
    [1, 0],
    [2, 5],
    [4, 5],
    [6, 5],
    [7, 9],
    [9, 9],
  ] as const) {
    const read = await log.read(offset, { maxBytes: 1, minOneBatch: true, endOffset: 10 })
    assert.is(splitBatches(read.records)[0]?.header.baseOffset, first, `offset ${offset}`)
    assert.is(splitBatches(read.records).length, 1)
    read.release()
  }
})

test('a batch whose offset is too far from the segment begins a new one', async () => {
  const far = 0x7fffffff - 1
  const scenario = await logWith([{ at: 0 }, { at: far }], compacted)
  const { log } = scenario
  assert.is(log.logEndOffset, far + 1)
  await scenario.append({ keys: ['k'], values: ['still fits'] })
  assert.is(log.segments.length, 1)
  await scenario.append({ keys: ['k'], values: ['too far'] })
  assert.equal(
    log.segments.map(({ baseOffset }) => baseOffset),
    [0, far + 2],
  )
  assert.equal(await scenario.texts(far), [
    `${far}:v`,
    `${far + 1}:still fits`,
    `${far + 2}:too far`,
  ])
  await scenario.crash()
  assert.is(scenario.log.logEndOffset, far + 3)
})

test('limits: whole batches, the first one whatever its size, none beyond the end asked for', async () => {
  const scenario = await new Scenario().open()
  const sizes: number[] = []
  for (const length of [10, 3_000_000, 10, 10]) {
    const batch = batchOf({ values: ['x'.repeat(length)] })
    sizes.push(batch.header.sizeBytes)
    scenario.log.setConfig(logConfigWith({ 'max.message.bytes': 10_000_000 }))
    await scenario.log.append(batch, leader).written
  }
  const [small = 0, large = 0] = sizes
  const rows: [number, number, boolean, number, number][] = [
    // from, maxBytes, minOneBatch, endOffset -> bytes
    [0, 1, true, 4, small],
    [0, 1, false, 4, 0],
    [0, small, false, 4, small],
    [0, small * 2, true, 4, small],
    [0, small + large, false, 4, small + large],
    [0, 100_000_000, false, 4, 3 * small + large],
    [0, 100_000_000, false, 3, 2 * small + large],
    [0, 100_000_000, false, 100, 3 * small + large],
    [0, 100_000_000, false, 0, 0],
    [1, 1, true, 4, large],
    [1, large, false, 4, large],
    [1, large - 1, false, 4, 0],
    [2, 0, false, 4, 0],
    [2, 0, true, 4, small],
    [3, 1, true, 3, 0],
  ]
  for (const [from, maxBytes, minOneBatch, endOffset, expected] of rows) {
    const read = await scenario.log.read(from, { maxBytes, minOneBatch, endOffset })
    const label = `from ${from} max ${maxBytes} min ${minOneBatch} end ${endOffset}`
    assert.is(read.sizeBytes, expected, label)
    assert.is(joinChunks(read.records).length, expected, label)
    read.release()
  }
})

test('the position after a read tells how many bytes follow', async () => {
  const scenario = await new Scenario({ 'internal.segment.bytes': 400 }).open()
  const { log } = scenario
  const empty = await log.read(0, { maxBytes: 100, minOneBatch: true, endOffset: 0 })
  assert.is(log.bytesAfter(empty.next, 'written'), 0)
  await scenario.append({ values: ['a'] })
  const size = log.sizeBytes
  assert.is(log.bytesAfter(empty.next, 'written'), size)
  assert.is(log.bytesAfter(empty.next, 'synced'), size)
  const read = await log.read(0, { maxBytes: 1000, minOneBatch: true, endOffset: 1 })
  assert.is(log.bytesAfter(read.next, 'written'), 0)
  // Between the high watermark and the end: the position of that offset.
  await scenario.append({ values: ['b'] })
  const waiting = await log.read(1, { maxBytes: 1000, minOneBatch: true, endOffset: 1 })
  assert.is(waiting.sizeBytes, 0)
  assert.is(log.bytesAfter(waiting.next, 'written'), size)
  for (let n = 0; n < 10; n++) await scenario.append({ values: ['c'] })
  assert.is(log.bytesAfter(waiting.next, 'written'), Number.POSITIVE_INFINITY)
})

test('a reader that goes on where it stopped reads each byte once', async () => {
  const scenario = await new Scenario().open()
  for (let n = 0; n < 200; n++) await scenario.append({ values: ['x'.repeat(100)] })
  let readCount = 0
  scenario.env.disk.beforeEach = (operation) => {
    if (operation === 'read') readCount++
  }
  await scenario.readAll(0, 10_000)
  assert.ok(readCount <= 3 + scenario.log.sizeBytes / 9_000, `${readCount} reads`)
})

const noon = Date.UTC(2026, 0, 1)

test('the first record at or after a time is found, also inside compressed batches', async () => {
  const scenario = await new Scenario({
    'internal.segment.bytes': 500,
    'index.interval.bytes': 50,
    'message.timestamp.after.max.ms': 2 ** 63,
  }).open()
  const times: number[] = []
  for (let n = 0; n < 30; n++) {
    // Out of order within and between batches.
    const timestamps = [0, 3, 1].map((k) => noon + n * 10 + k * ((n % 3) - 1))
    times.push(...timestamps)
    await scenario.append({ values: ['a', 'b', 'c'], timestamps, codec: n % 2 ? 'zstd' : 'none' })
  }
  const check = async () => {
    for (let target = noon - 5; target < noon + 310; target++) {
      const expected = times.findIndex((time) => time >= target)
      const found = await scenario.log.offsetForTimestamp(target, times.length)
      assert.is(found?.offset ?? -1, expected, `time ${target - noon}`)
      if (found) assert.is(found.timestamp, times[expected])
    }
    const largest = Math.max(...times)
    const top = await scenario.log.maxTimestampOffset(times.length)
    assert.equal([top?.offset, top?.timestamp], [times.indexOf(largest), largest])
  }
  await check()
  await scenario.reopen()
  await check()
  await scenario.crash()
  await check()
  assert.is(await scenario.log.offsetForTimestamp(noon + 290, 80), null)
  assert.is(await scenario.log.maxTimestampOffset(80), null)
  await scenario.log.advanceLogStart(45)
  assert.is((await scenario.log.offsetForTimestamp(0, 90))?.offset, 45)
})

test('after a restart an older record does not hide the largest time', async () => {
  const scenario = await new Scenario().open()
  await scenario.append({ timestamp: noon })
  await scenario.reopen()
  await scenario.append({ timestamp: noon - 500 })
  assert.is((await scenario.log.maxTimestampOffset(2))?.offset, 0)
  assert.is((await scenario.log.offsetForTimestamp(noon - 100, 2))?.offset, 0)
  await scenario.reopen()
  assert.is((await scenario.log.maxTimestampOffset(2))?.offset, 0)
})

test('a log without times has no offset for a time', async () => {
  const scenario = await new Scenario().open()
  assert.is(await scenario.log.maxTimestampOffset(0), null)
  await scenario.append({ values: ['a'] })
  assert.is(await scenario.log.offsetForTimestamp(0, 1), null)
  assert.is(await scenario.log.maxTimestampOffset(1), null)
})

test('a log can be cut at any offset, and goes on from there', async () => {
  const config = { 'internal.segment.bytes': 300 }
  for (let cut = 0; cut <= 20; cut++) {
    const scenario = await new Scenario(config).open()
    for (let n = 0; n < 10; n++) {
      await scenario.append(
        { values: [`a${n}`, `b${n}`], producerId: 1, baseSequence: 2 * n },
        n >> 1,
      )
    }
    await scenario.log.truncateTo(cut)
    const { log } = scenario
    const batches = cut >> 1
    const isOnBorder = cut % 2 === 0
    assert.is(log.logEndOffset, cut)
    assert.is((await scenario.texts()).length, batches * 2, `cut ${cut}`)
    assert.is(log.leaderEpochs.latestEpoch, cut === 0 ? -1 : (cut - 1) >> 2)
    if (batches > 0) {
      assert.is(log.producers.get(1)?.batches.at(-1)?.lastOffset, batches * 2 - 1)
    }
    const again = { values: ['n'], producerId: 1, baseSequence: batches * 2 }
    const { baseOffset } = await scenario.append(again, 9)
    assert.is(baseOffset, cut)
    if (!isOnBorder) continue
    const texts = await scenario.texts()
    await scenario.crash()
    assert.equal(await scenario.texts(), texts, `cut ${cut}`)
    assert.equal(scenario.log.endOffsetForEpoch(9), { leaderEpoch: 9, endOffset: cut + 1 })
    await scenario.reopen()
    assert.equal(await scenario.texts(), texts)
  }
})

test('bit rot in a header that is read says CORRUPT_MESSAGE, and the other records stay readable', async () => {
  const scenario = await new Scenario().open()
  for (let n = 0; n < 3; n++) await scenario.append({ values: [`v${n}`] })
  const path = '/data/events-0/00000000000000000000.log'
  const file = await scenario.env.disk.open(path, 'write')
  const size = scenario.log.sizeBytes / 3
  await file.writeAt([Buffer.from([9])], size + 16)
  const options = { maxBytes: 1, minOneBatch: true, endOffset: 3 }
  assert.is((await rejection(scenario.log.read(1, options))).name, 'CORRUPT_MESSAGE')
  assert.is((await scenario.log.read(0, options)).sizeBytes, size)
  assert.is(scenario.dir.failure, null)
})

test('a failing disk under a read takes the dir offline', async () => {
  const scenario = await new Scenario().open()
  await scenario.append()
  scenario.env.disk.beforeEach = (operation) => {
    if (operation === 'read') throw new Error('EIO on read')
  }
  const options = { maxBytes: 1, minOneBatch: true, endOffset: 1 }
  assert.is((await rejection(scenario.log.read(0, options))).name, 'KAFKA_STORAGE_ERROR')
  assert.is(scenario.dir.failure?.message, 'EIO on read')
})

test('the pool closes what was used longest ago, and passes over what is busy', () => {
  const pool = new SegmentPool({ openMax: 3 })
  const rested: number[] = []
  const segments = Array.from({ length: 5 }, (_, n) => ({
    isIdle: n !== 0,
    isOpen: true,
    droppableIndexBytes: 0,
    rest: async () => void rested.push(n),
  }))
  for (const segment of segments) pool.touch(segment)
  assert.equal(rested, [1, 2])
  assert.is(pool.awakeCount, 3)
})

test('on the real disk: append, read, stop, start, and start without the clean mark', async () => {
  const path = mkdtempSync(join(tmpdir(), 'ottla-log-'))
  const env = nodeEnv({ verify: true })
  const config = {
    'log.retention.check.interval.ms': 300_000,
    'ottla.disk.floor.bytes': 0,
    'producer.id.expiration.ms': 86_400_000,
  }
  const settings = logConfigWith({ 'internal.segment.bytes': 50_000 })
  const topicPartition = { topic: 'real', partition: 0 }
  try {
    let dir = await LogDir.open({ env, path, nodeId: 1, config })
    await dir.loadLogs(() => settings)
    let log = await dir.create(topicPartition, 'rHhEuM_rRum3h5MzkJsVrw', settings)
    for (let n = 0; n < 200; n++) {
      const appends = [1, 2, 3].map((k) =>
        log.append(batchOf({ values: ['x'.repeat(k * 100)] }), leader),
      )
      await Promise.all(appends.map(({ written }) => written))
    }
    await log.sync()
    assert.is(log.syncedEndOffset, 600)
    await dir.close()
    for (const isClean of [true, false]) {
      dir = await LogDir.open({ env, path, nodeId: 1, config })
      assert.is(dir.isClean, isClean)
      const [loaded] = await dir.loadLogs(() => settings)
      assert.ok(loaded)
      log = loaded
      let offset = 0
      while (offset < log.writtenEndOffset) {
        const read = await log.read(offset, { maxBytes: 20_000, minOneBatch: true, endOffset: 600 })
        for (let view of read.records) {
          while (view.length > 0) {
            const { header } = batchAt(view)
            assert.is(header.baseOffset, offset++)
            view = view.subarray(header.sizeBytes)
          }
        }
        read.release()
      }
      assert.is(offset, 600)
      await dir.close()
      if (isClean) rmSync(join(path, '.kafka_cleanshutdown'))
    }
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
})

test('whatever happens to its files, a start ends with logs that serve or are offline', async () => {
  const env = memoryEnv({ seed: 99 })
  const pick = (bound: number) => env.random.u32() % bound
  const outcomes = { served: 0, offline: 0, refused: 0 }
  for (let round = 0; round < 250; round++) {
    const scenario = await new Scenario({
      'internal.segment.bytes': 400,
      'index.interval.bytes': 100,
    }).open()
    for (let n = 0; n < 12; n++)
      await scenario.append({ values: [`v${n}`], producerId: 1, baseSequence: n })
    await scenario.env.clock.advance(5000)
    const isClean = round % 3 === 0
    if (isClean) await scenario.close()
    else scenario.env.disk.crash()
    const { disk } = scenario.env
    for (let damage = 0; damage <= pick(3); damage++) {
      const folder = pick(4) === 0 ? '/data' : '/data/events-0'
      const files = (await disk.list(folder)).filter(({ kind }) => kind === 'file')
      const path = `${folder}/${files[pick(files.length)]?.name}`
      await damageFile(disk, path, pick)
    }
    const opened = await scenario.open().catch((error: Error) => error)
    if (opened instanceof Error) {
      assert.ok(
        ['DataDirectoryError', 'KafkaError', 'KAFKA_STORAGE_ERROR'].includes(opened.name),
        opened.stack,
      )
      outcomes.refused++
      continue
    }
    assert.is(scenario.dir.failure, null)
    if (scenario.log.failure !== null) outcomes.offline++
    else {
      outcomes.served++
      await scenario.texts().catch(isDamageReported)
      await scenario.append({ values: ['more'] })
    }
    await scenario.close()
  }
  assert.ok(outcomes.served > 50 && outcomes.offline > 20, JSON.stringify(outcomes))
})

/** By the log, or by the reader of the records: bytes that are read are not checked again. */
function isDamageReported(error: Error): void {
  assert.ok(['CORRUPT_MESSAGE', 'DecodeError'].includes(error.name), error.stack)
}

async function damageFile(
  disk: Scenario['env']['disk'],
  path: string,
  pick: (bound: number) => number,
): Promise<void> {
  const file = await disk.open(path, 'write')
  const size = await file.size()
  const at = pick(size + 1)
  const kind = pick(6)
  if (kind === 0) await file.truncate(at)
  else if (kind === 1) await file.writeAt([Buffer.from([pick(256)])], at)
  else if (kind === 2) await file.writeAt([Buffer.alloc(pick(300))], at)
  else if (kind === 3) await file.append([Buffer.alloc(pick(300), pick(256))])
  else if (kind === 4) await disk.remove(path)
  else await file.truncate(0)
  await file.close()
}

/** Sizes of batches, how much is asked for, and the size of what comes. */
const slim: [string, number[], number, number][] = [
  ['a small batch before a large one', [1000, 900_000], 500_000, 1000],
  ['the only batch of a small log', [100], 1_000_000, 100],
  ['a batch behind many that are not wanted', [400_000, 200, 900_000], 600_000, 200],
]

for (const [what, sizes, maxBytes, size] of slim) {
  test(`${what} does not hold on to a large buffer`, async () => {
    const { log } = await logWith(sizes.map((bytes, at) => ({ at, values: ['v'.repeat(bytes)] })))
    const from = sizes.indexOf(size)
    const endOffset = log.logEndOffset
    const read = await log.read(from, { maxBytes, minOneBatch: true, endOffset })
    assert.is(splitBatches(read.records)[0]?.header.baseOffset, from)
    assert.ok(read.sizeBytes > size && read.sizeBytes < size + 100)
    const buffers = new Set(read.records.map(({ buffer }) => buffer))
    const held = [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)
    // Small ones share the slab that Node keeps for them.
    assert.ok(held <= Math.max(2 * read.sizeBytes, Buffer.poolSize), `${held} bytes held`)
    read.release()
  })
}

test('a damaged batch that is asked for again and again is reported once', async () => {
  const lines: string[] = []
  const error = (event: string) => void lines.push(event)
  const { log } = await new Scenario({}, memoryEnv({ log: { ...silentLogger, error } })).open()
  const packed = Buffer.from(joinChunks(batchOf({ values: ['b'], timestamp: 1000 }).chunks))
  packed[22] = 1
  packed.writeUInt32BE(batchCrc(batchAt(packed)), 17)
  await log.append(batchAt(packed), leader).written
  for (let times = 0; times < 5; times++) {
    const failure = await rejection(log.offsetForTimestamp(500, log.logEndOffset))
    assert.is(failure.name, 'CORRUPT_MESSAGE')
  }
  assert.equal(lines, ['log.read.damaged'])
})
