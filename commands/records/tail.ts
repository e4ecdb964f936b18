/**
 * The last N records over several partitions, by time. Each partition is read from N before its
 * end; where compaction or markers left fewer records than that, the window is doubled until the
 * share is full or the log begins. Then all are merged by timestamp (then offset), and the last N
 * remain.
 */

import type { Offset } from '../../lib/base/types.ts'
import type { Client } from '../../lib/client/client.ts'
import { Consumer, type ConsumerOptions } from '../../lib/client/consumer.ts'
import type { FetchedBatch } from '../../lib/client/fetched-batch.ts'
import type { PlannedPartition } from './consume-plan.ts'
import { keepRecord, type OutputRecord } from './output-record.ts'

/** A record with the batch it came from, which says what the record does not. */
export interface TailRecord {
  readonly record: OutputRecord
  readonly batch: FetchedBatch
}

interface Window {
  readonly partition: PlannedPartition
  /** Exclusive end of what is still to be read, and where reading it begins. */
  end: Offset
  start: Offset
  size: number
  /** In order of offsets, at most `count` of them. */
  records: TailRecord[]
}

/** In the order in which they are to be written. `signal` ends it early. */
export async function tailRecords(
  client: Client,
  partitions: readonly PlannedPartition[],
  {
    count,
    consumer: consumerOptions,
    signal,
  }: { count: number; consumer: ConsumerOptions; signal: AbortSignal },
): Promise<TailRecord[]> {
  let open = partitions.map((partition) => firstWindow(partition, count))
  const windows = open
  while (open.length > 0 && !signal.aborted) {
    await readWindows(client, open, { count, consumerOptions, signal })
    open = open.filter((window) => window.records.length < count && window.start > startOf(window))
    for (const window of open) widen(window)
  }
  const all = windows.flatMap(({ records }) => records)
  all.sort(byTime)
  return all.slice(Math.max(all.length - count, 0))
}

function startOf({ partition }: Window): Offset {
  return Math.max(partition.logStart, 0)
}

function firstWindow(partition: PlannedPartition, count: number): Window {
  const end = partition.to ?? partition.logEnd
  const start = Math.max(partition.logStart, end - count, 0)
  return { partition, end, start, size: count, records: [] }
}

function widen(window: Window): void {
  window.end = window.start
  window.size *= 2
  window.start = Math.max(startOf(window), window.end - window.size)
}

async function readWindows(
  client: Client,
  windows: readonly Window[],
  {
    count,
    consumerOptions,
    signal,
  }: { count: number; consumerOptions: ConsumerOptions; signal: AbortSignal },
): Promise<void> {
  const byKey = new Map<string, { window: Window; found: TailRecord[] }>()
  for (const window of windows) {
    const { topic, partition } = window.partition
    byKey.set(`${topic}/${partition}`, { window, found: [] })
  }
  const consumer = new Consumer(client, consumerOptions)
  try {
    consumer.assign(
      windows.map(({ partition: { topic, partition }, start: from, end: to }) => {
        return { topic, partition, from, to }
      }),
    )
    while (!consumer.isFinished && !signal.aborted) {
      for (const batch of await consumer.next({ signal })) {
        const found = byKey.get(`${batch.topic}/${batch.partition}`)?.found ?? []
        batch.forEachRecord((cursor) => found.push({ record: keepRecord(cursor), batch }))
        if (found.length > count) found.splice(0, found.length - count)
      }
    }
  } finally {
    consumer.close()
  }
  for (const { window, found } of byKey.values()) {
    const records = [...found, ...window.records]
    window.records = records.slice(Math.max(records.length - count, 0))
  }
}

function byTime({ record: left }: TailRecord, { record: right }: TailRecord): number {
  if (left.timestamp !== right.timestamp) return left.timestamp < right.timestamp ? -1 : 1
  return left.offset - right.offset
}
