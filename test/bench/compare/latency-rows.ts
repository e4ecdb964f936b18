/** How long one record takes: alone, and among many at a steady rate. */

import { spawn } from 'node:child_process'
import { ottla } from '../../interop/support/broker-process.ts'
import { figure, newTopic, producerPerfTest, type Row, type Tools } from './row.ts'
import type { Target } from './target.ts'

export function latencyRows(tools: Tools): Row[] {
  const alone = async (target: Target, pattern: RegExp) =>
    figure(
      await tools.kafka.tool('kafka-e2e-latency', [
        ...['--bootstrap-server', target.address, '--topic', await newTopic(target)],
        ...['--num-records', '5000', '--producer-acks', 'all', '--record-size', '100'],
      ]),
      pattern,
    )
  const row = (name: string, measure: Row['measure']): Row => ({
    name,
    unit: 'ms',
    better: 'less',
    measure,
  })
  return [
    row('kafka-e2e-latency, one at a time, mean', (target) =>
      alone(target, /Avg latency: ([\d.]+)/g),
    ),
    row('kafka-e2e-latency, p99', (target) => alone(target, /99th = ([\d.]+)/g)),
    ...[10_000, 20_000].map((rate) =>
      row(`producer-perf-test, linger 0, ${rate}/s beside a reader, p99`, (target) =>
        steady(tools, target, rate),
      ),
    ),
  ]
}

/** p99 of ten seconds at a rate, after two that are not counted, while another process reads it all. */
async function steady(tools: Tools, target: Target, throughput: number): Promise<number> {
  const topic = await newTopic(target)
  const [node, program] = ottla
  const reader = spawn(node, [program, 'consume', topic, '-o', '0', '-b', target.address], {
    stdio: 'ignore',
  })
  const ended = new Promise((resolve) => reader.on('close', resolve))
  try {
    const [warmup, count] = [throughput * 2, throughput * 12]
    // With Java's linger of 5 ms the producer's own wait is all that shows.
    const props = ['acks=all', 'linger.ms=0']
    const options = { size: 100, count, throughput, warmup, topic, props }
    return figure(await producerPerfTest(tools, target, options), /([\d.]+) ms 99th/g)
  } finally {
    reader.kill('SIGKILL')
    await ended
  }
}
