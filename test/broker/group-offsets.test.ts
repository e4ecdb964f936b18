import { errorCode, errorName } from '../../lib/base/errors.ts'
import { zeroUuid } from '../../lib/base/uuid.ts'
import { singleNodeConfigs } from '../../lib/config/broker-groups.ts'
import { type MemoryEnv, memoryEnv } from '../../lib/io/memory/env.ts'
import { CreateTopics } from '../../lib/protocol/apis/create-topics.ts'
import { DeleteTopics } from '../../lib/protocol/apis/delete-topics.ts'
import { DescribeConfigs } from '../../lib/protocol/apis/describe-configs.ts'
import { FindCoordinator } from '../../lib/protocol/apis/find-coordinator.ts'
import { Metadata } from '../../lib/protocol/apis/metadata.ts'
import { OffsetCommit, type OffsetCommitRequest } from '../../lib/protocol/apis/offset-commit.ts'
import { OffsetDelete } from '../../lib/protocol/apis/offset-delete.ts'
import { OffsetFetch } from '../../lib/protocol/apis/offset-fetch.ts'
import { decodeResponse } from '../../lib/protocol/codec.ts'
import {
  decodeGroupRecord,
  type GroupRecord,
} from '../../lib/protocol/coordinator/group-records.ts'
import type { Encodable } from '../../lib/protocol/schema.ts'
import { splitBatches } from '../../lib/record/batch.ts'
import { readRecords } from '../../lib/record/record.ts'
import { assert, suite } from '../support/suite.ts'
import { batch, Scenario } from './support/scenario.ts'

const test = suite('group offsets')

const offsetsTopic = '__consumer_offsets'
const configs = {
  ...singleNodeConfigs,
  'offsets.topic.num.partitions': '3',
  'offset.metadata.max.bytes': '10',
}
const topics = ['a:3', 'b:1']

async function started(extra: Record<string, string> = {}): Promise<Scenario> {
  const world = await Scenario.start({ topics, configs: { ...configs, ...extra } })
  await find(world, 'g')
  return world
}

function find(world: Scenario, ...coordinatorKeys: string[]) {
  return world.call(FindCoordinator, 4, { coordinatorKeys })
}

type Offsets = Record<string, readonly (readonly [partition: number, offset: number])[]>

/** Commits, and tells the error of each partition as `topic-partition=ERROR`. */
async function commit(
  world: Scenario,
  offsets: Offsets,
  {
    version = 9,
    ...fields
  }: { version?: number; metadata?: string; at?: number; epoch?: number } & Encodable<
    Partial<OffsetCommitRequest>
  > = {},
): Promise<string[]> {
  const { metadata = '', at, epoch, ...request } = fields
  const answer = await world.call(OffsetCommit, version, {
    groupId: 'g',
    ...request,
    topics: await Promise.all(
      Object.entries(offsets).map(async ([name, partitions]) => ({
        ...(version >= 10 ? { topicId: (await world.topicId(name)) || name } : { name }),
        partitions: partitions.map(([partitionIndex, committedOffset]) => ({
          partitionIndex,
          committedOffset,
          committedMetadata: metadata,
          ...(at !== undefined && { commitTimestamp: at }),
          ...(epoch !== undefined && { committedLeaderEpoch: epoch }),
        })),
      })),
    ),
  })
  const names = Object.keys(offsets)
  return answer.topics.flatMap(({ partitions }, index) =>
    partitions.map(
      ({ partitionIndex, errorCode: code }) =>
        `${names[index]}-${partitionIndex}=${errorName(code)}`,
    ),
  )
}

/** Offsets of the group as `topic-partition@offset`, with what is not as usual behind it. */
async function fetch(
  world: Scenario,
  { version = 7, groupId = 'g', wanted = null as Record<string, number[]> | null } = {},
): Promise<string[]> {
  const list =
    wanted && Object.entries(wanted).map(([name, partitionIndexes]) => ({ name, partitionIndexes }))
  const ids = new Map<string, string>()
  for (const name of ['a', 'b']) ids.set(await world.topicId(name), name)
  const idOf = (name: string) => [...ids].find(([, known]) => known === name)?.[0] ?? name
  const byId = list?.map(({ name, ...rest }) => ({ topicId: idOf(name), ...rest })) ?? null
  const answer = await world.call(
    OffsetFetch,
    version,
    version < 8
      ? { groupId, topics: list }
      : { groups: [{ groupId, topics: version >= 10 ? byId : list }] },
  )
  const [group] = answer.groups
  const found = group ?? answer
  const lines = found.topics.flatMap((topic) => {
    const name = 'topicId' in topic && topic.name === '' ? ids.get(topic.topicId) : topic.name
    return topic.partitions.map((partition) => {
      const { committedLeaderEpoch: epoch, metadata, errorCode: code } = partition
      const extras = [
        epoch === -1 ? '' : ` epoch ${epoch}`,
        metadata === '' ? '' : ` "${metadata}"`,
        code === 0 ? '' : ` ${errorName(code)}`,
      ]
      return `${name}-${partition.partitionIndex}@${partition.committedOffset}${extras.join('')}`
    })
  })
  return found.errorCode === 0 ? lines : [...lines, errorName(found.errorCode)]
}

/** What the group's partition of the offsets topic holds. */
async function stored(world: Scenario): Promise<GroupRecord[]> {
  const records: GroupRecord[] = []
  for (let partition = 0; partition < 3; partition++) {
    const { bytes } = await world.fetch(offsetsTopic, 0, { partition })
    for (const each of splitBatches([bytes])) {
      for (const { key, value } of readRecords(each, { maxBytes: 1 << 20 })) {
        const decoded = key && decodeGroupRecord({ key, value })
        if (decoded) records.push(decoded)
      }
    }
  }
  return records
}

for (const version of [0, 1, 2, 3]) {
  test(`FindCoordinator v${version} tells of this broker, and makes the topic`, async () => {
    const world = await Scenario.start({ configs })
    const answer = await world.call(FindCoordinator, version, { key: 'g' })
    assert.is(answer.errorCode, 0)
    assert.equal([answer.nodeId, answer.host, answer.port], [1, '127.0.0.1', world.address.port])
    await world.stop()
  })
}

test('FindCoordinator takes many keys, and makes the topic once', async () => {
  const world = await Scenario.start({ configs })
  const answers = await Promise.all([find(world, 'a', 'b'), find(world, 'c')])
  const coordinators = answers.flatMap((answer) => answer.coordinators)
  assert.equal(
    coordinators.map(({ key, nodeId, errorCode: code }) => [key, nodeId, code]),
    [
      ['a', 1, 0],
      ['b', 1, 0],
      ['c', 1, 0],
    ],
  )
  const { topics: made } = await world.call(Metadata, 12, { topics: [{ name: offsetsTopic }] })
  assert.is(made[0]?.isInternal, true)
  assert.is(made[0]?.partitions.length, 3)
  const described = await world.call(DescribeConfigs, 4, {
    resources: [
      {
        resourceType: 2,
        resourceName: offsetsTopic,
        configurationKeys: ['cleanup.policy', 'compression.type', 'segment.bytes'],
      },
    ],
  })
  assert.equal(
    described.results[0]?.configs.map(({ name, value }) => `${name}=${value}`),
    ['cleanup.policy=compact', 'compression.type=producer', 'segment.bytes=104857600'],
  )
  await world.stop()
})

for (const [keyType, what] of [
  [1, 'transactional ids'],
  [2, 'share partitions'],
  [9, 'keys of type 9'],
] as const) {
  test(`FindCoordinator knows nobody for ${what}`, async () => {
    const world = await Scenario.start({ configs })
    const old = await world.call(FindCoordinator, 3, { key: 'x', keyType })
    assert.is(errorName(old.errorCode), 'INVALID_REQUEST')
    assert.is(old.errorMessage, `this broker coordinates no ${what}`)
    const many = await world.call(FindCoordinator, 6, { coordinatorKeys: ['x'], keyType })
    assert.is(errorName(many.coordinators[0]?.errorCode ?? 0), 'INVALID_REQUEST')
    assert.is(many.coordinators[0]?.nodeId, -1)
    await world.stop()
  })
}

test('without enough brokers for the topic there is no coordinator', async () => {
  const world = await Scenario.start({ configs: { 'offsets.topic.replication.factor': '3' } })
  const { coordinators } = await find(world, 'g')
  assert.is(errorName(coordinators[0]?.errorCode ?? 0), 'COORDINATOR_NOT_AVAILABLE')
  await world.stop()
})

test('before the topic exists nobody coordinates', async () => {
  const world = await Scenario.start({ topics, configs })
  assert.equal(await commit(world, { a: [[0, 5]] }), ['a-0=NOT_COORDINATOR'])
  assert.equal(await fetch(world), ['NOT_COORDINATOR'])
  await world.stop()
})

test('what was committed in any version reads the same in any version', async () => {
  const world = await started()
  for (let version = 0; version <= 10; version++) {
    const epoch = version >= 6 ? 4 : undefined
    const rest = { version, metadata: `v${version}`, ...(epoch !== undefined && { epoch }) }
    assert.equal(await commit(world, { a: [[1, 100 + version]] }, rest), ['a-1=NONE'])
    for (let read = 0; read <= 10; read++) {
      const shownEpoch = read >= 5 && version >= 6 ? ' epoch 4' : ''
      const expected = [`a-1@${100 + version}${shownEpoch} "v${version}"`]
      assert.equal(await fetch(world, { version: read, wanted: { a: [1] } }), expected)
      if (read >= 2) assert.equal(await fetch(world, { version: read }), expected)
    }
  }
  await world.stop()
})

for (const [what, version, offsets, expected] of [
  ['an unknown topic', 9, { x: [[0, 1]] }, ['x-0=UNKNOWN_TOPIC_OR_PARTITION']],
  ['an unknown partition', 9, { a: [[3, 1]] }, ['a-3=UNKNOWN_TOPIC_OR_PARTITION']],
  ['a negative partition', 9, { a: [[-1, 1]] }, ['a--1=UNKNOWN_TOPIC_OR_PARTITION']],
  ['an unknown topic id', 10, { [zeroUuid]: [[0, 1]] }, [`${zeroUuid}-0=UNKNOWN_TOPIC_ID`]],
  [
    'good and bad ones',
    10,
    {
      a: [
        [0, 1],
        [9, 1],
      ],
      [zeroUuid]: [[0, 1]],
      b: [[0, 2]],
    },
    ['a-0=NONE', 'a-9=UNKNOWN_TOPIC_OR_PARTITION', `${zeroUuid}-0=UNKNOWN_TOPIC_ID`, 'b-0=NONE'],
  ],
] as const) {
  test(`a commit to ${what}`, async () => {
    const world = await started()
    assert.equal(await commit(world, offsets as unknown as Offsets, { version }), expected)
    await world.stop()
  })
}

test('metadata may be as long as the broker says, in UTF-16 units', async () => {
  const world = await started()
  assert.equal(await commit(world, { a: [[0, 1]] }, { metadata: 'ä'.repeat(10) }), ['a-0=NONE'])
  assert.equal(await commit(world, { a: [[0, 2]] }, { metadata: 'a'.repeat(11) }), [
    'a-0=OFFSET_METADATA_TOO_LARGE',
  ])
  assert.equal(await fetch(world), [`a-0@1 "${'ä'.repeat(10)}"`])
  await world.stop()
})

for (const [version, expected] of [
  [9, 'GROUP_ID_NOT_FOUND'],
  [8, 'ILLEGAL_GENERATION'],
] as const) {
  test(`a generation of a group that nobody knows is refused in v${version}`, async () => {
    const world = await started()
    const rest = { version, generationIdOrMemberEpoch: 3, memberId: 'm' }
    assert.equal(
      await commit(
        world,
        {
          a: [
            [0, 1],
            [9, 1],
          ],
        },
        rest,
      ),
      [`a-0=${expected}`, 'a-9=UNKNOWN_TOPIC_OR_PARTITION'],
    )
    await world.stop()
  })
}

test('offsets are kept under the empty group id, as Java once did', async () => {
  const world = await started()
  assert.equal(await commit(world, { a: [[0, 7]] }, { groupId: '' }), ['a-0=NONE'])
  assert.equal(await fetch(world, { groupId: '' }), ['a-0@7'])
  assert.equal(await fetch(world), [])
  await world.stop()
})

test('a group id that no record can hold is refused, and the broker goes on', async () => {
  const world = await started()
  const groupId = 'ä'.repeat(16_384)
  assert.equal(await commit(world, { a: [[0, 1]] }, { groupId }), ['a-0=INVALID_GROUP_ID'])
  assert.equal(await fetch(world, { groupId }), ['INVALID_GROUP_ID'])
  assert.equal(await commit(world, { a: [[0, 1]] }), ['a-0=NONE'])
  await world.stop()
})

test('what was never committed reads as -1 without an error', async () => {
  const world = await started()
  for (let version = 0; version <= 10; version++) {
    assert.equal(await fetch(world, { version, groupId: 'unknown', wanted: { a: [0, 2] } }), [
      'a-0@-1',
      'a-2@-1',
    ])
  }
  assert.equal(await fetch(world, { groupId: 'unknown' }), [])
  assert.equal(await fetch(world, { version: 9, wanted: { nowhere: [0] } }), ['nowhere-0@-1'])
  assert.equal(await fetch(world, { version: 10, wanted: { [zeroUuid]: [0] } }), [
    'undefined-0@-1 UNKNOWN_TOPIC_ID',
  ])
  await world.stop()
})

test('many groups are read at once, each with its own error', async () => {
  const world = await started()
  await commit(world, { a: [[0, 1]] }, { groupId: 'g1' })
  await commit(world, { b: [[0, 2]] }, { groupId: 'g2' })
  const { groups } = await world.call(OffsetFetch, 8, {
    groups: [{ groupId: 'g1', topics: null }, { groupId: 'g2', topics: null }, { groupId: 'g3' }],
  })
  assert.equal(
    groups.map(({ groupId, topics: found }) => [groupId, found[0]?.name]),
    [
      ['g1', 'a'],
      ['g2', 'b'],
      ['g3', undefined],
    ],
  )
  await world.stop()
})

test('offsets of a group are deleted', async () => {
  const world = await started()
  await commit(world, {
    a: [
      [0, 1],
      [1, 2],
    ],
    b: [[0, 3]],
  })
  const answer = await world.call(OffsetDelete, 0, {
    groupId: 'g',
    topics: [
      { name: 'a', partitions: [{ partitionIndex: 0 }, { partitionIndex: 2 }] },
      { name: 'x', partitions: [{ partitionIndex: 0 }] },
    ],
  })
  assert.is(answer.errorCode, 0)
  assert.equal(
    answer.topics.map(({ partitions }) => partitions.map((p) => errorName(p.errorCode))),
    [['NONE', 'NONE'], ['UNKNOWN_TOPIC_OR_PARTITION']],
  )
  assert.equal(await fetch(world), ['a-1@2', 'b-0@3'])
  for (const [groupId, expected] of [
    ['unknown', 'GROUP_ID_NOT_FOUND'],
    ['', 'INVALID_GROUP_ID'],
  ] as const) {
    const refused = await world.call(OffsetDelete, 0, { groupId })
    assert.is(errorName(refused.errorCode), expected)
  }
  await world.stop()
})

test('offsets outlive a stop and a crash', async () => {
  const world = await started()
  await commit(world, { a: [[0, 1]] })
  await world.restart()
  assert.equal(await fetch(world), ['a-0@1'])
  await commit(world, { a: [[0, 2]] }, { metadata: 'kept' })
  const { env } = world
  env.disk.crash()
  env.network.cut()
  const after = await Scenario.start({ env, topics, configs })
  assert.equal(await fetch(after), ['a-0@2 "kept"'])
  await after.stop()
})

test('a power cut at any moment loses no offset that was confirmed', async () => {
  const env = memoryEnv({ seed: 5 })
  let world = await Scenario.start({ env, topics, configs })
  await find(world, 'g')
  const groups = ['g0', 'g1', 'g2', 'g3']
  const confirmed = new Map(groups.map((group) => [group, -1]))
  let next = 1
  let partly = 0
  for (let round = 0; round < 12; round++) {
    const clients = await Promise.all(groups.map(() => world.connect()))
    let operations = 1 + ((round * 7) % 60)
    env.disk.beforeEach = () => {
      if (--operations === 0) cut(env)
      return undefined
    }
    const sent = groups.map((groupId, index) =>
      Array.from({ length: 15 }, () => {
        const committedOffset = next++
        const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }]
        clients[index]?.send(OffsetCommit, 9, { groupId, topics: [{ name: 'a', partitions }] })
        return committedOffset
      }),
    )
    await env.clock.settle()
    env.disk.beforeEach = () => undefined
    cut(env)
    groups.forEach((group, index) => {
      for (const frame of clients[index]?.frames ?? []) {
        const { body } = decodeResponse(OffsetCommit, 9, frame)
        const isDone = body.topics[0]?.partitions[0]?.errorCode === 0
        const offset = sent[index]?.shift() ?? 0
        if (isDone) confirmed.set(group, offset)
      }
    })
    const left = sent.flat().length
    if (left > 0 && left < 60) partly++
    world = await Scenario.start({ env, topics, configs })
    for (const [groupId, offset] of confirmed) {
      const [found] = await fetch(world, { groupId, wanted: { a: [0] } })
      const now = Number(found?.split('@')[1])
      assert.ok(now >= offset, `round ${round}: ${groupId} has ${now}, ${offset} was confirmed`)
      confirmed.set(groupId, now)
    }
  }
  assert.ok(partly > 3, `cut in the middle ${partly} times`)
  await world.stop()
})

function cut(env: MemoryEnv): void {
  env.disk.crash()
  env.network.cut()
}

test('a record is what Kafka writes: version 4 with the topic id, 1 with a time to expire', async () => {
  const world = await started()
  const now = world.env.clock.nowMs()
  await commit(world, { a: [[0, 5]] }, { epoch: 3, metadata: 'm' })
  await commit(world, { a: [[1, 6]] }, { version: 3, retentionTimeMs: 1000 })
  await commit(world, { a: [[2, 7]] }, { version: 1, at: 99 })
  const topicId = await world.topicId('a')
  const values = (await stored(world)).map(({ value }) => value)
  const absent = { leaderEpoch: -1, expireTimestamp: -1, topicId: zeroUuid }
  assert.equal(values, [
    { ...absent, offset: 5, leaderEpoch: 3, metadata: 'm', commitTimestamp: now, topicId },
    { ...absent, offset: 6, metadata: '', commitTimestamp: now, expireTimestamp: now + 1000 },
    { ...absent, offset: 7, metadata: '', commitTimestamp: 99, topicId },
  ])
  await world.stop()
})

const dayMs = 86_400_000

test('offsets of a group without members expire after their time', async () => {
  const world = await started({ 'offsets.retention.minutes': '1440' })
  await commit(world, { a: [[0, 1]] })
  await world.env.clock.advance(dayMs - 700_000)
  await commit(world, { a: [[1, 2]] })
  await world.env.clock.advance(100_000)
  assert.equal(await fetch(world), ['a-0@1', 'a-1@2'])
  await world.env.clock.advance(1_200_000)
  assert.equal(await fetch(world), ['a-1@2'])
  await world.env.clock.advance(dayMs)
  assert.equal(await fetch(world), [])
  const tombstones = (await stored(world)).filter(({ value }) => value === null)
  assert.equal(
    tombstones.map(({ kind }) => kind),
    ['OffsetCommit', 'OffsetCommit', 'GroupMetadata'],
  )
  await world.stop()
})

test('a commit may say itself when it expires', async () => {
  const world = await started()
  await commit(world, { a: [[0, 1]] }, { version: 2, retentionTimeMs: 1000 })
  await commit(world, { a: [[1, 2]] }, { version: 5 })
  await world.env.clock.advance(700_000)
  assert.equal(await fetch(world), ['a-1@2'])
  await world.stop()
})

test('any retention a client may ask for can be kept', async () => {
  const world = await started()
  const now = world.env.clock.nowMs()
  const extremes = [2 ** 63, 2 ** 53 - 1, 0, -2, -(2 ** 53), -(2 ** 63)]
  for (const retentionTimeMs of extremes) {
    assert.equal(await commit(world, { a: [[0, 1]] }, { version: 3, retentionTimeMs }), [
      'a-0=NONE',
    ])
  }
  for (const at of [2 ** 63, -(2 ** 63), 0, -2]) {
    assert.equal(await commit(world, { a: [[1, 2 ** 63]] }, { version: 1, at }), ['a-1=NONE'])
  }
  const expiries = (await stored(world)).flatMap(({ value }) =>
    value !== null && 'expireTimestamp' in value ? [value.expireTimestamp] : [],
  )
  assert.equal(expiries.slice(0, 6), [2 ** 63, 2 ** 63, now, now - 2, 0, 0])
  await world.env.clock.advance(700_000)
  assert.equal(await fetch(world), [])
  await world.stop()
})

test('offsets of a deleted topic go, and one made again begins without', async () => {
  const world = await started()
  await commit(world, { a: [[0, 1]], b: [[0, 2]] })
  await world.until(world.call(DeleteTopics, 5, { topicNames: ['a'], timeoutMs: 1000 }))
  assert.equal(await fetch(world), ['b-0@2'])
  await world.call(CreateTopics, 7, {
    topics: [{ name: 'a', numPartitions: 1, replicationFactor: 1 }],
    timeoutMs: 1000,
  })
  assert.equal(await fetch(world), ['b-0@2'])
  await world.restart()
  assert.equal(await fetch(world), ['b-0@2'])
  await world.stop()
})

test('clients may not write the topic', async () => {
  const world = await started()
  const refused = await world.produce(offsetsTopic, batch(['x'], { key: 'k' }))
  assert.is(refused.errorCode, errorCode('INVALID_TOPIC_EXCEPTION'))
  await world.stop()
})

test('a disk that hangs: whoever commits or reads is told in time, and nothing is lost', async () => {
  const world = await started()
  const { env } = world
  let release = () => {}
  const hang = new Promise<void>((resolve) => {
    release = resolve
  })
  env.disk.beforeEach = (operation) => (operation === 'sync' ? hang : undefined)
  const client = await world.connect()
  const partitions = [{ partitionIndex: 0, committedOffset: 8, committedMetadata: '' }]
  client.send(OffsetCommit, 9, { groupId: 'g', topics: [{ name: 'a', partitions }] })
  await env.clock.advance(5000)
  const { topics: answer } = await client.answer(OffsetCommit, 9)
  assert.is(errorName(answer[0]?.partitions[0]?.errorCode ?? 0), 'COORDINATOR_NOT_AVAILABLE')
  client.send(OffsetFetch, 7, { groupId: 'g', topics: null })
  await env.clock.advance(5000)
  // Older consumers know no other error here that makes them try again.
  const refused = await client.answer(OffsetFetch, 7)
  assert.is(errorName(refused.errorCode), 'NOT_COORDINATOR')
  env.disk.beforeEach = () => undefined
  release()
  await env.clock.settle()
  assert.equal(await fetch(world), ['a-0@8'])
  await world.stop()
})

test('a stop ends in good order while commits are on their way', async () => {
  const world = await started()
  const client = await world.connect()
  const topicsOf = (committedOffset: number) => [
    { name: 'a', partitions: [{ partitionIndex: 0, committedOffset, committedMetadata: '' }] },
  ]
  for (let offset = 1; offset <= 20; offset++) {
    client.send(OffsetCommit, 9, { groupId: 'g', topics: topicsOf(offset) })
  }
  await world.restart()
  const [found] = await fetch(world)
  const answered = client.frames.length
  assert.ok(Number(found?.split('@')[1] ?? 0) >= answered, `${found} after ${answered} answers`)
  await world.stop()
})
