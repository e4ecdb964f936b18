/**
 * Taking over a directory of Apache Kafka: `node build/test/interop/adopt.mjs`. A real Kafka 4.3.1 is
 * filled, stopped, and its directory copied; ottla refuses the copy without --adopt, and with it
 * serves the same topics, ids, settings, offsets, epochs, records and groups, takes more of them, and starts
 * again without the flag. A directory that was not stopped cleanly is refused. Kafka itself goes on
 * with the original. Ends with `N passed, N failed, N skipped`.
 */

import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createTopics,
  fillOddRecords,
  fillWithJava,
  fillWithKcat,
  takeAway,
  topics,
  untilStable,
} from './adopt/fill.ts'
import { type ClusterLook, lookAt, treeOf } from './adopt/look.ts'
import { type ApacheKafka, apacheKafka, type KafkaBroker } from './apache-kafka.ts'
import { output, run } from './process.ts'
import { type BrokerProcess, ottla, startBroker } from './support/broker-process.ts'
import { Checks, expectThat, same } from './support/checks.ts'

const checks = new Checks()
const folder = mkdtempSync(join(tmpdir(), 'ottla-adopt-'))
const [copy, unclean] = [join(folder, 'copy'), join(folder, 'unclean')]

const settings = {
  'log.cleaner.backoff.ms': '200',
  'log.segment.delete.delay.ms': '500',
  'log.initial.task.delay.ms': '500',
  'offsets.topic.num.partitions': '3',
  'transaction.state.log.num.partitions': '2',
}

/** What Kafka read from its settings file, the tools show of every topic: ours is told the same. */
const staticSettings = [
  '-c',
  `log.segment.delete.delay.ms=${settings['log.segment.delete.delay.ms']}`,
]

async function fill(java: ApacheKafka, kafka: KafkaBroker): Promise<ClusterLook> {
  await createTopics(kafka)
  await fillWithKcat(kafka)
  await fillOddRecords(kafka)
  // A restart gives every partition another leader epoch.
  await kafka.stop()
  await kafka.restart()
  await fillWithJava(java, kafka)
  await fillWithKcat(kafka)
  await takeAway(kafka)
  await untilStable(async () => recordCount(await lookAt(kafka.address)))
  return await lookAt(kafka.address)
}

const recordCount = ({ partitions }: ClusterLook) =>
  [...partitions.values()].reduce((sum, { records }) => sum + records.length, 0)

function compareRecords(before: ClusterLook, now: ClusterLook): string {
  for (const [name, was] of before.partitions) {
    const is = now.partitions.get(name)
    same([is?.start, is?.end], [was.start, was.end], `offsets of ${name}`)
    same(is?.records, was.records, `records of ${name}`)
  }
  same(now.partitions.size, before.partitions.size, 'partitions')
  return `${recordCount(now)} records of ${now.partitions.size} partitions`
}

/** Java's own view of topics and settings. */
async function describe(java: ApacheKafka, address: string): Promise<string[]> {
  const server = ['--bootstrap-server', address]
  const [described, own, brokers] = await Promise.all([
    java.tool('kafka-topics', [...server, '--describe']),
    java.tool('kafka-configs', [...server, '--describe', '--entity-type', 'topics']),
    java.tool('kafka-configs', [...server, '--describe', '--entity-type', 'brokers']),
  ])
  // The order of settings is the broker's own; who may be elected is Kafka's affair.
  const sorted = (line: string) =>
    line
      .replace(/\t(Elr|LastKnownElr): *[^\t]*/g, '')
      .replace(
        /Configs: (.*)$/,
        (_, list: string) => `Configs: ${list.split(',').sort().join(',')}`,
      )
      .replace(/synonyms=\{.*\}/, '')
      .trimEnd()
  return `${described}\n${own}\n${brokers}`.split('\n').map(sorted).filter(Boolean).sort()
}

/** Every group with its offsets, as Java's tool shows them. */
async function describeGroups(java: ApacheKafka, address: string): Promise<string[]> {
  const shown = await java.tool('kafka-consumer-groups', [
    ...['--bootstrap-server', address, '--describe', '--all-groups'],
  ])
  return shown
    .split('\n')
    .map((line) => line.trimEnd())
    .filter(Boolean)
    .sort()
}

const filePattern =
  /\.(log|index|timeindex|txnindex|snapshot)$|^(leader-epoch|recovery-point-offset|log-start-offset|replication-offset)-checkpoint$|^partition\.metadata$|^meta\.properties$/

async function checkFiles(data: string): Promise<string> {
  const { code, stdout, stderr } = await run([...ottla, 'log', 'check', data, '--json'])
  const { logs } = JSON.parse(stdout.toString()) as { logs: { log: string; findings: unknown[] }[] }
  same(
    logs.filter(({ findings }) => findings.length > 0),
    [],
    'findings',
  )
  same(code, 0, `log check: ${stderr}`)
  return `${logs.length} logs`
}

async function dumpFiles(data: string): Promise<string> {
  const files = readdirSync(data, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && filePattern.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
  const { code, stderr } = await run([...ottla, 'log', 'dump', '--json', ...files])
  same([code, stderr], [0, ''], 'log dump')
  const logs = files.filter((file) => file.endsWith('.log'))
  await output([...ottla, 'log', 'dump', '--batches', ...logs])
  return `${files.length} files`
}

/** Kafka's epochs must stay, with ours after them. */
function epochsOf(data: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const [name, count] of topics.map(([topic, partitions]) => [topic, partitions] as const)) {
    for (let partition = 0; partition < count; partition++) {
      const file = join(data, `${name}-${partition}`, 'leader-epoch-checkpoint')
      const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').slice(2) : []
      found.set(`${name}-${partition}`, lines)
    }
  }
  return found
}

async function refuse(data: string, says: string, ...flags: string[]): Promise<void> {
  const tree = treeOf(data)
  const args = ['broker', 'start', '--listen', '127.0.0.1:0', '--data', data, ...flags]
  const { code, stdout, stderr } = await run([...ottla, ...args], { timeoutMs: 20_000 })
  same([code, stdout.toString()], [4, ''], stderr)
  expectThat(stderr.includes(says), `"${says}" is not in: ${stderr}`)
  same(treeOf(data), tree, 'the directory')
}

async function checkAdopted(
  java: ApacheKafka,
  before: ClusterLook,
  { javaView, groupView }: { javaView: readonly string[]; groupView: readonly string[] },
) {
  const epochs = epochsOf(copy)
  let broker: BrokerProcess | null = null
  await checks.run('it starts with --adopt', async () => {
    broker = await startBroker({ data: copy, args: ['--adopt', ...staticSettings] })
    return `${Math.round(broker.startMs)} ms`
  })
  if (broker === null) return
  const { address } = broker as BrokerProcess
  await checks.run('cluster id, names, ids, partitions, settings', async () => {
    const { clusterId, topics: found } = await lookAt(address)
    same(clusterId, before.clusterId, 'cluster id')
    same(found, before.topics, 'topics')
    return `${found.length} topics`
  })
  await checks.run('offsets and every record', async () =>
    compareRecords(before, await lookAt(address)),
  )
  await checks.run('kafka-topics and kafka-configs say the same of both', async () => {
    same(await describe(java, address), javaView, 'what the tools say')
    return `${javaView.length} lines`
  })
  await checks.run('groups of both protocols are where they were', async () => {
    same(await describeGroups(java, address), groupView, 'what kafka-consumer-groups says')
    return `${groupView.length} lines`
  })
  let added: ClusterLook | null = null
  await checks.run('Java goes on writing, idempotently, with new producer ids', async () => {
    await java.tool('kafka-producer-perf-test', [
      ...[
        '--topic',
        'java',
        '--num-records',
        '1000',
        '--record-size',
        '1000',
        '--throughput',
        '-1',
      ],
      ...[
        '--producer-props',
        `bootstrap.servers=${address}`,
        'acks=all',
        'enable.idempotence=true',
      ],
    ])
    added = await lookAt(address)
    same(recordCount(added), recordCount(before) + 1000, 'records')
    checkAdded(before, added)
  })
  await checks.run('epochs of Kafka are kept, and ours are above them', async () => {
    same(await (broker as BrokerProcess | null)?.stop(), 0, 'exit code')
    for (const [name, now] of epochsOf(copy)) {
      const was = epochs.get(name) ?? []
      same(now.slice(0, was.length), was, `epochs of ${name}`)
      const numbers = now.map((line) => Number(line.split(' ')[0]))
      same(
        numbers,
        [...numbers].sort((a, b) => a - b),
        `order of the epochs of ${name}`,
      )
    }
  })
  await checks.run('log check after it finds nothing', () => checkFiles(copy))
  await checks.run('it starts without --adopt from now on', async () => {
    const again = await startBroker({ data: copy, args: staticSettings })
    const found = await lookAt(again.address)
    compareRecords(added ?? before, found)
    same(found.topics, before.topics, 'topics')
    expectThat(again.log().includes('wasClean=true'), again.log())
    same(await again.stop(), 0, 'exit code')
  })
}

/** The new records: at the end, of an epoch and a producer that Kafka never gave out. */
function checkAdded(before: ClusterLook, now: ClusterLook): void {
  const producers = new Set(
    [...before.partitions.values()].flatMap(({ records }) =>
      records.map((line) => line.split(' ')[2]),
    ),
  )
  for (const [name, { records }] of now.partitions) {
    const old = before.partitions.get(name)?.records ?? []
    same(records.slice(0, old.length), old, `records of ${name}`)
    const oldEpoch = Math.max(-1, ...old.map((line) => Number(line.split(' ')[1])))
    for (const line of records.slice(old.length)) {
      const [, epoch, producer] = line.split(' ')
      expectThat(Number(epoch) > oldEpoch, `${name}: epoch ${epoch} after ${oldEpoch}`)
      expectThat(!producers.has(producer), `${name}: producer ${producer} is one of Kafka's`)
    }
  }
}

async function main(java: ApacheKafka): Promise<void> {
  const kafka = await java.startBroker(settings)
  let before: ClusterLook | null = null
  let javaView: readonly string[] = []
  let groupView: readonly string[] = []
  await checks.run('Apache Kafka is filled', async () => {
    before = await fill(java, kafka)
    javaView = await describe(java, kafka.address)
    groupView = await describeGroups(java, kafka.address)
    return `${recordCount(before)} records in ${before.partitions.size} partitions`
  })
  await kafka.stop()
  if (before === null) return
  cpSync(kafka.data, copy, { recursive: true })
  await kafka.restart()
  await checks.run('Apache Kafka goes on with its own directory', async () => {
    compareRecords(before as unknown as ClusterLook, await lookAt(kafka.address))
  })
  await kafka.stop('SIGKILL')
  cpSync(kafka.data, unclean, { recursive: true })
  kafka.remove()
  await checks.run('refused without --adopt, untouched', () => refuse(copy, '--adopt'))
  await checks.run('another node id is refused, untouched', () =>
    refuse(copy, 'node', '--adopt', '--node-id', '7'),
  )
  await checks.run('not stopped cleanly: refused, untouched', () =>
    refuse(unclean, 'not stopped cleanly', '--adopt'),
  )
  await checks.run('log check finds nothing', () => checkFiles(copy))
  await checks.run('log dump reads every file', () => dumpFiles(copy))
  await checkAdopted(java, before, { javaView, groupView })
}

const java = await apacheKafka()
if (typeof java === 'string') checks.skip('Apache Kafka', java)
else await main(java)
if (process.argv.includes('--keep')) console.log(folder)
else rmSync(folder, { recursive: true, force: true })
checks.end()
