/** Fills a real Kafka broker with all kinds of topics and records, by several clients. */

import { Admin } from '../../../lib/client/admin.ts'
import { Client } from '../../../lib/client/client.ts'
import { listOffsets } from '../../../lib/client/offsets.ts'
import { dice, randomRecords, writeRecords } from '../../commands/support/random-records.ts'
import type { ApacheKafka, KafkaBroker } from '../apache-kafka.ts'
import { codecs } from '../cells.ts'
import { isInstalled, output } from '../process.ts'
import { expectThat, until } from '../support/checks.ts'

type Configs = Readonly<Record<string, string>>

const long = 'l'.repeat(230)
const small = { 'segment.bytes': '1048576' }
/** Name, partitions, settings. */
export const topics: readonly (readonly [name: string, partitions: number, configs: Configs])[] = [
  ['plain', 1, {}],
  ['with.dots', 2, { 'retention.ms': '-1', 'retention.bytes': '123456789' }],
  ['under_scores', 3, { 'compression.type': 'gzip' }],
  ['dash-es', 12, { 'max.message.bytes': '2000000', 'flush.messages': '7' }],
  ['number-0', 2, { 'unclean.leader.election.enable': 'true' }],
  ['CamelCase.a_b-c.1', 1, { 'min.insync.replicas': '1', 'index.interval.bytes': '512' }],
  [long, 1, { 'message.timestamp.type': 'LogAppendTime' }],
  ['segments', 2, { ...small, 'index.interval.bytes': '1024', 'retention.ms': '604800000' }],
  ['trimmed', 1, small],
  ['compacted', 1, { ...small, 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.01' }],
  ['java', 4, { ...small, 'compression.type': 'producer' }],
  ['transactions', 2, {}],
  ['empty', 3, {}],
  [
    'odd',
    4,
    {
      'retention.ms': '-1',
      'max.message.bytes': '2000000',
      'message.timestamp.after.max.ms': '9223372036854775807',
    },
  ],
]
const doomed = 'deleted'

export async function createTopics(kafka: KafkaBroker): Promise<void> {
  await withAdmin(kafka.address, async (admin) => {
    const wanted = [...topics, [doomed, 2, {}] as const]
    const results = await admin.createTopics(
      wanted.map(([name, partitions, configs]) => ({ name, partitions, configs })),
    )
    for (const { name, error } of results) if (error) throw new Error(`${name}: ${error.message}`)
    await admin.waitForLeaders(wanted.map(([name]) => name))
    const set = (key: string, value: string) => ({ key, value, operation: 'set' as const })
    const altered = await admin.alterConfigs([
      { type: 'broker', name: '', changes: [set('log.retention.ms', '777600000')] },
      { type: 'broker', name: '1', changes: [set('log.cleaner.threads', '2')] },
      {
        type: 'topic',
        name: 'plain',
        changes: [set('retention.ms', '888000000'), set('delete.retention.ms', '99000')],
      },
    ])
    for (const { error } of altered) if (error) throw error
  })
}

async function withAdmin(address: string, work: (admin: Admin) => Promise<void>): Promise<void> {
  const client = new Client({ brokers: [address], retryForMs: 30_000, timeoutMs: 30_000 })
  try {
    await work(new Admin(client))
  } finally {
    client.close()
  }
}

/** kcat: each codec, keys, nulls, headers. */
export async function fillWithKcat({ address }: KafkaBroker): Promise<void> {
  if (!(await isInstalled('kcat'))) return
  for (const codec of codecs) {
    for (const [topic] of topics) {
      if (topic === 'empty' || topic === 'transactions') continue
      const lines = Array.from(
        { length: 40 },
        (_, n) =>
          `${n % 5 === 0 ? '' : `k${n}`}:${n % 7 === 0 && topic !== 'compacted' ? '' : `${codec} ${n}`}`,
      )
      const input = `${lines.filter((line) => topic !== 'compacted' || !line.startsWith(':')).join('\n')}\n`
      const flags = [
        '-K',
        ':',
        '-Z',
        '-z',
        codec,
        '-H',
        `codec=${codec}`,
        '-H',
        'none',
        '-X',
        'enable.idempotence=true',
      ]
      await output(['kcat', '-P', '-q', '-b', address, '-t', topic, ...flags], { input })
    }
  }
}

/** Java: the performance tool with each codec into small segments, transactions, the console. */
export async function fillWithJava(java: ApacheKafka, { address }: KafkaBroker): Promise<void> {
  const perf = (topic: string, props: readonly string[], count = 2500) =>
    java.tool('kafka-producer-perf-test', [
      ...[
        '--topic',
        topic,
        '--num-records',
        String(count),
        '--record-size',
        '1000',
        '--throughput',
        '-1',
      ],
      ...['--producer-props', `bootstrap.servers=${address}`, 'acks=all', ...props],
    ])
  await Promise.all([
    perf('segments', [], 5000),
    perf('java', ['compression.type=gzip', 'enable.idempotence=true']),
  ])
  await Promise.all(['snappy', 'lz4'].map((codec) => perf('java', [`compression.type=${codec}`])))
  await Promise.all([
    perf('java', ['compression.type=zstd']),
    perf('transactions', ['transactional.id=adopted', 'transaction.timeout.ms=60000'], 500),
  ])
  const parse = ['parse.key=true', 'key.separator=:', 'parse.headers=true', 'null.marker=NULL']
  await java.tool(
    'kafka-console-producer',
    [
      '--bootstrap-server',
      address,
      '--topic',
      'dash-es',
      ...parse.flatMap((one) => ['--property', one]),
    ],
    'a:1,b:2\tkey:value\nc:\tNULL:NULL\nd:4\tk2:NULL\n',
  )
  // Groups make __consumer_offsets: one of either protocol, whose members leave in the middle.
  const read = (group: string, rest: readonly string[] = []) =>
    java.tool('kafka-console-consumer', [
      ...['--bootstrap-server', address, '--topic', 'segments', '--group', group],
      ...['--from-beginning', '--max-messages', '50', ...rest],
    ])
  await Promise.all([
    read('readers'),
    read('new-readers', ['--command-property', 'group.protocol=consumer']),
  ])
}

/** Our own client: bytes, headers and times that are hard to write with the tools. */
export async function fillOddRecords({ address }: KafkaBroker): Promise<void> {
  const client = new Client({ brokers: [address] })
  await writeRecords(client, randomRecords(dice(7), { topic: 'odd', count: 1000, partitions: 4 }))
  const value = Buffer.alloc(10_000, 'compact me ')
  const records = Array.from({ length: 250 }, (_, n) => ({
    topic: 'compacted',
    key: Buffer.from(`key ${n % 9}`),
    value,
  }))
  await writeRecords(client, records)
  const trimmed = Array.from({ length: 2500 }, (_, n) => ({
    topic: 'trimmed',
    value: Buffer.alloc(1000, String(n)),
  }))
  await writeRecords(client, trimmed)
  await writeRecords(client, [{ topic: doomed, value: Buffer.from('gone soon') }])
  client.close()
}

/** Records and a topic are deleted; the cleaner is waited for, so that nothing changes any more. */
export async function takeAway({ address }: KafkaBroker): Promise<void> {
  await withAdmin(address, async (admin) => {
    const [trimmed] = await admin.deleteRecords([{ topic: 'trimmed', partition: 0, offset: 1777 }])
    if (trimmed?.error) throw trimmed.error
    const [deleted] = await admin.deleteTopics([doomed])
    if (deleted?.error) throw deleted.error
  })
  const client = new Client({ brokers: [address] })
  const [first] = await listOffsets(client, [{ topic: 'trimmed', partition: 0, at: 'earliest' }])
  client.close()
  expectThat(first?.offset === 1777, `the log of trimmed begins at ${first?.offset}`)
}

/** Waits until a count stays the same: compaction is done. */
export async function untilStable(count: () => Promise<number>): Promise<void> {
  let [last, times] = [-1, 0]
  await until(
    async () => {
      const now = await count()
      times = now === last ? times + 1 : 0
      last = now
      await new Promise((resolve) => setTimeout(resolve, 300))
      return times >= 5
    },
    'a count that stays',
    60_000,
  )
}
