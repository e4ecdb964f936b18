/**
 * Compaction beside Apache Kafka's, on the same input: `node build/test/interop/compaction.mjs`.
 * The same batches go to both brokers: few keys and many, every codec, tombstones, idempotent
 * producers, in segments that roll by the records' own time. Both clean, are written to again, and
 * clean again; then every partition is read back from both, and must hold the same records at the
 * same offsets. Our files then pass Kafka's tools, and a Kafka broker serves them as they are.
 * `--batches N` for more of everything. Ends with `N passed, N failed, N skipped`.
 */

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Admin } from '../../lib/client/admin.ts'
import { Client } from '../../lib/client/client.ts'
import type { Codec } from '../../lib/record/compression.ts'
import { seeded } from '../support/records.ts'
import { lookAt, type PartitionLook } from './adopt/look.ts'
import { type ApacheKafka, apacheKafka, type KafkaBroker } from './apache-kafka.ts'
import { batch } from './differential/batches.ts'
import { Peer } from './differential/peer.ts'
import { output } from './process.ts'
import { type BrokerProcess, ottla, startBroker } from './support/broker-process.ts'
import { Checks, expectThat, numberFlag, same, until } from './support/checks.ts'

const batchCount = numberFlag('--batches', 200)
const checks = new Checks()
const folder = mkdtempSync(join(tmpdir(), 'ottla-compaction-'))
const codecs: Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** Both brokers. */
const settings = {
  'log.cleaner.backoff.ms': '100',
  'log.segment.delete.delay.ms': '500',
}
const base = {
  'cleanup.policy': 'compact',
  'segment.ms': '10000',
  'segment.bytes': '1048576',
  // Nothing is cleaned while records come: then it is one cleaning on both sides.
  'min.cleanable.dirty.ratio': '1',
}

interface Topic {
  readonly name: string
  readonly configs: Readonly<Record<string, string>>
  readonly keys: number
  /** One record in so many has no value. */
  readonly tombstoneEvery: number
  readonly valueBytes: number
  readonly isIdempotent?: boolean
}

const topics: Topic[] = [
  { name: 'few-keys', configs: base, keys: 20, tombstoneEvery: 0, valueBytes: 100 },
  { name: 'many-keys', configs: base, keys: 5000, tombstoneEvery: 0, valueBytes: 2000 },
  { name: 'tombstones-kept', configs: base, keys: 300, tombstoneEvery: 3, valueBytes: 50 },
  {
    name: 'tombstones-gone',
    configs: { ...base, 'delete.retention.ms': '0' },
    keys: 300,
    tombstoneEvery: 3,
    valueBytes: 50,
  },
  {
    name: 'producers',
    configs: base,
    keys: 40,
    tombstoneEvery: 5,
    valueBytes: 80,
    isIdempotent: true,
  },
  {
    name: 'deleted-too',
    configs: { ...base, 'cleanup.policy': 'compact,delete' },
    keys: 100,
    tombstoneEvery: 10,
    valueBytes: 200,
  },
  {
    name: 'lagging',
    configs: { ...base, 'min.compaction.lag.ms': '1800000' },
    keys: 50,
    tombstoneEvery: 10,
    valueBytes: 100,
  },
]
const startMs = Date.now() - 3_500_000

/** The batches of one phase, with times that go on where the phase before ended. */
function batchesOf(topic: Topic, phase: number): Buffer[] {
  const random = seeded(topic.name.length * 31 + phase * 7 + 1)
  const sequences = [0, 0, 0]
  if (phase > 0 && topic.isIdempotent) sequences.fill(0)
  return Array.from({ length: batchCount }, (_, n) => {
    const count = 1 + random(8)
    const keys = Array.from({ length: count }, () => `key-${random(topic.keys)}`)
    const values = keys.map((key) =>
      topic.tombstoneEvery > 0 && random(topic.tombstoneEvery) === 0
        ? null
        : `${key} ${phase}.${n} `.padEnd(1 + random(topic.valueBytes * 2), 'v'),
    )
    const timestamps = keys.map((_key, index) => startMs + (phase * batchCount + n) * 2000 + index)
    const producer = n % 3
    const baseSequence = sequences[producer] ?? 0
    sequences[producer] = baseSequence + count
    const fields = topic.isIdempotent
      ? { producerId: 1000 + phase * 10 + producer, producerEpoch: 0, baseSequence }
      : {}
    return batch(values, {
      keys,
      timestamps,
      codec: codecs[n % codecs.length] ?? 'none',
      ...fields,
    })
  })
}

/** Where the cleaner of a broker says each partition is clean up to. */
function cleanedOffsets(data: string): Map<string, number> {
  let text = ''
  try {
    text = readFileSync(join(data, 'cleaner-offset-checkpoint'), 'utf8')
  } catch {
    // Not there before the first cleaning.
  }
  const lines = text.split('\n').filter((line) => /^\S+ \d+ \d+$/.test(line))
  return new Map(
    lines.map((line) => {
      const [topic = '', , offset] = line.split(' ')
      return [topic, Number(offset)]
    }),
  )
}

/** Base offset of the last segment: nothing from there on is cleaned. */
function activeBase(data: string, topic: string): number {
  const logs = readdirSync(join(data, `${topic}-0`)).filter((name) => name.endsWith('.log'))
  return Math.max(...logs.map((name) => Number.parseInt(name, 10)))
}

async function untilClean(data: string): Promise<void> {
  const isClean = () => {
    const cleaned = cleanedOffsets(data)
    return topics.every(({ name }) => {
      // What is too young is never clean: the limit is the same for both brokers.
      if (name === 'lagging') return (cleaned.get(name) ?? 0) > 0
      return cleaned.get(name) === activeBase(data, name)
    })
  }
  await until(isClean, `${data} is clean`, 60_000)
}

interface Both {
  readonly ours: string
  readonly theirs: string
}

async function lookAtBoth({ ours, theirs }: Both): Promise<[PartitionLook, PartitionLook][]> {
  const [mine, other] = [await lookAt(ours), await lookAt(theirs)]
  return topics.map(({ name }) => {
    const pair = [mine, other].map(({ partitions }) => partitions.get(`${name}-0`))
    const [one, two] = pair
    expectThat(one !== undefined && two !== undefined, `${name} is not there`)
    return [one, two]
  })
}

/** Offset, time, key and value; not the leader epoch, which a broker counts for itself. */
function facts({ records }: PartitionLook): string[] {
  return records.map((line) => {
    const [offset, , producer, , ...rest] = line.split(' ')
    return [offset, producer, ...rest].join(' ')
  })
}

/** Lets both clean, once, and waits for the end. */
async function cleanAll(addresses: Both, data: Both): Promise<void> {
  for (const address of [addresses.ours, addresses.theirs]) {
    await setRatio(address, '0')
  }
  await Promise.all([untilClean(data.ours), untilClean(data.theirs)])
  for (const address of [addresses.ours, addresses.theirs]) {
    await setRatio(address, '1')
  }
}

async function setRatio(address: string, ratio: string): Promise<void> {
  const client = new Client({ brokers: [address], retryForMs: 30_000, timeoutMs: 30_000 })
  try {
    const changes = [{ key: 'min.cleanable.dirty.ratio', operation: 'set' as const, value: ratio }]
    const altered = await new Admin(client).alterConfigs(
      topics.map(({ name }) => ({ type: 'topic' as const, name, changes })),
    )
    for (const { error } of altered) if (error) throw error
  } finally {
    client.close()
  }
}

async function phase(
  number: number,
  peers: readonly Peer[],
  { addresses, data }: { addresses: Both; data: Both },
): Promise<string> {
  const began = performance.now()
  await Promise.all(
    topics.flatMap((topic) =>
      peers.map((peer) => peer.other(topic.name).produce(topic.name, batchesOf(topic, number))),
    ),
  )
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  await cleanAll(addresses, data)
  return `${batchCount * topics.length} batches in ${seconds} s`
}

async function compareAll(addresses: Both): Promise<void> {
  const looks = await lookAtBoth(addresses)
  for (const [index, { name }] of topics.entries()) {
    await checks.run(`${name}: what is left is what Kafka left`, () => {
      const [ours, theirs] = looks[index] ?? []
      expectThat(ours !== undefined && theirs !== undefined, 'not read')
      same([ours.start, ours.end], [theirs.start, theirs.end], 'offsets')
      same(facts(ours), facts(theirs), 'records')
      expectThat(ours.records.length < ours.end, 'nothing was removed')
      return `${ours.records.length} records of ${ours.end}`
    })
  }
}

async function dumpOurs(kafka: ApacheKafka, data: string): Promise<string> {
  const files = topics.flatMap(({ name }) =>
    readdirSync(join(data, `${name}-0`)).map((file) => join(data, `${name}-0`, file)),
  )
  const ending = (suffix: string) => files.filter((file) => file.endsWith(suffix)).sort()
  const indexes = [...ending('.index'), ...ending('.timeindex')]
  const [dump, sanity, verified] = await Promise.all([
    kafka.tool('kafka-dump-log', ['--files', ending('.log').join(','), '--deep-iteration']),
    kafka.tool('kafka-dump-log', ['--files', indexes.join(','), '--index-sanity-check']),
    kafka.tool('kafka-dump-log', ['--files', indexes.join(','), '--verify-index-only']),
  ])
  const batches = dump.split('\n').filter((line) => line.startsWith('baseOffset'))
  const bad = batches.find((line) => !line.includes('isvalid: true'))
  expectThat(bad === undefined && batches.length > 0, `${bad}`)
  same(sanity.match(/passed sanity check|is empty/g)?.length, indexes.length, 'sane files')
  const wrong = /mismatch|not found|out of order|corrupt/i
  same(
    verified.split('\n').filter((line) => wrong.test(line)),
    [],
    'mismatches',
  )
  const empty = batches.filter((line) => line.includes('count: 0')).length
  const horizons = batches.filter((line) => /deleteHorizonMs: OptionalLong\[\d/.test(line)).length
  return `${batches.length} batches (${empty} empty, ${horizons} with a horizon), ${indexes.length} indexes`
}

/** Our directories in the place of Kafka's own. */
async function serveByKafka(broker: KafkaBroker, data: string, expected: Map<string, string[]>) {
  await broker.stop()
  for (const { name } of topics) {
    const theirs = join(broker.data, `${name}-0`)
    const metadata = readFileSync(join(theirs, 'partition.metadata'))
    rmSync(theirs, { recursive: true })
    cpSync(join(data, `${name}-0`), theirs, { recursive: true })
    writeFileSync(join(theirs, 'partition.metadata'), metadata)
  }
  await broker.restart()
  const { partitions } = await lookAt(broker.address)
  let count = 0
  for (const [name, records] of expected) {
    const look = partitions.get(`${name}-0`)
    expectThat(look !== undefined, `${name} is not served`)
    same(facts(look), records, name)
    count += records.length
  }
  return `${count} records of ${expected.size} partitions`
}

async function run(kafka: ApacheKafka, theirs: KafkaBroker): Promise<void> {
  const data = join(folder, 'data')
  const words = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  let broker: BrokerProcess = await startBroker({ data, args: words })
  const peers = [
    await Peer.connect('kafka', theirs.address),
    await Peer.connect('ottla', broker.address),
  ]
  const addresses = () => ({ ours: broker.address, theirs: theirs.address })
  try {
    for (const { name, configs } of topics) {
      for (const peer of peers) await peer.create(name, { configs })
    }
    for (const number of [0, 1]) {
      await checks.run(`both brokers take phase ${number + 1} and clean it`, () =>
        phase(number, peers, {
          addresses: addresses(),
          data: { ours: data, theirs: theirs.data },
        }),
      )
      await compareAll(addresses())
    }
    await checks.run('our broker, killed and started again, serves the same', async () => {
      const before = (await lookAtBoth(addresses())).map(([ours]) => facts(ours))
      await broker.stop('SIGKILL')
      broker = await startBroker({ data, args: words })
      same(
        (await lookAtBoth(addresses())).map(([ours]) => facts(ours)),
        before,
        'records',
      )
    })
    const looks = await lookAtBoth(addresses())
    const expected = new Map(topics.map(({ name }, index) => [name, factsOf(looks[index])]))
    same(await broker.stop(), 0, 'exit code')
    await checks.run('kafka-dump-log reads our cleaned files', () => dumpOurs(kafka, data))
    await checks.run('ottla log check finds nothing', async () => {
      await output([...ottla, 'log', 'check', data])
    })
    await checks.run('a Kafka broker serves our cleaned files', () =>
      serveByKafka(theirs, data, expected),
    )
  } finally {
    for (const peer of peers) peer.close()
    await broker.stop('SIGKILL')
  }
}

function factsOf(pair: [PartitionLook, PartitionLook] | undefined): string[] {
  expectThat(pair !== undefined, 'not read')
  return facts(pair[0])
}

const kafka = await apacheKafka()
if (typeof kafka === 'string') {
  checks.skip('compaction beside Apache Kafka', kafka)
} else {
  const theirs = await kafka.startBroker(settings)
  try {
    await run(kafka, theirs)
  } finally {
    await theirs.stop()
    theirs.remove()
  }
}
rmSync(folder, { recursive: true, force: true })
checks.end()
