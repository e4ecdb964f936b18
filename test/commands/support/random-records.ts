/** Records that are hard to carry as text, and what a topic holds in a form that compares. */

import type { Client } from '../../../lib/client/client.ts'
import { Consumer } from '../../../lib/client/consumer.ts'
import { listOffsets } from '../../../lib/client/offsets.ts'
import { Producer, type ProducerRecord } from '../../../lib/client/producer.ts'
import type { RecordHeader } from '../../../lib/record/record.ts'

/** Whole numbers below a bound. */
export type Dice = (bound: number) => number

/** The same numbers for the same seed. */
export function dice(seed: number): Dice {
  let state = seed >>> 0 || 1
  return (bound) => {
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state % bound
  }
}

const texts = [
  '',
  ' ',
  'plain',
  '{"json":[1,2.50,1e400]}',
  '"quoted" \\ back\\slash / </script>',
  'line\nfeed\r\n\ttab',
  '\0',
  'a\0b',
  '\x01\x1b[31m\x7f',
  '\ufeffBOM',
  'grüße 漢字 𝄞 👩‍👩‍👧',
  '\u2028\u2029\u0085',
  '\ufffd',
  'NULL',
  'null',
  '9007199254740993',
]
const invalid = [
  [0xff],
  [0xed, 0xa0, 0x80],
  [0xed, 0xb0, 0x80],
  [0xc0, 0x80],
  [0xe2, 0x82],
  [0xf8, 0x88, 0x80, 0x80, 0x80],
  [65, 0xfe, 66],
  [0xef, 0xbb],
]
const timestamps = [-1, 0, 1, 1_732_154_400_000, 2n ** 53n, 2n ** 53n + 1n, 2n ** 62n]

function bytesOf(roll: Dice): Uint8Array | null {
  const kind = roll(10)
  if (kind === 0) return null
  if (kind <= 4) return Buffer.from(texts[roll(texts.length)] ?? '')
  if (kind <= 6) return Uint8Array.from(invalid[roll(invalid.length)] ?? [])
  const bytes = new Uint8Array(roll(kind === 9 ? 300 : 20))
  for (let at = 0; at < bytes.length; at++) bytes[at] = roll(kind === 7 ? 256 : 128)
  return bytes
}

function headersOf(roll: Dice): RecordHeader[] {
  return Array.from({ length: roll(3) === 0 ? 1 + roll(4) : 0 }, () => ({
    // Few names, so that some stand there twice. Names are text in Kafka.
    key: ['', 'a', 'a', 'trace', 'grüße\n"', '\0'][roll(6)] ?? '',
    value: bytesOf(roll),
  }))
}

/** `count` records for `partitions` partitions; the first one has a value of a million bytes. */
export function randomRecords(
  roll: Dice,
  { topic, count, partitions }: { topic: string; count: number; partitions: number },
): ProducerRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    topic,
    partition: roll(partitions),
    key: bytesOf(roll),
    value: index === 0 ? Buffer.alloc(1_000_000, '1 MB of "text" \0\xff', 'latin1') : bytesOf(roll),
    headers: headersOf(roll),
    timestamp: timestamps[roll(timestamps.length)] ?? 0,
  }))
}

/** Writes the records and waits until every one is acknowledged. */
export async function writeRecords(
  client: Client,
  records: readonly ProducerRecord[],
): Promise<void> {
  const producer = new Producer(client)
  const failures: Error[] = []
  producer.onDelivery = ({ error }) => {
    if (error !== null) failures.push(error)
  }
  for (const record of records) if (!producer.append(record)) await producer.drained()
  await producer.close()
  const [failure] = failures
  if (failure !== undefined) throw failure
}

/** What a topic holds, a line per record, by partition. */
export async function readAll(client: Client, topic: string): Promise<string[][]> {
  const { partitions } = await client.topic(topic)
  const ends = await listOffsets(
    client,
    partitions.map(({ partition }) => ({ topic, partition, at: 'latest' })),
  )
  const found: string[][] = partitions.map(() => [])
  const consumer = new Consumer(client)
  consumer.assign(ends.map(({ partition, offset }) => ({ topic, partition, from: 0, to: offset })))
  for await (const batch of consumer) {
    for (const { timestamp, key, value, headers } of batch.records()) {
      const hex = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString('hex')
      const pairs = headers.map((header) => [header.key, hex(header.value)])
      found[batch.partition]?.push(JSON.stringify([String(timestamp), hex(key), hex(value), pairs]))
    }
  }
  consumer.close()
  return found
}

/** The first difference between two topics, or null when they hold the same. */
export function difference(left: readonly string[][], right: readonly string[][]): string | null {
  for (const [partition, records] of left.entries()) {
    const others = right[partition] ?? []
    for (let at = 0; at < Math.max(records.length, others.length); at++) {
      if (records[at] === others[at]) continue
      const [one, other] = [records[at], others[at]].map((line) => line?.slice(0, 300))
      return `partition ${partition}, record ${at}: ${one} became ${other}`
    }
  }
  return null
}
