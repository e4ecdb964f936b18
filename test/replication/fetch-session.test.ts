import { KafkaError } from '../../lib/base/errors.ts'
import { zeroUuid } from '../../lib/base/uuid.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import type { FetchedPartition } from '../../lib/replication/fetch.ts'
import {
  FetchSessionCache,
  type FetchSessionCacheOptions,
  nextEpoch,
  type SessionRequest,
  type WantedPartition,
} from '../../lib/replication/fetch-session.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('fetch-session')
const topicId = 'QUJDREVGR0hJSktMTU5PUA'

function wanted(partition: number, fetchOffset = 0, topic = 'a'): WantedPartition {
  return {
    topic,
    topicId: zeroUuid,
    partition,
    fetchOffset,
    partitionMaxBytes: 1000,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
  }
}

function read(fields: Partial<FetchedPartition> = {}): FetchedPartition {
  const none = { records: [], divergingEpoch: null }
  return { highWatermark: 5, lastStableOffset: 5, logStartOffset: 0, ...none, ...fields }
}

function cacheOf(options: Partial<FetchSessionCacheOptions> = {}) {
  const { clock, random } = memoryEnv()
  const cache = new FetchSessionCache({ clock, random, slots: () => 1000, ...options })
  return {
    cache,
    clock,
    open: (request: Partial<SessionRequest>) =>
      cache.open({
        sessionId: 0,
        epoch: 0,
        usesTopicIds: false,
        isFollower: false,
        partitions: [],
        forgotten: [],
        ...request,
      }),
    /** A new session over `count` partitions at offset 0; its id. */
    create(count: number, request: Partial<SessionRequest> = {}): number {
      const partitions = Array.from({ length: count }, (_, index) => wanted(index))
      const context = this.open({ partitions, ...request })
      return context.answer(partitions.map(() => read())).sessionId
    },
  }
}

/** The next request of a session: which partitions it reads, and which it tells of. */
function next(
  world: ReturnType<typeof cacheOf>,
  request: Partial<SessionRequest>,
  results: (index: number) => FetchedPartition | KafkaError = () => read(),
) {
  const context = world.open(request)
  const all = context.partitions.map(({ partition }) => partition)
  const answer = context.answer(all.map((partition) => results(partition)))
  return { sessionId: answer.sessionId, read: all, told: all.filter((_, at) => answer.isTold(at)) }
}

function codeOf(run: () => unknown): string {
  try {
    run()
    return 'none'
  } catch (error) {
    return error instanceof KafkaError ? error.name : String(error)
  }
}

const records = [Buffer.from('records')]
const news: [what: string, result: FetchedPartition | KafkaError, isTold: boolean][] = [
  ['nothing new', read(), false],
  ['records', read({ records }), true],
  ['another high watermark', read({ highWatermark: 6 }), true],
  ['another log start', read({ logStartOffset: 1 }), true],
  ['another last stable offset', read({ lastStableOffset: 4 }), false],
  ['a diverging epoch', read({ divergingEpoch: { epoch: 1, endOffset: 2 } }), true],
  ['an error', new KafkaError('OFFSET_OUT_OF_RANGE', 'x'), true],
]
for (const [what, result, isTold] of news) {
  test(`within a session, ${what}: ${isTold ? 'told' : 'not told'}`, () => {
    const world = cacheOf()
    const sessionId = world.create(3)
    const answer = next(world, { sessionId, epoch: 1 }, (partition) =>
      partition === 1 ? result : read(),
    )
    assert.equal(answer, { sessionId, read: [0, 1, 2], told: isTold ? [1] : [] })
  })
}

test('what was told once is not told again; after an error everything is', () => {
  const world = cacheOf()
  const sessionId = world.create(1)
  const moved = () => read({ highWatermark: 9 })
  assert.equal(next(world, { sessionId, epoch: 1 }, moved).told, [0])
  assert.equal(next(world, { sessionId, epoch: 2 }, moved).told, [])
  const failed = () => new KafkaError('NOT_LEADER_OR_FOLLOWER', 'x')
  assert.equal(next(world, { sessionId, epoch: 3 }, failed).told, [0])
  assert.equal(next(world, { sessionId, epoch: 4 }, moved).told, [0])
  assert.equal(next(world, { sessionId, epoch: 5 }, moved).told, [])
})

test('partitions are added, changed and forgotten', () => {
  const world = cacheOf()
  const sessionId = world.create(2)
  const added = next(world, { sessionId, epoch: 1, partitions: [wanted(7)] })
  assert.equal(added, { sessionId, read: [0, 1, 7], told: [7] })
  const context = world.open({ sessionId, epoch: 2, partitions: [wanted(1, 42)] })
  assert.equal(
    context.partitions.map(({ fetchOffset }) => fetchOffset),
    [0, 42, 0],
  )
  const forgotten = [wanted(0), wanted(99)]
  assert.equal(next(world, { sessionId, epoch: 3, forgotten }).read, [1, 7])
  assert.is(world.cache.partitionCount, 2)
})

test('a session that forgets its last partition ends', () => {
  const world = cacheOf()
  const sessionId = world.create(1)
  const last = next(world, { sessionId, epoch: 1, forgotten: [wanted(0)] })
  assert.equal(last, { sessionId: 0, read: [], told: [] })
  assert.is(world.cache.sessionCount, 0)
  assert.is(world.cache.partitionCount, 0)
})

test('a partition that gave records is read last the next time', () => {
  const world = cacheOf()
  const sessionId = world.create(3)
  const from = (chosen: number) => (partition: number) =>
    partition === chosen ? read({ records }) : read()
  assert.equal(next(world, { sessionId, epoch: 1 }, from(0)).read, [0, 1, 2])
  assert.equal(next(world, { sessionId, epoch: 2 }, from(1)).read, [1, 2, 0])
  assert.equal(next(world, { sessionId, epoch: 3 }, from(9)).read, [2, 0, 1])
  assert.equal(next(world, { sessionId, epoch: 4 }, from(9)).read, [2, 0, 1])
})

test('an unknown id, a wrong epoch, and names where ids were used are refused', () => {
  const world = cacheOf()
  const sessionId = world.create(1)
  assert.is(
    codeOf(() => world.open({ sessionId: sessionId + 1, epoch: 1 })),
    'FETCH_SESSION_ID_NOT_FOUND',
  )
  for (const epoch of [2, 77, -2]) {
    assert.is(
      codeOf(() => world.open({ sessionId, epoch })),
      'INVALID_FETCH_SESSION_EPOCH',
    )
  }
  assert.is(
    codeOf(() => world.open({ sessionId, epoch: 1, usesTopicIds: true })),
    'FETCH_SESSION_TOPIC_ID_ERROR',
  )
  const byId = world.create(1, { usesTopicIds: true })
  assert.is(
    codeOf(() => world.open({ sessionId: byId, epoch: 1 })),
    'FETCH_SESSION_TOPIC_ID_ERROR',
  )
  assert.equal(next(world, { sessionId, epoch: 1 }).read, [0])
})

test('sessions by id know a partition by its id, whatever its name', () => {
  const world = cacheOf()
  const unknown = { ...wanted(0, 0, ''), topicId }
  const context = world.open({ usesTopicIds: true, partitions: [unknown] })
  const { sessionId } = context.answer([new KafkaError('UNKNOWN_TOPIC_ID', 'x')])
  const known = { ...unknown, topic: 'a', fetchOffset: 3 }
  const request = { sessionId, usesTopicIds: true }
  const named = world.open({ ...request, epoch: 1, partitions: [known] })
  assert.equal(named.partitions, [known])
  const gone = world.open({ ...request, epoch: 2, partitions: [unknown] })
  assert.equal(gone.partitions, [{ ...unknown, topic: 'a' }])
})

test('the epoch after 2^31-1 is 1', () => {
  const world = cacheOf()
  const sessionId = world.create(1)
  const session = { sessionId, epoch: 1 }
  world.open(session)
  assert.is(
    codeOf(() => world.open({ sessionId, epoch: 1 })),
    'INVALID_FETCH_SESSION_EPOCH',
  )
  assert.is(
    codeOf(() => world.open({ sessionId, epoch: 2 })),
    'none',
  )
  assert.is(nextEpoch(0x7fff_ffff), 1)
})

test('a request that comes again while the first waits: the first is refused', () => {
  const world = cacheOf()
  const sessionId = world.create(1)
  const first = world.open({ sessionId, epoch: 1 })
  const second = world.open({ sessionId, epoch: 2 })
  assert.is(
    codeOf(() => first.answer([read()])),
    'INVALID_FETCH_SESSION_EPOCH',
  )
  assert.is(second.answer([read()]).sessionId, sessionId)
})

for (const epoch of [0, -1]) {
  test(`epoch ${epoch} ends the session it names`, () => {
    const world = cacheOf()
    const old = world.create(1)
    const context = world.open({ sessionId: old, epoch, partitions: [wanted(0)] })
    const { sessionId, isTold } = context.answer([read()])
    assert.is(sessionId === 0, epoch === -1)
    assert.ok(isTold(0))
    assert.is(world.cache.sessionCount, epoch === -1 ? 0 : 1)
    assert.is(
      codeOf(() => world.open({ sessionId: old, epoch: 1 })),
      'FETCH_SESSION_ID_NOT_FOUND',
    )
  })
}

interface Eviction {
  readonly what: string
  /** Of the two sessions there are, the first used last: partitions, and whether a follower's. */
  readonly held: readonly (readonly [size: number, isFollower: boolean])[]
  readonly ageMs: number
  /** Whether both are used after `ageMs`. */
  readonly areUsed: boolean
  readonly newcomer: readonly [size: number, isFollower: boolean]
  /** Index of the session that goes; null = the newcomer gets none. */
  readonly evicted: number | null
}
const both = (size: number) => [[size, false] as const, [size + 1, false] as const]
const evictions: Eviction[] = [
  { what: 'young', held: both(1), ageMs: 1000, areUsed: true, newcomer: [9, false], evicted: null },
  {
    what: 'unused',
    held: both(5),
    ageMs: 120_001,
    areUsed: false,
    newcomer: [1, false],
    evicted: 0,
  },
  {
    what: 'unused for long',
    held: both(5),
    ageMs: 120_000,
    areUsed: false,
    newcomer: [9, false],
    evicted: null,
  },
  {
    what: 'old and smaller',
    held: both(1),
    ageMs: 120_001,
    areUsed: true,
    newcomer: [2, false],
    evicted: 0,
  },
  {
    what: 'old and equal',
    held: both(2),
    ageMs: 120_001,
    areUsed: true,
    newcomer: [2, false],
    evicted: null,
  },
  {
    what: 'young, for a follower',
    held: both(5),
    ageMs: 1,
    areUsed: true,
    newcomer: [1, true],
    evicted: 0,
  },
  {
    what: 'young, of followers, for a follower',
    held: [
      [1, true],
      [1, true],
    ],
    ageMs: 1,
    areUsed: true,
    newcomer: [9, true],
    evicted: null,
  },
  {
    what: 'old, of followers, for a consumer',
    held: [
      [1, true],
      [1, true],
    ],
    ageMs: 120_001,
    areUsed: true,
    newcomer: [9, false],
    evicted: null,
  },
  {
    what: 'old, of followers, for a larger follower',
    held: [
      [2, true],
      [1, true],
    ],
    ageMs: 120_001,
    areUsed: true,
    newcomer: [2, true],
    evicted: 1,
  },
]
for (const { what, held, ageMs, areUsed, newcomer, evicted } of evictions) {
  test(`all slots taken by sessions that are ${what}: ${evicted === null ? 'no session' : 'one goes'}`, async () => {
    const world = cacheOf({ slots: () => 2 })
    const ids = held.map(([size, isFollower]) => world.create(size, { isFollower }))
    await world.clock.advance(ageMs)
    if (areUsed) for (const sessionId of ids) next(world, { sessionId, epoch: 1 })
    const [size, isFollower] = newcomer
    assert.is(world.create(size, { isFollower }) === 0, evicted === null)
    const epoch = areUsed ? 2 : 1
    const gone = ids.filter(
      (sessionId) => codeOf(() => world.open({ sessionId, epoch })) !== 'none',
    )
    assert.equal(gone, evicted === null ? [] : ids.filter((_, index) => index === evicted))
  })
}

test('without slots nobody gets a session', () => {
  const world = cacheOf({ slots: () => 0 })
  assert.is(world.create(1), 0)
})

test('what all sessions hold is bounded: no new session, and one that grows ends', () => {
  const world = cacheOf({ partitionsMax: 10 })
  const sessionId = world.create(6)
  assert.is(world.create(5), 0)
  const partitions = Array.from({ length: 5 }, (_, index) => wanted(100 + index))
  assert.is(
    codeOf(() => world.open({ sessionId, epoch: 1, partitions })),
    'FETCH_SESSION_ID_NOT_FOUND',
  )
  assert.is(world.cache.partitionCount, 0)
  assert.ok(world.create(10) > 0)
})
