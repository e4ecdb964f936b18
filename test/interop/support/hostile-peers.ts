/** Peers that do harm by how they behave rather than by what they send. */

import { ApiVersions } from '../../../lib/protocol/apis/api-versions.ts'
import { apis } from '../../../lib/protocol/apis/index.ts'
import { Metadata } from '../../../lib/protocol/apis/metadata.ts'
import { type Codec, codecs } from '../../../lib/record/compression.ts'
import { type Dice, dice } from '../../commands/support/random-records.ts'
import {
  type Attack,
  attacks,
  badBatches,
  bomb,
  fetchRequest,
  produceRequest,
  request,
} from './attacks.ts'
import { expectThat, pause, same } from './checks.ts'
import { RawConnection } from './raw-connection.ts'

/** Sends it, and checks what the broker does. The connection is left open where it is to stay so. */
export async function attack(
  address: string,
  { what, bytes, expected }: Attack,
): Promise<RawConnection> {
  const connection = await RawConnection.open(address)
  connection.write(bytes)
  const outcome = await connection.outcome({ withinMs: expected === 'open' ? 50 : 5000 })
  if (expected !== 'any') same(outcome, expected === 'open' ? 'silent' : expected, what)
  if (expected !== 'open') connection.close()
  return connection
}

/** All attacks, one after the other; gives what must be closed in the end. */
export async function attackAll(address: string): Promise<RawConnection[]> {
  const connections = []
  for (const one of attacks) connections.push(await attack(address, one))
  return connections.filter(({ isClosed }) => !isClosed)
}

/** Whole frames with bad batches: refused with an error code, on a connection that goes on. */
export async function sendBadBatches(address: string, topic: string): Promise<number> {
  const connection = await RawConnection.open(address)
  let count = 0
  for (const [what, batch, where] of badBatches()) {
    connection.write(produceRequest(topic, batch, count))
    count++
    const outcome = await connection.outcome({ frames: count })
    same(outcome, 'answered', what)
    const errorCode = errorCodeOf(connection.frames[count - 1], topic)
    expectThat(errorCode > 0 || where === 'inside', `${what}: error code ${errorCode}`)
    expectThat(errorCode !== 56, `${what}: KAFKA_STORAGE_ERROR`)
  }
  connection.close()
  return count
}

/** Bombs of every codec; gives the error code of each. */
export async function sendBombs(address: string, topic: string): Promise<[Codec, number][]> {
  const connection = await RawConnection.open(address)
  const codes: [Codec, number][] = []
  for (const codec of codecs.slice(1)) {
    connection.write(produceRequest(topic, bomb(codec), codes.length))
    const frames = codes.length + 1
    same(await connection.outcome({ frames, withinMs: 20_000 }), 'answered', `a bomb of ${codec}`)
    codes.push([codec, errorCodeOf(connection.frames.at(-1), topic)])
  }
  connection.close()
  return codes
}

/** Of a Produce v9 for one partition: correlation id, tags, topics, name, partitions, index come first. */
export function errorCodeOf(answer: Uint8Array | undefined, topic: string): number {
  return Buffer.from(answer ?? []).readInt16BE(4 + 1 + 1 + 1 + topic.length + 1 + 4)
}

/** Connections that are opened and dropped at once: half of them with a reset, some with a byte. */
export async function openAndDrop(address: string, count: number): Promise<void> {
  for (let begun = 0; begun < count; begun += 50) {
    await Promise.all(
      Array.from({ length: Math.min(50, count - begun) }, async (_, n) => {
        const connection = await RawConnection.open(address)
        if (n % 3 === 0) connection.write(Buffer.from([0]))
        if (n % 2 === 0) connection.socket.resetAndDestroy()
        else connection.close()
      }),
    )
  }
}

/** A request that comes byte by byte is answered like any other. */
export async function byteByByte(address: string): Promise<void> {
  const connection = await RawConnection.open(address)
  for (const byte of request(Metadata, 12, { topics: [] })) {
    connection.write(Buffer.from([byte]))
    await pause(1)
  }
  same(await connection.outcome(), 'answered', 'a request in single bytes')
  connection.close()
}

/** Requests of several kinds at once on one connection: answers in their order. */
export async function pipelined(address: string, topic: string, count: number): Promise<void> {
  const connection = await RawConnection.open(address)
  const requests = Array.from({ length: count }, (_, id) => {
    if (id % 4 === 0) return request(ApiVersions, 0, {}, id)
    if (id % 4 === 1) return fetchRequest(topic, id)
    return request(Metadata, 12, { topics: id % 4 === 2 ? null : [] }, id)
  })
  connection.write(Buffer.concat(requests))
  same(await connection.outcome({ frames: count, withinMs: 20_000 }), 'answered', 'all answers')
  const ids = connection.frames.map((frame) => Buffer.from(frame).readInt32BE(0))
  same(
    ids,
    Array.from({ length: count }, (_, id) => id),
    'order of the answers',
  )
  connection.close()
}

/** Consumers that ask `wishes` times for everything and never read. */
export async function neverReading(
  address: string,
  topic: string,
  { count, wishes: wishCount }: { count: number; wishes: number },
): Promise<RawConnection[]> {
  const connections = await Promise.all(
    Array.from({ length: count }, () => RawConnection.open(address)),
  )
  const wishes = Buffer.concat(
    Array.from({ length: wishCount }, (_, id) => fetchRequest(topic, id)),
  )
  for (const connection of connections) {
    connection.socket.pause()
    connection.write(wishes)
  }
  return connections
}

/** Every API in every version with an empty body, changed in some bytes. */
export async function mutated(
  address: string,
  { seed, perVersion }: { seed: number; perVersion: number },
): Promise<number> {
  const roll = dice(seed)
  let count = 0
  for (const api of apis) {
    const [min, max] = api.versions
    for (let version = min; version <= max; version++) {
      const whole = request(api, version, {})
      await Promise.all(
        Array.from({ length: perVersion }, async () => {
          count++
          const connection = await RawConnection.open(address)
          connection.write(mutate(whole, roll))
          connection.socket.end()
          await connection.outcome({ withinMs: 20 })
          connection.close()
        }),
      )
    }
  }
  return count
}

/** A few bytes changed, or some cut or added, behind a size that fits. */
function mutate(whole: Buffer, roll: Dice): Buffer {
  const bytes = Buffer.from(whole)
  for (let times = 1 + roll(4); times > 0; times--)
    bytes[12 + roll(Math.max(bytes.length - 12, 1))] = roll(256)
  const added =
    roll(3) === 0 ? Buffer.from(Array.from({ length: roll(40) }, () => roll(256))) : Buffer.alloc(0)
  const body = bytes.subarray(
    4,
    roll(4) === 0 ? bytes.length - roll(bytes.length - 12) : bytes.length,
  )
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length + added.length)
  return Buffer.concat([size, body, added])
}
