/**
 * Power cuts of real processes: `npm run power-cut -- --cuts 200`. The broker runs on a disk that keeps
 * what is not synced in the process's own memory (`--test-disk=lossy`), so kill -9 takes all of it. It is
 * cut off again and again in the middle of produce and started anew, while idempotent producers (the
 * library, `ottla produce`, kcat) and a consumer go on. Says how many acknowledged records were lost;
 * ends with `N passed, N failed, N skipped`.
 */

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Contents,
  checkWriter,
  Follower,
  lastAcknowledged,
  readContents,
} from './crash/verify.ts'
import { CommandWriter, KcatWriter, LibraryWriter, type Writer } from './crash/writers.ts'
import { isInstalled } from './process.ts'
import { type BrokerProcess, freePort, startBroker } from './support/broker-process.ts'
import { Checks, expectThat, numberFlag, pause, same } from './support/checks.ts'

const cuts = numberFlag('--cuts', 200)
const verifyEvery = 20
const topic = 'cut'
const partitionCount = 4
const checks = new Checks()
const data = mkdtempSync(join(tmpdir(), 'ottla-power-cut-'))
const port = await freePort()
let lost = 0

function start(): Promise<BrokerProcess> {
  const settings = `${topic}:${partitionCount}:segment.bytes=1048576`
  return startBroker({ data, port, args: ['--test-disk=lossy', '--topic', settings] })
}

/** Records that a writer was told are stored, and that are not. */
function lostOf({ name, partition, offsets }: Writer, told: number, contents: Contents): number {
  const stored = new Set(contents[partition])
  let count = 0
  for (const number of offsets.keys()) {
    if (number <= told && !stored.has(`${name} ${number}`)) count++
  }
  return count
}

async function verify(address: string, writers: readonly Writer[]): Promise<Contents> {
  const told = writers.map(lastAcknowledged)
  const contents = await readContents(address, topic)
  for (const [index, writer] of writers.entries()) {
    lost += lostOf(writer, told[index] ?? -1, contents)
    checkWriter(writer, told[index] ?? -1, contents)
  }
  return contents
}

let broker = await start()
const { address } = broker
const place = (name: string, partition: number) => ({
  name,
  address,
  topic,
  partition,
  perTick: 15,
})
const writers: Writer[] = [
  new LibraryWriter(place('library', 0)),
  new CommandWriter(place('ottla', 1)),
  new LibraryWriter(place('other', 3)),
]
if (await isInstalled('kcat')) writers.push(new KcatWriter(place('kcat', 2)))
else checks.skip('kcat as a producer', 'kcat is missing; Debian: apt-get install kcat')
const follower = new Follower(address, topic, partitionCount)

for (let first = 1; first <= cuts; first += verifyEvery) {
  const last = Math.min(first + verifyEvery - 1, cuts)
  await checks.run(`power cuts ${first} to ${last}`, async () => {
    const before = writers.reduce((sum, { offsets }) => sum + offsets.size, 0)
    for (let cut = first; cut <= last; cut++) {
      await pause(30 + (randomBytes(2).readUInt16BE() % 400))
      await broker.stop('SIGKILL')
      broker = await start()
    }
    await verify(broker.address, writers)
    const after = writers.reduce((sum, { offsets }) => sum + offsets.size, 0)
    expectThat(after > before, 'nothing was acknowledged')
    return `${after - before} acknowledged`
  })
}
for (const writer of writers) {
  await checks.run(`${writer.name} delivered everything`, async () => {
    await writer.end()
    return `${writer.written} records`
  })
}
await checks.run('everything is stored, in order, once, and was read so', async () => {
  const contents = await verify(broker.address, writers)
  const written = writers.reduce((sum, writer) => sum + writer.written, 0)
  same(
    contents.reduce((sum, { length }) => sum + length, 0),
    written,
    'records',
  )
  await follower.finish(contents)
  return `${written} records`
})
await checks.run('acknowledged records lost: 0', () => same(lost, 0, 'acknowledged records lost'))
await broker.stop()
rmSync(data, { recursive: true, force: true })
rmSync(`${data}.lossy`, { recursive: true, force: true })
console.log(`${cuts} power cuts, ${lost} acknowledged records lost`)
checks.end()
// A check that failed may have left a producer that retries.
process.exit()
