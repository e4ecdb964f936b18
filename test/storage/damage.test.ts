/** Each found by `npm run fuzz:files`, and named after what went wrong. */

import { readFile } from '../../lib/io/disk.ts'
import { MemoryDisk } from '../../lib/io/memory/disk.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import { isNativeError } from '../../lib/storage/disk-failure.ts'
import { countBatchesIn } from '../../lib/storage/scan.ts'
import { assert, rejection, suite } from '../support/suite.ts'
import { batchOf, Scenario, topicPartition } from './support/scenario.ts'

const test = suite('damage')

const directory = '/data/events-0'
const segment = (base: number, suffix = 'log') =>
  `${directory}/${String(base).padStart(20, '0')}.${suffix}`

interface World {
  readonly scenario: Scenario
  readonly reports: string[]
}

/** Ten records in several segments, with times 1000, 1010, ... */
async function filled(): Promise<World> {
  const reports: string[] = []
  const note = (event: string) => void reports.push(event)
  const env = memoryEnv({ log: { error: note, warn: note, info() {}, debug() {} } })
  const scenario = await new Scenario(
    { 'internal.segment.bytes': 300, 'index.interval.bytes': 100 },
    env,
  ).open()
  for (let n = 0; n < 10; n++) {
    await scenario.append({ values: [`value ${n}`.padEnd(60, '.')], timestamp: 1000 + n * 10 })
  }
  return { scenario, reports }
}

async function bytesOf({ scenario }: World, path: string): Promise<Uint8Array> {
  return (await readFile(scenario.env.disk, path)) ?? new Uint8Array(0)
}

async function replace({ scenario }: World, path: string, bytes: Uint8Array): Promise<void> {
  const file = await scenario.env.disk.open(path, 'create')
  await file.truncate(bytes.length)
  await file.writeAt([bytes], 0)
  await file.sync()
  await file.close()
  await scenario.env.disk.syncDir(directory)
}

function bases({ scenario }: World): number[] {
  return scenario.log.segments.map(({ baseOffset }) => baseOffset)
}

test('a time index of another segment is not believed', async () => {
  const world = await filled()
  const [first = 0, second = 0] = bases(world)
  await world.scenario.close()
  const [one, two] = [segment(first, 'timeindex'), segment(second, 'timeindex')]
  const [bytesOne, bytesTwo] = [await bytesOf(world, one), await bytesOf(world, two)]
  await replace(world, one, bytesTwo)
  await replace(world, two, bytesOne)
  await world.scenario.open()
  for (let n = 0; n < 10; n++) {
    const found = await world.scenario.log.offsetForTimestamp(1000 + n * 10, 10)
    assert.is(found?.offset, n)
  }
})

test('an index entry that points into a batch does not hide the batch', async () => {
  const world = await filled()
  const [first = 0] = bases(world)
  await world.scenario.close()
  const path = segment(first, 'index')
  const bytes = Buffer.from(await bytesOf(world, path))
  assert.ok(bytes.length > 0)
  bytes.writeInt32BE(bytes.readInt32BE(4) + 7, 4)
  await replace(world, path, bytes)
  await world.scenario.open()
  assert.is((await world.scenario.readAll()).length, 10)
  assert.is((await world.scenario.readAll(1)).length, 9)
})

test('a directory where an index belongs is moved away, and the index rebuilt', async () => {
  const world = await filled()
  const [first = 0] = bases(world)
  await world.scenario.close()
  const { disk } = world.scenario.env
  await disk.remove(segment(first, 'timeindex'))
  await disk.mkdir(segment(first, 'timeindex'))
  await world.scenario.open()
  assert.is((await world.scenario.log.offsetForTimestamp(1010, 10))?.offset, 1)
  assert.ok((await bytesOf(world, segment(first, 'timeindex'))).length > 0)
})

test('garbage behind the records of a closed segment costs no record', async () => {
  const world = await filled()
  const [first = 0] = bases(world)
  await replace(
    world,
    segment(first),
    Buffer.concat([await bytesOf(world, segment(first)), Buffer.alloc(5000)]),
  )
  await world.scenario.crash()
  assert.is(world.scenario.log.failure, null)
  assert.is((await world.scenario.readAll()).length, 10)
  assert.ok(world.reports.includes('log.segment.trimmed'))
})

test('a log without its first segment says so', async () => {
  const world = await filled()
  const [first = 0] = bases(world)
  await world.scenario.close()
  await world.scenario.env.disk.remove(segment(first))
  await world.scenario.open()
  assert.ok(world.reports.includes('log.start.missing'))
})

test('a log that cannot say whose it is stays offline, at every start', async () => {
  const world = await filled()
  await world.scenario.close()
  const path = `${directory}/partition.metadata`
  const before = await bytesOf(world, path)
  await replace(world, path, Buffer.from('nonsense'))
  for (let start = 0; start < 2; start++) {
    await world.scenario.open()
    assert.match(world.scenario.log.failure?.message ?? '', /partition.metadata cannot be read/)
    await world.scenario.close()
  }
  await replace(world, path, before)
  await world.scenario.open()
  assert.is((await world.scenario.readAll()).length, 10)
})

test('a log made under the name of one that was removed is whole after a crash', async () => {
  const { scenario } = await filled()
  await scenario.env.clock.advance(6000)
  const { log, dir, config } = scenario
  await dir.remove(log)
  const made = await dir.create(topicPartition, 'rHhEuM_rRum3h5MzkJsVrw', config)
  await made.append(batchOf({ values: ['new'] }), { leaderEpoch: 0 }).written
  await made.sync()
  await scenario.crash()
  assert.is(scenario.log.failure, null)
  assert.is(scenario.log.logEndOffset, 1)
})

test('a directory that is gone is told when an empty log takes its place', async () => {
  const world = await filled()
  await world.scenario.close()
  await world.scenario.env.disk.remove(directory)
  world.scenario.highWatermark = 0
  await world.scenario.open()
  assert.ok(world.reports.includes('log.missing'))
  await world.scenario.crash()
  assert.is(world.scenario.log.failure, null)
})

test('a checkpoint that is gone after a clean stop is told', async () => {
  const world = await filled()
  await world.scenario.close()
  await world.scenario.env.disk.remove('/data/recovery-point-offset-checkpoint')
  await world.scenario.open()
  assert.ok(world.reports.includes('log.checkpoint.missing'))
})

test('a checkpoint that became empty is told; the other one still names a log that is gone', async () => {
  const world = await filled()
  await world.scenario.close()
  const { disk } = world.scenario.env
  await disk.remove(directory)
  const file = await disk.open('/data/recovery-point-offset-checkpoint', 'write')
  await file.truncate(0)
  await file.close()
  await disk.syncDir('/data')
  world.scenario.highWatermark = 0
  await world.scenario.open()
  assert.equal(world.reports, ['log.checkpoint.unreadable', 'log.missing'])
})

test('a segment that holds the records of a later one is not trusted after a clean stop', async () => {
  const world = await filled()
  const [before = 0, last = 0] = bases(world).slice(-2)
  await world.scenario.close()
  await replace(world, segment(before), await bytesOf(world, segment(last)))
  await world.scenario.env.disk.remove(segment(last))
  await world.scenario.open()
  assert.ok(world.scenario.log.failure !== null)
})

test('a directory in the place of one of our files refuses the start', async () => {
  const world = await filled()
  await world.scenario.close()
  const path = '/data/log-start-offset-checkpoint'
  await world.scenario.env.disk.remove(path)
  await world.scenario.env.disk.mkdir(path)
  const error = await rejection(world.scenario.open())
  assert.is(error.name, 'DataDirectoryError')
  assert.match(error.message, /log-start-offset-checkpoint is a directory, expected a file/)
})

test('a batch whose offset was changed is refused, and no reader waits for ever', async () => {
  const world = await filled()
  const [first = 0] = bases(world)
  for (const [position, value] of [
    [7, 77],
    [7, 5],
    [26, 99],
  ] as const) {
    await world.scenario.close()
    const before = Buffer.from(await bytesOf(world, segment(first)))
    const changed = Buffer.from(before)
    changed[position] = value
    await replace(world, segment(first), changed)
    await world.scenario.open()
    const error = await rejection(world.scenario.readAll())
    assert.match(error.message, /a batch from/)
    await world.scenario.close()
    await replace(world, segment(first), before)
    await world.scenario.open()
  }
})

test('a segment that is missing in the middle is told of at a clean start', async () => {
  const world = await filled()
  const [, second = 0] = bases(world)
  await world.scenario.close()
  await world.scenario.env.disk.remove(segment(second))
  await world.scenario.open()
  assert.ok(world.reports.includes('log.gap'))
})

test('below the log start segments may be missing: a crash took back some of their removals', async () => {
  const world = await filled()
  const [, second = 0, third = 0] = bases(world)
  await world.scenario.log.advanceLogStart(third)
  for (const isClean of [true, false]) {
    if (isClean) await world.scenario.close()
    await world.scenario.env.disk.remove(segment(second))
    await (isClean ? world.scenario.open() : world.scenario.crash())
    assert.is(world.scenario.log.failure, null)
    assert.not.ok(world.reports.includes('log.gap'), `${isClean}`)
  }
})

test('a segment whose file has another name is not trusted after a clean stop', async () => {
  for (const ahead of [1, 40, 9_007_199_254_000]) {
    const world = await filled()
    const last = bases(world).at(-1) ?? 0
    await world.scenario.close()
    await world.scenario.env.disk.rename(segment(last), segment(last + ahead))
    await world.scenario.open()
    assert.match(world.scenario.log.failure?.message ?? '', /were synced, so this is damage/)
  }
})

test('a log without any segment file says so, also when nothing was checkpointed', async () => {
  const world = await filled()
  world.scenario.env.disk.crash((_, current) => current)
  for (const base of bases(world)) await world.scenario.env.disk.remove(segment(base))
  await world.scenario.open()
  assert.ok(world.reports.includes('log.segments.missing'))
  assert.is(world.scenario.log.logEndOffset, 0)
})

test('a log that begins anew at its start is at no moment without a segment', async () => {
  for (let step = 0; step < 40; step++) {
    const reports: string[] = []
    const note = (event: string) => void reports.push(event)
    const env = memoryEnv({ log: { error: note, warn: note, info() {}, debug() {} } })
    const scenario = await new Scenario({ 'ottla.durability': 'replicated' }, env).open()
    for (let n = 0; n < 10; n++) await scenario.append({ values: [`${n}`] })
    await scenario.log.advanceLogStart(8)
    env.disk.crash()
    let left = step
    env.disk.beforeEach = () => (left-- > 0 ? undefined : new Promise(() => {}))
    const started = scenario.open()
    for (let turn = 0; turn < 20; turn++) await env.clock.settle()
    void started.catch(() => {})
    env.disk.beforeEach = () => {}
    await scenario.crash((_, current) => current)
    assert.is(scenario.log.failure, null)
    assert.is(scenario.log.logEndOffset, 8)
    assert.equal(reports, [], `after ${step} operations`)
  }
})

test('a directory where a snapshot of producers belongs is moved away', async () => {
  const world = await filled()
  const last = bases(world).at(-1) ?? 0
  const { disk } = world.scenario.env
  disk.crash((_, current) => current)
  await disk.remove(segment(last, 'snapshot'))
  await disk.mkdir(segment(last, 'snapshot'))
  await world.scenario.open()
  assert.is(world.scenario.log.failure, null)
  assert.is((await world.scenario.readAll()).length, 10)
})

test('a file with the name of a segment, beside all the records, is moved away', async () => {
  for (const isClean of [true, false]) {
    const world = await filled()
    const { scenario } = world
    if (isClean) await scenario.close()
    else scenario.env.disk.crash((_, current) => current)
    await replace(world, segment(1), Buffer.from('nothing of the kind'.repeat(20)))
    await scenario.open()
    assert.equal(world.reports, ['log.segment.moved-away'])
    for (let n = 0; n < 10; n++) assert.is((await scenario.readAll(n)).length, 10 - n)
    await scenario.reopen()
    assert.is(world.reports.length, 1)
  }
})

test('an offset that is too far away takes neither the index nor the log dir along', async () => {
  const world = await filled()
  const [first = 0] = bases(world)
  await world.scenario.close()
  const bytes = Buffer.from(await bytesOf(world, segment(first)))
  bytes[3] = 9
  await replace(world, segment(first), bytes)
  await world.scenario.env.disk.remove(segment(first, 'index'))
  await world.scenario.open()
  const { log, dir } = world.scenario
  assert.match((await rejection(world.scenario.readAll(0))).message, /a batch from/)
  await log.offsetForTimestamp(1000, 10).catch(() => {})
  assert.is(dir.failure, null)
  assert.is((await world.scenario.readAll(5)).length, 5)
})

/** The size of the largest buffer that was filled from a segment. */
function watchReads({ scenario }: World): { largestBytes: number } {
  const { disk } = scenario.env
  const open = disk.open.bind(disk)
  const watched = { largestBytes: 0 }
  disk.open = async (path, mode) => {
    const file = await open(path, mode)
    const readAt = (target: Uint8Array, position: number) => {
      watched.largestBytes = Math.max(watched.largestBytes, target.length)
      return file.readAt(target, position)
    }
    return { ...file, readAt }
  }
  return watched
}

test('a damaged size takes no memory: neither at a start, nor for a reader', async () => {
  const world = await filled()
  const last = bases(world).at(-1) ?? 0
  const { scenario } = world
  await scenario.close()
  const bytes = Buffer.concat([await bytesOf(world, segment(last)), Buffer.alloc(40 * 1024 * 1024)])
  bytes.writeInt32BE(30 * 1024 * 1024, 8)
  await replace(world, segment(last), bytes)
  const watched = watchReads(world)
  await scenario.open()
  assert.match(scenario.log.failure?.message ?? '', /a batch of 31457292 bytes with CRC/)
  assert.ok(watched.largestBytes <= 2 * 1024 * 1024, `${watched.largestBytes}`)
})

test('a reader that meets a damaged size is told, and takes no memory', async () => {
  const world = await filled()
  const [first = 0] = bases(world)
  const { scenario } = world
  await scenario.close()
  const bytes = await bytesOf(world, segment(first))
  const changed = Buffer.concat([bytes, Buffer.alloc(40 * 1024 * 1024)])
  changed.writeInt32BE(30 * 1024 * 1024, 8)
  await replace(world, segment(first), changed)
  const watched = watchReads(world)
  await scenario.open()
  assert.match((await rejection(scenario.readAll(0))).message, /a batch of 31457292 bytes with CRC/)
  assert.ok(watched.largestBytes <= 2 * 1024 * 1024, `${watched.largestBytes}`)
})

test('whole batches behind a torn place are counted, wherever they lie', async () => {
  const pieceBytes = 1024 * 1024
  const whole = batchOf({ values: ['x'.repeat(200)] }).chunks[0] ?? new Uint8Array()
  for (const at of [1, 500, pieceBytes - 300, pieceBytes - 61, pieceBytes - 20, pieceBytes + 5]) {
    const bytes = Buffer.alloc(2 * pieceBytes, 2)
    bytes.set(whole, at)
    bytes.set(whole, at + whole.length + 33)
    const disk = new MemoryDisk()
    const file = await disk.open('/file', 'create')
    await file.writeAt([bytes], 0)
    const range = { from: 0, to: bytes.length }
    assert.is(await countBatchesIn(file, range, 0), 2, `at ${at}`)
    assert.is(await countBatchesIn(file, range, 1), 0, 'offsets before the end')
  }
})

test('a batch whose last offset is rotten is not passed over', async () => {
  for (const delta of [0, 1, -5]) {
    const world = await filled()
    const { scenario } = world
    for (let n = 0; n < 3; n++) await scenario.append({ values: ['x', 'y', 'z'], timestamp: 2000 })
    const path = segment(
      scenario.log.segments.findLast((one) => one.baseOffset <= 10)?.baseOffset ?? 0,
    )
    await scenario.append({ values: ['in a segment behind it'.padEnd(200, '.')], timestamp: 2000 })
    await scenario.append({ values: ['and another'], timestamp: 2000 })
    await scenario.close()
    const bytes = Buffer.from(await bytesOf(world, path))
    let at = 0
    while (bytes.readBigInt64BE(at) < 10n) at += 12 + bytes.readInt32BE(at + 8)
    bytes.writeInt32BE(delta, at + 23)
    await replace(world, path, bytes)
    await scenario.open()
    const error = await rejection(scenario.readAll(12))
    assert.match(error.message, /another CRC|a batch from/, `${delta}`)
  }
})

test('rot among records that were deleted costs no other record', async () => {
  const scenario = await new Scenario({}).open()
  for (let n = 0; n < 10; n++) await scenario.append({ values: [`value ${n}`] })
  await scenario.log.advanceLogStart(5)
  await scenario.env.clock.advance(6000)
  const bytes = (await readFile(scenario.env.disk, segment(0))) ?? new Uint8Array()
  scenario.env.disk.crash()
  const file = await scenario.env.disk.open(segment(0), 'write')
  await file.writeAt([bytes.with(70, 0xff)], 0)
  await file.sync()
  await scenario.open()
  assert.is(scenario.log.failure, null)
  assert.is((await scenario.readAll()).length, 5)
})

test('a swap that is not whole takes the place of no segment, and nothing is removed', async () => {
  const world = await filled()
  const { scenario } = world
  const [, second = 0] = bases(world)
  await scenario.close()
  const whole = await bytesOf(world, segment(second))
  const bad: readonly Uint8Array[] = [
    Buffer.from('garbage'),
    new Uint8Array(),
    whole.subarray(0, whole.length - 1),
    whole.with(80, (whole[80] ?? 0) ^ 1),
  ]
  for (const bytes of bad) {
    await replace(world, `${segment(second)}.swap`, bytes)
    await replace(world, `${segment(second + 1)}.deleted`, whole)
    await scenario.open()
    assert.match(scenario.log.failure?.message ?? '', /cleaned segment cannot be read/)
    await scenario.close()
    assert.equal(await bytesOf(world, segment(second)), whole)
    assert.equal(await bytesOf(world, `${segment(second + 1)}.deleted`), whole)
    await scenario.env.disk.remove(`${segment(second)}.swap`)
  }
  await scenario.open()
  assert.is((await scenario.readAll()).length, 10)
})

test('two segments that claim the same offsets take the log offline at a clean start, too', async () => {
  const world = await filled()
  const [first = 0, second = 0] = bases(world)
  const last = bases(world).at(-1) ?? 0
  await world.scenario.close()
  // Its end is inside the last segment: none of those between can be told to be none of the log's.
  const bytes = [await bytesOf(world, segment(first)), await bytesOf(world, segment(second))]
  await replace(
    world,
    segment(first),
    Buffer.concat([...bytes, await bytesOf(world, segment(last))]),
  )
  for (const suffix of ['index', 'timeindex']) {
    await world.scenario.env.disk.remove(segment(first, suffix))
  }
  await world.scenario.open()
  assert.match(world.scenario.log.failure?.message ?? '', /ends at offset 10; one of the two/)
})

test('a swap whose old segment is out of the way counts, whatever else is left over', async () => {
  const world = await filled()
  const [first = 0, second = 0] = bases(world)
  await world.scenario.close()
  const bytes = await bytesOf(world, segment(second))
  const { disk } = world.scenario.env
  await disk.rename(segment(second), `${segment(second)}.deleted`)
  await replace(world, `${segment(second)}.swap`, bytes)
  await replace(world, `${segment(first)}.cleaned`, bytes)
  await world.scenario.open()
  assert.is(world.scenario.log.failure, null)
  assert.is((await world.scenario.readAll()).length, 10)
})

/** What a system says, and what is none of it. */
const codes: [code: unknown, isNative: boolean][] = [
  ['ENOSPC', true],
  ['EIO', true],
  ['ERR_INVALID_URL', false],
  [76, false],
]

for (const [code, isNative] of codes) {
  test(`an error with code ${code} is ${isNative ? '' : 'not '}of the system`, () => {
    assert.is(isNativeError(Object.assign(new Error('x'), { code })), isNative)
  })
}
