/**
 * A log as brokers and clients make it: our broker, written to by kcat, Java and `ottla produce` in
 * every codec, with rolls, a kill and a DeleteRecords; read by Kafka's tool, and by a Kafka broker
 * that is given the directory of the partition.
 */

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lookAt, type PartitionLook } from '../adopt/look.ts'
import type { ApacheKafka } from '../apache-kafka.ts'
import { codecs } from '../cells.ts'
import { isInstalled, output } from '../process.ts'
import { ottla, startBroker } from '../support/broker-process.ts'
import { type Checks, expectThat, same } from '../support/checks.ts'

const topic = 'served'
const partition = `${topic}-0`
const configs = 'segment.bytes=1048576,index.interval.bytes=512'
const perClient = 400

interface Served {
  readonly data: string
  readonly look: PartitionLook
  readonly count: number
}

/** Writes with each client and codec; gives how many records there are. */
async function writeAll(kafka: ApacheKafka, address: string): Promise<number> {
  const input = Array.from(
    { length: perClient },
    (_, n) => `key ${n}:${n} ${'v'.repeat(400)}\n`,
  ).join('')
  const hasKcat = await isInstalled('kcat')
  let count = 0
  for (const codec of codecs) {
    await output([...ottla, 'produce', topic, '-b', address, '-K', ':', '-z', codec], { input })
    count += perClient
    // librdkafka sends LZ4 only to brokers that have groups.
    if (!hasKcat || codec === 'lz4') continue
    const words = ['-P', '-q', '-b', address, '-t', topic, '-K', ':', '-z', codec, '-H', 'a=b']
    await output(['kcat', ...words, '-X', 'enable.idempotence=true'], { input })
    count += perClient
  }
  const perf = (codec: string) =>
    kafka.tool('kafka-producer-perf-test', [
      ...['--topic', topic, '--num-records', '800', '--record-size', '1000', '--throughput', '-1'],
      ...[
        '--producer-props',
        `bootstrap.servers=${address}`,
        'acks=all',
        `compression.type=${codec}`,
      ],
    ])
  await Promise.all([perf('none'), perf('gzip')])
  await Promise.all([perf('snappy'), perf('lz4')])
  await perf('zstd')
  return count + codecs.length * 800
}

async function serve(kafka: ApacheKafka, data: string): Promise<Served> {
  const start = () => startBroker({ data, args: ['--topic', `${topic}:1:${configs}`] })
  let broker = await start()
  const count = await writeAll(kafka, broker.address)
  await broker.stop('SIGKILL')
  broker = await start()
  const input = 'after the kill\n'
  await output([...ottla, 'produce', topic, '-b', broker.address], { input })
  const whole = partitionOf(await lookAt(broker.address))
  same(whole.end, count + 1, 'end offset')
  const trim = ['topic', 'trim', topic, '--to', '600', '--execute']
  await output([...ottla, '-b', broker.address, ...trim])
  const look = partitionOf(await lookAt(broker.address))
  same(look.start, 600, 'log start offset')
  same(look.records, whole.records.slice(600), 'what is left')
  same(await broker.stop(), 0, 'exit code')
  return { data, look, count: count + 1 }
}

function partitionOf({
  partitions,
}: {
  partitions: ReadonlyMap<string, PartitionLook>
}): PartitionLook {
  const found = partitions.get(partition)
  expectThat(found !== undefined, `no ${partition}`)
  return found
}

export async function checkServed(kafka: ApacheKafka, checks: Checks): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'ottla-served-'))
  let served: Served | null = null
  await checks.run('our broker takes every client and codec, a kill and a trim', async () => {
    served = await serve(kafka, data)
    return `${served.count} records, from ${served.look.start} on`
  })
  if (served !== null) {
    await checks.run('kafka-dump-log reads its segments', () => dumpSegments(kafka, data))
    await checks.run('kafka-dump-log: its indexes are sane, and point to their batches', () =>
      dumpIndexes(kafka, data),
    )
    await checks.run('a Kafka broker serves its partition', () =>
      serveByKafka(kafka, served as unknown as Served),
    )
  }
  rmSync(data, { recursive: true, force: true })
}

function filesWith(data: string, suffix: string): string[] {
  const folder = join(data, partition)
  const names = readdirSync(folder).filter((name) => name.endsWith(suffix))
  return names.sort().map((name) => join(folder, name))
}

async function dumpSegments(kafka: ApacheKafka, data: string): Promise<string> {
  const logs = filesWith(data, '.log')
  expectThat(logs.length >= 3, `${logs.length} segments`)
  const text = await kafka.tool('kafka-dump-log', ['--files', logs.join(','), '--deep-iteration'])
  const batches = text.split('\n').filter((line) => line.startsWith('baseOffset'))
  const bad = batches.find((line) => !line.includes('isvalid: true'))
  expectThat(bad === undefined, `${bad}`)
  let next = Number(/baseOffset: (\d+)/.exec(batches[0] ?? '')?.[1])
  for (const line of batches) {
    const [, first, last] = /baseOffset: (\d+) lastOffset: (\d+)/.exec(line) ?? []
    same(Number(first), next, 'base offset')
    next = Number(last) + 1
  }
  const seen = new Set(batches.map((line) => /compresscodec: (\S+)/.exec(line)?.[1]))
  same([...seen].sort(), [...codecs].sort(), 'codecs')
  return `${batches.length} batches in ${logs.length} segments`
}

async function dumpIndexes(kafka: ApacheKafka, data: string): Promise<string> {
  const indexes = [...filesWith(data, '.index'), ...filesWith(data, '.timeindex')]
  const files = ['--files', indexes.join(',')]
  const [sanity, verified] = await Promise.all([
    kafka.tool('kafka-dump-log', [...files, '--index-sanity-check']),
    kafka.tool('kafka-dump-log', [...files, '--verify-index-only']),
  ])
  same(sanity.match(/passed sanity check/g)?.length, indexes.length, 'sane files')
  const bad = verified
    .split('\n')
    .filter((line) => /mismatch|not found|out of order|corrupt/i.test(line))
  same(bad, [], 'mismatches')
  return `${indexes.length} files`
}

/** Our files in the place of an empty log of Kafka's own, with its topic id. */
async function serveByKafka(kafka: ApacheKafka, { data, look }: Served): Promise<string> {
  const broker = await kafka.startBroker()
  try {
    const words = ['-p', '1', ...configs.split(',').flatMap((config) => ['-c', config])]
    await output([...ottla, '-b', broker.address, 'topic', 'create', topic, ...words])
    await broker.stop()
    const theirs = join(broker.data, partition)
    const metadata = readFileSync(join(theirs, 'partition.metadata'))
    rmSync(theirs, { recursive: true })
    cpSync(join(data, partition), theirs, { recursive: true })
    writeFileSync(join(theirs, 'partition.metadata'), metadata)
    writeFileSync(
      join(broker.data, 'log-start-offset-checkpoint'),
      `0\n1\n${topic} 0 ${look.start}\n`,
    )
    await broker.restart()
    const found = partitionOf(await lookAt(broker.address))
    same([found.start, found.end], [look.start, look.end], 'offsets')
    same(found.records, look.records, 'records')
    return `${found.records.length} records`
  } finally {
    await broker.stop()
    broker.remove()
  }
}
