/** How fast a broker gives records back, from the page cache and from the disk, and at what price. */

import { output } from '../../interop/process.ts'
import { ottla } from '../../interop/support/broker-process.ts'
import {
  figure,
  newTopic,
  notIdempotent,
  processorSecondsOf,
  producerPerfTest,
  type Row,
  secondsOf,
  type Tools,
} from './row.ts'
import type { Target } from './target.ts'

interface Load {
  readonly size: number
  readonly count: number
}

/** Else librdkafka sleeps for a second whenever its own queue is full: with a faster broker more often. */
const neverFull = [
  ...['-X', 'queued.min.messages=10000000'],
  ...['-X', 'queued.max.messages.kbytes=2000000'],
]

const small: Load = { size: 100, count: 3_000_000 }
const large: Load = { size: 1024, count: 1_000_000 }

export function fetchRows(tools: Tools): Row[] {
  // One topic of each size serves all rows of a broker.
  const filled = new Map<string, Promise<string>>()
  const topicOf = (target: Target, load: Load) => {
    const key = `${target.address} ${load.size}`
    const topic = filled.get(key) ?? fill(tools, target, load)
    filled.set(key, topic)
    return topic
  }
  const sizeOf = ({ size }: Load) => (size === 100 ? '100 B' : '1 KiB')
  const rate = ({ size, count }: Load, seconds: number) =>
    size === 100 ? count / 1e6 / seconds : (count * size) / 1e6 / seconds
  const unit = ({ size }: Load) => (size === 100 ? 'M records/s' : 'MB/s')
  const read = (target: Target, topic: string, { count }: Load) =>
    secondsOf(`${ottla.join(' ')} consume ${topic} -o 0:${count} -b ${target.address} >/dev/null`)
  const perfTest = (load: Load): Row => ({
    name: `consumer-perf-test, ${sizeOf(load)}`,
    unit: unit(load),
    better: 'more',
    measure: async (target) => {
      const text = await tools.kafka.tool('kafka-consumer-perf-test', [
        ...['--bootstrap-server', target.address, '--topic', await topicOf(target, load)],
        ...['--num-records', `${load.count}`, '--hide-header', '--timeout', '60000'],
      ])
      // Its last columns: ..., rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec.
      return figure(text, /([\d.]+)\s*$/g) / (load.size === 100 ? 1e6 : 1e6 / load.size)
    },
  })
  const ownReader = (load: Load, isCold: boolean): Row => ({
    name: `ottla consume, ${sizeOf(load)}${isCold ? ', cold cache' : ''}`,
    unit: unit(load),
    better: 'more',
    measure: async (target) => {
      const topic = await topicOf(target, load)
      if (isCold) await dropCache(target, topic)
      return rate(load, await read(target, topic, load))
    },
  })
  const processor = (load: Load, per: string, amount: number): Row => ({
    name: `broker's processor time, ${sizeOf(load)}, fetched`,
    unit: `s per ${per}`,
    better: 'less',
    measure: async (target) => {
      const topic = await topicOf(target, load)
      return (await processorSecondsOf(target, () => read(target, topic, load))) / amount
    },
  })
  const kcat: Row = {
    name: 'kcat -C, 100 B',
    unit: 'M records/s',
    better: 'more',
    measure: async (target) => {
      const topic = await topicOf(target, small)
      const options = `${neverFull.join(' ')} -b ${target.address} -t ${topic}`
      const line = `kcat -C -q ${options} -o 0 -c ${small.count} >/dev/null`
      return rate(small, await secondsOf(line))
    },
  }
  return [
    kcat,
    ...[small, large].flatMap((load) => rdkafkaRow(tools, load, topicOf)),
    perfTest(small),
    perfTest(large),
    ownReader(small, false),
    ownReader(large, false),
    ownReader(large, true),
    processor(small, 'M records', small.count / 1e6),
    processor(large, 'GB', (large.count * large.size) / 1e9),
  ]
}

function rdkafkaRow(
  { rdkafka }: Tools,
  load: Load,
  topicOf: (target: Target, load: Load) => Promise<string>,
): Row[] {
  if (rdkafka === null) return []
  const isSmall = load.size === 100
  return [
    {
      name: `rdkafka_performance -C, ${isSmall ? '100 B' : '1 KiB'}`,
      unit: isSmall ? 'M records/s' : 'MB/s',
      better: 'more',
      measure: async (target) => {
        const text = await output(
          [
            ...[rdkafka, '-C', '-b', target.address, '-t', await topicOf(target, load), '-p', '0'],
            ...['-o', '0', '-c', `${load.count}`, '-B', '10000', '-i', '100000'],
            ...[...neverFull, '-X', 'fetch.message.max.bytes=2097152'],
          ],
          { timeoutMs: 120_000 },
        )
        const pattern = isSmall ? /([\d.]+) msgs\/s \(/g : / \(([\d.]+) MB\/s\)/g
        return figure(text, pattern) / (isSmall ? 1e6 : 1)
      },
    },
  ]
}

async function fill(tools: Tools, target: Target, { size, count }: Load): Promise<string> {
  const topic = await newTopic(target, { isKept: true })
  await producerPerfTest(tools, target, { size, count, topic, props: notIdempotent })
  return topic
}

/** Takes a topic's files out of the page cache, once they are on the disk. */
async function dropCache(target: Target, topic: string): Promise<void> {
  const line = `sync; for file in ${target.data}/${topic}-*/*.log; do dd if=$file iflag=nocache count=0 status=none; done`
  await output(['bash', '-c', line], { timeoutMs: 120_000 })
}
