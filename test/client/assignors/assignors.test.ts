import { readFileSync } from 'node:fs'
import type { TopicPartition } from '../../../lib/base/types.ts'
import type { AssignorName, SubscribedMember } from '../../../lib/client/assignors/assignor.ts'
import { assignors } from '../../../lib/client/assignors/index.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../../lib/protocol/consumer-protocol.ts'
import { assert, suite } from '../../support/suite.ts'

const test = suite('assignors')

type Pair = readonly [topic: string, partition: number]

/** What Kafka's classes made: test/fixtures-java/AssignorFixtures.java. */
interface Case {
  assignor: AssignorName
  counts: Record<string, number>
  members: {
    memberId: string
    instanceId: string | null
    topics: string[]
    owned: Pair[]
    version: number
    metadata: string
  }[]
  assignment: Record<string, { partitions: Pair[]; bytes: string }>
}

const cases = JSON.parse(readFileSync('fixtures/groups/assignors.json', 'utf8')) as Case[]

function keys(partitions: readonly TopicPartition[]): string[] {
  return partitions.map(({ topic, partition }) => `${topic}-${partition}`).sort()
}

function keysOf(pairs: readonly Pair[]): string[] {
  return pairs.map(([topic, partition]) => `${topic}-${partition}`).sort()
}

function membersOf({ members }: Case): SubscribedMember[] {
  return members.map(({ memberId, instanceId, metadata }) => {
    const read = decodeSubscription(Buffer.from(metadata, 'hex'))
    const owned = read.ownedPartitions.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    )
    const { topics, userData, generationId: generation } = read
    return { memberId, instanceId, topics, userData, owned, generation }
  })
}

function assign(one: Case): Map<string, TopicPartition[]> {
  const partitionCounts = new Map(Object.entries(one.counts))
  return assignors[one.assignor].assign({ members: membersOf(one), partitionCounts })
}

/** How many partitions go to a member that did not have them. */
function movesOf({ members }: Case, assignment: ReadonlyMap<string, readonly string[]>): number {
  let moves = 0
  for (const { memberId, owned } of members) {
    const had = new Set(keysOf(owned))
    for (const key of assignment.get(memberId) ?? []) if (!had.has(key)) moves++
  }
  return moves
}

function assertEachOnce(one: Case, ours: ReadonlyMap<string, TopicPartition[]>, text: string) {
  const seen = new Set<string>()
  for (const [memberId, partitions] of ours) {
    const topics = one.members.find((member) => member.memberId === memberId)?.topics ?? []
    for (const { topic, partition } of partitions) {
      assert.ok(topics.includes(topic), `${text}: ${memberId} is not subscribed to ${topic}`)
      assert.not.ok(seen.has(`${topic}-${partition}`), `${text}: ${topic}-${partition} twice`)
      seen.add(`${topic}-${partition}`)
    }
  }
}

test('subscriptions and assignments are read and written byte for byte as Kafka does', () => {
  for (const { members, assignment } of cases) {
    for (const { metadata, version } of members) {
      const read = decodeSubscription(Buffer.from(metadata, 'hex'))
      assert.is(Buffer.from(encodeSubscription(read, version)).toString('hex'), metadata)
    }
    for (const { bytes, partitions } of Object.values(assignment)) {
      const read = decodeAssignment(Buffer.from(bytes, 'hex'))
      assert.is(Buffer.from(encodeAssignment(read)).toString('hex'), bytes)
      const pairs = read.assignedPartitions.flatMap(({ topic, partitions: numbers }) =>
        numbers.map((partition): Pair => [topic, partition]),
      )
      assert.equal(keysOf(pairs), keysOf(partitions))
    }
  }
})

test('a subscription that claims more than it has is read as an older one, a longer one as ours', () => {
  const old = encodeSubscription({ topics: ['a', 'b'] }, 0)
  old[1] = 1
  assert.equal(decodeSubscription(old).topics, ['a', 'b'])
  const newer = Buffer.concat([
    encodeSubscription({ topics: ['a'], generationId: 7 }),
    Buffer.alloc(9),
  ])
  newer[1] = 9
  assert.is(decodeSubscription(newer).generationId, 7)
})

test('cut or malformed metadata is an error, never anything else', () => {
  const whole = encodeSubscription({ topics: ['topic'], userData: Buffer.from('data') }, 0)
  for (let size = 0; size < whole.length; size++) {
    assert.throws(() => decodeSubscription(whole.subarray(0, size)), /./, `${size} bytes`)
  }
  for (const hex of ['ffff', '0000ffffffff', '00007fffffff', '000000000001ffff']) {
    const error = (() => {
      try {
        return decodeSubscription(Buffer.from(hex, 'hex'))
      } catch (thrown) {
        return thrown
      }
    })()
    assert.is(error instanceof Error && error.name, 'DecodeError', hex)
  }
})

test('range and roundrobin give each member what Kafka gives it', () => {
  for (const [index, one] of cases.entries()) {
    if (one.assignor !== 'range' && one.assignor !== 'roundrobin') continue
    const ours = assign(one)
    for (const [memberId, { partitions }] of Object.entries(one.assignment)) {
      const text = `case ${index}, ${one.assignor}, ${memberId}`
      assert.equal(keys(ours.get(memberId) ?? []), keysOf(partitions), text)
    }
  }
})

test('sticky is balanced as Kafka is, and moves no more', () => {
  for (const [index, one] of cases.entries()) {
    if (one.assignor !== 'sticky') continue
    const text = `case ${index}`
    const ours = assign(one)
    assertEachOnce(one, ours, text)
    const theirs = Object.entries(one.assignment)
    const total = theirs.reduce((sum, [, { partitions }]) => sum + partitions.length, 0)
    const sizes = [...ours.values()].map(({ length }) => length)
    assert.is(
      sizes.reduce((sum, size) => sum + size, 0),
      total,
      text,
    )
    const spread = (all: number[]) => all.reduce((sum, size) => sum + size * size, 0)
    assert.ok(spread(sizes) <= spread(theirs.map(([, { partitions }]) => partitions.length)), text)
    const theirMoves = movesOf(
      one,
      new Map(theirs.map(([memberId, { partitions }]) => [memberId, keysOf(partitions)])),
    )
    const ourMoves = movesOf(
      one,
      new Map(Array.from(ours, ([memberId, partitions]) => [memberId, keys(partitions)])),
    )
    const isEqualBalance =
      spread(sizes) === spread(theirs.map(([, { partitions }]) => partitions.length))
    if (isEqualBalance) assert.ok(ourMoves <= theirMoves, `${text}: ${ourMoves} > ${theirMoves}`)
  }
})

test('cooperative-sticky gives nobody what another member still has', () => {
  for (const [index, one] of cases.entries()) {
    if (one.assignor !== 'cooperative-sticky') continue
    const ours = assign(one)
    assertEachOnce(one, ours, `case ${index}`)
    for (const { memberId, owned } of one.members) {
      for (const [taker, partitions] of ours) {
        if (taker === memberId) continue
        for (const key of keysOf(owned)) {
          assert.not.ok(keys(partitions).includes(key), `case ${index}: ${key} of ${memberId}`)
        }
      }
    }
  }
})

test('cooperative-sticky comes to rest in the round after, balanced and complete', () => {
  for (const [index, one] of cases.entries()) {
    if (one.assignor !== 'cooperative-sticky') continue
    const partitionCounts = new Map(Object.entries(one.counts))
    let members = membersOf(one)
    let ours = assign(one)
    for (let round = 1; round <= 2; round++) {
      members = members.map((member) => {
        const owned = ours.get(member.memberId) ?? []
        return { ...member, owned, generation: 10 + round }
      })
      ours = assignors['cooperative-sticky'].assign({ members, partitionCounts })
    }
    const before = new Map(members.map(({ memberId, owned }) => [memberId, keys(owned)]))
    for (const [memberId, partitions] of ours) {
      assert.equal(keys(partitions), before.get(memberId), `case ${index}`)
    }
    const wanted = new Set(one.members.flatMap(({ topics }) => topics))
    const total = [...wanted].reduce((sum, topic) => sum + (one.counts[topic] ?? 0), 0)
    assert.is([...ours.values()].flat().length, total, `case ${index}`)
  }
})

/** A partition that two claim: whose is it? */
const claims: [string, { generation: number }[], (string | null)[]][] = [
  ['the later generation is right', [{ generation: 3 }, { generation: 4 }], ['m1']],
  ['in one generation nobody is', [{ generation: 4 }, { generation: 4 }], [null]],
]

test('of two that claim a partition the one of the later generation keeps it', () => {
  for (const [title, generations, [owner]] of claims) {
    const members = generations.map(({ generation }, index) => ({
      memberId: `m${index}`,
      instanceId: null,
      topics: ['t'],
      userData: null,
      owned: [{ topic: 't', partition: 0 }],
      generation,
    }))
    const input = { members, partitionCounts: new Map([['t', 1]]) }
    const found = assignors['cooperative-sticky'].assign(input)
    const has = [...found].find(([, partitions]) => partitions.length > 0)?.[0] ?? null
    assert.is(has, owner, title)
  }
})

test('sticky user data that is no such thing counts as nothing', () => {
  for (const userData of [Buffer.from('x'), Buffer.alloc(0), Buffer.from('ffffffff', 'hex')]) {
    const member = { instanceId: null, topics: ['t'], owned: [], generation: -1 }
    const found = assignors.sticky.assign({
      members: [
        { ...member, memberId: 'a', userData },
        { ...member, memberId: 'b', userData: null },
      ],
      partitionCounts: new Map([['t', 2]]),
    })
    assert.equal(
      [...found.values()].map(({ length }) => length),
      [1, 1],
    )
  }
})
