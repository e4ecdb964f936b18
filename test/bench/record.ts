/**
 * Benchmark of lib/record and the checksums: `node build.mjs --test bench/record && node
 * build/test/bench/record.mjs`. Best of several interleaved rounds, per second of processor time.
 * Compare within one table: absolute figures differ from machine to machine and hour to hour.
 */

import { crc32c, tableCrc32c } from '../../lib/base/crc32c.ts'
import { splitBatches } from '../../lib/record/batch.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { codecs, compress, decompress } from '../../lib/record/compression.ts'
import { RecordCursor, readRecords } from '../../lib/record/record.ts'

interface Case {
  name: string
  /** Does the work once and returns how many units of it (records, calls) that was. */
  run: () => number
  bytesPerUnit: number
}

const rounds = 5
const roundMs = 60

/** Units per second of processor time. */
async function rate(one: Case): Promise<number> {
  let units = 0
  const before = process.cpuUsage()
  const began = performance.now()
  while (performance.now() - began < roundMs) {
    for (let turn = 0; turn < 16; turn++) units += one.run()
    // Native codecs' buffers are given back only when the event loop turns.
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { user, system } = process.cpuUsage(before)
  return units / ((user + system) / 1e6)
}

/** Prints a table of the cases; the ratio is to the first. */
async function table(title: string, cases: Case[]): Promise<void> {
  const best = cases.map(() => 0)
  for (let round = 0; round <= rounds; round++) {
    for (const [index, one] of cases.entries()) {
      const found = await rate(one)
      // The first round only warms up.
      if (round > 0) best[index] = Math.max(best[index] ?? 0, found)
    }
  }
  console.log(
    `\n${title.padEnd(36)} ${'M/s'.padStart(9)} ${'MB/s'.padStart(9)} ${'ratio'.padStart(7)}`,
  )
  for (const [index, { name, bytesPerUnit }] of cases.entries()) {
    const found = best[index] ?? 0
    const columns = [found / 1e6, (found * bytesPerUnit) / 1e6, found / (best[0] ?? 1)]
    const [units = '', bytes = '', ratio = ''] = columns.map((value, at) =>
      value.toFixed(at === 1 ? 0 : 3),
    )
    console.log(`${name.padEnd(36)} ${units.padStart(9)} ${bytes.padStart(9)} ${ratio.padStart(7)}`)
  }
}

const noise = Buffer.from(
  Array.from({ length: 1 << 20 }, (_, index) => Math.imul(index, 2654435761) >>> 13),
)
const sink = { value: 0 }

function crcCases(size: number): Case[] {
  const bytes = noise.subarray(0, size)
  const times = Math.max(1, Math.floor(20_000 / size))
  const repeat = (name: string, fn: () => number): Case => ({
    name,
    bytesPerUnit: size,
    run() {
      for (let count = 0; count < times; count++) sink.value ^= fn()
      return times
    },
  })
  return [
    repeat(`crc32c ${size} B, tables`, () => tableCrc32c(bytes)),
    repeat(`crc32c ${size} B, as chosen`, () => crc32c(bytes)),
  ]
}

/** A batch of about `batchBytes` of values like log lines. */
function fill(builder: BatchBuilder, valueBytes: number, batchBytes: number): number {
  let count = 0
  let at = 0
  while (builder.sizeBytes < batchBytes) {
    builder.append(1_700_000_000_000 + count, null, line.subarray(at, at + valueBytes))
    at = (at + 97) % (line.length - valueBytes)
    count++
  }
  return count
}

const line = Buffer.from(
  Array.from(
    { length: 800 },
    (_, index) =>
      `{"id":${index * 7919},"level":"info","message":"request ${index * 31} handled","ms":${(index * 37) % 911}}\n`,
  ).join(''),
)

function encodeCases(): Case[] {
  const encode = (name: string, valueBytes: number, batchBytes: number): Case => {
    const builder = new BatchBuilder({ initialBytes: batchBytes + valueBytes + 100 })
    return {
      name,
      bytesPerUnit: valueBytes,
      run() {
        const count = fill(builder, valueBytes, batchBytes)
        sink.value ^= builder.build().length
        builder.reset()
        return count
      },
    }
  }
  return [
    encode('encode 100 B, 1 MB batches', 100, 1_000_000),
    encode('encode 100 B, 16 KiB batches', 100, 16_384),
    encode('encode 10 B, 1 MB batches', 10, 1_000_000),
    encode('encode 1 KiB, 1 MB batches', 1024, 1_000_000),
  ]
}

function decodeCases(valueBytes: number): Case[] {
  const builder = new BatchBuilder()
  const count = fill(builder, valueBytes, 1_000_000)
  const batch = builder.build()
  const limits = { maxBytes: 2e6 }
  return [
    {
      name: `decode ${valueBytes} B, objects`,
      bytesPerUnit: valueBytes,
      run: () => readRecords(batch, limits).length,
    },
    {
      name: `decode ${valueBytes} B, cursor`,
      bytesPerUnit: valueBytes,
      run() {
        const cursor = new RecordCursor(batch, limits)
        while (cursor.next()) sink.value ^= cursor.valueSize
        return count
      },
    },
    {
      name: `decode ${valueBytes} B, cursor + value view`,
      bytesPerUnit: valueBytes,
      run() {
        const cursor = new RecordCursor(batch, limits)
        while (cursor.next()) sink.value ^= cursor.value()?.length ?? 0
        return count
      },
    },
  ]
}

function splitCases(): Case[] {
  const builder = new BatchBuilder()
  fill(builder, 100, 16_384)
  const batch = builder.build()
  const all = Buffer.concat(Array.from({ length: 64 }, () => batch))
  const chunks = Array.from({ length: Math.ceil(all.length / 65_536) }, (_, index) =>
    all.subarray(index * 65_536, (index + 1) * 65_536),
  )
  return [
    {
      name: 'split 16 KiB batches, 64 KiB chunks',
      bytesPerUnit: batch.length,
      run: () => splitBatches(chunks).length,
    },
    {
      name: 'split 16 KiB batch, one chunk',
      bytesPerUnit: batch.length,
      run: () => splitBatches([batch]).length,
    },
  ]
}

function codecCases(): { packing: Case[]; unpacking: Case[] } {
  const plain = line.subarray(0, 65_536)
  const named = codecs.filter((codec) => codec !== 'none')
  return {
    packing: named.map((codec) => ({
      name: `compress 64 KiB, ${codec}`,
      bytesPerUnit: plain.length,
      run() {
        sink.value ^= compress(codec, plain).length
        return 1
      },
    })),
    unpacking: named.map((codec) => {
      const packed = compress(codec, plain)
      return {
        name: `decompress to 64 KiB, ${codec}`,
        bytesPerUnit: plain.length,
        run() {
          sink.value ^= decompress(codec, packed, 1e6).length
          return 1
        },
      }
    }),
  }
}

for (const size of [64, 128, 192, 256, 512, 1024, 16_384, 1 << 20]) {
  await table(`checksum of ${size} B`, crcCases(size))
}
await table('encode', encodeCases())
await table('decode 100 B', decodeCases(100))
await table('decode 1 KiB', decodeCases(1024))
await table('split', splitCases())
const { packing, unpacking } = codecCases()
await table('compress', packing)
await table('decompress', unpacking)
