/**
 * Two answers made comparable, and what is left of their difference.
 *
 * Taken out or replaced by a word: what must differ between two brokers (ports, cluster and topic
 * ids, producer ids, times of now), and what no client looks at (throttle times, texts of errors).
 * Record batches are shown by their header and records; the CRC of what the broker left as it was.
 */

import { joinChunks } from '../../../lib/base/bytes.ts'
import { DecodeError } from '../../../lib/base/errors.ts'
import { zeroUuid } from '../../../lib/base/uuid.ts'
import {
  codecOf,
  type RecordBatch,
  splitBatches,
  timestampTypeOf,
} from '../../../lib/record/batch.ts'
import { readRecords } from '../../../lib/record/record.ts'
import type { Peer } from './peer.ts'

/** Times in the cases are relative to this one, two hours ago: the same in both brokers. */
export const baseTime = Date.now() - 2 * 3_600_000

/** A place where the answers differ. */
export interface Difference {
  readonly path: string
  readonly kafka: unknown
  readonly ottla: unknown
}

const ignored = new Set(['throttleTimeMs'])
const texts = new Set(['errorMessage', 'batchIndexErrorMessage', 'documentation'])

/** As brokers and members make them: a uuid's own text, or a member's in base64. */
const uuids = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=^|diff-)[\w-]{22}$/g

/** The answer as plain values that are the same for both brokers if they behave alike. */
export function normalised(value: unknown, peer: Peer, key = ''): unknown {
  if (texts.has(key)) return typeof value === 'string' && value !== '' ? 'text' : value
  if (key === 'topicId') return topicOf(value, peer)
  if (key === 'clusterId') return value === peer.clusterId ? 'own cluster' : value
  if (key === 'port') return value === peer.port ? 'own port' : value
  if (key === 'producerId' && typeof value === 'number' && value >= 0) return 'some id'
  if (key === 'sessionId' && typeof value === 'number' && value > 0) return 'some session'
  if (typeof value === 'string') return value.replace(uuids, 'a uuid')
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  if (key === 'records') return recordsOf(value, peer)
  if (typeof value === 'number') return timeOf(value)
  if (Array.isArray(value)) return listOf(value, peer, key)
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).filter(([name]) => !ignored.has(name))
  return Object.fromEntries(entries.map(([name, inner]) => [name, normalised(inner, peer, name)]))
}

/** Answers about topics and partitions come in no order that a client could count on. */
const unordered = new Set([
  ...['topics', 'responses', 'results', 'partitions', 'partitionResponses'],
  ...['groups', 'members', 'coordinators', 'topicPartitions'],
])

function listOf(list: readonly unknown[], peer: Peer, key: string): unknown {
  const elements = list.map((element) => normalised(element, peer))
  if (!unordered.has(key)) return elements
  const order = (element: unknown) => {
    if (!isObject(element)) return ''
    const { name, topic, topicId, resourceName, errorCode, groupId, memberId } = element
    const number = element['partitionIndex'] ?? element['partition'] ?? element['index'] ?? 0
    return JSON.stringify([
      name ?? topic ?? resourceName ?? groupId ?? memberId,
      topicId,
      Number(number) + 1e6,
      errorCode,
      element,
    ])
  }
  return elements.sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

function topicOf(id: unknown, { topicNames }: Peer): unknown {
  if (id === zeroUuid || typeof id !== 'string') return id
  return `id of ${topicNames.get(id) ?? 'nothing known'}`
}

function timeOf(value: number): unknown {
  if (Math.abs(value - baseTime) <= 3_600_000) return `base time + ${value - baseTime}`
  return Math.abs(value - Date.now()) < 600_000 ? 'now' : value
}

function recordsOf(value: unknown, peer: Peer): unknown {
  if (!Array.isArray(value)) return value
  const chunks = value.filter((chunk) => chunk instanceof Uint8Array)
  const all = joinChunks(chunks)
  const whole = wholeBatchesSize(all)
  const batches = splitBatches([all.subarray(0, whole)]).map((batch) => {
    const { crc, sizeBytes, producerId, baseTimestamp, maxTimestamp, ...header } = batch.header
    const codec = codecOf(header.attributes)
    const isAsSent = codec === 'none' && timestampTypeOf(header.attributes) === 'CreateTime'
    return {
      ...header,
      producerId: producerId < 0 ? producerId : 'some id',
      baseTimestamp: timeOf(baseTimestamp),
      maxTimestamp: timeOf(maxTimestamp),
      ...(isAsSent && producerId < 0 && { crc, sizeBytes }),
      contents: contentsOf(batch, peer),
    }
  })
  return { batches, isCut: whole < all.length }
}

function contentsOf(batch: RecordBatch, peer: Peer): unknown {
  try {
    return readRecords(batch, { maxBytes: 1 << 26 }).map(({ key, value, ...record }) =>
      normalised({ ...record, key: text(key), value: text(value) }, peer),
    )
  } catch (error) {
    if (error instanceof DecodeError) return 'not readable'
    throw error
  }
}

/** Kafka cuts the last batch where the limit is. */
function wholeBatchesSize(bytes: Uint8Array): number {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let position = 0
  while (position + 12 <= view.length) {
    const next = position + 12 + view.readInt32BE(position + 8)
    if (next > view.length) break
    position = next
  }
  return position
}

function text(bytes: Uint8Array | null): unknown {
  if (bytes === null) return null
  return bytes.length > 40 ? `${bytes.length} bytes` : Buffer.from(bytes).toString('latin1')
}

/** Where two normalised values differ. */
export function differences(kafka: unknown, ottla: unknown, path = ''): Difference[] {
  if (Array.isArray(kafka) && Array.isArray(ottla)) {
    const length = Math.max(kafka.length, ottla.length)
    return Array.from({ length }, (_, at) =>
      differences(kafka[at], ottla[at], `${path}[${at}]`),
    ).flat()
  }
  if (isObject(kafka) && isObject(ottla)) {
    const keys = new Set([...Object.keys(kafka), ...Object.keys(ottla)])
    return [...keys].flatMap((key) => differences(kafka[key], ottla[key], `${path}.${key}`))
  }
  return JSON.stringify(kafka) === JSON.stringify(ottla) ? [] : [{ path, kafka, ottla }]
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
