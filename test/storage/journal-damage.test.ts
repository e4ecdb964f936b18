/** Journals of damaged directories. Each found by `npm run fuzz:files`, and named after what went wrong. */

import { DecodeError } from '../../lib/base/errors.ts'
import { readFile, writeFileAtomic } from '../../lib/io/disk.ts'
import { MemoryDisk } from '../../lib/io/memory/disk.ts'
import { type ReplayTarget, replayTail } from '../../lib/storage/journal/journal-replay.ts'
import { restsIn } from '../../lib/storage/journal/journal-rest.ts'
import { JournalTail } from '../../lib/storage/journal/journal-tail.ts'
import { LogDir } from '../../lib/storage/log-dir.ts'
import { Segment } from '../../lib/storage/segment.ts'
import { SegmentPool } from '../../lib/storage/segment-pool.ts'
import { assert, rejection, suite } from '../support/suite.ts'
import { JournalWorld } from './support/journal-world.ts'
import { batchOf } from './support/scenario.ts'

const test = suite('storage/journal-damage')

const topics = ['a', 'b', 'c', 'd', 'e', 'f']

/** Twenty records of each log in its segments, and ten that only the journal has after the power cut. */
async function withTails(): Promise<JournalWorld> {
  const world = new JournalWorld({ 'internal.segment.bytes': 1_000_000 })
  await world.open(topics)
  for (let round = 0; round < 20; round++) await world.round(`warm ${round}`)
  await world.dir.commits.checkpoint()
  await world.env.clock.advance(6_000)
  for (let round = 0; round < 10; round++) await world.round(`journal ${round}`)
  world.cut((durable) => durable)
  return world
}

async function replayed(values: readonly string[], range: { from: number; to: number }) {
  const disk = new MemoryDisk()
  const [bytes = new Uint8Array()] = batchOf({ values: [...values] }).chunks
  const file = await disk.open('/blocks', 'create')
  await file.writeAt([bytes], 0)
  const segment = new Segment({
    disk,
    pool: new SegmentPool(),
    directory: '',
    baseOffset: 0,
    createdMs: 0,
  })
  segment.startIndexes()
  await segment.create()
  const target: ReplayTarget = {
    disk,
    segments: [segment],
    endOffset: range.from,
    roll: async () => {},
    note: () => {},
  }
  const tail = new JournalTail()
  const where = { segmentBaseOffset: 0, path: '/blocks', position: 0, sizeBytes: bytes.length }
  tail.add({ baseOffset: 0, endOffset: range.to, ...where, isDamaged: false })
  return { tail, target, segment }
}

test('batches of another log that do not join on are damage, not a failed start', async () => {
  for (const [values, range] of [
    [['x', 'y', 'z'], { from: 1, to: 3 }],
    [['x'], { from: 0, to: 3 }],
  ] as const) {
    const { tail, target } = await replayed(values, range)
    assert.instance(await rejection(replayTail(tail, target)), DecodeError)
  }
  const { tail, target, segment } = await replayed(['x', 'y'], { from: 0, to: 2 })
  assert.is(await replayTail(tail, target), 1)
  assert.is(target.endOffset, 2)
  assert.ok(segment.writtenBytes > 0)
})

test('what the journal has of a log does not go to another one that says it were that', async () => {
  const world = await withTails()
  const ids = new Map<string, string>()
  const texts = new Map<string, Uint8Array>()
  for (const topic of topics) {
    const bytes = await readFile(world.env.disk, `/data/${topic}-0/partition.metadata`)
    texts.set(topic, bytes ?? new Uint8Array())
    ids.set(topic, /topic_id: (\S+)/.exec(Buffer.from(bytes ?? []).toString())?.[1] ?? '')
  }
  await writeFileAtomic(
    world.env.disk,
    '/data/a-0/partition.metadata',
    texts.get('b') ?? new Uint8Array(),
  )
  const { env, dirConfig, config } = world
  const dir = await LogDir.open({ env, path: '/data', nodeId: 1, config: dirConfig })
  await dir.loadLogs(
    () => config,
    (topic) => ids.get(topic) ?? null,
  )
  const endOf = (topic: string) => dir.logOf({ topic, partition: 0 })?.logEndOffset
  assert.equal([endOf('a'), endOf('b'), endOf('c')], [20, 30, 30])
  await dir.close()
})

test('a hole at the end of a journal file is not read through', async () => {
  const world = await withTails()
  const { disk } = world.env
  const open = disk.open.bind(disk)
  let reads = 0
  disk.open = async (path, mode) => {
    const file = await open(path, mode)
    if (!path.endsWith('.journal')) return file
    return {
      ...file,
      size: async () => 2 ** 40,
      readAt: async (target, position) => {
        reads++
        const count = await file.readAt(target, position)
        return position < 2 ** 20 ? Math.max(count, target.fill(0, count).length) : target.length
      },
    }
  }
  await world.open()
  await world.verify('with a hole')
  assert.ok(reads < 10_000, `${reads} reads`)
})

test('a file of the journal in the place of kept records takes the log offline, not the broker', async () => {
  const world = await withTails()
  const segment = '/data/a-0/00000000000000000000.log'
  const bytes = (await readFile(world.env.disk, segment)) ?? new Uint8Array()
  await writeFileAtomic(world.env.disk, segment, bytes.with(100, 1))
  const [journal = new Uint8Array()] = [...(await world.journalFiles()).values()]
  await world.open()
  const [rest] = await restsIn(world.env.disk, '/data/a-0')
  assert.ok(rest !== undefined && world.log('a').failure !== null)
  await world.dir.close()
  await writeFileAtomic(world.env.disk, segment, bytes)
  await writeFileAtomic(world.env.disk, rest?.path ?? '', journal)
  await world.open()
  assert.match(world.log('a').failure?.message ?? '', /the journal is damaged/)
  assert.is(world.log('b').failure, null)
})

test('a log whose directory is gone is told before the checkpoints forget it', async () => {
  for (const step of [5, 20, 40, 80]) {
    const told: string[] = []
    const world = await withTails()
    await world.env.disk.remove('/data/a-0')
    await world.env.disk.syncDir('/data')
    const note = (event: string) => void told.push(event)
    const env = { ...world.env, log: { error: note, warn: note, info() {}, debug() {} } }
    const { dirConfig: config } = world
    const start = async () => {
      const dir = await LogDir.open({ env, path: '/data', nodeId: 1, config })
      await dir.loadLogs(
        () => world.config,
        () => 'AAAAAAAAAAAAAAAAAAAAAQ',
      )
    }
    let left = step
    env.disk.beforeEach = () => (left-- > 0 ? undefined : new Promise(() => {}))
    void start()
    for (let turn = 0; turn < 50; turn++) await env.clock.settle()
    env.disk.beforeEach = () => {}
    env.disk.crash((_, current) => current)
    await start()
    assert.ok(told.includes('log.missing'), `after ${step} operations: ${told.join()}`)
  }
})
