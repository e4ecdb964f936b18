/**
 * What the tests of lib/record share: the batches in fixtures/records, seeded chance, and a text form
 * of records to compare.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DecodeError } from '../../lib/base/errors.ts'
import type { Record } from '../../lib/record/record.ts'

const folder = join('fixtures', 'records')

/** What Kafka's own reader made of a batch. */
export interface GoldenBatch {
  magic: number
  codec: string
  sizeBytes: number
  timestampType: string
  lastOffset: number
  maxTimestamp: string
  baseOffset: number
  partitionLeaderEpoch: number
  crc: number
  recordCount: number
  producerId: number
  producerEpoch: number
  baseSequence: number
  isTransactional: boolean
  isControl: boolean
  records: {
    offset: number
    timestamp: string
    key: string | null
    value: string | null
    headers: [string, string | null][]
  }[]
}

/** Bytes as a producer wrote them, and what they hold. */
export interface Golden {
  name: string
  bytes: Buffer
  batches: GoldenBatch[]
}

/** Every fixture whose name matches. */
export function goldens(pattern: RegExp): Golden[] {
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.bin'))
    .map((file) => file.slice(0, -'.bin'.length))
    .filter((name) => pattern.test(name))
  if (names.length === 0) throw new Error(`no fixture in ${folder} matches ${pattern}`)
  return names.map((name) => {
    const { batches } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'))
    return { name, bytes: readFileSync(join(folder, `${name}.bin`)), batches }
  })
}

/** A record of a fixture, in the reader's form. */
export function expectedRecords(batch: GoldenBatch): string {
  const bytes = (text: string | null) => (text === null ? null : Buffer.from(text, 'base64'))
  return recordsText(
    batch.records.map(({ offset, timestamp, key, value, headers }) => ({
      offset,
      timestamp: Number.isSafeInteger(Number(timestamp)) ? Number(timestamp) : BigInt(timestamp),
      key: bytes(key),
      value: bytes(value),
      headers: headers.map(([name, inner]) => ({ key: name, value: bytes(inner) })),
    })),
  )
}

/** One line per record: bytes in hexadecimal, a bigint told from a number. */
export function recordsText(records: readonly Record[]): string {
  const hex = (bytes: Uint8Array | null) =>
    bytes === null ? 'null' : `<${Buffer.from(bytes).toString('hex')}>`
  return records
    .map(({ offset, timestamp, key, value, headers }) => {
      const time = typeof timestamp === 'bigint' ? `${timestamp}n` : `${timestamp}`
      const heads = headers.map((one) => `${JSON.stringify(one.key)}=${hex(one.value)}`)
      return `${offset} ${time} ${hex(key)} ${hex(value)} ${heads.join()}`
    })
    .join('\n')
}

/** A seeded source of numbers in [0, bound): xorshift. */
export function seeded(seed: number): (bound: number) => number {
  let state = seed || 1
  return (bound) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % bound
  }
}

/** What `fn` throws, which must be a DecodeError; null when it returns. Anything else is thrown on. */
export function decodeError(fn: () => unknown): DecodeError | null {
  try {
    fn()
    return null
  } catch (error) {
    if (error instanceof DecodeError) return error
    throw error
  }
}

/** `bytes` with one to four seeded changes: bits flipped, bytes set, cut, repeated or taken away. */
export function mutated(bytes: Uint8Array, random: (bound: number) => number): Buffer {
  let result = Buffer.from(bytes)
  for (let count = 1 + random(4); count > 0 && result.length > 0; count--) {
    const at = random(result.length)
    const kind = random(6)
    if (kind === 0) result[at] = (result[at] ?? 0) ^ (1 << random(8))
    else if (kind === 1) result[at] = random(256)
    else if (kind === 2) result[at] = [0, 0x7f, 0x80, 0xff][random(4)] ?? 0
    else if (kind === 3) result = result.subarray(0, at)
    else if (kind === 4) result = Buffer.concat([result.subarray(0, at), result.subarray(at + 1)])
    else result = Buffer.concat([result.subarray(0, at), result.subarray(random(at + 1))])
  }
  return result
}
