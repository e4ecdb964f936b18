/** How fast a broker takes records, and what of its processor they cost. */

import { output } from '../../interop/process.ts'
import {
  figure,
  newTopic,
  notIdempotent,
  type PerfOptions,
  processorSecondsOf,
  producerPerfTest,
  type Row,
  secondsOf,
  type Tools,
} from './row.ts'
import type { Target } from './target.ts'

const mebi = 1.048576

export function produceRows(tools: Tools): Row[] {
  const { linesFile, lineCount } = tools
  const millions = lineCount / 1e6
  const kcat = async (target: Target, properties: string) =>
    secondsOf(
      `kcat -P -q -b ${target.address} -t ${await newTopic(target)} ${properties} -l ${linesFile}`,
    )
  const kcatRow = (name: string, properties: string): Row => ({
    name: `kcat -P, 100 B, ${name}`,
    unit: 'M records/s',
    better: 'more',
    measure: async (target) => millions / (await kcat(target, properties)),
  })
  const perfRow = (name: string, options: PerfOptions): Row => ({
    name: `producer-perf-test, ${name}`,
    unit: 'MB/s',
    better: 'more',
    measure: async (target) =>
      figure(await producerPerfTest(tools, target, options), /([\d.]+) MB\/sec/g) * mebi,
  })
  const kibibyte = { size: 1024, count: 600_000 }
  return [
    kcatRow('acks=1', '-X acks=1'),
    kcatRow('acks=all idempotent', '-X acks=all -X enable.idempotence=true'),
    ...rdkafkaRows(tools),
    perfRow('100 B, acks=1', { size: 100, count: 3_000_000, props: notIdempotent }),
    perfRow('100 B, acks=all idempotent', { size: 100, count: 3_000_000, props: ['acks=all'] }),
    perfRow('1 KiB, acks=1', { ...kibibyte, props: notIdempotent }),
    perfRow('1 KiB, acks=all idempotent', { ...kibibyte, props: ['acks=all'] }),
    perfRow('lz4, 1 KiB, acks=1', {
      ...kibibyte,
      props: [...notIdempotent, 'compression.type=lz4', 'batch.size=131072'],
    }),
    {
      name: "broker's processor time, 100 B, produced",
      unit: 's per M records',
      better: 'less',
      measure: async (target) =>
        (await processorSecondsOf(target, () => kcat(target, '-X acks=1'))) / millions,
    },
    {
      name: "broker's processor time, 1 KiB, produced",
      unit: 's per GB',
      better: 'less',
      measure: async (target) => {
        const work = () => producerPerfTest(tools, target, { ...kibibyte, props: notIdempotent })
        return (await processorSecondsOf(target, work)) / ((kibibyte.count * 1024) / 1e9)
      },
    },
  ]
}

/** Over 16 partitions with Java's default batches of 16 KiB: one sync for each would be the price. */
export function syncedRows(tools: Tools): Row[] {
  const options = { size: 1024, count: 300_000, props: ['acks=all'] }
  return [1, 16].map((partitions) => ({
    name: `producer-perf-test, 1 KiB, acks=all, ${partitions} partition${partitions > 1 ? 's' : ''}`,
    unit: 'MB/s',
    better: 'more',
    measure: async (target) =>
      figure(
        await producerPerfTest(tools, target, { ...options, partitions }),
        /([\d.]+) MB\/sec/g,
      ) * mebi,
  }))
}

/** librdkafka's own load generator, which copies nothing and so asks most of the broker. */
function rdkafkaRows({ rdkafka }: Tools): Row[] {
  if (rdkafka === null) return []
  interface Load {
    readonly size: number
    readonly count: number
    readonly idempotent?: boolean
    readonly codec?: string
  }
  const row = (name: string, { size, count, idempotent = false, codec }: Load): Row => {
    const isSmall = size <= 100
    return {
      name: `rdkafka_performance -P, ${name}`,
      unit: isSmall ? 'M records/s' : 'MB/s',
      better: 'more',
      measure: async (target) => {
        const text = await output(
          [
            ...[rdkafka, '-P', '-b', target.address, '-t', await newTopic(target), '-p', '0'],
            ...['-s', `${size}`, '-c', `${count}`, '-a', idempotent ? '-1' : '1', '-i', '100000'],
            ...['-X', `enable.idempotence=${idempotent}`, '-X', 'linger.ms=5'],
            ...['-X', 'queue.buffering.max.messages=1000000'],
            ...['-X', 'queue.buffering.max.kbytes=1048576'],
            ...(codec === undefined ? [] : ['-z', codec]),
          ],
          { timeoutMs: 300_000 },
        )
        const [, records, megabytes] =
          /([\d.]+) msgs\/s and ([\d.]+) M[Bb]\/s/.exec(
            text.slice(text.lastIndexOf('messages produced')),
          ) ?? []
        if (records === undefined) throw new Error(`no figure in: ${text}`)
        return isSmall ? Number(records) / 1e6 : Number(megabytes)
      },
    }
  }
  return [
    row('100 B, acks=1', { size: 100, count: 5_000_000 }),
    row('100 B, acks=all idempotent', { size: 100, count: 5_000_000, idempotent: true }),
    row('1 KiB, acks=1', { size: 1024, count: 1_000_000 }),
    row('1 KiB, acks=all idempotent', { size: 1024, count: 1_000_000, idempotent: true }),
    row('lz4, 1 KiB, acks=1', { size: 1024, count: 2_000_000, codec: 'lz4' }),
  ]
}
