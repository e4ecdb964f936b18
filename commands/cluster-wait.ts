/** `cluster wait`: until brokers answer, and more if asked for, with a deadline. */

import type { Client } from '../lib/client/client.ts'
import type { ClusterMetadata } from '../lib/client/metadata-cache.ts'
import { sleep } from '../lib/io/clock.ts'
import { type CommandContext, CommandError, command, exitCodes } from './command.ts'
import { duration, repeated } from './options.ts'
import { BadValue } from './values.ts'

type Condition =
  | { readonly kind: 'reachable' }
  | { readonly kind: 'healthy' }
  | { readonly kind: 'brokers'; readonly count: number }
  | { readonly kind: 'topic'; readonly name: string }

const pollMs = 200

export const clusterWait = command({
  name: 'cluster wait',
  about: 'wait until the cluster is up',
  options: {
    for: repeated('reachable (the default), brokers=N, topic=T, healthy', parseCondition, {
      word: 'WHAT',
      completes: ['reachable', 'brokers=', 'topic=', 'healthy'],
    }),
    timeout: duration('give up after', { fallback: '30s' }),
  },
  examples: [
    ['cluster wait --timeout 60s && ./run-tests', 'start when a broker answers'],
    ['cluster wait --for brokers=3 --for healthy', 'three brokers, every replica in sync'],
    ['cluster wait --for topic=orders', 'the topic exists and has leaders'],
  ],
  description: [
    'Prints nothing. With several --for all must hold. healthy: every partition has a leader and all its replicas are in sync.',
  ],
  exits: {
    0: 'it holds',
    1: 'brokers answer, but it did not come to hold in time',
    5: 'no broker answered in time',
  },
  run: async (context, { for: conditions, timeout }) => {
    const client = await context.client()
    const { clock } = context.env
    const untilMs = clock.monotonicMs() + timeout
    for (;;) {
      const leftMs = untilMs - clock.monotonicMs()
      const missing = await missingNow(context, client, { conditions, leftMs })
      if (missing === null) break
      if (clock.monotonicMs() + pollMs > untilMs) throw missing
      await sleep(clock, pollMs, context.signal)
    }
    return exitCodes.done
  },
})

function parseCondition(text: string): Condition {
  if (text === 'reachable' || text === 'healthy') return { kind: text }
  const [, count] = /^brokers=([1-9]\d{0,5})$/.exec(text) ?? []
  if (count !== undefined) return { kind: 'brokers', count: Number(count) }
  const [, name] = /^topic=(.+)$/.exec(text) ?? []
  if (name !== undefined) return { kind: 'topic', name }
  throw new BadValue('reachable, brokers=N, topic=T or healthy')
}

/** What does not hold at the moment, as the error to end with; null when all holds. */
async function missingNow(
  { globals }: CommandContext,
  client: Client,
  { conditions, leftMs }: { conditions: readonly Condition[]; leftMs: number },
): Promise<Error | null> {
  const needsTopics = conditions.some(({ kind }) => kind === 'healthy' || kind === 'topic')
  try {
    const cluster = await client.metadata({
      topics: needsTopics ? null : [],
      timeoutMs: Math.max(Math.min(globals.timeoutMs, leftMs), 1),
    })
    for (const condition of conditions) {
      const what = missingOf(condition, cluster)
      if (what !== null) return new CommandError(exitCodes.no, `timed out: ${what}`)
    }
    return null
  } catch (error) {
    // A broker that starts answers late, or with errors: only the deadline ends the wait.
    if (error instanceof Error && error.name !== 'AssertionError') return error
    throw error
  }
}

function missingOf(condition: Condition, { brokers, topics }: ClusterMetadata): string | null {
  switch (condition.kind) {
    case 'reachable':
      return null
    case 'brokers':
      return brokers.length >= condition.count
        ? null
        : `${brokers.length} of ${condition.count} brokers are there`
    case 'topic': {
      const topic = topics.find(({ name }) => name === condition.name)
      if (topic === undefined) return `no such topic "${condition.name}"`
      const leaderless = topic.partitions.filter(({ leader }) => leader < 0).length
      if (topic.partitions.length > 0 && leaderless === 0) return null
      return `topic "${condition.name}" has ${leaderless} partitions without a leader`
    }
    case 'healthy': {
      const partitions = topics.flatMap((topic) => topic.partitions)
      const bad = partitions.filter(
        ({ leader, isr, replicas }) => leader < 0 || isr.length < replicas.length,
      ).length
      return bad === 0 ? null : `${bad} of ${partitions.length} partitions are not healthy`
    }
  }
}
