/** A row of a table: what is measured, of one broker or one program, and which way is better. */

import type { ApacheKafka } from '../../interop/apache-kafka.ts'
import { output } from '../../interop/process.ts'
import { ottla } from '../../interop/support/broker-process.ts'
import type { Target } from './target.ts'

export interface Row<Subject = Target> {
  readonly name: string
  readonly unit: string
  readonly better: 'more' | 'less'
  /** One round: one figure. */
  measure(subject: Subject): Promise<number>
}

/** What the rows need beside their broker. */
export interface Tools {
  readonly kafka: ApacheKafka
  /** librdkafka's rdkafka_performance; null where nobody named one. */
  readonly rdkafka: string | null
  /** A file of `lineCount` lines of 100 bytes, line feed included. */
  readonly linesFile: string
  readonly lineCount: number
}

let topicNumber = 0
/** Topics that the next call of `deleteTopics` deletes, by broker. */
const topics = new Map<string, string[]>()

/** A topic that lives as long as its row; `isKept` for those that other rows use, too. */
export async function newTopic(
  { address }: { address: string },
  { partitions = 1, isKept = false } = {},
): Promise<string> {
  const topic = `bench-${process.pid}-${topicNumber++}`
  await output([...ottla, '-b', address, 'topic', 'create', topic, '-p', `${partitions}`])
  if (!isKept) topics.set(address, [...(topics.get(address) ?? []), topic])
  return topic
}

/** A row fills gigabytes. */
export async function deleteTopics(): Promise<void> {
  for (const [address, names] of topics) {
    await output([...ottla, '-b', address, 'topic', 'delete', ...names, '--yes'])
  }
  topics.clear()
}

/** Seconds that a line of bash takes. */
export async function secondsOf(line: string): Promise<number> {
  const begin = performance.now()
  await output(['bash', '-c', `set -o pipefail; ${line}`], { timeoutMs: 300_000 })
  return (performance.now() - begin) / 1000
}

/** The broker's processor seconds while `work` runs. */
export async function processorSecondsOf(
  target: Target,
  work: () => Promise<unknown>,
): Promise<number> {
  const before = target.processorSeconds()
  await work()
  return target.processorSeconds() - before
}

export interface PerfOptions {
  readonly size: number
  readonly count: number
  readonly props: readonly string[]
  readonly partitions?: number
  /** Records a second; -1 for as fast as it goes. */
  readonly throughput?: number
  /** Records that come before those that are counted. */
  readonly warmup?: number
  readonly topic?: string
}

/** What kafka-producer-perf-test printed, Java's producer. */
export async function producerPerfTest(
  { kafka }: Pick<Tools, 'kafka'>,
  target: Target,
  options: PerfOptions,
): Promise<string> {
  const { size, count, props, partitions = 1, throughput = -1, warmup = 0 } = options
  const topic = options.topic ?? (await newTopic(target, { partitions }))
  return await kafka.tool('kafka-producer-perf-test', [
    ...['--topic', topic, '--num-records', `${count}`, '--record-size', `${size}`],
    ...['--throughput', `${throughput}`],
    ...(warmup > 0 ? ['--warmup-records', `${warmup}`] : []),
    ...['--bootstrap-server', target.address],
    ...['--command-property', ...props],
  ])
}

/** The last match of a pattern with one figure in a tool's output. */
export function figure(text: string, pattern: RegExp): number {
  const found = [...text.matchAll(pattern)].at(-1)?.[1]
  if (found === undefined) throw new Error(`no ${pattern.source} in: ${text}`)
  return Number(found)
}

export const notIdempotent = ['acks=1', 'enable.idempotence=false']
