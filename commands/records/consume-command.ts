/** What `consume` and `tail` do once their options are read. */

import { Consumer } from '../../lib/client/consumer.ts'
import { type CommandContext, type ExitCode, exitCodes } from '../command.ts'
import { consumerOptionsOf, type ReadArgs, readPrinter } from './consume-options.ts'
import { type PlannedPartition, planConsume } from './consume-plan.ts'
import { ConsumeRun } from './consume-run.ts'
import type { OffsetSpec } from './offset-spec.ts'
import { tailRecords } from './tail.ts'
import { lookUpTopics } from './topics.ts'

export interface ConsumeRequest {
  readonly spec: OffsetSpec
  /** The last N over all partitions first; null = from where `spec` says. */
  readonly tail: number | null
  readonly countMax: number
}

/** Exit 0, or 1 when there was no record and that was to fail. Rejects as the client does. */
export async function consumeRecords(
  context: CommandContext,
  args: ReadArgs,
  { spec, tail, countMax }: ConsumeRequest,
): Promise<ExitCode> {
  const printer = readPrinter(args, context)
  const topics = await lookUpTopics(context, args.positionals)
  const client = await context.client()
  const partitions = await planConsume(client, topics, {
    spec: tail === null ? spec : wholeLogs,
    partitions: args.partition ?? null,
    untilEnd: args.exit || tail !== null,
    nowMs: context.env.clock.nowMs(),
    onMoved: (message) => context.warn(message),
  })
  const run = new ConsumeRun(context, {
    printer,
    countMax,
    idleMs: args.idle ?? Number.POSITIVE_INFINITY,
  })
  let following = partitions
  if (tail !== null) {
    await writeTail(context, run, { args, partitions, count: tail })
    following = args.exit ? [] : partitions.map((one) => ({ ...one, from: one.to ?? 0, to: null }))
  }
  const assigned = following.filter(({ from, to }) => to === null || from < to)
  if (assigned.length > 0 && !run.isOver) {
    const isBounded = assigned.every(({ to }) => to !== null)
    const consumer = new Consumer(client, consumerOptionsOf(args, context, isBounded))
    consumer.assign(
      assigned.map(({ topic, partition, from, to }) => ({
        topic,
        partition,
        from,
        ...(to === null ? {} : { to }),
      })),
    )
    try {
      await run.follow(consumer)
    } finally {
      consumer.close()
    }
  }
  await run.flush()
  const isEmpty = run.count === 0 && !context.signal.aborted
  return args.failEmpty && isEmpty ? exitCodes.no : exitCodes.done
}

const wholeLogs: OffsetSpec = {
  range: { from: { kind: 'start' }, to: { kind: 'end' } },
  partitions: new Map(),
}

async function writeTail(
  context: CommandContext,
  run: ConsumeRun,
  {
    args,
    partitions,
    count,
  }: { args: ReadArgs; partitions: readonly PlannedPartition[]; count: number },
): Promise<void> {
  const { signal } = context
  if (count === 0) return
  const consumer = consumerOptionsOf(args, context, true)
  try {
    const records = await tailRecords(await context.client(), partitions, {
      count,
      consumer,
      signal,
    })
    for (const { record, batch } of records) {
      if (run.isOver) return
      run.setPlace(batch)
      await run.writeRecord(record)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  await run.flush()
}
