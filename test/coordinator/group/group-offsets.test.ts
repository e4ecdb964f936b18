import { zeroUuid } from '../../../lib/base/uuid.ts'
import { noLayers, resolveBrokerConfig } from '../../../lib/config/config.ts'
import { javaHash } from '../../../lib/coordinator/group/group-coordinator.ts'
import { GroupShard } from '../../../lib/coordinator/group/group-shard.ts'
import { expireOffsets, offsetTombstones } from '../../../lib/coordinator/group/offset-expiry.ts'
import {
  commitOffsets,
  deleteOffsets,
  fetchOffsets,
} from '../../../lib/coordinator/group/offsets.ts'
import { memoryEnv } from '../../../lib/io/memory/env.ts'
import { emptyImage } from '../../../lib/metadata/image.ts'
import { GroupMetadata } from '../../../lib/protocol/coordinator/classic-group-records.ts'
import { encodeGroupRecord } from '../../../lib/protocol/coordinator/group-records.ts'
import {
  LegacyOffsetCommit,
  OffsetCommit,
} from '../../../lib/protocol/coordinator/offset-records.ts'
import type { ShardRecord, ShardResult } from '../../../lib/shard/shard.ts'
import { assert, suite } from '../../support/suite.ts'

const test = suite('group offsets in a shard')

/** A shard without a log: what an operation returns is replayed at once. */
class World {
  readonly env = memoryEnv()
  #offset = 0
  readonly shard = new GroupShard({
    env: this.env,
    partition: 0,
    image: emptyImage(''),
    config: () => resolveBrokerConfig(noLayers),
    groupConfigs: () => ({}),
    memory: { take: () => true },
    write: (operation) => this.run(operation),
  })

  replay(record: ShardRecord, producerId = -1): void {
    this.shard.replay(record, { offset: this.#offset++, timestampMs: 0, producerId })
  }

  run<R>(operation: (shard: GroupShard) => ShardResult<R>): R {
    const { records, response, onCommitted } = operation(this.shard)
    for (const record of records) this.replay(record)
    onCommitted?.()
    if (response instanceof Promise) throw new Error('parked')
    return response
  }

  fetch(requireStable = false, groupId = 'g'): string[] {
    const request = { groupId, memberId: null, memberEpoch: -1, topics: null, requireStable }
    return fetchOffsets(this.shard, request).flatMap(({ name, partitions }) =>
      partitions.map(
        (found) =>
          `${name}-${found.partitionIndex}@${found.committedOffset}${found.errorCode === 0 ? '' : `!${found.errorCode}`}`,
      ),
    )
  }
}

function committed(offset: number, { topic = 't', partition = 0, group = 'g' } = {}): ShardRecord {
  return encodeGroupRecord(
    OffsetCommit,
    { group, topic, partition },
    { offset, metadata: '', commitTimestamp: 0 },
  )
}

function taken(topic = 't', partition = 0): ShardRecord {
  return encodeGroupRecord(OffsetCommit, { group: 'g', topic, partition }, null)
}

test('records of brokers before 0.9 are read', () => {
  const world = new World()
  world.replay(
    encodeGroupRecord(
      LegacyOffsetCommit,
      { group: 'g', topic: 't', partition: 2 },
      { offset: 12, metadata: 'then', commitTimestamp: 5 },
    ),
  )
  assert.equal(world.shard.offsets.get('g', 't', 2), {
    offset: 12,
    metadata: 'then',
    commitTimestampMs: 5,
    leaderEpoch: -1,
    expireTimestampMs: -1,
    topicId: zeroUuid,
    recordOffset: 0,
  })
  assert.is(world.shard.groups.get('g')?.type, 'classic')
  assert.is(world.shard.groups.get('g')?.protocolType, '')
  world.replay(
    encodeGroupRecord(LegacyOffsetCommit, { group: 'g', topic: 't', partition: 2 }, null),
  )
  assert.equal(world.fetch(), [])
})

for (const version of [0, 1, 2, 3, 4]) {
  test(`version ${version} of the record is read`, () => {
    const world = new World()
    world.replay(
      encodeGroupRecord(
        { ...OffsetCommit, written: version },
        { group: 'g', topic: 't' },
        { offset: 3, metadata: 'm', commitTimestamp: 5, leaderEpoch: 7, expireTimestamp: 9 },
      ),
    )
    const { leaderEpoch, expireTimestampMs, offset } = world.shard.offsets.get('g', 't', 0) ?? {}
    assert.equal(
      [offset, leaderEpoch, expireTimestampMs],
      [3, version >= 3 ? 7 : -1, version === 1 ? 9 : -1],
    )
  })
}

test('records of kinds that are not known are passed over', () => {
  const world = new World()
  world.replay({ key: Buffer.from('0063ff', 'hex'), value: Buffer.from('00') })
  assert.is(world.shard.groups.size, 0)
})

test('offsets of a transaction are unstable until it ends', () => {
  const world = new World()
  world.replay(committed(1))
  world.replay(committed(5), 42)
  assert.equal(world.fetch(), ['t-0@1'])
  assert.equal(world.fetch(true), ['t-0@-1!88'])
  world.shard.replayMarker(42, true)
  assert.equal(world.fetch(true), ['t-0@5'])
})

test('an aborted transaction leaves the offsets as they were', () => {
  const world = new World()
  world.replay(committed(1))
  world.replay(committed(5), 42)
  world.shard.replayMarker(42, false)
  world.shard.replayMarker(43, true)
  assert.equal(world.fetch(true), ['t-0@1'])
})

test('of a transaction and a plain commit the later one in the log holds', () => {
  const world = new World()
  world.replay(committed(5), 42)
  world.replay(committed(6))
  world.shard.replayMarker(42, true)
  assert.equal(world.fetch(), ['t-0@6'])
})

test('what is taken back is taken back from open transactions, too', () => {
  const world = new World()
  world.replay(committed(5), 42)
  world.replay(committed(6, { partition: 1 }), 42)
  world.replay(taken())
  world.shard.replayMarker(42, true)
  assert.equal(world.fetch(), ['t-1@6'])
})

test('everything a group has committed is taken back once, in the open or not', () => {
  const world = new World()
  world.replay(committed(1))
  world.replay(committed(2, { topic: 'u', partition: 3 }))
  world.replay(committed(5), 42)
  world.replay(committed(6, { partition: 1 }), 42)
  world.replay(committed(9, { group: 'other' }))
  const tombstones = offsetTombstones(world.shard, 'g')
  assert.is(tombstones.length, 3)
  for (const record of tombstones) world.replay(record)
  world.shard.replayMarker(42, true)
  assert.equal(world.fetch(), [])
  assert.equal(world.fetch(false, 'other'), ['t-0@9'])
})

test('a group with an open transaction is kept', () => {
  const world = new World()
  world.replay(committed(5), 42)
  void world.env.clock.advance(30 * 86_400_000)
  assert.is(world.run(expireOffsets), undefined)
  assert.is(world.shard.groups.has('g'), true)
})

const member = {
  memberId: 'm',
  clientId: 'c',
  clientHost: '/h',
  sessionTimeout: 1000,
  rebalanceTimeout: 1000,
}

/** A group with one member, which is no consumer. */
function connectGroup(world: World): void {
  world.replay(
    encodeGroupRecord(
      GroupMetadata,
      { group: 'g' },
      {
        protocolType: 'connect',
        protocol: 'sessioned',
        leader: 'm',
        generation: 3,
        members: [member],
      },
    ),
  )
}

test('offsets of members that are no consumers are neither expired nor deleted', () => {
  const world = new World()
  connectGroup(world)
  world.replay(committed(1))
  void world.env.clock.advance(30 * 86_400_000)
  world.run(expireOffsets)
  assert.equal(world.fetch(), ['t-0@1'])
  assert.throws(
    () => deleteOffsets(world.shard, { groupId: 'g', topics: [] }),
    (error: unknown) => error instanceof Error && error.name === 'NON_EMPTY_GROUP',
  )
})

test('while a group has members, nobody else may commit', () => {
  const world = new World()
  connectGroup(world)
  const committer = {
    memberId: '',
    groupInstanceId: null,
    generationIdOrMemberEpoch: -1,
    apiVersion: 9,
  }
  assert.throws(
    () => commitOffsets(world.shard, { groupId: 'g', committer, retentionTimeMs: -1, topics: [] }),
    (error: unknown) => error instanceof Error && error.name === 'UNKNOWN_MEMBER_ID',
  )
})

for (const [text, hash] of [
  ['', 0],
  ['g1', 3242],
  ['polygenelubricants', -2_147_483_648],
] as const) {
  test(`the hash of "${text}" is Java's`, () => {
    assert.is(javaHash(text), hash)
  })
}
