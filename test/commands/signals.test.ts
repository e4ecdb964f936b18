/**
 * A broker that is stopped, killed and started again under a producer that goes on: the short form
 * of test/interop/crash.ts.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from '../cli/process.ts'
import { appendHalfBatch, garbageAfterMetadata } from '../interop/crash/damage.ts'
import { checkWriter, lastAcknowledged, readContents } from '../interop/crash/verify.ts'
import { CommandWriter, LibraryWriter, type Writer } from '../interop/crash/writers.ts'
import { type BrokerProcess, startBroker } from '../interop/support/broker-process.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('signals')
/** A busy machine starts processes slowly. */
const slow = { timeoutMs: 30_000 }
const folder = temporaryFolder()
const data = join(folder.path, 'data')
let broker: BrokerProcess
let writers: Writer[]

const port = () => Number(broker.address.split(':')[1])
const start = (atPort: number) => startBroker({ data, port: atPort, args: ['--topic', 'logs:2'] })

test.before(async () => {
  broker = await start(0)
  const place = { address: broker.address, topic: 'logs' }
  writers = [
    new LibraryWriter({ name: 'library', partition: 0, ...place }),
    new CommandWriter({ name: 'command', partition: 1, ...place }),
  ]
})
test.after(async () => {
  await broker.stop('SIGKILL')
  folder.remove()
})

/** Resolves when both were told of more records than before. */
async function untilAllGoOn(): Promise<void> {
  const before = writers.map(({ written }) => written)
  const isBehind = () => writers.some((writer, at) => writer.offsets.size <= (before[at] ?? 0))
  while (isBehind()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** What is done to the broker, how it ends, and whether the next start finds it clean. */
const endings: [what: string, end: () => Promise<number | null>, code: number | null][] = [
  ['SIGTERM in the middle of produce', () => broker.stop('SIGTERM'), 0],
  ['kill -9 in the middle of produce', () => broker.stop('SIGKILL'), null],
  [
    'kill -9, and torn tails',
    async () => {
      const code = await broker.stop('SIGKILL')
      assert.ok(appendHalfBatch(data, 'logs-0'))
      assert.ok(garbageAfterMetadata(data))
      return code
    },
    null,
  ],
  ['SIGINT in the middle of produce', () => broker.stop('SIGINT'), 0],
]

for (const [what, end, code] of endings) {
  test(
    `${what}: producers go on, nothing acknowledged is lost`,
    async () => {
      await untilAllGoOn()
      assert.is(await end(), code)
      assert.is(existsSync(join(data, '.kafka_cleanshutdown')), code === 0)
      broker = await start(port())
      assert.match(broker.log(), code === 0 ? /wasClean=true/ : /wasClean=false/)
      await untilAllGoOn()
      const told = writers.map(lastAcknowledged)
      const contents = await readContents(broker.address, 'logs')
      for (const [at, writer] of writers.entries()) checkWriter(writer, told[at] ?? -1, contents)
    },
    slow,
  )
}

test(
  'in the end everything is stored, in order, once',
  async () => {
    await Promise.all(writers.map((writer) => writer.end()))
    const contents = await readContents(broker.address, 'logs')
    for (const [partition, writer] of writers.entries()) {
      checkWriter(writer, lastAcknowledged(writer), contents)
      assert.is(contents[partition]?.length, writer.written)
    }
  },
  slow,
)
