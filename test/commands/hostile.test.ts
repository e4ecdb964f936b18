/**
 * A broker process among peers that send garbage, while a good client works: the short form of
 * test/interop/hostile.ts.
 */

import { checkWriter, lastAcknowledged, readContents } from '../interop/crash/verify.ts'
import { LibraryWriter } from '../interop/crash/writers.ts'
import { attacks } from '../interop/support/attacks.ts'
import { type BrokerProcess, startBroker } from '../interop/support/broker-process.ts'
import {
  attack,
  byteByByte,
  mutated,
  neverReading,
  openAndDrop,
  pipelined,
  sendBadBatches,
} from '../interop/support/hostile-peers.ts'
import type { RawConnection } from '../interop/support/raw-connection.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('hostile peers')
const left: RawConnection[] = []
let broker: BrokerProcess
let good: LibraryWriter

test.before(async () => {
  broker = await startBroker({ data: null, args: ['--topic', 'good:1', '--topic', 'bad:1'] })
  const place = { address: broker.address, topic: 'good', partition: 0 }
  good = new LibraryWriter({ name: 'good', ...place })
})
test.after(async () => {
  for (const connection of left) connection.close()
  await broker.stop('SIGKILL')
})

for (const one of attacks) {
  test(`${one.what}: ${one.expected}`, async () => {
    left.push(await attack(broker.address, one))
    assert.is(broker.child.exitCode, null)
  })
}

test('batches that are bad inside and outside', async () => {
  await sendBadBatches(broker.address, 'bad')
})

test('a request byte by byte is answered', () => byteByByte(broker.address))

test('200 requests at once are answered in order', () => pipelined(broker.address, 'bad', 200))

test('connections that are opened and dropped', () => openAndDrop(broker.address, 200))

test('every API in every version with changed bytes', async () => {
  assert.ok((await mutated(broker.address, { seed: 11, perVersion: 1 })) > 200)
})

test('consumers that never read', async () => {
  left.push(...(await neverReading(broker.address, 'good', { count: 8, wishes: 100 })))
  await pipelined(broker.address, 'good', 20)
})

test(
  'the good client lost nothing, and the log tells no more than connections',
  async () => {
    await good.end()
    const contents = await readContents(broker.address, 'good')
    checkWriter(good, lastAcknowledged(good), contents)
    assert.is(contents[0]?.length, good.written)
    const lines = broker.log().split('\n')
    assert.ok(lines.length < 200, `${lines.length} lines`)
    assert.equal(
      lines.filter((line) => line.includes('request failed')),
      [],
    )
    assert.is(await broker.stop(), 0)
  },
  { timeoutMs: 30_000 },
)
