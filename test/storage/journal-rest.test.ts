import { readFile, writeFileAtomic } from '../../lib/io/disk.ts'
import { nativeError } from '../../lib/io/memory/disk.ts'
import { restsIn } from '../../lib/storage/journal/journal-rest.ts'
import { parseSegmentFileName } from '../../lib/storage/segment-files.ts'
import { assert, suite } from '../support/suite.ts'
import { JournalWorld, keeps } from './support/journal-world.ts'

const test = suite('storage/journal-rest')

const topics = ['a', 'b', 'c', 'd', 'e', 'f']
const others = topics.slice(1)
const directory = '/data/a-0'
const isSegment = (path: string) => path.endsWith('.log')

/** Records of all logs that stand in the journal alone, after a checkpoint of older ones. */
async function withTails(): Promise<JournalWorld> {
  // No segment is closed, and synced, meanwhile.
  const world = new JournalWorld({ 'internal.segment.bytes': 1_000_000 })
  await world.open(topics)
  for (let round = 0; round < 20; round++) await world.round(`warm ${round}`)
  await world.dir.commits.checkpoint()
  await world.env.clock.advance(6_000)
  for (let round = 0; round < 10; round++) await world.round(`journal ${round}`)
  assert.ok(world.log('a').recoveryPoint <= 20, `recovery point ${world.log('a').recoveryPoint}`)
  return world
}

/** From now on no segment of that log can be synced: the disk is full. */
function failSegmentSyncs(world: JournalWorld, name: string): void {
  const path = world.log(name).directory
  world.hinders = (operation, file) =>
    operation === 'sync' && isSegment(file) && file.startsWith(path)
      ? nativeError('ENOSPC', operation, file)
      : undefined
}

/** The journal goes round, so that nothing of what it held before is left in it. */
async function goRound(world: JournalWorld, name: string): Promise<void> {
  const journal = async () => [...(await world.journalFiles()).keys()]
  const before = await journal()
  for (let round = 0; round < 300; round++) {
    await world.round(`${name} ${round}`, others)
    if (round % 5 === 0) await world.dir.commits.checkpoint()
    if (round % 20 === 0 && (await journal()).every((path) => !before.includes(path))) return
  }
  throw new Error(`the journal did not go round: ${before.join()}`)
}

/** The segment that holds the recovery point. */
async function segmentPath(world: JournalWorld): Promise<string> {
  let found = ''
  for (const { name } of await world.env.disk.list(directory)) {
    const parsed = parseSegmentFileName(name)
    if (parsed?.suffix === '.log' && parsed.baseOffset < 20) found = `${directory}/${name}`
  }
  return found
}

async function bytesOf(world: JournalWorld, path: string): Promise<Buffer> {
  return Buffer.from((await readFile(world.env.disk, path)) ?? [])
}

/** Damages the log; gives what repairs it. */
type Damage = (world: JournalWorld) => Promise<() => Promise<void>>

function replaced(
  pathIn: (world: JournalWorld) => Promise<string>,
  change: (bytes: Buffer) => Buffer,
): Damage {
  return async (world) => {
    const path = await pathIn(world)
    const bytes = await bytesOf(world, path)
    await writeFileAtomic(world.env.disk, path, change(Buffer.from(bytes)))
    return () => writeFileAtomic(world.env.disk, path, bytes)
  }
}

function flipped(bytes: Buffer): Buffer {
  bytes[100] = (bytes[100] ?? 0) ^ 0x10
  return bytes
}

const turnBit: Damage = replaced(segmentPath, flipped)
const damages: Record<string, Damage> = {
  'a bit turned over': turnBit,
  'a segment cut short': replaced(segmentPath, (bytes) => bytes.subarray(0, 50)),
  'no segment left': async (world) => {
    const kept = new Map<string, Buffer>()
    for (const { name } of await world.env.disk.list(directory)) {
      if (!isSegment(name)) continue
      kept.set(`${directory}/${name}`, await bytesOf(world, `${directory}/${name}`))
      await world.env.disk.remove(`${directory}/${name}`)
    }
    return async () => {
      for (const [path, bytes] of kept) await writeFileAtomic(world.env.disk, path, bytes)
    }
  },
  'a topic id that cannot be read': replaced(
    () => Promise.resolve(`${directory}/partition.metadata`),
    (bytes) => bytes.fill(7),
  ),
}

/** How the broker stops between two starts. */
const stops: Record<string, (world: JournalWorld) => Promise<unknown>> = {
  'a crash': (world) => world.crash(),
  'a stop': async (world) => {
    await world.dir.close()
    await world.open()
  },
}

for (const [what, damage] of Object.entries(damages)) {
  for (const [how, stop] of Object.entries(stops)) {
    test(`what the journal alone held of a damaged log comes back with it: ${what}, ${how}`, async () => {
      const world = await withTails()
      world.cut((durable) => durable)
      const repair = await damage(world)
      await world.open()
      for (let start = 0; start < 2; start++) {
        assert.ok(world.log('a').failure !== null, `offline at start ${start}`)
        await goRound(world, `start ${start}`)
        await stop(world)
      }
      world.cut((durable) => durable)
      await repair()
      await world.open()
      await world.verify('repaired')
      assert.is((await world.values('a')).length, 30)
      assert.equal(await restsIn(world.env.disk, directory), [])
      await world.truncate('a', 25)
      await world.round('after')
      await world.env.clock.advance(6_000)
      await world.crash()
      await world.verify('after a cut and a crash')
    })
  }
}

test('a start that keeps what the journal has of a damaged log may die at any moment', async () => {
  for (const [name, keepOf] of Object.entries(keeps)) {
    for (let step = 0; step < 90; step += 7) {
      const world = await withTails()
      world.cut((durable) => durable)
      const repair = await turnBit(world)
      const at = world.operations + step
      world.diesBefore = () => world.operations > at
      await world.untilDeath(async () => void (await world.open()))
      await world.crash(keepOf(world))
      await goRound(world, 'after')
      world.cut((durable) => durable)
      await repair()
      const next = world.operations + step
      world.diesBefore = () => world.operations > next
      await world.untilDeath(async () => void (await world.open()))
      await world.crash(keepOf(world))
      await world.verify(`operation ${step}, ${name} kept`)
    }
  }
})

test('what was kept of a damaged log goes with it when it is deleted', async () => {
  const world = await withTails()
  world.cut((durable) => durable)
  await turnBit(world)
  await world.open()
  await world.recreate('a', world.log('a').topicId ?? undefined)
  await world.env.clock.advance(6_000)
  await world.crash()
  assert.is(world.log('a').logEndOffset, 0)
  await world.round('anew')
  await world.crash()
  await world.verify('made anew')
})

test('a log whose kept records are damaged too stays offline', async () => {
  for (const at of [0, 0.3, 0.6, 0.95]) {
    const world = await withTails()
    world.cut((durable) => durable)
    const repair = await turnBit(world)
    await world.open()
    await goRound(world, 'on')
    world.cut((durable) => durable)
    await repair()
    const [rest] = await restsIn(world.env.disk, directory)
    assert.ok(rest !== undefined)
    if (rest === undefined) return
    const whole = await bytesOf(world, rest.path)
    const rotten = Buffer.from(whole)
    const used = rotten.findLastIndex((byte) => byte !== 0)
    const position = Math.floor(at * used)
    rotten[position] = (rotten[position] ?? 0) ^ 1
    await writeFileAtomic(world.env.disk, rest.path, rotten)
    for (let start = 0; start < 2; start++) {
      await world.open()
      assert.match(world.log('a').failure?.message ?? '', /journal/)
      world.cut((durable) => durable)
    }
    await writeFileAtomic(world.env.disk, rest.path, whole)
    await world.open()
    await world.verify(`damage at byte ${position} repaired`)
  }
})

test('records that were kept are not put behind those of a later leader', async () => {
  const world = await withTails()
  world.cut((durable) => durable)
  const repair = await turnBit(world)
  await world.open()
  world.cut((durable) => durable)
  await repair()
  // Somebody else took the log up in a later epoch.
  await writeFileAtomic(
    world.env.disk,
    `${directory}/leader-epoch-checkpoint`,
    Buffer.from('0\n2\n0 0\n5 10\n'),
  )
  await world.open()
  assert.match(world.log('a').failure?.message ?? '', /leader epoch 5/)
})

test('names of kept records are no name of Kafka', async () => {
  const world = await withTails()
  world.cut((durable) => durable)
  await turnBit(world)
  await world.open()
  const [rest] = await restsIn(world.env.disk, directory)
  const name = rest?.path.slice(directory.length + 1) ?? ''
  assert.match(name, /^00000000000000000030\.[\w-]{22}\.journal-rest$/)
  assert.is(parseSegmentFileName(name), null)
})

test('a log whose sync failed for lack of space is not left behind by a clean stop', async () => {
  const world = await withTails()
  failSegmentSyncs(world, 'a')
  await world.dir.commits.checkpoint()
  assert.ok(world.log('a').failure !== null, 'the log is offline')
  assert.is(world.dir.failure, null)
  await world.dir.close()
  await world.crash()
  await world.verify('after the stop')
})

test('nor is a log that is offline for another reason', async () => {
  const world = await withTails()
  world.log('a').goOffline(new Error('its files are half renamed'))
  await world.dir.close()
  await world.crash()
  await world.verify('after the stop')
})

test('the journal keeps what a log that went offline by itself did not sync', async () => {
  const world = await withTails()
  failSegmentSyncs(world, 'a')
  for (let round = 0; round < 300; round++) {
    await world.round(`round ${round}`, others)
    if (round % 10 === 0) await world.dir.commits.checkpoint()
  }
  await world.crash()
  await world.verify('after the crash')
})
