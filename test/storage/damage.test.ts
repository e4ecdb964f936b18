/** Each found by `npm run fuzz:files`, and named after what went wrong. */

import { readFile } from '../../lib/io/disk.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
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
