/** Somebody who speaks no Kafka, or hardly any: bytes, halves of frames, requests of random content. */

import { randomBelow } from '../../lib/io/random.ts'
import { apiNames } from '../../lib/protocol/apis/index.ts'
import { ClientHost } from './client-host.ts'
import { between, chance, pick } from './world.ts'

export class RawHost extends ClientHost {
  get unfinished(): string | null {
    return null
  }

  protected override async run(): Promise<void> {
    const { random, simulation, cluster, client } = this
    const keys = [...apiNames.keys()]
    while (!simulation.isEnding) {
      await this.pause(between(random, 10, 2000))
      try {
        const stream = await client.env.network.connect(cluster.host.address, { timeoutMs: 1000 })
        stream.handle({ onData() {}, onClose() {} })
        for (let left = 1 + randomBelow(random, 4); left > 0; left--) {
          stream.write([this.#frame(pick(random, keys))])
        }
        await this.pause(between(random, 0, 500))
        if (chance(random, 0.5)) stream.end()
        else stream.destroy()
      } catch {
        // Nobody listens at the moment.
      }
    }
  }

  #frame(apiKey: number): Uint8Array {
    const { random } = this
    if (chance(random, 0.2)) return random.bytes(1 + randomBelow(random, 200))
    const body = Buffer.from(random.bytes(randomBelow(random, 60)))
    const name = Buffer.from('raw')
    const frame = Buffer.alloc(14 + name.length + body.length)
    const isHonest = chance(random, 0.8)
    frame.writeInt32BE(isHonest ? frame.length - 4 : random.u32() | 0, 0)
    frame.writeInt16BE(apiKey, 4)
    frame.writeInt16BE(randomBelow(random, 14), 6)
    frame.writeInt32BE(1, 8)
    frame.writeInt16BE(name.length, 12)
    name.copy(frame, 14)
    body.copy(frame, 14 + name.length)
    return frame
  }
}
