/**
 * What is measured of each broker. The clients are other people's, the same on both sides: Java's
 * perf tools and kcat; `ottla consume` stands in as a reader that is not the bottleneck itself.
 */

import type { ApacheKafka } from '../../interop/apache-kafka.ts'
import { output } from '../../interop/process.ts'
import { ottla } from '../../interop/support/broker-process.ts'
import type { Target } from './target.ts'

export interface Row {
  readonly name: string
  readonly unit: string
  readonly better: 'more' | 'less'
  /** One round. */
  measure(target: Target): Promise<number>
}

export interface RowsOptions {
  readonly kafka: ApacheKafka
  /** A file of `lineCount` lines of 100 bytes, line feed included. */
  readonly linesFile: string
  readonly lineCount: number
}

let topicNumber = 0

async function newTopic(target: Target, partitions = 1): Promise<string> {
  const topic = `bench-${process.pid}-${topicNumber++}`
  await output([...ottla, '-b', target.address, 'topic', 'create', topic, '-p', `${partitions}`])
  return topic
}

async function secondsOf(line: string): Promise<number> {
  const begin = performance.now()
  await output(['bash', '-c', `set -o pipefail; ${line}`], { timeoutMs: 300_000 })
  return (performance.now() - begin) / 1000
}

export function rows({ kafka, linesFile, lineCount }: RowsOptions): Row[] {
  const millions = lineCount / 1e6
  const ours = ottla.join(' ')
  const kcatProduce = (target: Target, topic: string, properties: string) =>
    secondsOf(`kcat -P -q -b ${target.address} -t ${topic} ${properties} -l ${linesFile}`)
  const consume = (target: Target, topic: string) =>
    secondsOf(`${ours} consume ${topic} -o 0:${lineCount} -b ${target.address} | cat >/dev/null`)
  const kcatRow = (name: string, properties: string): Row => ({
    name: `kcat -P, 100 B, ${name}`,
    unit: 'M records/s',
    better: 'more',
    measure: async (target) =>
      millions / (await kcatProduce(target, await newTopic(target), properties)),
  })
  const perfRow = (name: string, { size, count, props, partitions = 1 }: PerfOptions): Row => ({
    name: `producer-perf-test, ${name}`,
    unit: 'MB/s',
    better: 'more',
    measure: async (target) => {
      const text = await kafka.tool('kafka-producer-perf-test', [
        ...['--topic', await newTopic(target, partitions), '--num-records', `${count}`],
        ...['--record-size', `${size}`, '--throughput', '-1'],
        ...['--producer-props', `bootstrap.servers=${target.address}`, ...props],
      ])
      const found = [...text.matchAll(/([\d.]+) MB\/sec/g)].at(-1)?.[1]
      if (found === undefined) throw new Error(`no figure in: ${text}`)
      return Number(found) * 1.048576
    },
  })
  return [
    kcatRow('acks=1', '-X acks=1'),
    kcatRow('acks=all idempotent', '-X acks=all -X enable.idempotence=true'),
    perfRow('100 B, acks=1', { size: 100, count: 2_000_000, props: ['acks=1', ...notIdempotent] }),
    perfRow('100 B, acks=all', { size: 100, count: 2_000_000, props: ['acks=all'] }),
    perfRow('1 KiB, acks=1', { size: 1024, count: 500_000, props: ['acks=1', ...notIdempotent] }),
    perfRow('1 KiB, acks=all', { size: 1024, count: 500_000, props: ['acks=all'] }),
    perfRow('1 KiB, acks=all, 16 partitions', {
      size: 1024,
      count: 300_000,
      props: ['acks=all'],
      partitions: 16,
    }),
    {
      name: "broker's processor time, produced by kcat",
      unit: 's per M records',
      better: 'less',
      measure: async (target) => {
        const topic = await newTopic(target)
        const before = target.processorSeconds()
        await kcatProduce(target, topic, '-X acks=1')
        return (target.processorSeconds() - before) / millions
      },
    },
    {
      name: "broker's processor time, fetched",
      unit: 's per M records',
      better: 'less',
      measure: async (target) => {
        const topic = await newTopic(target)
        await kcatProduce(target, topic, '-X acks=1')
        const before = target.processorSeconds()
        await consume(target, topic)
        return (target.processorSeconds() - before) / millions
      },
    },
    {
      name: 'ottla consume, 100 B',
      unit: 'M records/s',
      better: 'more',
      measure: async (target) => {
        const topic = await newTopic(target)
        await kcatProduce(target, topic, '-X acks=1')
        return millions / (await consume(target, topic))
      },
    },
    {
      name: 'kcat -C, 100 B',
      unit: 'M records/s',
      better: 'more',
      measure: async (target) => {
        const topic = await newTopic(target)
        await kcatProduce(target, topic, '-X acks=1')
        const line = `kcat -C -q -b ${target.address} -t ${topic} -o 0 -c ${lineCount} | cat >/dev/null`
        return millions / (await secondsOf(line))
      },
    },
    {
      name: 'ottla produce, 100 B lines (kcat -P is the yardstick)',
      unit: 'M records/s',
      better: 'more',
      measure: async (target) => {
        const topic = await newTopic(target)
        return (
          millions /
          (await secondsOf(`${ours} produce ${topic} -q -b ${target.address} < ${linesFile}`))
        )
      },
    },
    ...latencyRows(kafka),
    {
      name: 'resident memory',
      unit: 'MB',
      better: 'less',
      measure: async (target) => target.residentMegabytes(),
    },
  ]
}

interface PerfOptions {
  readonly size: number
  readonly count: number
  readonly props: readonly string[]
  readonly partitions?: number
}

const notIdempotent = ['enable.idempotence=false']

function latencyRows(kafka: ApacheKafka): Row[] {
  const measure = async (target: Target, pattern: RegExp) => {
    const text = await kafka.tool('kafka-e2e-latency', [
      ...['--bootstrap-server', target.address, '--topic', await newTopic(target)],
      ...['--num-records', '3000', '--producer-acks', 'all', '--record-size', '100'],
    ])
    const found = pattern.exec(text)?.[1]
    if (found === undefined) throw new Error(`no figure in: ${text}`)
    return Number(found)
  }
  return [
    {
      name: 'kafka-e2e-latency, one at a time, mean',
      unit: 'ms',
      better: 'less',
      measure: (target) => measure(target, /Avg latency: ([\d.]+)/),
    },
    {
      name: 'kafka-e2e-latency, p99',
      unit: 'ms',
      better: 'less',
      measure: (target) => measure(target, /99th = ([\d.]+)/),
    },
  ]
}
