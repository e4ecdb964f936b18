/** Requests about groups that keep to the protocol and to nothing else: the broker goes on. */

import { KafkaError } from '../../lib/base/errors.ts'
import { randomUuid, zeroUuid } from '../../lib/base/uuid.ts'
import { singleNodeConfigs } from '../../lib/config/broker-groups.ts'
import { seededRandom } from '../../lib/io/memory/random.ts'
import { type Random, randomBelow } from '../../lib/io/random.ts'
import { ConsumerGroupDescribe } from '../../lib/protocol/apis/consumer-group-describe.ts'
import { ConsumerGroupHeartbeat } from '../../lib/protocol/apis/consumer-group-heartbeat.ts'
import { DeleteGroups } from '../../lib/protocol/apis/delete-groups.ts'
import { DescribeGroups } from '../../lib/protocol/apis/describe-groups.ts'
import { FindCoordinator } from '../../lib/protocol/apis/find-coordinator.ts'
import { Heartbeat } from '../../lib/protocol/apis/heartbeat.ts'
import { JoinGroup } from '../../lib/protocol/apis/join-group.ts'
import { LeaveGroup } from '../../lib/protocol/apis/leave-group.ts'
import { ListGroups } from '../../lib/protocol/apis/list-groups.ts'
import { Metadata } from '../../lib/protocol/apis/metadata.ts'
import { OffsetCommit } from '../../lib/protocol/apis/offset-commit.ts'
import { OffsetDelete } from '../../lib/protocol/apis/offset-delete.ts'
import { OffsetFetch } from '../../lib/protocol/apis/offset-fetch.ts'
import { SyncGroup } from '../../lib/protocol/apis/sync-group.ts'
import type { Api, Field, Fields } from '../../lib/protocol/schema.ts'
import { assert, suite } from '../support/suite.ts'
import { type RawClient, Scenario } from './support/scenario.ts'

const test = suite('hostile group requests')

/** Some twice: what makes groups. */
const apis: readonly Api[] = [
  JoinGroup,
  SyncGroup,
  OffsetCommit,
  ConsumerGroupHeartbeat,
  OffsetCommit,
  OffsetFetch,
  JoinGroup,
  Heartbeat,
  LeaveGroup,
  SyncGroup,
  DescribeGroups,
  ListGroups,
  DeleteGroups,
  OffsetDelete,
  ConsumerGroupHeartbeat,
  ConsumerGroupDescribe,
  FindCoordinator,
]

const texts = [
  '',
  'g',
  'h',
  'm',
  'n',
  'consumer',
  'range',
  'uniform',
  'a',
  'b',
  'a.*',
  'a|(',
  '(?=a)',
]
const numbers = [-1, 0, 1, 2, 3, -2, 10_000, 45_000, 0x7fffffff, -0x8000_0000]
/** A subscription of Java's consumer to topic "a", and what is none. */
const blobs = ['', '00', 'ffffffff', '00000000000100016100000000', '0003000000010001617fffffff']

class Chance {
  readonly #random: Random
  /** Member ids that came in answers. */
  readonly memberIds: string[] = ['m']
  readonly topicIds: string[] = [zeroUuid]
  newestEpoch = 1

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  below(bound: number): number {
    return randomBelow(this.#random, bound)
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  /** A value of the field that the version can carry, or nearly. */
  value(name: string, field: Field<unknown>, version: number): unknown {
    if (version < field.since || version > field.until) return undefined
    if (this.below(12) === 0 && version >= field.nullableSince) return null
    switch (field.kind) {
      case 'struct':
        return this.struct(field.fields ?? {}, version)
      case 'array':
        return Array.from({ length: this.below(4) }, () =>
          this.value(name, field.element as Field<unknown>, version),
        )
      case 'string':
        return this.#text(name)
      case 'bool':
        return this.below(2) === 0
      case 'uuid':
        return this.of([...this.topicIds, randomUuid((count) => this.#random.bytes(count))])
      case 'bytes':
        return Buffer.from(this.of(blobs), 'hex')
      case 'int8':
        return this.of([0, 0, 0, 1, 2, -1, 127])
      case 'int64':
        return this.of([0, 1, -1, 5, 2 ** 53 - 1, 2 ** 63, -(2 ** 63)])
      default:
        return this.of(numbers)
    }
  }

  struct(fields: Fields, version: number): object {
    const entries = Object.entries(fields).map(([name, field]) => [
      name,
      this.value(name, field, version),
    ])
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
  }

  /** Fields that a real member would send; each is used three times out of four. */
  plausible({ name }: Api): object {
    const memberId = this.of([...this.memberIds, ''])
    const generationId = this.of([1, 1, 2, 2, 3, 4, this.newestEpoch])
    const terms = { sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000 }
    const partitions = [{ partitionIndex: this.below(2), committedOffset: 1 }]
    const topicName = this.of(['a', 'b'])
    const assignments = this.memberIds.map((id) => ({ memberId: id }))
    const protocols = [{ name: 'range', metadata: Buffer.from(blobs[3] ?? '', 'hex') }]
    const known: { [api: string]: object } = {
      JoinGroup: { ...terms, memberId, protocolType: 'consumer', protocols, groupInstanceId: null },
      SyncGroup: { memberId, generationId, assignments, protocolType: 'consumer' },
      Heartbeat: { memberId, generationId },
      OffsetCommit: {
        memberId: this.of([memberId, '']),
        generationIdOrMemberEpoch: this.of([generationId, -1]),
        topics: [{ name: topicName, topicId: this.of(this.topicIds), partitions }],
      },
      OffsetDelete: { topics: [{ name: topicName, partitions }] },
      ConsumerGroupHeartbeat: {
        memberId: this.of(['x', 'y', 'z']),
        memberEpoch: this.of([0, 0, this.newestEpoch, this.newestEpoch, -1]),
        rebalanceTimeoutMs: 10_000,
        subscribedTopicNames: ['a'],
        subscribedTopicRegex: null,
        serverAssignor: null,
        topicPartitions: [],
        instanceId: null,
        rackId: null,
      },
    }
    const fields = Object.entries({ groupId: 'g', ...known[name] })
    return Object.fromEntries(fields.filter(() => this.below(8) > 0))
  }

  #text(name: string): string {
    if (this.below(40) === 0) return 'long '.repeat(8000)
    const isMember = name === 'memberId' && this.below(3) > 0
    if (isMember) return this.of(this.memberIds)
    if (/group/i.test(name) && this.below(4) > 0) return this.of(['g', 'h'])
    return this.of(texts)
  }
}

for (const seed of [1, 2, 3]) {
  test(`the broker goes on, seed ${seed}`, async () => {
    const configs = {
      ...singleNodeConfigs,
      'offsets.topic.num.partitions': '2',
      'group.initial.rebalance.delay.ms': '0',
    }
    const world = await Scenario.start({ topics: ['a:2', 'b:1'], configs })
    const chance = new Chance(seed)
    await world.call(FindCoordinator, 4, { coordinatorKeys: ['g'] })
    chance.topicIds.push(await world.topicId('a'), await world.topicId('b'))
    let sent = 0
    let seen = 0
    for (let round = 0; round < 1200; round++) {
      const api = chance.of(apis)
      const [min, max] = api.versions
      const version = min + chance.below(max - min + 1)
      const client = await world.connect()
      const body = {
        ...chance.struct(api.request.fields, version),
        ...only(api.request.fields, version, chance.plausible(api)),
      }
      try {
        client.send(api, version, body)
        sent++
      } catch (error) {
        assert.ok(error instanceof KafkaError, String(error))
      }
      await world.env.clock.advance(chance.of([0, 0, 0, 0, 0, 0, 10, 10, 1000, 50_000]))
      seen += await learn(chance, client, { api, version })
      assert.is(world.broker.failure, null, `${api.name} v${version}`)
    }
    assert.ok(sent > 1000 && seen > 25, `${sent} requests, ${seen} answers to members`)
    const { topics } = await world.call(Metadata, 12, { topics: [{ name: 'a' }] })
    assert.is(topics[0]?.partitions.length, 2)
    await world.restart()
    const { coordinators } = await world.call(FindCoordinator, 4, { coordinatorKeys: ['g'] })
    assert.is(coordinators[0]?.errorCode, 0)
    const { groups } = await world.call(OffsetFetch, 8, {
      groups: [{ groupId: 'g', topics: null }],
    })
    assert.is(groups[0]?.errorCode, 0)
    await world.stop()
  })
}

/** What the version can carry. */
function only(fields: Fields, version: number, values: object): object {
  const isThere = ([name]: [string, unknown]) => {
    const field = fields[name]
    return field !== undefined && version >= field.since && version <= field.until
  }
  return Object.fromEntries(Object.entries(values).filter(isThere))
}

/** Takes ids and epochs from what the broker said; 1 when somebody joined. */
async function learn(
  chance: Chance,
  client: RawClient,
  { api, version }: { api: Api; version: number },
): Promise<number> {
  if (client.frames.length === 0) return 0
  if (api.key === JoinGroup.key) {
    const { memberId, generationId, errorCode } = await client.answer(JoinGroup, version)
    if (memberId !== '') chance.memberIds.unshift(memberId)
    chance.memberIds.length = Math.min(chance.memberIds.length, 4)
    if (generationId > 0) chance.newestEpoch = generationId
    return errorCode === 0 ? 1 : 0
  }
  if (api.key !== ConsumerGroupHeartbeat.key) return 0
  const { memberEpoch, errorCode } = await client.answer(ConsumerGroupHeartbeat, version)
  if (errorCode === 0 && memberEpoch > 0) chance.newestEpoch = memberEpoch
  return errorCode === 0 ? 1 : 0
}
