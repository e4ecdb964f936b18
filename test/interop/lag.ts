/**
 * `ottla lag`, `group describe`, `group list` and `group reset` beside kafka-consumer-groups, on Apache
 * Kafka and on ottla: the same partitions, offsets, lag, members and plans, in every mode of a reset;
 * what one of the two sets, the other reads. Ends with `N passed, N failed, N skipped`.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ApacheKafka, apacheKafka } from './apache-kafka.ts'
import { output, run, start } from './process.ts'
import { ottla } from './support/broker-process.ts'
import { Checks, expectThat, same, until } from './support/checks.ts'

const [topic, group] = ['lag-orders', 'lag-billing']
const folder = mkdtempSync(join(tmpdir(), 'ottla-lag-'))

interface Peer {
  readonly name: string
  readonly address: string
  close(): Promise<void>
}

/** One broker with both tools. */
class Bench {
  readonly name: string
  readonly #address: string
  readonly #kafka: ApacheKafka

  constructor(peer: Peer, kafka: ApacheKafka) {
    this.name = peer.name
    this.#address = peer.address
    this.#kafka = kafka
  }

  get address(): string {
    return this.#address
  }

  /** Standard output of a command of ours that ends with 0. */
  ottla(line: string, input = ''): Promise<string> {
    return output([...ottla, '-b', this.#address, ...line.split(' ')], { input })
  }

  async exitOf(line: string): Promise<number | null> {
    return (await run([...ottla, '-b', this.#address, ...line.split(' ')])).code
  }

  /** Kafka's tool, as rows of words; its empty lines, titles and remarks are left out. */
  async groups(line: string): Promise<string[][]> {
    const args = ['--bootstrap-server', this.#address, ...line.split(' ')]
    const text = await this.#kafka.tool('kafka-consumer-groups', args)
    return text
      .split('\n')
      .map((row) => row.trim().split(/\s+/))
      .filter(([first = '']) => first.startsWith('lag-'))
  }

  tool(name: 'kafka-producer-perf-test', line: string): Promise<string> {
    return this.#kafka.tool(name, line.replace('ADDRESS', this.#address).split(' '))
  }

  /** Where the group is before each reset. */
  async commit(): Promise<void> {
    for (const [partition, offset] of [
      [0, 90],
      [1, 6],
      [2, 0],
    ]) {
      const place = `--topic ${topic}:${partition} --to ${offset}`
      await this.ottla(`group reset ${group} ${place} --allow-new --execute -q`)
    }
  }
}

const dash = (value: string | number | null) => (value === null ? '-' : String(value))

/** GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID of Kafka's tool. */
async function theirRows(bench: Bench, name: string): Promise<string[]> {
  const rows = await bench.groups(`--describe --group ${name}`)
  return rows.map(([, ...cells]) => cells.map((cell) => cell.replace(/^\//, '')).join(' ')).sort()
}

interface JsonPartition {
  readonly topic: string
  readonly partition: number
  readonly committed: number | null
  readonly logEnd: number
  readonly lag: number
  readonly effectiveLag: number
  readonly memberId: string | null
  readonly host: string | null
  readonly clientId: string | null
}

interface JsonGroup {
  readonly group: string
  readonly state: string
  readonly assignor: string | null
  readonly lag: number
  readonly partitions: readonly JsonPartition[]
  readonly members: readonly {
    readonly memberId: string
    readonly clientId: string
    readonly host: string
    readonly assigned: readonly { readonly partitions: readonly number[] }[]
  }[]
}

async function ourGroup(bench: Bench, line: string): Promise<JsonGroup> {
  const { groups } = JSON.parse(await bench.ottla(`${line} --json`)) as { groups: JsonGroup[] }
  const [found] = groups
  if (found === undefined) throw new Error(`${line}: no group`)
  return found
}

/** The same cells. Without a commit Kafka's tool says `-` where we count the whole log. */
function ourRows({ partitions }: JsonGroup): string[] {
  return partitions
    .map((one) => {
      const lag = one.committed === null ? '-' : one.lag
      const offsets = [one.committed, one.logEnd, lag].map(dash)
      const who = [one.memberId, one.host, one.clientId].map(dash)
      return [one.topic, one.partition, ...offsets, ...who].join(' ')
    })
    .sort()
}

async function compareGroup(bench: Bench, name: string): Promise<string> {
  const theirs = await theirRows(bench, name)
  expectThat(theirs.length > 0, 'kafka-consumer-groups shows no rows')
  same(ourRows(await ourGroup(bench, `lag ${name}`)), theirs, 'lag')
  same(ourRows(await ourGroup(bench, `group describe ${name}`)), theirs, 'group describe')
  return `${theirs.length} partitions`
}

/** Both tools' words for where to go, with the offsets that come out of it. */
const modes: [ours: string, theirs: string, planned: readonly number[]][] = [
  ['--to start', '--to-earliest', [0, 4, 0]],
  ['--to-earliest', '--to-earliest', [0, 4, 0]],
  ['--to end', '--to-latest', [100, 10, 0]],
  ['--to current', '--to-current', [90, 6, 0]],
  ['--to 8', '--to-offset 8', [8, 8, 0]],
  ['--to-offset 500', '--to-offset 500', [100, 10, 0]],
  ['--to 0', '--to-offset 0', [0, 4, 0]],
  ['--to +2', '--shift-by 2', [92, 8, 0]],
  ['--to=-1', '--shift-by -1', [89, 5, 0]],
  ['--shift-by=-100', '--shift-by -100', [0, 4, 0]],
  ['--to @2020-01-01', '--to-datetime 2020-01-01T00:00:00.000', [0, 4, 0]],
  ['--to-datetime 2025-02-01T00:00:00.000Z', '--to-datetime 2025-02-01T00:00:00.000', [50, 5, 0]],
  ['--to @2099-01-01', '--to-datetime 2099-01-01T00:00:00.000', [100, 10, 0]],
  ['--by-duration PT1H', '--by-duration PT1H', []],
  ['--to @-20000d', '--by-duration P20000D', [0, 4, 0]],
] // biome-ignore format: a table

async function comparePlan(bench: Bench, [ours, theirs, planned]: (typeof modes)[number]) {
  await bench.commit()
  for (const scope of ['--all-topics', `--topic ${topic}`]) {
    const reset = `--group ${group} --reset-offsets ${scope} ${theirs} --dry-run`
    const plan = (await bench.groups(reset)).map(
      ([, , partition, offset]) => `${partition} ${offset}`,
    )
    const rows = await bench.ottla(`group reset ${group} ${scope} ${ours} --no-header`)
    const our = rows
      .trim()
      .split('\n')
      .map((row) => {
        const [, partition, , next] = row.split('\t')
        return `${partition} ${next}`
      })
    same(our, plan.sort(), `the plan with ${scope}`)
    const wanted = planned.map((offset, partition) => `${partition} ${offset}`)
    if (planned.length > 0) same(our, wanted, 'the plan beside what was expected')
  }
  await bench.ottla(`group reset ${group} ${ours} --execute`)
  return compareGroup(bench, group)
}

async function compareFiles(bench: Bench): Promise<string> {
  await bench.commit()
  const ourPlan = await bench.ottla(`group reset ${group} --to current --json`)
  const file = join(folder, 'plan.csv')
  const csv = [`${topic},0,33`, `${topic},1,500`].join('\n')
  writeFileSync(file, `${csv}\n`)
  await bench.groups(`--group ${group} --reset-offsets --from-file ${file} --execute`)
  const theirs = await theirRows(bench, group)
  await bench.ottla(`group reset ${group} --to file=- --execute`, ourPlan)
  expectThat(
    JSON.stringify(await theirRows(bench, group)) !== JSON.stringify(theirs),
    'it came back',
  )
  await bench.ottla(`group reset ${group} --from-file ${file} --execute`)
  same(await theirRows(bench, group), theirs, 'the same file by both')
  return compareGroup(bench, group)
}

/** Members of both protocols, with and without commits. */
async function compareMembers(bench: Bench, protocol: 'classic' | 'consumer'): Promise<string> {
  const name = `lag-${protocol}`
  const settings = protocol === 'consumer' ? ['-X', 'group.protocol=consumer'] : []
  const consume = ['consume', topic, '-g', name, '-o', 'start', ...settings]
  const member = await start([...ottla, '-b', bench.address, ...consume], () => true)
  try {
    await until(async () => {
      const text = await bench.ottla('lag --by group --json').catch(() => '{"groups":[]}')
      const { groups } = JSON.parse(text) as { groups: JsonGroup[] }
      return groups.some((one) => one.group === name && one.lag === 0)
    }, 'the member has read everything')
    const note = await compareGroup(bench, name)
    const ours = await ourGroup(bench, `group describe ${name}`)
    const theirs = await bench.groups(`--describe --group ${name} --members`)
    same(
      ours.members.map((one) => {
        const count = one.assigned.reduce((sum, { partitions }) => sum + partitions.length, 0)
        return [one.memberId, `/${one.host}`, one.clientId, String(count)]
      }),
      theirs.map(([, ...cells]) => cells.slice(0, 4)),
      'members',
    )
    const [state] = await bench.groups(`--describe --group ${name} --state`)
    same([dash(ours.assignor), ours.state, String(ours.members.length)], state?.slice(3), 'state')
    return note
  } finally {
    await member.stop('SIGINT')
  }
}

async function compareLists(bench: Bench): Promise<string> {
  const theirs = await bench.groups('--list --state')
  const text = await bench.ottla('group list --no-header')
  const ours = text
    .trim()
    .split('\n')
    .map((row) => row.split('\t').slice(0, 2))
  same(ours, theirs.sort(), 'group list')
  return `${theirs.length} groups`
}

/** Kafka counts markers as lag for ever; we say the same number, and that nothing is left to read. */
async function compareMarkers(bench: Bench): Promise<string> {
  await bench.ottla('topic create lag-paid -p 1')
  const settings = '--num-records 20 --record-size 10 --throughput -1'
  await bench.tool(
    'kafka-producer-perf-test',
    `--topic lag-paid ${settings} --transactional-id lag-1 --transaction-duration-ms 60000 --bootstrap-server ADDRESS`,
  )
  await bench.ottla('group reset lag-paying --topic lag-paid --to 20 --allow-new --execute')
  const note = await compareGroup(bench, 'lag-paying')
  const { partitions } = await ourGroup(bench, 'lag lag-paying')
  same(
    partitions.map(({ lag, effectiveLag }) => [lag, effectiveLag]),
    [[1, 0]],
    'lag and effective lag',
  )
  same(await bench.exitOf('lag lag-paying --max 0'), 0, 'within limits')
  return note
}

async function checkPeer(checks: Checks, bench: Bench): Promise<void> {
  const check = (what: string, work: () => Promise<string>) =>
    checks.run(`${bench.name}: ${what}`, work)
  await bench.ottla(`topic create ${topic} -p 3 -c retention.ms=-1`)
  await write(bench)
  await bench.ottla(`topic trim ${topic} -p 1 --to 4 --execute`)
  await bench.commit()
  await check('a group without members', () => compareGroup(bench, group))
  for (const mode of modes) {
    await check(`group reset ${mode[0]} = ${mode[1]}`, () => comparePlan(bench, mode))
  }
  await check('plans from files', () => compareFiles(bench))
  for (const protocol of ['classic', 'consumer'] as const) {
    await check(`a group with a member, ${protocol}`, () => compareMembers(bench, protocol))
  }
  await check('lists', () => compareLists(bench))
  if (bench.name === 'ottla') checks.skip('ottla: markers of transactions', 'it has none yet')
  else await check('markers of transactions', () => compareMarkers(bench))
  await check('what we delete is gone for both', async () => {
    await bench.ottla(`group delete ${group} --yes`)
    same((await bench.groups('--list')).flat().includes(group), false, 'listed')
    same(await bench.exitOf(`lag ${group}`), 3, 'exit code')
    return ''
  })
}

/** 100 records in partition 0 and 10 in partition 1: half of them before February 2025, half after. */
async function write(bench: Bench): Promise<void> {
  for (const [partition, count] of [
    [0, 100],
    [1, 10],
  ] as const) {
    const [early, late] = [Date.UTC(2025, 0, 1), Date.UTC(2026, 0, 1)]
    const lines = Array.from({ length: count }, (_, index) =>
      JSON.stringify({ timestamp: index < count / 2 ? early : late, value: String(index) }),
    )
    await bench.ottla(`produce ${topic} -p ${partition} --json -q`, `${lines.join('\n')}\n`)
  }
}

async function startOttla(): Promise<Peer> {
  const { value, stop } = await start(
    [
      ...ottla,
      'broker',
      'start',
      '--listen',
      '127.0.0.1:0',
      '--memory',
      '-c',
      'group.initial.rebalance.delay.ms=0',
    ],
    (line) => /^BROKERS=(.+)$/.exec(line)?.[1],
  )
  return { name: 'ottla', address: value, close: async () => void (await stop()) }
}

const checks = new Checks()
const kafka = await apacheKafka()
try {
  if (typeof kafka === 'string') checks.skip('all of it', kafka)
  else {
    const broker = await kafka.startBroker()
    const theirs: Peer = {
      name: 'Apache Kafka',
      address: broker.address,
      close: async () => {
        await broker.stop()
        broker.remove()
      },
    }
    for (const peer of [theirs, await startOttla()]) {
      try {
        await checkPeer(checks, new Bench(peer, kafka))
      } finally {
        await peer.close()
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
checks.end()
