import { LockedError, readFile, writeFileAtomic } from '../../lib/io/disk.ts'
import { nativeError } from '../../lib/io/memory/disk.ts'
import { type MemoryEnv, memoryEnv } from '../../lib/io/memory/env.ts'
import { logConfigWith } from '../../lib/storage/log-config.ts'
import { DataDirectoryError, LogDir } from '../../lib/storage/log-dir.ts'
import { assert, rejection, suite } from '../support/suite.ts'
import { batchOf, Scenario, topicPartition } from './support/scenario.ts'

const test = suite('log-dir')

const config = {
  'log.retention.check.interval.ms': 300_000,
  'ottla.disk.floor.bytes': 0,
  'producer.id.expiration.ms': 86_400_000,
}
const mark = '/data/.kafka_cleanshutdown'
const id = 'rHhEuM_rRum3h5MzkJsVrw'

/** Every file under a directory with its content. */
async function snapshotOf({ disk }: MemoryEnv, path: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for (const { name, kind } of await disk.list(path)) {
    const at = `${path}/${name}`
    if (kind === 'directory') Object.assign(files, await snapshotOf({ disk } as MemoryEnv, at))
    else files[at] = Buffer.from((await readFile(disk, at)) ?? []).toString('hex')
  }
  return files
}

const ours = 'version=1\ncluster.id=c1\nnode.id=1\ndirectory.id=d\nottla.format=1\n'
const ownership: [string, Record<string, string>, RegExp | null][] = [
  ['empty', {}, null],
  [
    'with an embedded store and a lock',
    { 'metadata/log': 'x', '.lock': '1', 'broker.json': '{}' },
    null,
  ],
  ['half formatted', { 'meta.properties.tmp': 'version=1' }, null],
  ['ours', { 'meta.properties': ours }, null],
  [
    'of another node',
    { 'meta.properties': ours.replace('node.id=1', 'node.id=2') },
    /belongs to node 2/,
  ],
  ['of another cluster', { 'meta.properties': ours.replace('c1', 'c2') }, /belongs to cluster c2/],
  [
    'with files of something else',
    { 'thesis.doc': 'x', 'b/c': 'y' },
    /2 other entries \(b, thesis.doc\)/,
  ],
  [
    'with partitions and no meta.properties',
    { 'a-0/partition.metadata': 'x' },
    /no meta.properties/,
  ],
  ['with an unreadable meta.properties', { 'meta.properties': '\0\0' }, /cannot be read/],
  ['of ZooKeeper times', { 'meta.properties': 'version=0\nbroker.id=1\n' }, /version 0/],
  ['of Kafka', { 'meta.properties': ours.replace('ottla.format=1\n', '') }, /--adopt/],
]

for (const [what, files, refusal] of ownership) {
  test(`a directory ${what} is ${refusal ? 'refused, untouched' : 'used'}`, async () => {
    const env = memoryEnv()
    await env.disk.mkdir('/data')
    for (const [name, text] of Object.entries(files)) {
      await env.disk.mkdir(`/data/${name}`.slice(0, `/data/${name}`.lastIndexOf('/')))
      await writeFileAtomic(env.disk, `/data/${name}`, Buffer.from(text))
    }
    const before = await snapshotOf(env, '/data')
    const opening = LogDir.open({ env, path: '/data', nodeId: 1, clusterId: 'c1', config })
    if (refusal === null) {
      const dir = await opening
      assert.is(dir.clusterId, 'c1')
      await dir.close()
      return
    }
    const error = await rejection(opening)
    assert.ok(error instanceof DataDirectoryError)
    assert.match(error.message, refusal)
    assert.equal(await snapshotOf(env, '/data'), before)
    // And the lock is free again.
    await (await env.disk.lock('/data')).release()
  })
}

test('a directory of Kafka that was not stopped cleanly is not adopted', async () => {
  const env = memoryEnv()
  await env.disk.mkdir('/data')
  await writeFileAtomic(
    env.disk,
    '/data/meta.properties',
    Buffer.from(ours.replace('ottla.format=1\n', '')),
  )
  const error = await rejection(LogDir.open({ env, path: '/data', nodeId: 1, config, adopt: true }))
  assert.match(error.message, /not stopped cleanly/)
})

test('two brokers cannot hold one directory', async () => {
  const scenario = await new Scenario().open()
  const error = await rejection(
    LogDir.open({ env: scenario.env, path: '/data', nodeId: 1, config }),
  )
  assert.ok(error instanceof LockedError)
})

test('a partition directory that is a symbolic link is refused', async () => {
  const scenario = await new Scenario().open()
  await scenario.append()
  await scenario.close()
  const { disk } = scenario.env
  const list = disk.list.bind(disk)
  disk.list = async (path) =>
    (await list(path)).map((entry) =>
      entry.name === 'events-0' ? { ...entry, kind: 'other' as const } : entry,
    )
  const dir = await LogDir.open({ env: scenario.env, path: '/data', nodeId: 1, config })
  const error = await rejection(dir.loadLogs(() => scenario.config))
  assert.match(error.message, /events-0 is a symbolic link/)
  assert.ok((await readFile(disk, mark)) !== null)
})

test('ids are made once and stay', async () => {
  const scenario = await new Scenario().open()
  const { clusterId, directoryId } = scenario.dir
  assert.match(clusterId, /^[A-Za-z0-9_-]{22}$/)
  const { topicId } = scenario.log
  await scenario.reopen()
  assert.equal(
    [scenario.dir.clusterId, scenario.dir.directoryId, scenario.log.topicId],
    [clusterId, directoryId, topicId],
  )
  await scenario.crash()
  assert.is(scenario.dir.clusterId, clusterId)
})

test('the clean mark is there only between a clean stop and the next loading', async () => {
  const scenario = await new Scenario().open()
  const { disk } = scenario.env
  await scenario.append()
  assert.is(await readFile(disk, mark), null)
  await scenario.close()
  assert.is(
    Buffer.from((await readFile(disk, mark)) ?? []).toString(),
    '{"version":0,"brokerEpoch":-1}',
  )
  // Opened and closed again without loading: nothing was changed.
  const dir = await LogDir.open({ env: scenario.env, path: '/data', nodeId: 1, config })
  assert.is(dir.isClean, true)
  await dir.close()
  assert.ok((await readFile(disk, mark)) !== null)
})

test('a crash at any operation of a start after a clean stop is an unclean stop (KAFKA-10471)', async () => {
  for (let failAt = 1; failAt < 100; failAt++) {
    const scenario = await new Scenario({ 'internal.segment.bytes': 300 }).open()
    for (let n = 0; n < 6; n++)
      await scenario.append({ values: [`v${n}`], producerId: 1, baseSequence: n })
    await scenario.close()
    let count = 0
    let isLoading = false
    scenario.env.disk.beforeEach = () => {
      if (++count >= failAt) throw new Error('killed')
    }
    const opening = LogDir.open({ env: scenario.env, path: '/data', nodeId: 1, config })
    await opening
      .then(async (dir) => {
        isLoading = true
        await dir.loadLogs(() => scenario.config)
      })
      .catch(() => {})
    const isDone = count < failAt
    scenario.env.disk.beforeEach = () => {}
    await scenario.crash((_, current) => current)
    if (isLoading && isDone) assert.is(scenario.dir.isClean, false)
    assert.equal(await scenario.texts(), ['0:v0', '1:v1', '2:v2', '3:v3', '4:v4', '5:v5'])
    const again = scenario.log.append(batchOf({ values: ['v2'], producerId: 1, baseSequence: 2 }), {
      leaderEpoch: 0,
    })
    assert.equal([again.isDuplicate, again.baseOffset], [true, 2])
    if (isDone) {
      assert.ok(failAt > 10)
      return
    }
  }
})

test('a new log appears whole or not at all, and cannot be made twice', async () => {
  for (let failAt = 1; failAt < 40; failAt++) {
    const scenario = new Scenario()
    const dir = await LogDir.open({ env: scenario.env, path: '/data', nodeId: 1, config })
    await dir.loadLogs(() => scenario.config)
    let count = 0
    scenario.env.disk.beforeEach = () => {
      if (++count >= failAt) throw new Error('killed')
    }
    const made = await dir.create(topicPartition, id, scenario.config).catch(() => null)
    scenario.env.disk.beforeEach = () => {}
    scenario.env.disk.crash((_, current) => current)
    const again = await LogDir.open({ env: scenario.env, path: '/data', nodeId: 1, config })
    const logs = await again.loadLogs(() => scenario.config)
    assert.ok(logs.every((log) => log.topicId === id && log.failure === null))
    if (made !== null) {
      assert.is(logs.length, 1)
      assert.is(
        (await rejection(again.create(topicPartition, id, scenario.config))).name,
        'TOPIC_ALREADY_EXISTS',
      )
      return
    }
  }
  assert.unreachable()
})

test('a removed log is gone at once, its files after the delay, also over a restart', async () => {
  const scenario = await new Scenario({ 'file.delete.delay.ms': 1000 }).open()
  const { env, dir } = scenario
  await scenario.append()
  const reading = scenario.log.read(0, { maxBytes: 10, minOneBatch: true, endOffset: 1 })
  await dir.remove(scenario.log)
  await reading.then((read) => read.release()).catch(() => {})
  assert.is(dir.logOf(topicPartition), undefined)
  assert.is(
    (await rejection(scenario.log.read(0, { maxBytes: 1, minOneBatch: true, endOffset: 1 }))).name,
    'KAFKA_STORAGE_ERROR',
  )
  const directories = async () =>
    (await env.disk.list('/data'))
      .filter(({ kind }) => kind === 'directory')
      .map(({ name }) => name)
  assert.match((await directories()).join(), /^events-0\.[0-9a-f]{32}-delete$/)
  const fresh = await dir.create(topicPartition, id, scenario.config)
  assert.is(fresh.logEndOffset, 0)
  await env.clock.advance(1000)
  assert.equal(await directories(), ['events-0'])
  await dir.remove(fresh)
  await dir.close()
  await scenario.open()
  assert.is((await directories()).length, 2)
  await env.clock.advance(60_000)
  assert.equal(await directories(), ['events-0'])
  assert.is(dir.failure, null)
})

test('a log that belongs to no topic is set aside, and left alone ever after', async () => {
  const scenario = await new Scenario().open()
  await scenario.append()
  await scenario.dir.setAside(scenario.log)
  await scenario.dir.close()
  await scenario.open()
  await scenario.env.clock.advance(200_000)
  const stray = (await scenario.env.disk.list('/data')).find(({ name }) => name.endsWith('-stray'))
  assert.ok(stray)
  assert.ok(await readFile(scenario.env.disk, `/data/${stray?.name}/00000000000000000000.log`))
})

test('high watermarks are checkpointed every five seconds and at close', async () => {
  const scenario = await new Scenario().open()
  for (let n = 0; n < 3; n++) await scenario.append()
  await scenario.env.clock.advance(5000)
  await scenario.crash()
  assert.is(scenario.dir.highWatermarkOf(topicPartition), 3)
  await scenario.append()
  await scenario.reopen()
  assert.is(scenario.dir.highWatermarkOf(topicPartition), 4)
  assert.is(scenario.dir.highWatermarkOf({ topic: 'other', partition: 0 }), 0)
})

const dayMs = 86_400_000

test('retention by time drops whole segments, by their largest record time, also the active one', async () => {
  const scenario = await new Scenario({
    'internal.segment.bytes': 150,
    'retention.ms': dayMs,
    'file.delete.delay.ms': 1000,
  }).open()
  const { env, log } = scenario
  const now = env.clock.nowMs()
  for (const age of [3, 2, 1.5, 0.5]) {
    await scenario.append({ timestamp: now - age * dayMs, values: ['x'.repeat(30)] })
  }
  assert.is(log.segments.length, 4)
  scenario.highWatermark = 2
  await env.clock.advance(30_000)
  assert.is(log.logStartOffset, 2)
  scenario.highWatermark = null
  await env.clock.advance(300_000)
  assert.is(log.logStartOffset, 3)
  assert.equal(await scenario.texts(), [`3:${'x'.repeat(30)}`])
  env.clock.jumpWall(dayMs)
  await scenario.dir.retain()
  await env.clock.advance(1000)
  assert.is(log.logStartOffset, 4)
  assert.is(log.logEndOffset, 4)
  const names = (await env.disk.list('/data/events-0')).map(({ name }) => name)
  assert.equal(
    names.filter((name) => name.endsWith('.log')),
    ['00000000000000000004.log'],
  )
  await scenario.append()
  await scenario.crash()
  assert.equal(await scenario.texts(), ['4:v'])
})

test('records from the future keep their segment', async () => {
  const scenario = await new Scenario({
    'retention.ms': dayMs,
    'message.timestamp.after.max.ms': 2 ** 63,
  }).open()
  await scenario.append({ timestamp: scenario.env.clock.nowMs() + 10 * dayMs })
  scenario.env.clock.jumpWall(9 * dayMs)
  await scenario.dir.retain()
  assert.is(scenario.log.logStartOffset, 0)
  scenario.env.clock.jumpWall(3 * dayMs)
  await scenario.dir.retain()
  assert.is(scenario.log.logStartOffset, 1)
})

test('retention by size keeps at least that much', async () => {
  const scenario = await new Scenario({
    'internal.segment.bytes': 150,
    'retention.bytes': 250,
  }).open()
  for (let n = 0; n < 6; n++) await scenario.append({ values: ['x'.repeat(30)] })
  const segmentBytes = scenario.log.sizeBytes / 6
  await scenario.dir.retain()
  assert.is(scenario.log.segments.length, Math.ceil(250 / segmentBytes))
})

test('deleted records stay deleted over a crash, and their segments go', async () => {
  const scenario = await new Scenario({ 'internal.segment.bytes': 150 }).open()
  for (let n = 0; n < 6; n++) await scenario.append({ values: ['x'.repeat(30)] })
  await scenario.log.advanceLogStart(3)
  await scenario.crash()
  assert.is(scenario.log.logStartOffset, 3)
  const options = { maxBytes: 1, minOneBatch: true, endOffset: 6 }
  assert.is((await rejection(scenario.log.read(2, options))).name, 'OFFSET_OUT_OF_RANGE')
  assert.is((await rejection(scenario.log.advanceLogStart(7))).name, 'OFFSET_OUT_OF_RANGE')
  await scenario.dir.retain()
  assert.is(scenario.log.segments.length, 3)
  await scenario.log.advanceLogStart(6)
  await scenario.reopen()
  assert.equal([scenario.log.logStartOffset, scenario.log.logEndOffset], [6, 6])
  await scenario.append()
  assert.equal(await scenario.texts(), ['6:v'])
})

test('reads under way end well while their segments are dropped and removed', async () => {
  const scenario = await new Scenario({
    'internal.segment.bytes': 150,
    'file.delete.delay.ms': 0,
    'retention.bytes': 0,
  }).open()
  for (let n = 0; n < 30; n++) await scenario.append({ values: ['x'.repeat(30)] })
  const reads = Array.from({ length: 30 }, (_, offset) =>
    scenario.log
      .read(offset, { maxBytes: 1, minOneBatch: true, endOffset: 30 })
      .then((read) => {
        assert.ok(read.sizeBytes > 0)
        read.release()
        return 'read'
      })
      .catch((error: Error) => error.name),
  )
  await scenario.dir.retain()
  await scenario.env.clock.advance(1)
  for (const outcome of await Promise.all(reads)) {
    assert.ok(outcome === 'read' || outcome === 'OFFSET_OUT_OF_RANGE', outcome)
  }
  assert.is(scenario.dir.failure, null)
  assert.is(scenario.log.logStartOffset, 30)
})

test('producers are forgotten after the expiration time', async () => {
  const scenario = await new Scenario().open()
  await scenario.append({ producerId: 4, baseSequence: 0 })
  scenario.env.clock.jumpWall(86_000_000)
  await scenario.dir.retain()
  assert.ok(scenario.log.producers.get(4))
  scenario.env.clock.jumpWall(800_000)
  await scenario.dir.retain()
  assert.is(scenario.log.producers.get(4), undefined)
})

test('below the disk floor appends are refused and reads go on, until there is half as much more', async () => {
  const scenario = await new Scenario({}, memoryEnv({ disk: { capacityBytes: 1_000_000 } })).open()
  const { env, dir, log } = scenario
  await scenario.append()
  dir.setConfig({ ...config, 'ottla.disk.floor.bytes': 100_000 })
  const setFree = async (bytes: number) => {
    env.disk.capacityBytes = env.disk.usedBytes + bytes
    await env.clock.advance(3000)
  }
  await setFree(99_999)
  assert.throws(
    () => log.append(batchOf(), { leaderEpoch: 0 }),
    (error: Error) => error.name === 'KAFKA_STORAGE_ERROR',
  )
  assert.equal(await scenario.texts(), ['0:v'])
  await setFree(149_999)
  assert.match(dir.refusal ?? '', /ottla.disk.floor.bytes/)
  await setFree(150_001)
  assert.is(dir.refusal, null)
  await scenario.append()
  assert.is(log.logEndOffset, 2)
})

test('a log start that a full disk did not take is refused again and again, until it is saved', async () => {
  const scenario = await new Scenario().open()
  const { env, log } = scenario
  for (let n = 0; n < 3; n++) await scenario.append()
  env.disk.beforeEach = (operation, path) => {
    if (operation === 'write' && path.includes('log-start'))
      throw nativeError('ENOSPC', 'write', path)
  }
  for (let attempt = 0; attempt < 2; attempt++) {
    const error = await rejection(log.advanceLogStart(2))
    assert.is(error.name, 'KAFKA_STORAGE_ERROR')
    assert.match(error.message, /ENOSPC/)
  }
  assert.is(log.failure, null)
  env.disk.beforeEach = () => {}
  await log.advanceLogStart(2)
  await scenario.crash()
  assert.is(scenario.log.logStartOffset, 2)
})

test('a full disk stops appends; once there is space the log goes on where it was', async () => {
  const scenario = await new Scenario().open()
  const { env, dir, log } = scenario
  await scenario.append({ producerId: 1, baseSequence: 0 })
  let isFull = true
  env.disk.beforeEach = (operation, path) => {
    if (isFull && operation === 'write' && path.endsWith('.log'))
      throw nativeError('ENOSPC', 'write', path)
  }
  const batch = () => batchOf({ values: ['second'], producerId: 1, baseSequence: 1 })
  const failed = log.append(batch(), { leaderEpoch: 0 })
  assert.is((await rejection(failed.written)).name, 'KAFKA_STORAGE_ERROR')
  assert.throws(() => log.append(batch(), { leaderEpoch: 0 }), /full/)
  assert.equal(await scenario.texts(), ['0:v'])
  assert.is(dir.failure, null)
  isFull = false
  await env.clock.advance(3000)
  assert.is(log.isFull, false)
  const info = log.append(batch(), { leaderEpoch: 0 })
  assert.equal([info.isDuplicate, info.baseOffset], [false, 1])
  await info.written
  await log.sync()
  await scenario.crash()
  assert.equal(await scenario.texts(), ['0:v', '1:second'])
})

test('a damaged log does not stop the others, and is still damaged after a stop', async () => {
  const scenario = await new Scenario().open()
  await scenario.append()
  const other = await scenario.dir.create({ topic: 'other', partition: 3 }, id, logConfigWith())
  await other.append(batchOf(), { leaderEpoch: 0 }).written
  await scenario.env.clock.advance(5000)
  scenario.env.disk.crash()
  const { disk } = scenario.env
  const path = '/data/events-0/00000000000000000000.log'
  const bytes = Buffer.from((await readFile(disk, path)) ?? [])
  bytes[65] = (bytes[65] ?? 0) ^ 1
  await writeFileAtomic(disk, path, bytes)
  for (let start = 0; start < 3; start++) {
    await scenario.open()
    assert.match(scenario.log.failure?.message ?? '', /damage/)
    assert.is(scenario.dir.logOf({ topic: 'other', partition: 3 })?.failure, null)
    assert.is(scenario.dir.failure, null)
    await scenario.close()
  }
})

test('a log whose directory only the page cache knew is on the disk after the next start', async () => {
  const scenario = await new Scenario().open()
  const { disk, clock } = scenario.env
  // Killed between the renaming of a new log's directory and the sync of the one above.
  disk.beforeEach = (operation, path) =>
    operation === 'syncDir' && path === '/data' ? new Promise(() => {}) : undefined
  const other = { topic: 'other', partition: 0 }
  const id = scenario.log.topicId ?? ''
  void scenario.dir.create(other, id, scenario.config)
  await clock.settle()
  disk.beforeEach = () => {}
  disk.killProcess()
  await scenario.open()
  const log = scenario.dir.logOf(other)
  assert.ok(log)
  await log?.append(batchOf(), { leaderEpoch: 0 }).written
  await log?.sync()
  await scenario.crash()
  assert.is(scenario.dir.logOf(other)?.logEndOffset, 1)
})

test('a start that fails while the logs are loaded leaves no clean mark', async () => {
  const scenario = await new Scenario().open()
  await scenario.append()
  const { disk } = scenario.env
  disk.killProcess()
  disk.beforeEach = (operation) => {
    if (operation === 'syncDir') throw Object.assign(new Error('EIO'), { code: 'EIO' })
  }
  const config = {
    'log.retention.check.interval.ms': 300_000,
    'ottla.disk.floor.bytes': 0,
    'producer.id.expiration.ms': 86_400_000,
  }
  const dir = await LogDir.open({ env: scenario.env, path: '/data', nodeId: 1, config })
  await rejection(dir.loadLogs(() => scenario.config))
  disk.beforeEach = () => {}
  await dir.close()
  await scenario.open()
  assert.is(scenario.dir.isClean, false)
})

test('a log that has space again is cut once, however often space is seen', async () => {
  const scenario = await new Scenario().open()
  const { disk } = scenario.env
  await scenario.append()
  disk.beforeEach = (operation, path) => {
    if (operation === 'write' && path.endsWith('.log')) throw nativeError('ENOSPC', 'write', path)
  }
  await rejection(scenario.append())
  let release = () => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  let cuts = 0
  disk.beforeEach = (operation, path) => {
    const isCut = operation === 'truncate' && path.endsWith('.log')
    return isCut && ++cuts > 1 ? held : undefined
  }
  const [first, second] = [scenario.log.resume(), scenario.log.resume()]
  await first
  await scenario.append({ values: ['after'] })
  release()
  await second
  assert.equal(await scenario.texts(), ['0:v', '1:after'])
  assert.is(scenario.log.logEndOffset, 2)
})

test('a log that has space again is cut at its end, also when a header before it is rotten', async () => {
  const scenario = await new Scenario().open()
  const { disk } = scenario.env
  for (const value of ['a', 'b', 'c']) await scenario.append({ values: [value] })
  const path = `${scenario.log.directory}/00000000000000000000.log`
  const size = disk.file(path)?.size ?? 0
  disk.beforeEach = (operation, at) => {
    if (operation === 'write' && at.endsWith('.log')) throw nativeError('ENOSPC', 'write', at)
  }
  await rejection(scenario.append())
  disk.beforeEach = () => {}
  // The second batch says that it reaches far beyond the third.
  disk.file(path)?.rot(size / 3 + 24, 1)
  await scenario.log.resume()
  assert.is(disk.file(path)?.size, size)
})

test('the files of a dropped segment are removed under their marked names: a topic made anew keeps its own', async () => {
  const scenario = await new Scenario({ 'internal.segment.bytes': 200 }).open()
  for (let n = 0; n < 6; n++) await scenario.append({ values: [`v${n}`] })
  await scenario.log.deleteOldest(2)
  await scenario.dir.remove(scenario.log)
  await scenario.dir.create(topicPartition, id, scenario.config)
  await scenario.env.clock.advance(120_000)
  const names = (await scenario.env.disk.list('/data/events-0')).map(({ name }) => name)
  assert.ok(names.includes('00000000000000000000.log'), names.join())
})
