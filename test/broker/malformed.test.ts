import { handlers } from '../../lib/broker/handlers/index.ts'
import { seededRandom } from '../../lib/io/memory/random.ts'
import { randomBelow } from '../../lib/io/random.ts'
import { encodeRequest } from '../../lib/protocol/codec.ts'
import { assert, suite } from '../support/suite.ts'
import { Scenario } from './support/scenario.ts'

const test = suite('malformed')

/** The bytes with one to four changed, their size field kept true. */
function mutated(bytes: Buffer, random: ReturnType<typeof seededRandom>): Buffer {
  const copy = Buffer.from(bytes)
  const count = 1 + randomBelow(random, 4)
  for (let index = 0; index < count; index++) {
    // The key and version stay: what follows is to be read as what it is not.
    const at = Math.min(8 + randomBelow(random, Math.max(copy.length - 8, 1)), copy.length - 1)
    copy[at] = randomBelow(random, 3) === 0 ? 0xff : randomBelow(random, 256)
  }
  return copy
}

test('damaged requests of every API and version hurt nobody else', async () => {
  const world = await Scenario.start({
    topics: ['a:1'],
    configs: { 'auto.create.topics.enable': 'false' },
  })
  const random = seededRandom(7)
  const good = await world.connect()
  for (const { api, served } of handlers) {
    for (let version = served[0]; version <= served[1]; version++) {
      const header = { correlationId: 1, clientId: 'fuzz' }
      const bytes = Buffer.concat(encodeRequest(api, version, header, {}))
      for (let round = 0; round < 6; round++) {
        const bad = await world.connect()
        bad.stream.write([mutated(bytes, random)])
        await world.env.clock.settle()
        bad.stream.destroy()
      }
      assert.ok(await good.isAlive(), `after ${api.name} v${version}`)
    }
  }
  assert.is(world.broker.failure, null)
  await world.stop()
})
