/**
 * Peers that mean no good, beside clients that do: `node build/test/interop/hostile.mjs [--drops N]
 * [--polls N] [--readers N] [--mutations N] [--garbage-ms N] [--large-mib N]`. A broker process gets
 * garbage, half frames, absurd lengths, slow senders, dropped connections, requests that wait for ever,
 * readers that never read, bombs, bad batches and mutated requests, while a producer and a consumer
 * work. They must lose nothing; the broker's memory and its log stay bounded. A second broker, with
 * little memory, gets large requests and more connections than it takes. Ends with `N passed, N failed,
 * N skipped`.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '../../lib/client/client.ts'
import { listOffsets } from '../../lib/client/offsets.ts'
import { checkWriter, Follower, lastAcknowledged, readContents } from './crash/verify.ts'
import { LibraryWriter } from './crash/writers.ts'
import { output, run } from './process.ts'
import { ottla, startBroker } from './support/broker-process.ts'
import { Checks, expectThat, numberFlag, pause, same, until } from './support/checks.ts'
import {
  abandonedPolls,
  beyondLimit,
  garbageStreams,
  hugeList,
  largeProduce,
  openMany,
  parkedFetches,
  SlowSenders,
  sendLarge,
} from './support/hostile-crowds.ts'
import {
  attackAll,
  byteByByte,
  mutated,
  neverReading,
  openAndDrop,
  pipelined,
  sendBadBatches,
  sendBombs,
} from './support/hostile-peers.ts'
import type { RawConnection } from './support/raw-connection.ts'

const drops = numberFlag('--drops', 10_000)
const polls = numberFlag('--polls', 10_000)
const garbageMs = numberFlag('--garbage-ms', 5000)
const largeMebibytes = numberFlag('--large-mib', 16)
const largeProducers = 64
const readers = numberFlag('--readers', 64)
const mutations = numberFlag('--mutations', 4)
const growthMax = 128 * 1024 * 1024
const mebibytes = (bytes: number) => `${Math.round(bytes / 1024 / 1024)} MiB`

const checks = new Checks()
const data = mkdtempSync(join(tmpdir(), 'ottla-hostile-'))
const broker = await startBroker({
  data,
  args: [
    '--topic',
    'good:1',
    '--topic',
    'big:1',
    '--topic',
    'small:1',
    '--topic',
    'bad:1',
    '--topic',
    'bombs:1:max.message.bytes=20000000',
    '--topic',
    'squeezed:1:compression.type=zstd,max.message.bytes=20000000',
    '-c',
    'ottla.durability=replicated',
  ],
})
const { address } = broker
const big = `${'b'.repeat(1000)}\n`.repeat(40_000)
await output([...ottla, 'produce', 'big', '-b', address], { input: big })
await output([...ottla, 'produce', 'small', '-b', address], { input: `${'s'.repeat(4000)}\n` })
// Whatever a working broker needs for itself is taken by then.
const writer = new LibraryWriter({ name: 'good', address, topic: 'good', partition: 0 })
const follower = new Follower(address, 'good', 1)
await pause(1000)

let connections = 0
let highest = 0
const before = broker.residentBytes()
const sampler = setInterval(() => (highest = Math.max(highest, broker.residentBytes())), 20)
const left: RawConnection[] = []

/** One kind of harm; the good client must get through meanwhile. */
async function harm(
  what: string,
  work: () => Promise<string | void>,
  { growth: allowed = growthMax } = {},
): Promise<void> {
  await checks.run(what, async () => {
    const [wrote, saw] = [writer.offsets.size, follower.count]
    highest = 0
    const resident = broker.residentBytes()
    const began = performance.now()
    const note = await work()
    await pause(200)
    const growth = highest - resident
    expectThat(broker.child.exitCode === null, `the broker ended with ${broker.child.exitCode}`)
    expectThat(writer.offsets.size > wrote, 'the producer got nothing through')
    expectThat(follower.count > saw, 'the consumer got nothing')
    expectThat(growth < allowed, `memory grew by ${mebibytes(growth)}`)
    const rate = (1000 * (writer.offsets.size - wrote)) / (performance.now() - began)
    return `${note ? `${note}; ` : ''}${Math.round(rate)} good records/s, memory ${growth < 0 ? '' : '+'}${mebibytes(growth)}`
  })
}

await harm('garbage, absurd lengths, wrong headers', async () => {
  for (let times = 0; times < 5; times++) left.push(...(await attackAll(address)))
  connections += 5 * 40
})
const slowSenders = await SlowSenders.start(address, 500)
connections += 500
await harm(`100 connections of garbage for ${garbageMs} ms`, async () => {
  const opened = await garbageStreams(address, { count: 100, forMs: garbageMs })
  connections += opened
  return `${opened} connections`
})
await harm('a request of 51 million elements', async () => {
  connections++
  await hugeList(address)
})
await harm(
  '8 requests of 40 MiB that wait for ever',
  async () => {
    connections += 8
    const parked = await parkedFetches(address, 'good', { count: 8, bytes: 40 * 1024 * 1024 })
    const gone = () => parked.filter(({ isClosed }) => isClosed).length
    await until(() => gone() >= 6, '6 of 8 are thrown out')
    for (const connection of parked) connection.close()
    return `${gone()} thrown out`
  },
  { growth: 384 * 1024 * 1024 },
)
await harm('bad batches', async () => {
  connections++
  return `${await sendBadBatches(address, 'bad')} batches`
})
const askByTime = async () => {
  connections++
  const client = new Client({ brokers: [address] })
  const at = ['earliest', 'latest', 'max-timestamp', 1, Date.now() - 60_000] as const
  const answers = await listOffsets(
    client,
    at.map((one) => ({ topic: 'bad', partition: 0, at: one })),
  )
  client.close()
  return answers.map(({ offset, error }) => error?.name ?? offset).join(', ')
}
await harm(
  'bombs of every codec, passed on and repacked',
  async () => {
    connections += 2
    const passed = await sendBombs(address, 'bombs')
    const repacked = await sendBombs(address, 'squeezed')
    for (const [codec, code] of passed) same(code, 0, `${codec}: passed on as it is`)
    // What is zstd already is not repacked.
    for (const [codec, code] of repacked)
      expectThat(code > 0 || codec === 'zstd', `${codec}: repacked`)
    return `refused with ${repacked.map(([codec, code]) => `${codec} ${code}`).join(', ')}`
  },
  { growth: 320 * 1024 * 1024 },
)
// Times are looked up in the records: one batch at a time is unpacked, up to 128 MiB of it.
await harm('what is asked of a log with bad records has an answer', askByTime, {
  growth: 256 * 1024 * 1024,
})
await harm('a request byte by byte', async () => {
  connections++
  await byteByByte(address)
})
await harm('200 requests at once', async () => {
  connections += 4
  await Promise.all([1, 2, 3, 4].map(() => pipelined(address, 'bad', 200)))
})
await harm(`${drops} connections opened and dropped`, async () => {
  connections += drops
  await openAndDrop(address, drops)
})
await harm(`${polls} long polls that are abandoned`, async () => {
  connections += polls
  await abandonedPolls(address, 'small', polls)
})
await harm('2,000 connections that stay and say nothing', async () => {
  connections += 2000
  left.push(...(await openMany(address, 2000)))
})
await harm(`${readers} consumers that never read`, async () => {
  connections += readers
  left.push(...(await neverReading(address, 'big', { count: readers, wishes: 100 })))
  await pause(3000)
})
await harm(`${readers} consumers of small batches that never read`, async () => {
  connections += readers
  left.push(...(await neverReading(address, 'small', { count: readers, wishes: 2000 })))
  await pause(3000)
})
await harm('mutated requests', async () => {
  const count = await mutated(address, { seed: 3, perVersion: mutations })
  connections += count
  return `${count} requests`
})
for (const connection of left) connection.close()
await checks.run('slow senders', () => slowSenders.end(30_000))

await checks.run('a consumer of ours meets the bombs', async () => {
  const [node, program] = ottla
  const line = [node, '--max-old-space-size=64', program, 'consume', 'bombs', '-e', '-b', address]
  const { code, stderr } = await run(line)
  same(code, 4, `exit code; it said ${stderr.slice(0, 300)}`)
  expectThat(!/\n\s+at /.test(stderr), `a stack: ${stderr.slice(0, 500)}`)
  return stderr.split('\n')[0] ?? ''
})
await checks.run('the good clients lost nothing', async () => {
  await writer.end()
  const contents = await readContents(address, 'good')
  checkWriter(writer, lastAcknowledged(writer), contents)
  same(contents[0]?.length, writer.written, 'records')
  await follower.finish(contents)
  return `${writer.written} records`
})
await checks.run('the log has at most a line per connection, and no stack', () => {
  const lines = broker.log().split('\n').filter(Boolean)
  expectThat(
    lines.length <= connections + 20,
    `${lines.length} lines for ${connections} connections`,
  )
  const bad = lines.find((line) =>
    /request failed|\n?\s+at \S+ \(|level":"(error|fatal)/i.test(line),
  )
  expectThat(bad === undefined, `${bad}`)
  return `${lines.length} lines for ${connections} connections`
})
await checks.run('it stops as it should, in the end', async () => {
  clearInterval(sampler)
  const now = broker.residentBytes()
  same(await broker.stop(), 0, 'exit code')
  return `memory ${mebibytes(before)} before, ${mebibytes(now)} after`
})
if (process.argv.includes('--log')) console.log(broker.log())
rmSync(data, { recursive: true, force: true })
await withLittleMemory()
checks.end()
process.exit()

/** Large requests from many at once, and more connections than are taken. */
async function withLittleMemory(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ottla-hostile-small-'))
  const limit = 500
  const small = await startBroker({
    data: folder,
    nodeArgs: ['--max-old-space-size=512'],
    args: [
      ...['--topic', `large:${largeMebibytes}:segment.bytes=16777216,retention.bytes=16777216`],
      ...['-c', 'ottla.durability=replicated', '-c', `max.connections=${limit}`],
    ],
  })
  let most = 0
  const timer = setInterval(() => (most = Math.max(most, small.residentBytes())), 20)
  await checks.run(
    `${largeProducers} producers x ${largeMebibytes} MiB, twice, with a heap of 512 MiB`,
    async () => {
      const frame = largeProduce('large', largeMebibytes)
      await sendLarge(small.address, frame, largeProducers)
      expectThat(most < 1024 * 1024 * 1024, `memory reached ${mebibytes(most)}`)
      return `memory at most ${mebibytes(most)}`
    },
  )
  await checks.run(`100 connections more than max.connections=${limit}`, () =>
    beyondLimit(small.address, limit),
  )
  await checks.run('it stops as it should, too', async () => {
    clearInterval(timer)
    same(await small.stop(), 0, 'exit code')
  })
  rmSync(folder, { recursive: true, force: true })
}
