/**
 * How fast the client library is: `node build/test/bench/client.mjs [HOST:PORT] [RECORDS]`. Without
 * an address only the ways that need no broker: appending into batches, and stepping through them.
 * With one: from append to acknowledgement, and from fetch to the last record seen. 100-byte values.
 */

import { Admin, Client, type Codec, Consumer, Producer } from '../../lib/index.ts'
import { batchAt } from '../../lib/record/batch.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { RecordCursor } from '../../lib/record/record.ts'

const [address, count = '2000000'] = process.argv.slice(2)
const records = Number(count)
const value = Buffer.alloc(100, 'x')

function report(what: string, ms: number, detail = ''): void {
  const perSecond = (records / ms) * 1000
  const cpu = process.cpuUsage()
  const seconds = (cpu.user + cpu.system - cpuBefore) / 1e6
  cpuBefore = cpu.user + cpu.system
  console.log(
    `${what.padEnd(44)} ${(perSecond / 1e6).toFixed(2)} M records/s, ${((seconds / records) * 1e6).toFixed(2)} CPU s per M ${detail}`,
  )
}
let cpuBefore = 0

/** Lines of 100 bytes in chunks of 64 KiB, as a pipe gives them. */
function* lines(total: number): Generator<Uint8Array> {
  const chunk = Buffer.alloc(65_536, 'y')
  let left = total
  while (left > 0) {
    for (let at = 0; at + 101 <= chunk.length && left > 0; at += 101) {
      left--
      yield chunk.subarray(at, at + 100)
    }
  }
}

function benchBuilder(): Uint8Array {
  let last: Uint8Array = new Uint8Array(0)
  let builder = new BatchBuilder({ initialBytes: 70_000 })
  const beganMs = performance.now()
  for (let index = 0; index < records; index++) {
    if (builder.append(1_700_000_000_000 + (index & 1023), null, value) > 65_000) {
      last = builder.build({})
      builder = new BatchBuilder({ initialBytes: 70_000 })
    }
  }
  report('build batches, no network', performance.now() - beganMs)
  return last
}

function benchCursor(batch: Uint8Array): void {
  let seen = 0
  let bytes = 0
  const beganMs = performance.now()
  while (seen < records) {
    const cursor = new RecordCursor(batchAt(batch), { maxBytes: 1 << 30 })
    while (cursor.next()) {
      seen++
      bytes += cursor.valueSize
    }
  }
  report('step through batches, no network', performance.now() - beganMs, `(${bytes} bytes)`)
}

async function benchProduce(
  client: Client,
  topic: string,
  options: { acks: 'all' | 1; codec: Codec; batchBytes: number },
): Promise<void> {
  const producer = new Producer(client, { ...options, idempotent: options.acks === 'all' })
  let delivered = 0
  producer.onDelivery = ({ error, count: size }) => {
    if (error !== null) throw error
    delivered += size
  }
  const record: { topic: string; value: Uint8Array } = { topic, value }
  const beganMs = performance.now()
  let tag = 0
  for (const line of lines(records)) {
    record.value = line
    if (!producer.append(record, tag++)) await producer.drained()
  }
  await producer.close()
  if (delivered !== records) throw new Error(`${delivered} of ${records} delivered`)
  report(
    `produce acks=${options.acks} ${options.codec} batch ${options.batchBytes / 1024} KiB`,
    performance.now() - beganMs,
  )
}

async function benchConsume(client: Client, topic: string): Promise<void> {
  const [range] = await new Admin(client).offsetRanges([{ topic, partition: 0 }])
  if (range === undefined) throw new Error('no such partition')
  const consumer = new Consumer(client)
  consumer.assign([{ topic, partition: 0, from: range.end.offset - records, to: range.end.offset }])
  let seen = 0
  let bytes = 0
  const beganMs = performance.now()
  while (!consumer.isFinished) {
    for (const batch of await consumer.next()) {
      const cursor = batch.cursor()
      while (cursor.next()) {
        seen++
        bytes += cursor.valueSize
      }
    }
  }
  consumer.close()
  if (seen !== records) throw new Error(`${seen} of ${records} seen`)
  report('consume', performance.now() - beganMs, `(${bytes} bytes)`)
}

benchCursor(benchBuilder())
if (address !== undefined) {
  const client = new Client({ brokers: [address] })
  const topic = `bench-${process.pid}`
  const admin = new Admin(client)
  await admin.createTopics([{ name: topic, partitions: 1 }])
  await admin.waitForLeaders([topic])
  for (const batchBytes of [65_536, 1_000_000]) {
    await benchProduce(client, topic, { acks: 'all', codec: 'none', batchBytes })
    await benchProduce(client, topic, { acks: 1, codec: 'none', batchBytes })
    await benchConsume(client, topic)
  }
  await benchProduce(client, topic, { acks: 'all', codec: 'lz4', batchBytes: 1_000_000 })
  await benchConsume(client, topic)
  await admin.deleteTopics([topic])
  client.close()
}
