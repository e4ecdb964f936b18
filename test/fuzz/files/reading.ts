/** What a client finds in the partitions of a broker, checking each batch as a client does. */

import { joinChunks } from '../../../lib/base/bytes.ts'
import { errorCode, errorName } from '../../../lib/base/errors.ts'
import { Fetch } from '../../../lib/protocol/apis/fetch.ts'
import { ListOffsets } from '../../../lib/protocol/apis/list-offsets.ts'
import { batchCrc, lastOffsetOf, splitBatches } from '../../../lib/record/batch.ts'
import { readRecords } from '../../../lib/record/record.ts'
import type { Scenario } from '../../broker/support/scenario.ts'
import type { Known } from './history.ts'
import { Violation } from './start.ts'

/** A record as a client reads it. */
export interface Row {
  readonly offset: number
  readonly value: string
  readonly timestamp: number
}

/** What a client finds in one partition. */
export interface Seen {
  readonly rows: readonly Row[]
  readonly start: number
  readonly end: number
  /** What the broker, or the client's own CRC check, says is wrong; null for nothing. */
  readonly error: string | null
  readonly isServed: boolean
  /** Where reading met the error. */
  readonly errorAt: number | null
  /** Where a fetch gave nothing although the log goes on: a reader stands there until a record comes; null for nowhere. */
  readonly emptyFrom: number | null
}

/** What was acknowledged and is not served. */
export function lostOffsets(known: Known, seen: Seen): number[] {
  const lost: number[] = []
  const served = new Set(seen.rows.map(({ offset }) => offset))
  const lastOfKey = new Map<string, number>()
  for (const [offset, key] of known.keys) {
    if (known.values.has(offset)) lastOfKey.set(key, Math.max(offset, lastOfKey.get(key) ?? -1))
  }
  for (const offset of known.values.keys()) {
    if (offset < known.start || served.has(offset)) continue
    if (known.mayLackEnd && offset >= seen.end) continue
    const key = known.keys.get(offset) ?? ''
    if (known.topic === 'c' && lastOfKey.get(key) !== offset) continue
    lost.push(offset)
  }
  return lost
}

export async function listOffset(
  world: Scenario,
  { topic, partition, timestamp }: { topic: string; partition: number; timestamp: number },
) {
  const { topics } = await world.call(ListOffsets, 5, {
    replicaId: -1,
    topics: [
      {
        name: topic,
        partitions: [{ partitionIndex: partition, timestamp, currentLeaderEpoch: -1 }],
      },
    ],
  })
  const found = topics[0]?.partitions[0]
  if (found === undefined) throw new Violation(`ListOffsets does not answer for ${topic}`)
  return { errorCode: found.errorCode, offset: found.offset ?? -1 }
}

/** Everything in a partition, as a client reads it that checks each batch. */
export async function readAll(world: Scenario, topic: string, partition: number): Promise<Seen> {
  const start = await listOffset(world, { topic, partition, timestamp: -2 })
  const end = await listOffset(world, { topic, partition, timestamp: -1 })
  const code = start.errorCode || end.errorCode
  const none = { rows: [], start: start.offset, end: end.offset, errorAt: null, emptyFrom: null }
  if (code !== 0) return { ...none, error: errorName(code), isServed: false }
  const rows: Row[] = []
  for (let offset = start.offset; offset < end.offset; ) {
    const fetched = await fetchFrom(world, { topic, partition }, offset)
    rows.push(...fetched.rows)
    const isOffline = fetched.code === errorCode('KAFKA_STORAGE_ERROR')
    if (fetched.error !== null) {
      return { ...none, rows, error: fetched.error, isServed: !isOffline, errorAt: fetched.next }
    }
    if (fetched.next <= offset)
      return { ...none, rows, error: null, isServed: true, emptyFrom: offset }
    offset = fetched.next
  }
  return { ...none, rows, error: null, isServed: true }
}

interface Fetched {
  readonly rows: Row[]
  readonly next: number
  readonly code: number
  readonly error: string | null
}

export async function fetchFrom(
  world: Scenario,
  { topic, partition }: { topic: string; partition: number },
  offset: number,
): Promise<Fetched> {
  const answer = await world.call(Fetch, 11, {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1 << 20,
    topics: [{ topic, partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: 3000 }] }],
  })
  const found = answer.responses[0]?.partitions[0]
  if (found === undefined) throw new Violation(`Fetch does not answer for ${topic}-${partition}`)
  const code = found.errorCode
  if (code !== 0) return { rows: [], next: offset, code, error: errorName(code) }
  const rows: Row[] = []
  let next = offset
  const none = { rows, code: 0 }
  try {
    for (const one of splitBatches([Buffer.from(joinChunks(found.records ?? []))])) {
      if (batchCrc(one) !== one.header.crc) return { ...none, next, error: 'bad CRC' }
      for (const record of readRecords(one, { maxBytes: 1 << 20 })) {
        if (record.offset < offset) continue
        const value = record.value === null ? '' : Buffer.from(record.value).toString()
        rows.push({ offset: record.offset, value, timestamp: Number(record.timestamp) })
      }
      next = Math.max(next, lastOffsetOf(one.header) + 1)
    }
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'DecodeError') throw error
    return { ...none, next, error: error.message }
  }
  return { ...none, next, error: null }
}
