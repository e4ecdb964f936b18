/** Fetch: offsets, limits, waiting, epochs, ids, sessions. */

import { DeleteRecords } from '../../../lib/protocol/apis/delete-records.ts'
import { DeleteTopics } from '../../../lib/protocol/apis/delete-topics.ts'
import { Fetch, type FetchRequest } from '../../../lib/protocol/apis/fetch.ts'
import type { Encodable } from '../../../lib/protocol/schema.ts'
import { batch } from './batches.ts'
import { baseTime } from './compare.ts'
import type { Peer } from './peer.ts'
import { type Accepted, type At, accept, rowsOf, type Section } from './row.ts'

const fetching = rowsOf(Fetch)
const unknownId = 'AAAAAAAAAAAAAAAAAAAAEw'

/** [topic, partition, offset, ...fields] */
type Part = readonly [
  topic: string,
  partition: number,
  fetchOffset: number,
  fields?: Encodable<FetchRequest['topics'][number]['partitions'][number]>,
]

async function request(
  { peer }: At,
  parts: readonly Part[],
  fields: Encodable<FetchRequest> = {},
): Promise<Encodable<FetchRequest>> {
  const topics = []
  for (const topic of new Set(parts.map(([name]) => name))) {
    const partitions = parts
      .filter(([name]) => name === topic)
      .map(([, partition, fetchOffset, more]) => ({
        partition,
        fetchOffset,
        partitionMaxBytes: 1 << 20,
        ...more,
      }))
    topics.push({ topic, topicId: await peer.idOf(topic), partitions })
  }
  return { maxWaitMs: 0, minBytes: 1, maxBytes: 1 << 20, ...fields, topics }
}

function fetch(
  name: string,
  parts: readonly Part[],
  {
    versions = [4, 99],
    accepted = [],
    ...fields
  }: Encodable<FetchRequest> & {
    versions?: readonly [number, number]
    accepted?: readonly Accepted[]
  } = {},
) {
  return fetching.ask(name, (at) => request(at, parts, fields), {
    versions,
    accepted: [...accepted, whole],
  })
}

const whole = accept(
  'Kafka cuts the last batch of a reply where the limit is, ottla sends whole batches',
  /\.isCut$/,
)

/** How long the answer took: at once, or for the time asked for. */
function timed(
  name: string,
  parts: readonly Part[],
  fields: Encodable<FetchRequest>,
  accepted: readonly Accepted[] = [],
) {
  return fetching.steps(
    `${name}: when`,
    async (at, ask) => {
      const body = await request(at, parts, fields)
      const began = performance.now()
      const answer = await ask(body)
      const ms = performance.now() - began
      const wait = fields.maxWaitMs ?? 0
      const when = ms < wait / 2 ? 'at once' : ms > wait - 20 && ms < wait + 1500 ? 'waited' : ms
      return { when, answer }
    },
    { versions: [11, 13], accepted: [...accepted, whole] },
  )
}

async function prepare(peer: Peer): Promise<void> {
  const configs = { 'retention.ms': '-1' }
  await peer.create('fetch-main', { partitions: 3, configs })
  // Offsets 0-2, 3, 4-8 compressed, 9-10; a large one; nothing in partition 2.
  await peer.produce('fetch-main', [
    batch(['a', 'b', 'c']),
    batch(['d']),
    batch(['e', 'f', 'g', 'h', 'i'], { codec: 'gzip' }),
    batch(['j', 'k'], { timestamps: [baseTime + 5] }),
  ])
  await peer.produce('fetch-main', [batch(['x'.repeat(5000)]), batch(['y'])], 1)
  await peer.create('fetch-cut', { configs })
  await peer.produce('fetch-cut', [batch(['a', 'b', 'c']), batch(['d']), batch(['e', 'f'])])
  await peer.call(DeleteRecords, 1, {
    topics: [{ name: 'fetch-cut', partitions: [{ partitionIndex: 0, offset: 2 }] }],
    timeoutMs: 5000,
  })
  await peer.create('fetch-empty', { configs })
  await peer.create('fetch-gone', { configs })
}

const offsets = [0, 1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 1e9, -1, -2].map((offset) =>
  fetch(`offset ${offset}`, [['fetch-main', 0, offset]]),
)

const failing = accept(
  'a size below 0 or an unknown isolation level: Kafka says UNKNOWN_SERVER_ERROR',
  /./,
)

const limits = [
  ...[0, 1, 50, 93, 94, 200, 300, -1].map((partitionMaxBytes) =>
    fetch(
      `partition_max_bytes ${partitionMaxBytes}`,
      [['fetch-main', 0, 0, { partitionMaxBytes }]],
      {
        accepted: partitionMaxBytes < 0 ? [failing] : [],
      },
    ),
  ),
  ...[0, 1, 50, 93, 200, -1].map((maxBytes) =>
    fetch(`max_bytes ${maxBytes}`, [['fetch-main', 0, 0]], {
      maxBytes,
      accepted: maxBytes < 0 ? [failing] : [],
    }),
  ),
  ...[1, 100, 250, 6000, 1 << 20].map((maxBytes) =>
    fetch(
      `several partitions, max_bytes ${maxBytes}`,
      [
        ['fetch-main', 0, 3],
        ['fetch-main', 1, 0],
        ['fetch-main', 2, 0],
        ['fetch-cut', 0, 2],
      ],
      { maxBytes },
    ),
  ),
  fetch(
    'several partitions, an empty one first, max_bytes 1',
    [
      ['fetch-empty', 0, 0],
      ['fetch-main', 1, 0],
      ['fetch-main', 0, 0],
    ],
    { maxBytes: 1 },
  ),
  fetch('a small limit after a large batch', [
    ['fetch-main', 1, 0],
    ['fetch-main', 0, 9, { partitionMaxBytes: 10 }],
  ]),
]

const positions = [
  fetch('an empty partition', [['fetch-empty', 0, 0]]),
  fetch('an empty partition at 1', [['fetch-empty', 0, 1]]),
  ...[0, 1, 2, 3, 5, 6, 7].map((offset) =>
    fetch(`cut log at ${offset}`, [['fetch-cut', 0, offset]]),
  ),
  fetch('unknown topic', [['zz-unknown', 0, 0]], { versions: [4, 12] }),
  fetch('unknown partition', [['fetch-main', 9, 0]]),
  fetch('negative partition', [['fetch-main', -1, 0]]),
  fetch('unknown and known', [
    ['fetch-main', 9, 0],
    ['fetch-main', 0, 9],
  ]),
  fetch(
    'a partition twice',
    [
      ['fetch-main', 0, 9],
      ['fetch-main', 0, 3],
    ],
    {
      versions: [4, 6],
      accepted: [accept('a partition that comes twice is answered twice by ottla', /./)],
    },
  ),
  fetch('no partitions', []),
  fetch('read_committed', [['fetch-main', 0, 3]], { isolationLevel: 1 }),
  fetch('isolation level 2', [['fetch-main', 0, 3]], {
    isolationLevel: 2,
    accepted: [failing],
  }),
  fetch(
    'read_committed, an error',
    [
      ['fetch-main', 0, 99],
      ['fetch-main', 9, 0],
    ],
    { isolationLevel: 1 },
  ),
  fetch('a rack', [['fetch-main', 0, 9]], { rackId: 'r1', versions: [11, 99] }),
]

const epochs = [
  ...[-1, 0, 1, 7, -2].map((currentLeaderEpoch) =>
    fetch(`current epoch ${currentLeaderEpoch}`, [['fetch-main', 0, 9, { currentLeaderEpoch }]], {
      versions: [9, 99],
    }),
  ),
  ...[-1, 0, 1, 7].map((lastFetchedEpoch) =>
    fetch(`last fetched epoch ${lastFetchedEpoch}`, [['fetch-main', 0, 9, { lastFetchedEpoch }]], {
      versions: [12, 99],
    }),
  ),
  fetch('last fetched epoch, beyond the end', [['fetch-main', 0, 12, { lastFetchedEpoch: 0 }]], {
    versions: [12, 99],
  }),
  fetch('last fetched epoch, below the start', [['fetch-cut', 0, 1, { lastFetchedEpoch: 0 }]], {
    versions: [12, 99],
  }),
  fetch('a later epoch, out of range', [['fetch-main', 0, 99, { currentLeaderEpoch: 1 }]], {
    versions: [9, 99],
  }),
]

/** A request in which the id is the given one. */
function byId(name: string, topicId: (peer: Peer) => Promise<string> | string) {
  return fetching.ask(
    name,
    async (at) => {
      const known = await request(at, [['fetch-main', 0, 9]])
      const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 20 }]
      return {
        ...known,
        topics: [...(known.topics ?? []), { topicId: await topicId(at.peer), partitions }],
      }
    },
    { versions: [13, 99] },
  )
}

/** A session: one request after the other, each with the epoch that is due unless it says another. */
function session(
  name: string,
  requests: (at: At) => readonly {
    readonly parts?: readonly Part[]
    readonly forget?: readonly Part[]
    readonly epoch?: number
    readonly id?: number
    /** Done before the request. */
    readonly first?: () => Promise<void>
  }[],
  versions: readonly [number, number] = [7, 99],
) {
  return fetching.steps(
    name,
    async (at, ask) => {
      const answers = []
      let sessionId = 0
      let due = 0
      for (const { parts = [], forget = [], epoch, id, first } of requests(at)) {
        await first?.()
        const body = await request(at, parts, {
          sessionId: id ?? sessionId,
          sessionEpoch: epoch ?? due,
        })
        const forgotten = (await request(at, forget)).topics ?? []
        const answer = await ask({
          ...body,
          forgottenTopicsData: forgotten.map(({ partitions = [], ...topic }) => ({
            ...topic,
            partitions: partitions.map(({ partition = 0 }) => partition),
          })),
        })
        answers.push(answer)
        if (typeof answer === 'string') break
        if (sessionId === 0) sessionId = answer.sessionId
        if (answer.errorCode === 0) due++
      }
      return answers
    },
    { versions, accepted: [whole] },
  )
}

const sessions = [
  fetch('no session, epoch 0', [['fetch-main', 0, 9]], { sessionEpoch: 0, versions: [7, 99] }),
  fetch('unknown session', [['fetch-main', 0, 9]], {
    sessionId: 77,
    sessionEpoch: 1,
    versions: [7, 99],
  }),
  fetch('unknown session, closing', [['fetch-main', 0, 9]], {
    sessionId: 77,
    sessionEpoch: -1,
    versions: [7, 99],
  }),
  fetch('unknown session, starting anew', [['fetch-main', 0, 9]], {
    sessionId: 77,
    sessionEpoch: 0,
    versions: [7, 99],
  }),
  fetch('session 0, epoch 5', [['fetch-main', 0, 9]], { sessionEpoch: 5, versions: [7, 99] }),
  session('session: nothing new', () => [{ parts: [['fetch-main', 0, 11]] }, {}, {}]),
  session('session: records each time', () => [{ parts: [['fetch-main', 0, 9]] }, {}, {}]),
  session('session: an error each time', () => [{ parts: [['fetch-main', 0, 99]] }, {}, {}]),
  session('session: an unknown partition', () => [{ parts: [['fetch-main', 9, 0]] }, {}]),
  session('session: nothing in it', () => [{}, {}, {}]),
  session('session: added, changed', () => [
    {
      parts: [
        ['fetch-main', 0, 11],
        ['fetch-main', 2, 0],
      ],
    },
    { parts: [['fetch-main', 1, 2]] },
    { parts: [['fetch-main', 0, 9]] },
    { parts: [['fetch-main', 0, 11]] },
    {},
  ]),
  session('session: forgotten, then all of them', () => [
    {
      parts: [
        ['fetch-main', 0, 9],
        ['fetch-cut', 0, 2],
      ],
    },
    { forget: [['fetch-main', 0, 0]] },
    { forget: [['fetch-main', 2, 0]] },
    { forget: [['fetch-cut', 0, 0]] },
    {},
  ]),
  session('session: added and forgotten in one', () => [
    { parts: [['fetch-main', 0, 9]] },
    { parts: [['fetch-main', 1, 0]], forget: [['fetch-main', 1, 0]] },
    { parts: [['fetch-cut', 0, 2]], forget: [['fetch-main', 0, 0]] },
    {},
  ]),
  session('session: epochs too high, too low, again', () => [
    { parts: [['fetch-main', 0, 11]] },
    { epoch: 2 },
    { epoch: 1 },
    { epoch: 1 },
    { epoch: -7 },
    { epoch: 2 },
  ]),
  session('session: closed, used again', () => [
    { parts: [['fetch-main', 0, 11]] },
    { epoch: -1 },
    { epoch: 1 },
  ]),
  session('session: closed with partitions', () => [
    { parts: [['fetch-main', 0, 11]] },
    { epoch: -1, parts: [['fetch-main', 0, 9]] },
    { epoch: 1 },
  ]),
  session('session: begun anew', () => [
    { parts: [['fetch-main', 0, 11]] },
    { epoch: 0, parts: [['fetch-main', 0, 9]] },
    { epoch: 1 },
  ]),
  session('session: the high watermark moves, records come', ({ peer, topic }) => [
    { first: () => peer.create(topic), parts: [[topic, 0, 0]] },
    {},
    { first: () => peer.produce(topic, [batch(['a'])]) },
    { parts: [[topic, 0, 1]] },
    {},
    { first: () => peer.produce(topic, [batch(['b'])]) },
    {},
  ]),
  session('session: the log start moves', ({ peer, topic }) => [
    {
      first: async () => {
        await peer.create(topic)
        await peer.produce(topic, [batch(['a', 'b', 'c'])])
      },
      parts: [[topic, 0, 3]],
    },
    {
      first: async () => {
        const partitions = [{ partitionIndex: 0, offset: 2 }]
        await peer.call(DeleteRecords, 1, {
          topics: [{ name: topic, partitions }],
          timeoutMs: 5000,
        })
      },
    },
    {},
  ]),
  session('session: the topic goes', ({ peer, topic }) => [
    { first: () => peer.create(topic), parts: [[topic, 0, 0]] },
    {
      first: async () => {
        await peer.call(DeleteTopics, 5, { topicNames: [topic], timeoutMs: 5000 })
        await peer.settle()
      },
    },
    {},
  ]),
  fetching.steps(
    'session: by name, then by id, then by name',
    async (at) => {
      const { peer } = at
      const whole = await request(at, [['fetch-main', 0, 11]], { sessionEpoch: 0 })
      const first = await peer.call(Fetch, 12, whole)
      const { sessionId } = first
      const ids = await peer.ask(Fetch, 13, { sessionId, sessionEpoch: 1 })
      const names = await peer.ask(Fetch, 12, { sessionId, sessionEpoch: 1 })
      const byIds = await peer.call(Fetch, 13, whole)
      const named = { sessionId: byIds.sessionId, sessionEpoch: 1 }
      return [first, ids, names, byIds, await peer.ask(Fetch, 12, named)]
    },
    { versions: [13, 13] },
  ),
]

const wait = 600
const waits = [
  timed('nothing there', [['fetch-main', 0, 11]], { maxWaitMs: wait }),
  timed('enough there', [['fetch-main', 0, 9]], { maxWaitMs: wait }),
  timed('min_bytes not there', [['fetch-main', 0, 9]], { maxWaitMs: wait, minBytes: 100_000 }),
  timed(
    'min_bytes over two partitions',
    [
      ['fetch-main', 0, 0],
      ['fetch-main', 1, 0],
    ],
    {
      maxWaitMs: wait,
      minBytes: 5200,
    },
  ),
  timed('min_bytes 0', [['fetch-main', 0, 11]], { maxWaitMs: wait, minBytes: 0 }),
  timed('min_bytes -1', [['fetch-main', 0, 11]], { maxWaitMs: wait, minBytes: -1 }),
  timed('min_bytes above max_bytes', [['fetch-main', 0, 0]], {
    maxWaitMs: wait,
    minBytes: 10_000,
    maxBytes: 100,
  }),
  timed('an error', [['fetch-main', 0, 99]], { maxWaitMs: wait }),
  timed(
    'an error and nothing',
    [
      ['fetch-main', 0, 11],
      ['fetch-main', 9, 0],
    ],
    { maxWaitMs: wait },
    [
      accept(
        'ottla answers at once when a partition is unknown, Kafka when none is known',
        /^\.when/,
      ),
    ],
  ),
  timed('no partitions', [], { maxWaitMs: wait }),
  timed('negative max_wait', [['fetch-main', 0, 11]], { maxWaitMs: -1 }),
]

export const fetchSection: Section = {
  name: 'fetch',
  prepare,
  rows: [
    ...offsets,
    ...limits,
    ...positions,
    ...epochs,
    byId('unknown id and a known one', () => unknownId),
    byId('zero id and a known one', () => 'AAAAAAAAAAAAAAAAAAAAAA'),
    ...sessions,
    ...waits,
  ],
}
