/** CreateTopics, DeleteTopics, CreatePartitions. */

import { CreatePartitions } from '../../../lib/protocol/apis/create-partitions.ts'
import { CreateTopics, type CreateTopicsRequest } from '../../../lib/protocol/apis/create-topics.ts'
import { DeleteTopics } from '../../../lib/protocol/apis/delete-topics.ts'
import { Metadata } from '../../../lib/protocol/apis/metadata.ts'
import type { Encodable } from '../../../lib/protocol/schema.ts'
import type { Peer } from './peer.ts'
import { type Accepted, type At, accept, rowsOf, type Section } from './row.ts'

const creation = rowsOf(CreateTopics)
const deletion = rowsOf(DeleteTopics)
const growth = rowsOf(CreatePartitions)

const timeoutMs = 15_000
const unknownId = 'AAAAAAAAAAAAAAAAAAAAEw'

type NewTopic = Encodable<CreateTopicsRequest['topics'][number]>

const spelling = accept(
  'ottla shows a setting in its usual spelling, Kafka as it was given',
  /\.configs\.(cleanup\.policy|preallocate|retention\.ms)\.value$/,
)
const past = accept('settings that Kafka 4 removed are passed over, for the sake of old tools', /./)
const dryId = accept('a topic that is only validated has no id', /\.topicId$/)

/** What Metadata then says of the topic. */
async function described(peer: Peer, names: readonly string[]) {
  await peer.settle()
  const topics = names.map((name) => ({ name }))
  return (await peer.call(Metadata, 9, { topics, allowAutoTopicCreation: false })).topics
}

/** Creates one topic; asks for what came of it. */
function create(
  name: string,
  fields: NewTopic,
  { once = false, accepted = [] }: { once?: boolean; accepted?: readonly Accepted[] } = {},
) {
  return creation.steps(
    name,
    async ({ peer, topic, version }, ask) => {
      const answer = await ask({
        topics: [{ name: topic, numPartitions: 1, replicationFactor: 1, ...fields }],
        timeoutMs,
      })
      const state = await described(
        peer,
        [fields.name ?? topic].filter((each) => each !== ''),
      )
      return { answer: sorted(answer), state: version === 7 ? state : null }
    },
    { accepted, ...(once && { versions: [7, 99] }) },
  )
}

/** Configs of the answer by name. */
function sorted<A extends object | string>(answer: A): unknown {
  if (typeof answer !== 'object' || !('topics' in answer) || !Array.isArray(answer.topics))
    return answer
  const topics = answer.topics.map((topic) => {
    if (!Array.isArray(topic.configs)) return topic
    const configs = Object.fromEntries(
      topic.configs
        .filter(({ name }: { name: string }) => !/^(ottla|internal)\./.test(name))
        .map(({ name, ...rest }: { name: string }) => [name, rest]),
    )
    return { ...topic, configs }
  })
  return { ...answer, topics: topics.sort((a, b) => (a.name < b.name ? -1 : 1)) }
}

const assigned = (...lists: readonly (readonly number[])[]) => ({
  numPartitions: -1,
  replicationFactor: -1,
  assignments: lists.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
})
const config = (name: string, value: string | null) => ({ configs: [{ name, value }] })

const creations = [
  create('one partition', {}),
  create('three partitions', { numPartitions: 3 }),
  create('defaults by -1', { numPartitions: -1, replicationFactor: -1 }),
  create('partitions 0', { numPartitions: 0 }),
  create('partitions -2', { numPartitions: -2 }),
  create('replication factor 0', { replicationFactor: 0 }),
  create('replication factor 2', { replicationFactor: 2 }),
  create('replication factor -2', { replicationFactor: -2 }),
  create('partitions 0, replication factor 0', { numPartitions: 0, replicationFactor: 0 }),
  ...['', '.', '..', 'a b', 'a/b', 'ä', 'x'.repeat(250)].map((name) =>
    create(`name ${JSON.stringify(name.slice(0, 6))} (${name.length})`, { name }),
  ),
  create('a name that exists', { name: 'topics-here' }),
  create('a name that exists, bad partitions', { name: 'topics-here', numPartitions: 0 }),
  create('a name that collides', { name: 'topics_dot.name' }),
  create('the same name in other letters', { name: 'Topics-Here' }, { once: true }),
  create('assignments', assigned([1], [1])),
  create('assignment to an unknown broker', assigned([2])),
  create('assignment with a broker twice', assigned([1, 1])),
  create('assignment without brokers', assigned([])),
  create('assignments of different lengths', assigned([1], [1, 2])),
  create('assignments not from 0', {
    ...assigned(),
    assignments: [{ partitionIndex: 1, brokerIds: [1] }],
  }),
  create('assignments with a gap', {
    ...assigned(),
    assignments: [0, 2].map((partitionIndex) => ({ partitionIndex, brokerIds: [1] })),
  }),
  create('a partition assigned twice', {
    ...assigned(),
    assignments: [0, 0].map((partitionIndex) => ({ partitionIndex, brokerIds: [1] })),
  }),
  create('assignments and partitions', { ...assigned([1]), numPartitions: 1 }),
  create('assignments and replication factor', { ...assigned([1]), replicationFactor: 1 }),
  create('negative assigned partition', {
    ...assigned(),
    assignments: [{ partitionIndex: -1, brokerIds: [1] }],
  }),
  create('a config', config('retention.ms', '1000')),
  create('a list config', config('cleanup.policy', 'compact,delete')),
  create('a list config with spaces', config('cleanup.policy', ' compact , delete '), {
    accepted: [spelling],
  }),
  create('a boolean in capitals', config('preallocate', 'TRUE'), { accepted: [spelling] }),
  create('a number with spaces', config('retention.ms', ' 1000 '), { accepted: [spelling] }),
  create('an unknown config', config('no.such.thing', '1')),
  create('an empty config name', config('', '1')),
  create('a config that is no number', config('retention.ms', 'x')),
  create('a number with a fraction', config('retention.ms', '1.5')),
  create('a number too large', config('retention.bytes', '9223372036854775808')),
  create('the largest number', config('retention.bytes', '9223372036854775807')),
  create('a number below its limit', config('retention.ms', '-2')),
  create('segment.bytes too small', config('segment.bytes', '1000')),
  create('a bad enum', config('cleanup.policy', 'shred')),
  create('an empty list', config('cleanup.policy', '')),
  create('a list with a value twice', config('cleanup.policy', 'delete,delete')),
  create('a bad boolean', config('preallocate', 'yes')),
  create('a null config', config('retention.ms', null)),
  create('a broker setting', config('log.retention.ms', '1')),
  create('compression level out of range', config('compression.gzip.level', '10')),
  create('compression.type unknown', config('compression.type', 'brotli')),
  create('min.insync.replicas above RF', config('min.insync.replicas', '2')),
  create('local retention above retention', {
    configs: [
      { name: 'retention.ms', value: '1000' },
      { name: 'local.retention.ms', value: '2000' },
    ],
  }),
  create('remote storage', config('remote.storage.enable', 'true')),
  create('a config of the past', config('message.format.version', '3.0'), { accepted: [past] }),
  create('the same config twice', {
    configs: [
      { name: 'retention.ms', value: '1000' },
      { name: 'retention.ms', value: '2000' },
    ],
  }),
  create('throttled replicas', config('leader.replication.throttled.replicas', '0:1,1:1')),
  create('bad throttled replicas', config('leader.replication.throttled.replicas', 'x')),
]

const validations = (
  [
    ['good', {}],
    ['existing', { name: 'topics-here' }],
    ['bad config', config('retention.ms', 'x')],
    ['bad partitions', { numPartitions: 0 }],
    ['defaults', { numPartitions: -1, replicationFactor: -1 }],
    ['assignments', assigned([1], [1])],
  ] as const
).map(([name, fields]) =>
  creation.steps(
    `validate only: ${name}`,
    async ({ peer, topic }, ask) => {
      const answer = await ask({
        topics: [{ name: topic, numPartitions: 1, replicationFactor: 1, ...fields }],
        timeoutMs,
        validateOnly: true,
      })
      return { answer: sorted(answer), state: await described(peer, [topic]) }
    },
    { versions: [1, 99], accepted: [dryId] },
  ),
)

const one = (name: string): NewTopic => ({ name, numPartitions: 1, replicationFactor: 1 })

const severalTopics = [
  creation.steps('two topics, one bad', async ({ peer, topic }, ask) => {
    const topics = [one(`${topic}-a`), one('a b'), one('topics-here')]
    const answer = await ask({ topics, timeoutMs })
    await peer.settle()
    return sorted(answer)
  }),
  creation.steps('a topic twice', async ({ peer, topic }, ask) => {
    const answer = await ask({ topics: [one(topic), one(`${topic}-b`), one(topic)], timeoutMs })
    return { answer: sorted(answer), topics: await described(peer, [topic, `${topic}-b`]) }
  }),
  creation.steps(
    'two names that collide',
    async ({ peer, topic }, ask) => {
      const names = [`${topic}.x_y`, `${topic}_x.y`]
      const answer = await ask({ topics: names.map(one), timeoutMs })
      return { answer: sorted(answer), topics: await described(peer, names) }
    },
    { accepted: [accept('Kafka misses that two new names collide in one request', /./)] },
  ),
  creation.ask('no topics', () => ({ topics: [], timeoutMs })),
  creation.steps('internal topic', async (_, ask) =>
    sorted(await ask({ topics: [one('__cluster_metadata')], timeoutMs })),
  ),
]

/** The given names in either form of the request. */
function byName({ version }: At, names: readonly string[]) {
  return version < 6
    ? { topicNames: names, timeoutMs }
    : { topics: names.map((name) => ({ name })), timeoutMs }
}

function byNameSorted(answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null || !('responses' in answer)) return answer
  if (!Array.isArray(answer.responses)) return answer
  const key = ({
    name,
    topicId,
    errorCode,
  }: {
    name: string
    topicId: string
    errorCode: number
  }) => `${name} ${topicId.length} ${errorCode}`
  return { ...answer, responses: answer.responses.sort((a, b) => (key(a) < key(b) ? -1 : 1)) }
}

const deletions = [
  deletion.steps('a topic', async (at, ask) => {
    await at.peer.create(at.topic)
    const answer = await ask(byName(at, [at.topic]))
    return [answer, await described(at.peer, [at.topic])]
  }),
  deletion.steps('unknown, bad and known names', async (at, ask) => {
    await at.peer.create(at.topic)
    return byNameSorted(await ask(byName(at, ['zz-unknown', 'a b', at.topic, ''])))
  }),
  deletion.steps('a name twice', async (at, ask) => {
    await at.peer.create(at.topic)
    const answer = await ask(byName(at, [at.topic, at.topic, 'zz-unknown', 'zz-unknown']))
    return [byNameSorted(answer), await described(at.peer, [at.topic])]
  }),
  deletion.ask('no names', (at) => byName(at, [])),
  deletion.steps(
    'by id',
    async ({ peer, topic }, ask) => {
      await peer.create(topic)
      const topicId = await peer.idOf(topic)
      const answer = await ask({ topics: [{ name: null, topicId }], timeoutMs })
      const state = await described(peer, [topic])
      return [answer, state, await ask({ topics: [{ name: null, topicId }], timeoutMs })]
    },
    { versions: [6, 99] },
  ),
  deletion.steps(
    'by unknown id, by nothing, by both, by id and name',
    async ({ peer, topic }, ask) => {
      await peer.create(topic)
      const topicId = await peer.idOf(topic)
      const answers = []
      for (const topics of [
        [{ name: null, topicId: unknownId }],
        [{ name: null }],
        [{ name: topic, topicId }],
        [{ name: null, topicId }, { name: topic }],
        [
          { name: null, topicId },
          { name: null, topicId },
        ],
      ]) {
        answers.push(byNameSorted(await ask({ topics, timeoutMs })))
      }
      return [answers, await described(peer, [topic])]
    },
    { versions: [6, 99] },
  ),
  deletion.steps(
    'made again under its name',
    async (at, ask) => {
      await at.peer.create(at.topic, { partitions: 2 })
      const before = await at.peer.idOf(at.topic)
      await ask(byName(at, [at.topic]))
      await at.peer.settle()
      await at.peer.create(at.topic)
      const after = await at.peer.idOf(at.topic)
      return [before !== after, await described(at.peer, [at.topic])]
    },
    { versions: [6, 99] },
  ),
]

const growths = (
  [
    ['to 3', { count: 3 }],
    ['to as many', { count: 2 }],
    ['to fewer', { count: 1 }],
    ['to 0', { count: 0 }],
    ['to -1', { count: -1 }],
    ['assigned', { count: 4, assignments: [{ brokerIds: [1] }, { brokerIds: [1] }] }],
    ['assigned too few', { count: 4, assignments: [{ brokerIds: [1] }] }],
    ['assigned too many', { count: 3, assignments: [{ brokerIds: [1] }, { brokerIds: [1] }] }],
    ['assigned to an unknown broker', { count: 3, assignments: [{ brokerIds: [9] }] }],
    ['assigned twice to a broker', { count: 3, assignments: [{ brokerIds: [1, 1] }] }],
    ['assigned to none', { count: 3, assignments: [{ brokerIds: [] }] }],
    ['assigned another replication factor', { count: 3, assignments: [{ brokerIds: [1, 2] }] }],
    ['assigned an empty list', { count: 3, assignments: [] }],
    ['assigned, to as many', { count: 2, assignments: [] }],
  ] as const
).flatMap(([name, fields]) =>
  [false, true].map((validateOnly) =>
    growth.steps(
      `${name}${validateOnly ? ', validate only' : ''}`,
      async ({ peer, topic }, ask) => {
        await peer.create(topic, { partitions: 2 })
        const topics = [{ name: topic, assignments: null, ...fields }]
        const answer = await ask({ topics, timeoutMs, validateOnly })
        return [answer, await described(peer, [topic])]
      },
    ),
  ),
)

const moreGrowths = [
  growth.ask('unknown topics', () => ({
    topics: ['zz-unknown', '', 'a b'].map((name) => ({ name, count: 3, assignments: null })),
    timeoutMs,
  })),
  growth.steps('a topic twice', async ({ peer, topic }, ask) => {
    await peer.create(topic)
    const again = { name: topic, count: 3, assignments: null }
    const answer = await ask({
      topics: [again, { name: 'zz-unknown', count: 3, assignments: null }, again],
      timeoutMs,
    })
    return [byResultName(answer), await described(peer, [topic])]
  }),
  growth.ask('no topics', () => ({ topics: [], timeoutMs })),
]

function byResultName(answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null || !('results' in answer)) return answer
  if (!Array.isArray(answer.results)) return answer
  return { ...answer, results: answer.results.sort((a, b) => (a.name < b.name ? -1 : 1)) }
}

export const topicsSection: Section = {
  name: 'topics',
  prepare: async (peer) => {
    await peer.create('topics-here', { partitions: 2 })
    await peer.create('topics.dot_name')
  },
  rows: [...creations, ...validations, ...severalTopics, ...deletions, ...growths, ...moreGrowths],
}
