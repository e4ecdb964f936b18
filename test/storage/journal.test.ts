import { randomUuid } from '../../lib/base/uuid.ts'
import { readFile, writeFileAtomic } from '../../lib/io/disk.ts'
import { nativeError } from '../../lib/io/memory/disk.ts'
import {
  blockBytesOf,
  decodeHead,
  encodeBlock,
  type JournalEntry,
} from '../../lib/storage/journal/journal-block.ts'
import { DataDirectoryError } from '../../lib/storage/log-dir.ts'
import { assert, suite } from '../support/suite.ts'
import { JournalWorld, keeps } from './support/journal-world.ts'
import { batchOf } from './support/scenario.ts'

const test = suite('storage/journal')

const topics = ['a', 'b', 'c', 'd']
/** Rounds until the journal is made and used. */
const warmUpRounds = 24

async function warm(world: JournalWorld): Promise<JournalWorld> {
  await world.open(topics)
  for (let round = 0; round < warmUpRounds; round++) await world.round(`warm ${round}`)
  await world.env.clock.settle()
  return world
}

/** What a broker does to its logs, with the journal in use: enough to fill and reuse its files. */
async function work(world: JournalWorld): Promise<void> {
  for (let round = 0; round < 60; round++) {
    await world.round(`round ${round}`)
    // Beside a checkpoint, which must not take for synced what comes after the cut.
    if (round === 10) void world.dir.commits.checkpoint()
    if (round === 10) await world.truncate('a', world.log('a').logEndOffset - 3)
    if (round === 20) await world.deleteRecords('b', world.log('b').logEndOffset - 2)
    if (round === 30) await world.recreate('c')
    if (round === 40) await world.dir.commits.checkpoint()
    if (round === 50) await world.truncate('d', 5)
  }
}

const isJournal = (path: string) => path.includes('/journal/')
const isSegment = (path: string) => path.endsWith('.log')

test('appends of several logs are acknowledged by one sync of the journal', async () => {
  const world = await warm(new JournalWorld())
  const synced: string[] = []
  world.diesBefore = (operation, path) => {
    if (operation === 'sync') synced.push(path)
    return false
  }
  await world.round('x')
  assert.is(synced.filter(isJournal).length, 1, synced.join())
  assert.is(synced.filter(isSegment).length, 0, synced.join())
  await world.crash()
  await world.verify('after the crash')
  assert.is((await world.values('a')).length, warmUpRounds + 1)
})

test('a log alone syncs its own segment', async () => {
  const world = await warm(new JournalWorld())
  const synced: string[] = []
  world.diesBefore = (operation, path) => {
    if (operation === 'sync') synced.push(path)
    return false
  }
  await world.append('a', 'alone')
  assert.is(synced.filter(isJournal).length, 0, synced.join())
  assert.is(synced.filter(isSegment).length, 1, synced.join())
})

test('acknowledged records outlive a power cut before any operation of the disk', async () => {
  const rehearsal = await warm(new JournalWorld())
  const from = rehearsal.operations
  await work(rehearsal)
  const count = rehearsal.operations - from
  for (const [name, keepOf] of Object.entries(keeps)) {
    for (let step = 0; step < count; step += 53) {
      const world = await warm(new JournalWorld())
      const at = world.operations + step
      world.diesBefore = () => world.operations > at
      await world.untilDeath(() => work(world))
      const where = `operation ${step} of ${count}, ${name} kept`
      await world.crash(keepOf(world))
      await world.verify(where)
      await world.round('after')
      await world.verify(`${where}, appended`)
      await world.crash(keepOf(world))
      await world.verify(`${where}, twice`)
    }
  }
})

/** How the process dies, and when: the nth such operation since the journal is in use. */
const deaths: [string, (operation: string, path: string) => boolean, number][] = [
  ['before a segment is written', (operation, path) => operation === 'write' && isSegment(path), 9],
  [
    'before the journal is written',
    (operation, path) => operation === 'write' && isJournal(path),
    5,
  ],
  ['before the journal is synced', (operation, path) => operation === 'sync' && isJournal(path), 5],
  [
    'before a checkpoint syncs a segment',
    (operation, path) => operation === 'sync' && isSegment(path),
    2,
  ],
  [
    'before a journal file is renamed',
    (operation, path) => operation === 'rename' && isJournal(path),
    1,
  ],
  ['before the second rename', (operation, path) => operation === 'rename' && isJournal(path), 2],
  [
    'before that is synced',
    (operation, path) => operation === 'syncDir' && path.endsWith('/journal'),
    1,
  ],
  [
    'before a second such sync',
    (operation, path) => operation === 'syncDir' && path.endsWith('/journal'),
    2,
  ],
  ['before a file is made', (operation, path) => operation === 'open' && isJournal(path), 1],
  ['before a segment is made', (operation, path) => operation === 'open' && isSegment(path), 3],
  [
    'before a closed segment has its snapshot',
    (operation, path) => operation === 'write' && path.includes('snapshot'),
    2,
  ],
]
for (const [when, matches, nth] of deaths) {
  for (const [name, keepOf] of Object.entries(keeps)) {
    test(`a power cut ${when}, ${name} kept: what was acknowledged is there`, async () => {
      const world = await warm(new JournalWorld())
      let seen = 0
      world.diesBefore = (operation, path) => matches(operation, path) && ++seen === nth
      await world.untilDeath(() => work(world))
      assert.ok(world.isDead, `died ${when}`)
      await world.crash(keepOf(world))
      await world.verify(when)
      await world.round('after')
      await world.crash()
      await world.verify('after another')
    })
  }
}

test('a journal file is not used again before its records are synced in their segments', async () => {
  const world = await warm(new JournalWorld())
  world.hinders = (operation, path) =>
    operation === 'sync' && isSegment(path) ? 'hang' : undefined
  const rounds = async () => {
    for (let round = 0; round < 300; round++) await world.round(`round ${round}`)
  }
  void rounds()
  await world.env.clock.settle()
  const end = world.known.get('a')?.acknowledgedEnd ?? 0
  assert.ok(end > warmUpRounds + 20 && end < 300, `appends wait when the journal is full: ${end}`)
  await world.crash()
  await world.verify('after the crash')
})

test('a crash while the journal is replayed changes nothing', async () => {
  for (let step = 0; step < 60; step += 4) {
    const world = await warm(new JournalWorld())
    for (let round = 0; round < 20; round++) await world.round(`round ${round}`)
    world.cut((durable) => durable)
    const at = world.operations + step
    world.diesBefore = () => world.operations > at
    await world.untilDeath(async () => void (await world.open()))
    await world.crash(keeps['some pages']?.(world))
    await world.verify(`operation ${step} of the start`)
  }
})

test('a cut is not undone by a replay, and what was appended after it stays', async () => {
  const world = await warm(new JournalWorld())
  await world.round('one')
  await world.truncate('a', 7)
  await world.crash()
  await world.verify('after the cut')
  assert.is(world.log('a').logEndOffset, 7)
  await world.round('two')
  await world.truncate('a', 5)
  for (let round = 0; round < 20; round++) await world.round(`other ${round}`)
  await world.crash()
  await world.verify('after more appends')
})

test('records of a deleted log do not come back, neither by its name nor by its id', async () => {
  const world = await warm(new JournalWorld())
  const { topicId } = world.log('a')
  await world.recreate('a')
  await world.recreate('b', world.log('b').topicId ?? undefined)
  await world.crash()
  assert.is(world.log('a').logEndOffset, 0)
  assert.is(world.log('b').logEndOffset, 0)
  assert.is.not(world.log('a').topicId, topicId)
  await world.verify('after the crash')
})

test('a log made anew under a name has nothing of the log before it', async () => {
  const world = new JournalWorld()
  await world.open(['a'])
  for (let round = 0; round < 20; round++) await world.round(`old ${round}`)
  await world.env.clock.advance(6_000)
  await world.deleteRecords('a', 15)
  await world.recreate('a')
  for (let round = 0; round < 3; round++) await world.round(`new ${round}`)
  await world.crash()
  await world.verify('after the crash')
})

test('a log that was cut below its recovery point is not taken for damaged', async () => {
  const world = new JournalWorld()
  await world.open(['a'])
  for (let round = 0; round < 20; round++) await world.round(`old ${round}`)
  await world.env.clock.advance(6_000)
  await world.truncate('a', 7)
  await world.round('new')
  await world.crash()
  await world.verify('after the crash')
  assert.is(world.log('a').logEndOffset, 8)
})

test('records below the log start are not missed, and segments are cut where they were', async () => {
  const world = await warm(new JournalWorld())
  for (let round = 0; round < 30; round++) await world.round(`round ${round}`)
  await world.deleteRecords('a', 40)
  await world.log('a').deleteOldest(1)
  const bases = world.log('b').segments.map(({ baseOffset }) => baseOffset)
  assert.ok(bases.length > 1, 'several segments')
  await world.crash()
  await world.verify('after the crash')
  assert.is(world.log('a').logStartOffset, 40)
  assert.equal(
    world.log('b').segments.map(({ baseOffset }) => baseOffset),
    bases,
  )
})

test('a segment that compaction left shorter is no gap before what the journal has', async () => {
  const world = await warm(new JournalWorld())
  for (let round = 0; round < 30; round++) await world.round(`round ${round}`)
  const log = world.log('a')
  await world.dir.commits.checkpoint()
  const [first, second] = log.segments
  assert.ok(first !== undefined && second !== undefined)
  const path = `/data/${log.name}/${String(first?.baseOffset).padStart(20, '0')}.log`
  const bytes = Buffer.from((await readFile(world.env.disk, path)) ?? [])
  const end = log.logEndOffset
  await world.crash()
  world.cut((durable) => durable)
  // All but the first batch.
  await writeFileAtomic(world.env.disk, path, bytes.subarray(0, bytes.readInt32BE(8) + 12))
  await world.env.disk.remove('/data/recovery-point-offset-checkpoint')
  world.config = { ...world.config, 'cleanup.policy': ['compact'] }
  await world.open()
  assert.is(world.log('a').failure, null)
  assert.is(world.log('a').logEndOffset, end)
})

test('a topic that changes its durability loses nothing that was acknowledged', async () => {
  const world = await warm(new JournalWorld())
  const log = world.log('a')
  log.setConfig({ ...world.config, 'ottla.durability': 'replicated' })
  for (let count = 0; count < 5; count++)
    void world.append('a', 'written only', { isSynced: false })
  await world.env.clock.settle()
  assert.ok(log.syncedEndOffset < log.writtenEndOffset, 'not synced')
  log.setConfig(world.config)
  await world.round('durable again')
  await world.crash()
  await world.verify('after the crash')
})

test('the recovery point is what the segments hold, not what the journal does', async () => {
  const world = await warm(new JournalWorld())
  world.hinders = (operation, path) =>
    operation === 'sync' && isSegment(path) ? 'hang' : undefined
  for (let round = 0; round < 5; round++) await world.round(`round ${round}`)
  await world.env.clock.advance(6_000)
  const log = world.log('a')
  assert.ok(log.recoveryPoint < log.syncedEndOffset, `${log.recoveryPoint}`)
  await world.crash()
  await world.verify('after the crash')
})

test('topics that trust the page cache write no journal, and neither does a setting of 0', async () => {
  for (const world of [
    new JournalWorld({ 'ottla.durability': 'replicated' }),
    new JournalWorld({}, { 'ottla.journal.max.bytes': 0 }),
  ]) {
    const touched: string[] = []
    world.diesBefore = (_, path) => {
      if (isJournal(path)) touched.push(path)
      return false
    }
    await warm(world)
    assert.equal(touched, [])
    await world.dir.close()
  }
})

test('a clean stop leaves no journal behind', async () => {
  const world = await warm(new JournalWorld())
  await world.round('last')
  await world.dir.close()
  const names = (await world.env.disk.list('/data')).map(({ name }) => name)
  assert.not.ok(names.includes('journal'), names.join())
  assert.ok(names.includes('.kafka_cleanshutdown'), names.join())
  await world.open()
  await world.verify('after the stop')
})

test('a journal whose sync fails takes the log dir offline, and is not synced again', async () => {
  const world = await warm(new JournalWorld())
  let syncCount = 0
  world.hinders = (operation, path) => {
    if (operation !== 'sync' || !isJournal(path)) return undefined
    syncCount++
    return nativeError('EIO', operation, path)
  }
  void world.round('lost').catch(() => {})
  await world.env.clock.settle()
  assert.ok(world.dir.failure !== null, 'offline')
  assert.throws(() => world.log('a').append(batchOf(), { leaderEpoch: 0 }), /offline/)
  assert.is(syncCount, 1)
  await world.dir.close()
  await world.crash()
  await world.verify('after the crash')
})

test('without room for a journal, segments are synced', async () => {
  const world = new JournalWorld()
  world.hinders = (operation, path) =>
    operation === 'write' && isJournal(path) ? nativeError('ENOSPC', operation, path) : undefined
  await warm(world)
  await world.round('last')
  assert.ok(world.logged.includes('journal.file.failed'), world.logged.join())
  await world.crash()
  await world.verify('after the crash')
  assert.is((await world.values('a')).length, warmUpRounds + 1)
})

test('a journal that cannot be written for lack of space leaves the sync to the segments', async () => {
  const world = await warm(new JournalWorld())
  world.hinders = (operation, path) =>
    operation === 'write' && isJournal(path) ? nativeError('ENOSPC', operation, path) : undefined
  for (let round = 0; round < 5; round++) await world.round(`full ${round}`)
  world.hinders = () => undefined
  for (let round = 0; round < 5; round++) await world.round(`again ${round}`)
  await world.crash()
  await world.verify('after the crash')
  assert.is((await world.values('a')).length, warmUpRounds + 10)
})

test('the journal of another directory is refused', async () => {
  const world = await warm(new JournalWorld())
  const [[path, bytes] = ['', new Uint8Array()]] = await world.journalFiles()
  const other = await warm(new JournalWorld())
  await other.dir.close()
  await other.env.disk.remove('/data/.kafka_cleanshutdown')
  await other.env.disk.remove('/data/meta.properties')
  await other.env.disk.mkdir('/data/journal')
  await writeFileAtomic(
    other.env.disk,
    '/data/meta.properties',
    Buffer.from(
      `version=1\ncluster.id=c\nnode.id=1\ndirectory.id=${randomUuid((count) => new Uint8Array(count).fill(7))}\nottla.format=1\n`,
    ),
  )
  await writeFileAtomic(other.env.disk, path, bytes)
  let error: unknown = null
  await other.open().catch((thrown: unknown) => {
    error = thrown
  })
  assert.instance(error, DataDirectoryError)
})

/** What happens to the bytes of a journal file, from `at` on. */
const damages: Record<string, (bytes: Uint8Array, at: number) => Uint8Array> = {
  'a flipped bit': (bytes, at) => bytes.with(at, (bytes[at] ?? 0) ^ 0x10),
  'a zeroed page': (bytes, at) => bytes.slice().fill(0, at, at + 4096),
  'zeros to the end': (bytes, at) => bytes.slice().fill(0, at),
  'the end cut off': (bytes, at) => bytes.slice(0, at),
  'a page of noise': (bytes, at) =>
    bytes.map((byte, index) => (index >= at && index < at + 4096 ? byte ^ (index * 31) : byte)),
  'a block put in twice': (bytes, at) => {
    const copy = bytes.slice()
    copy.set(bytes.subarray(0, 4096), at - (at % 4096))
    return copy
  },
}

test('a damaged journal is told of: logs are whole, or offline; never a start that fails', async () => {
  const outcomes = { whole: 0, offline: 0, toldShort: 0 }
  for (const [name, damage] of Object.entries(damages)) {
    for (const share of [0, 0.3, 0.62, 0.95]) {
      for (const within of [0, 50, 70, 700]) {
        const world = await warm(new JournalWorld({}, { 'ottla.journal.max.bytes': 65_536 * 8 }))
        world.hinders = (operation, path) =>
          operation === 'sync' && isSegment(path) ? 'hang' : undefined
        for (let round = 0; round < 30; round++) await world.round(`round ${round}`)
        // With 70, segments have it all: only the process died.
        world.cut((durable, current) => (within === 70 ? current : durable))
        const files = [...(await world.journalFiles())]
        const blocks = files.flatMap(([path, bytes]) => blocksOf(path, bytes))
        const [path, at] = blocks[Math.floor(share * blocks.length)] ?? ['', 0]
        const bytes = files.find(([file]) => file === path)?.[1] ?? new Uint8Array()
        await writeFileAtomic(world.env.disk, path, damage(bytes, at + within))
        world.logged.length = 0
        await world.open()
        const first = await outcome(world, name)
        outcomes[first]++
        await world.crash()
        const second = await outcome(world, name)
        if (first === 'offline') assert.is(second, 'offline', `${name} at ${at} + ${within}`)
      }
    }
  }
  assert.ok(outcomes.whole > 10 && outcomes.offline > 10, JSON.stringify(outcomes))
})

test('a block whose payload is no batches takes its log offline, and the others go on', async () => {
  const world = await warm(new JournalWorld())
  await world.round('last')
  const { topicId, logEndOffset } = world.log('a')
  world.cut((durable) => durable)
  const files = [...(await world.journalFiles())]
  const [path, at] = files.flatMap(([file, bytes]) => blocksOf(file, bytes)).at(-1) ?? ['', 0]
  const bytes = Buffer.from(files.find(([file]) => file === path)?.[1] ?? [])
  const head = decodeHead(bytes.subarray(at))
  assert.ok(head !== null && topicId !== null)
  if (head === null || topicId === null) return
  const entry: JournalEntry = {
    topicId,
    partition: 0,
    kind: 'append',
    baseOffset: logEndOffset,
    endOffset: logEndOffset + 1,
    segmentBaseOffset: world.known.size,
    segmentPosition: 0,
    sizeBytes: 100,
  }
  const noise = [new Uint8Array(100).fill(9)]
  const block = Buffer.concat(encodeBlock({ ...head, sequence: head.sequence + 1 }, [entry], noise))
  bytes.set(block, at + blockBytesOf(head.entryCount, head.payloadBytes))
  await writeFileAtomic(world.env.disk, path, bytes)
  await world.open()
  assert.match(world.log('a').failure?.message ?? '', /no batches/)
  assert.is(world.log('b').failure, null)
  assert.is((await world.values('b')).length, warmUpRounds + 1)
})

/** Where blocks begin that count. */
function blocksOf(path: string, bytes: Uint8Array): [string, number][] {
  const found: [string, number][] = []
  const generation = Number(/(\d+)\.journal/.exec(path)?.[1])
  for (let at = 0; at < bytes.length; at += 4096) {
    if (decodeHead(Buffer.from(bytes.slice(at, at + 64)))?.generation === generation) {
      found.push([path, at])
    }
  }
  return found
}

/** Each log is whole up to what was acknowledged, or offline, or shorter with a word about it. */
async function outcome(
  world: JournalWorld,
  damage: string,
): Promise<'whole' | 'offline' | 'toldShort'> {
  let result: 'whole' | 'offline' | 'toldShort' = 'whole'
  for (const [topic, known] of world.known) {
    const log = world.log(topic)
    if (log.failure !== null) {
      result = 'offline'
      continue
    }
    const values = await world.values(topic)
    for (const [offset, value] of values.entries()) assert.is(value, known.values[offset])
    if (log.logEndOffset >= known.acknowledgedEnd) continue
    // A journal with nothing but zeros from some block on is the journal of an earlier moment.
    const isBlank = damage.includes('zero') || damage.includes('cut off')
    const isTold = isBlank || world.logged.some((event) => event.startsWith('journal.'))
    assert.ok(
      isTold,
      `${topic} ends at ${log.logEndOffset} of ${known.acknowledgedEnd}: ${world.logged.join()}`,
    )
    if (result === 'whole') result = 'toldShort'
  }
  return result
}
