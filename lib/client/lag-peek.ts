/**
 * Looks at the first unread record of partitions: its time, or that only markers are left. One small
 * Fetch each (a broker gives one whole batch however little is asked for); more only where markers
 * or compacted batches lie before the record. What cannot be read stays unknown, and is no failure.
 */

import { DecodeError, KafkaError } from '../base/errors.ts'
import type { Offset, TopicPartition } from '../base/types.ts'
import { Fetch } from '../protocol/apis/fetch.ts'
import { lastOffsetOf, type RecordBatch } from '../record/batch.ts'
import { RecordCursor } from '../record/record.ts'
import type { Connection } from '../wire/connection.ts'
import type { Client } from './client.ts'
import { readableBatches } from './fetched-records.ts'
import { askLeaders, keyOf } from './per-leader.ts'

export interface PeekAt extends TopicPartition {
  readonly from: Offset
  /** The log's end. */
  readonly end: Offset
}

export interface Peeked {
  /** ms since 1970; null when it is not known, or there is no such record. */
  readonly firstUnreadMs: number | null
  /** The record could not be read: the time is its batch's. */
  readonly isApproximate: boolean
  /** No record but markers between `from` and `end`. */
  readonly isMarkersOnly: boolean
  /** null when the broker did not tell. */
  readonly lastStable: Offset | null
}

/** A few records may be markers of transactions: enough is asked for to see them all. */
export const markersMax = 16
const markersBytes = 64 * 1024
/** Fetches for one partition. */
const fetchesMax = 8
/** Requests to one broker at once. */
const inFlightMax = 50
const batchBytesMax = 64 * 1024 * 1024

const unknown: Peeked = {
  firstUnreadMs: null,
  isApproximate: false,
  isMarkersOnly: false,
  lastStable: null,
}

/** In the order of `items`. */
export async function peek(
  client: Client,
  items: readonly PeekAt[],
  timeoutMs = client.timeoutMs,
): Promise<Peeked[]> {
  const ask = async (connection: Connection, asked: readonly PeekAt[], askTimeoutMs: number) => {
    const answers = new Map<string, Peeked | KafkaError>()
    for (let at = 0; at < asked.length; at += inFlightMax) {
      const some = asked.slice(at, at + inFlightMax)
      await Promise.all(
        some.map(async (item) => {
          const answer = await peekOne(connection, item, askTimeoutMs)
          answers.set(keyOf(item.topic, item.partition), answer)
        }),
      )
    }
    return answers
  }
  const outcomes = await askLeaders(client, items, { ask, timeoutMs })
  return items.map((_, index) => outcomes[index]?.answer ?? unknown)
}

async function peekOne(
  connection: Connection,
  { topic, partition, from, end }: PeekAt,
  timeoutMs: number,
): Promise<Peeked | KafkaError> {
  // From version 13 on topics are named by id.
  const version = connection.versionOf(Fetch, { floor: 4, limit: 12 })
  let fetchOffset = from
  let lastStable: Offset | null = null
  for (let fetches = 0; fetches < fetchesMax && fetchOffset < end; fetches++) {
    const isSmall = fetches === 0 && end - from > markersMax
    const maxBytes = isSmall ? 1 : markersBytes
    const asked = { partition, fetchOffset, partitionMaxBytes: maxBytes }
    const body = { maxWaitMs: 0, minBytes: 0, maxBytes, topics: [{ topic, partitions: [asked] }] }
    const response = await connection.request(Fetch, body, { timeoutMs, version })
    const answer = response.responses[0]?.partitions[0]
    const code = response.errorCode === 0 ? (answer?.errorCode ?? -1) : response.errorCode
    if (code !== 0 || answer === undefined) return new KafkaError(code)
    lastStable ??= answer.lastStableOffset < 0 ? null : answer.lastStableOffset
    const found = firstRecord(answer.records ?? [], fetchOffset)
    if (found === null) return { ...unknown, lastStable }
    if ('timestampMs' in found) {
      const { timestampMs, isApproximate } = found
      return { firstUnreadMs: timestampMs, isApproximate, isMarkersOnly: false, lastStable }
    }
    fetchOffset = found.nextOffset
  }
  return { ...unknown, isMarkersOnly: fetchOffset >= end, lastStable }
}

type Found =
  | { readonly timestampMs: number | null; readonly isApproximate: boolean }
  | { readonly nextOffset: Offset }

/** The first record at or after `from`, or where to go on; null when nothing whole came. */
function firstRecord(records: readonly Uint8Array[], from: Offset): Found | null {
  try {
    const limits = { maxBytes: batchBytesMax, checkCrcs: false, aborted: null }
    const { batches, nextOffset } = readableBatches(records, limits)
    for (const batch of batches) {
      if (lastOffsetOf(batch.header) < from) continue
      const found = firstIn(batch, from)
      if (found !== null) return found
    }
    return nextOffset > from ? { nextOffset } : null
  } catch (error) {
    if (error instanceof DecodeError) return null
    throw error
  }
}

function firstIn(batch: RecordBatch, from: Offset): Found | null {
  try {
    const cursor = new RecordCursor(batch, { maxBytes: batchBytesMax })
    while (cursor.next()) {
      if (cursor.offset < from) continue
      return { timestampMs: timeOf(Number(cursor.timestamp)), isApproximate: false }
    }
    return null
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return { timestampMs: timeOf(batch.header.baseTimestamp), isApproximate: true }
  }
}

/** Negative: the record has none. */
function timeOf(timestampMs: number): number | null {
  return timestampMs < 0 ? null : timestampMs
}
