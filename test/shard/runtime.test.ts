import { AssertionError } from '../../lib/base/assert.ts'
import { errorName, KafkaError } from '../../lib/base/errors.ts'
import { emptyImage } from '../../lib/metadata/image.ts'
import { batchAt, batchCrc } from '../../lib/record/batch.ts'
import { buildControlBatch } from '../../lib/record/control.ts'
import { assert, suite } from '../support/suite.ts'
import { MemoryLog } from './support/memory-log.ts'
import { add, record, type Sums, SumsWorld, sumOf } from './support/sums.ts'

const test = suite('shard runtime')

/** 'done' or the error's name, as soon as the promise settles; 'waiting' until then. */
function follow(promise: Promise<unknown>): { state: string } {
  const followed = { state: 'waiting' }
  promise.then(
    () => {
      followed.state = 'done'
    },
    (error) => {
      followed.state = error instanceof KafkaError ? errorName(error.code) : String(error)
    },
  )
  return followed
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const followed = follow(promise)
  await promise.catch(() => {})
  return followed.state
}

test('a write is replayed at once, and answered when it is committed', async () => {
  const { world, log } = await SumsWorld.leading()
  log.commitsAtOnce = false
  const committed: number[] = []
  const written = world.runtime.write(
    0,
    add('a', 5, { onCommitted: () => void committed.push(world.shard?.sums.get('a') ?? 0) }),
  )
  const state = follow(written)
  assert.is(world.shard?.sums.get('a'), 5)
  await world.settle()
  assert.is(state.state, 'waiting')
  assert.equal(committed, [])
  log.commit()
  assert.is(await written, 0)
  assert.equal(committed, [5])
})

test('the records of an operation are one batch, with one time and rising offsets', async () => {
  const { world, log } = await SumsWorld.leading()
  await world.runtime.write(0, () => ({
    records: [record('a', 1), record('b', 2), record('c', 3)],
    response: undefined,
  }))
  await world.runtime.write(0, add('a', 1))
  assert.equal(
    log.batches.map(({ header }) => [header.baseOffset, header.recordCount]),
    [
      [0, 3],
      [3, 1],
    ],
  )
  assert.equal(
    world.shard?.places.map(({ offset }) => offset),
    [0, 1, 2, 3],
  )
  assert.is(world.shard?.places[0]?.timestampMs, world.env.clock.nowMs())
})

test('a read is answered when what it saw is committed', async () => {
  const { world, log } = await SumsWorld.leading()
  assert.is(await world.runtime.read(0, sumOf('a')), 0)
  log.commitsAtOnce = false
  const written = world.runtime.write(0, add('a', 5))
  const read = world.runtime.read(0, sumOf('a'))
  const state = follow(read)
  await world.settle()
  assert.is(state.state, 'waiting')
  log.commit()
  assert.is(await read, 5)
  await written
  assert.is(await world.runtime.read(0, sumOf('a')), 5)
})

test('an operation without records calls onCommitted when what it saw is committed', async () => {
  const { world, log } = await SumsWorld.leading()
  const calls: string[] = []
  const nothing = (name: string) => () => ({
    records: [],
    response: name,
    onCommitted: () => void calls.push(name),
  })
  await world.runtime.write(0, nothing('now'))
  log.commitsAtOnce = false
  const written = world.runtime.write(0, add('a', 5))
  const later = world.runtime.write(0, nothing('later'))
  await world.settle()
  assert.equal(calls, ['now'])
  log.commit()
  await Promise.all([written, later])
  assert.equal(calls, ['now', 'later'])
})

test('an operation that throws tells its caller and changes nothing', async () => {
  const { world, log } = await SumsWorld.leading()
  const { shard } = world
  const refused = world.runtime.write(0, () => {
    throw new KafkaError('UNKNOWN_MEMBER_ID')
  })
  assert.is(await failure(refused), 'UNKNOWN_MEMBER_ID')
  assert.is(log.batches.length, 0)
  assert.is(world.shard, shard)
})

test('a response may be a promise', async () => {
  const { world } = await SumsWorld.leading()
  const written = world.runtime.write(0, (shard) => ({
    records: [],
    response: shard.parked.promise,
  }))
  const state = follow(written)
  await world.settle()
  assert.is(state.state, 'waiting')
  world.shard?.parked.resolve(7)
  assert.is(await written, 7)
})

const named = (name: string) => (error: unknown) =>
  error instanceof KafkaError && error.name === name

test('a shard that is being read says so, and one of another broker as well', async () => {
  const world = new SumsWorld()
  const log = new MemoryLog()
  log.put([record('a', 1)])
  let open = () => {}
  log.gate = new Promise((resolve) => {
    open = resolve
  })
  world.runtime.lead(0, 0, log)
  await world.settle()
  assert.throws(() => world.runtime.checkComplete(), named('COORDINATOR_LOAD_IN_PROGRESS'))
  assert.is(await failure(world.runtime.read(0, sumOf('a'))), 'COORDINATOR_LOAD_IN_PROGRESS')
  assert.throws(() => world.runtime.read(1, sumOf('a')), named('NOT_COORDINATOR'))
  open()
  await world.settle()
  world.runtime.checkComplete()
  assert.is(await world.runtime.read(0, sumOf('a')), 1)
  assert.is(world.shard?.isLoaded, true)
})

test('what was written is there after the next load, and nothing else', async () => {
  const { world, log } = await SumsWorld.leading()
  await world.runtime.write(0, add('a', 5))
  await world.runtime.write(0, add('b', 1))
  await world.runtime.write(0, () => ({ records: [record('b', null)], response: undefined }))
  const next = await SumsWorld.leading(log)
  assert.equal([...(next.world.shard?.sums ?? [])], [['a', 5]])
  assert.equal(
    next.world.shard?.places.map(({ offset }) => offset),
    [0, 1, 2],
  )
})

test('records of a transaction count when its marker says so', async () => {
  const log = new MemoryLog()
  const fields = { producerEpoch: 0, baseSequence: 0, isTransactional: true }
  const marker = { producerEpoch: 0, coordinatorEpoch: 0, timestamp: 1 }
  log.put([record('a', 1)], { ...fields, producerId: 1 })
  log.put([record('a', 10)], { ...fields, producerId: 2 })
  log.put([record('a', 100)], { ...fields, producerId: 3 })
  log.put([record('a', 1000)])
  log.append(buildControlBatch({ type: 'commit', producerId: 1, ...marker }))
  log.append(buildControlBatch({ type: 'abort', producerId: 2, ...marker }))
  const { world } = await SumsWorld.leading(log)
  assert.is(world.shard?.sums.get('a'), 1001)
  assert.equal([...(world.shard?.pending.keys() ?? [])], [3])
})

test('a marker that compaction emptied is passed over', async () => {
  const log = new MemoryLog()
  log.put([record('a', 1)])
  const emptied = Buffer.from(
    buildControlBatch({
      type: 'commit',
      producerId: 1,
      producerEpoch: 0,
      coordinatorEpoch: 0,
      timestamp: 1,
    }).subarray(0, 61),
  )
  emptied.writeInt32BE(61 - 12, 8)
  emptied.writeInt32BE(0, 57)
  emptied.writeUInt32BE(batchCrc(batchAt(emptied)), 17)
  log.append(emptied)
  log.put([record('a', 10)])
  const { world } = await SumsWorld.leading(log)
  assert.is(world.shard?.sums.get('a'), 11)
})

test('leadership that goes ends whoever is parked', async () => {
  const { world, log } = await SumsWorld.leading()
  log.commitsAtOnce = false
  const { shard } = world
  const parked = follow(
    world.runtime.write(0, () => ({
      records: [record('a', 1)],
      response: shard?.parked.promise ?? 0,
    })),
  )
  await world.settle()
  world.runtime.resign(0)
  await world.settle()
  assert.is(shard?.closed?.name, 'NOT_COORDINATOR')
  assert.equal([...world.runtime.shards()], [])
  log.commit()
  await world.settle()
  assert.is(parked.state, 'NOT_COORDINATOR')
})

test('a write that is committed after the shard was given up is answered', async () => {
  const { world, log } = await SumsWorld.leading()
  log.commitsAtOnce = false
  let isCalled = false
  const onCommitted = () => {
    isCalled = true
  }
  const written = world.runtime.write(0, add('a', 1, { onCommitted }))
  world.runtime.close()
  log.commit()
  assert.is(await written, 0)
  assert.is(isCalled, false)
})

test('the same leader epoch changes nothing, a later one reads the log again', async () => {
  const { world, log } = await SumsWorld.leading()
  const { shard } = world
  world.runtime.lead(0, 0, log)
  await world.settle()
  assert.is(world.shard, shard)
  world.runtime.lead(0, 1, log)
  await world.settle()
  assert.is.not(world.shard, shard)
  assert.is(world.shard?.isLoaded, true)
  assert.is(shard?.closed?.name, 'NOT_COORDINATOR')
})

test('a commit that fails throws the shard away, and it is read again without it', async () => {
  const { world, log } = await SumsWorld.leading()
  await world.runtime.write(0, add('a', 1))
  const first = world.shard
  log.commitsAtOnce = false
  const lost = [world.runtime.write(0, add('a', 10)), world.runtime.write(0, add('a', 100))]
  const states = lost.map(follow)
  log.crash()
  await world.settle()
  assert.equal(
    states.map(({ state }) => state),
    ['NOT_COORDINATOR', 'NOT_COORDINATOR'],
  )
  assert.is(first?.closed?.name, 'NOT_COORDINATOR')
  assert.is(await failure(world.runtime.read(0, sumOf('a'))), 'COORDINATOR_LOAD_IN_PROGRESS')
  await world.env.clock.advance(100)
  assert.is(await world.runtime.read(0, sumOf('a')), 1)
})

for (const [thrown, told] of [
  ['NOT_LEADER_OR_FOLLOWER', 'NOT_COORDINATOR'],
  ['KAFKA_STORAGE_ERROR', 'NOT_COORDINATOR'],
  ['NOT_ENOUGH_REPLICAS', 'COORDINATOR_NOT_AVAILABLE'],
  ['MESSAGE_TOO_LARGE', 'UNKNOWN_SERVER_ERROR'],
] as const) {
  test(`a log that refuses with ${thrown} makes the shard be read again`, async () => {
    const { world, log } = await SumsWorld.leading()
    const first = world.shard
    log.refusal = new KafkaError(thrown)
    assert.is(await failure(world.runtime.write(0, add('a', 1))), told)
    assert.is(first?.closed?.name, told)
    log.refusal = null
    await world.env.clock.advance(100)
    assert.is(await world.runtime.read(0, sumOf('a')), 0)
  })
}

test('with onRefused the shard lives on', async () => {
  const { world, log } = await SumsWorld.leading()
  const first = world.shard
  const refusals: string[] = []
  const onRefused = (error: KafkaError) => void refusals.push(error.name)
  log.refusal = new KafkaError('KAFKA_STORAGE_ERROR')
  assert.is(await failure(world.runtime.write(0, add('a', 1, { onRefused }))), 'NOT_COORDINATOR')
  assert.equal(refusals, ['NOT_COORDINATOR'])
  assert.is(world.shard, first)
  assert.is(first?.sums.has('a'), false)
})

const three = [record('a', 1), record('b', 2), record('c', 3)]

test('records that do not fit in a batch are refused', async () => {
  const { world, log } = await SumsWorld.leading()
  log.batchBytesMax = 80
  const written = world.runtime.write(0, () => ({
    records: three,
    response: undefined,
    onRefused: () => {},
  }))
  assert.is(await failure(written), 'UNKNOWN_SERVER_ERROR')
  assert.is(log.batches.length, 0)
})

test('records that need not stay together go out in several batches', async () => {
  const { world, log } = await SumsWorld.leading()
  log.batchBytesMax = 80
  await world.runtime.write(0, () => ({ records: three, isAtomic: false, response: undefined }))
  assert.ok(log.batches.length > 1)
  assert.is(log.endOffset, 3)
  assert.equal(
    [...(world.shard?.sums ?? [])],
    [
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ],
  )
})

test('whoever waits longer than the deadline is told; the write still counts', async () => {
  const { world, log } = await SumsWorld.leading()
  log.commitsAtOnce = false
  const state = follow(world.runtime.write(0, add('a', 1)))
  await world.env.clock.advance(4999)
  assert.is(state.state, 'waiting')
  await world.env.clock.advance(1)
  assert.is(state.state, 'COORDINATOR_NOT_AVAILABLE')
  log.commit()
  assert.is(await world.runtime.read(0, sumOf('a')), 1)
})

test('callers that wait have a bound', async () => {
  const { world, log } = await SumsWorld.leading()
  log.commitsAtOnce = false
  const first = follow(world.runtime.write(0, add('a', 1)))
  const reads = Array.from({ length: 20_000 }, () => follow(world.runtime.read(0, sumOf('a'))))
  await world.settle()
  assert.is(reads.at(-1)?.state, 'COORDINATOR_NOT_AVAILABLE')
  assert.is(reads.at(-2)?.state, 'waiting')
  log.commit()
  await world.settle()
  assert.is(first.state, 'done')
})

test('a shard writes by itself, until it is given up', async () => {
  const { world, log } = await SumsWorld.leading()
  const { shard } = world
  const { context } = shard ?? {}
  context?.write(() => ({ records: [record('a', 1)], response: undefined }))
  assert.is(world.shard?.sums.get('a'), 1)
  world.runtime.resign(0)
  context?.write(() => ({ records: [record('a', 1)], response: undefined }))
  assert.is(log.endOffset, 1)
})

test('a mistake of ours in a write of its own is fatal, other failures are not', async () => {
  const { world } = await SumsWorld.leading()
  world.shard?.context.write(() => {
    throw new KafkaError('UNKNOWN_MEMBER_ID')
  })
  await world.settle()
  assert.equal(world.fatal, [])
  world.shard?.context.write(() => {
    throw new AssertionError('wrong')
  })
  await world.settle()
  assert.is(world.fatal.length, 1)
})

test('a log that cannot be read is tried again, after growing pauses', async () => {
  const log = new MemoryLog()
  log.put([record('a', 1), record('poison', 1)])
  const { world } = await SumsWorld.leading(log)
  // Whoever wants to see everything must not take what can be read for all there is.
  assert.throws(() => world.runtime.checkComplete(), named('COORDINATOR_NOT_AVAILABLE'))
  assert.is(await failure(world.runtime.read(0, sumOf('a'))), 'COORDINATOR_NOT_AVAILABLE')
  const before = log.reads
  await world.env.clock.advance(1000)
  assert.is(log.reads - before, 3)
  log.batches.length = 0
  log.endOffset = 0
  await world.env.clock.advance(1000)
  assert.is(await world.runtime.read(0, sumOf('a')), 0)
})

test('a bit that turned over in the log is not taken for a record', async () => {
  const log = new MemoryLog()
  log.put([record('a', 1)])
  const bytes = log.batches[0]?.chunks[0] ?? new Uint8Array()
  const at = Buffer.from(bytes).lastIndexOf('1')
  bytes[at] = 0x39
  const { world } = await SumsWorld.leading(log)
  assert.is(await failure(world.runtime.read(0, sumOf('a'))), 'COORDINATOR_NOT_AVAILABLE')
  bytes[at] = 0x31
  await world.env.clock.advance(1000)
  assert.is(await world.runtime.read(0, sumOf('a')), 1)
})

test('a shard that is read again waits for what is on its way to the disk', async () => {
  const { world, log } = await SumsWorld.leading()
  log.commitsAtOnce = false
  log.hidesUncommitted = true
  const written = world.runtime.write(0, add('a', 5))
  world.runtime.lead(0, 1, log)
  await world.settle()
  assert.throws(() => world.runtime.checkComplete(), named('COORDINATOR_LOAD_IN_PROGRESS'))
  log.commit()
  await written
  await world.settle()
  assert.is(await world.runtime.read(0, sumOf('a')), 5)
})

test('a log may end in a gap that compaction left', async () => {
  const log = new MemoryLog()
  log.put([record('a', 1)])
  log.endOffset = 7
  log.commit()
  const { world } = await SumsWorld.leading(log)
  assert.is(await world.runtime.read(0, sumOf('a')), 1)
})

test('not more than four shards are read at a time, and all in the end', async () => {
  const world = new SumsWorld()
  const gates: (() => void)[] = []
  const logs = Array.from({ length: 10 }, () => {
    const log = new MemoryLog()
    log.put([record('a', 1)])
    log.gate = new Promise((resolve) => gates.push(resolve))
    return log
  })
  logs.forEach((log, partition) => {
    world.runtime.lead(partition, 0, log)
  })
  await world.settle()
  assert.is(logs.filter(({ reads }) => reads > 0).length, 4)
  world.runtime.resign(1)
  for (const open of gates) open()
  await world.settle()
  await world.settle()
  assert.is([...world.runtime.shards()].length, 9)
})

test('images reach every shard, and those that are made later', async () => {
  const { world } = await SumsWorld.leading()
  world.runtime.onImage({ ...emptyImage(''), revision: 7 })
  assert.equal(world.shard?.images, [7])
  assert.is(world.shard?.context.image.revision, 7)
})

test('random writes, failures and losses of leadership keep what was confirmed', async () => {
  const { world, log } = await SumsWorld.leading()
  const chanceOf = () => world.env.random.u32() / 2 ** 32
  const model = new Map<string, number>()
  let epoch = 0
  for (let round = 0; round < 300; round++) {
    log.commitsAtOnce = chanceOf() < 0.3
    const name = `n${Math.floor(chanceOf() * 5)}`
    const written = follow(world.runtime.write(0, add(name, 1)))
    const chance = chanceOf()
    if (chance < 0.2) log.crash()
    else if (chance < 0.3) world.runtime.lead(0, ++epoch, log)
    else log.commit()
    await world.settle()
    if (chance >= 0.2 && chance < 0.3) log.crash()
    if (written.state === 'done') model.set(name, (model.get(name) ?? 0) + 1)
    await world.env.clock.advance(30_000)
    assert.equal(sorted(world.shard), [...model].sort())
  }
})

function sorted(shard: Sums | null): [string, number][] {
  return [...(shard?.sums ?? [])].sort()
}
