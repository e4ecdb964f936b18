/** Peers that do harm by their number, their size or their patience. */

import { randomBytes } from 'node:crypto'
import { Fetch } from '../../../lib/protocol/apis/fetch.ts'
import { Metadata } from '../../../lib/protocol/apis/metadata.ts'
import { Produce } from '../../../lib/protocol/apis/produce.ts'
import { BatchBuilder } from '../../../lib/record/builder.ts'
import { request } from './attacks.ts'
import { expectThat, pause, same, until } from './checks.ts'
import { RawConnection } from './raw-connection.ts'

export async function openMany(address: string, count: number): Promise<RawConnection[]> {
  const connections: RawConnection[] = []
  for (let begun = 0; begun < count; begun += 100) {
    const group = Array.from({ length: Math.min(100, count - begun) }, () =>
      RawConnection.open(address),
    )
    connections.push(...(await Promise.all(group)))
  }
  return connections
}

/** `count` peers at a time that send random bytes, and come again when they are thrown out. */
export async function garbageStreams(
  address: string,
  { count, forMs }: { count: number; forMs: number },
): Promise<number> {
  const deadline = performance.now() + forMs
  let opened = 0
  const stream = async (lane: number) => {
    while (performance.now() < deadline) {
      const connection = await RawConnection.open(address)
      opened++
      const bytes = randomBytes(1 + ((lane * 997) % 20_000))
      // Half of them begin as a frame does.
      if (opened % 2 === 0 && bytes.length > 4) bytes.writeInt32BE(bytes.length - 4)
      connection.write(bytes)
      await connection.outcome({ withinMs: 500 })
      connection.close()
    }
  }
  await Promise.all(Array.from({ length: count }, (_, lane) => stream(lane)))
  return opened
}

/** Peers that begin a frame and go on by a byte a second. */
export class SlowSenders {
  readonly #connections: RawConnection[]
  readonly #timer: NodeJS.Timeout
  readonly #beganMs = performance.now()

  private constructor(connections: RawConnection[]) {
    this.#connections = connections
    for (const connection of connections) connection.write(Buffer.from([0, 0, 4, 0, 0, 3]))
    const next = Buffer.from([0])
    this.#timer = setInterval(() => {
      for (const connection of connections) connection.write(next)
    }, 1000)
  }

  static async start(address: string, count: number): Promise<SlowSenders> {
    return new SlowSenders(await openMany(address, count))
  }

  /** Those that sent for longer than `deadlineMs` must have been thrown out. */
  end(deadlineMs: number): string {
    clearInterval(this.#timer)
    const seconds = Math.round((performance.now() - this.#beganMs) / 1000)
    const closed = this.#connections.filter(({ isClosed }) => isClosed).length
    for (const connection of this.#connections) connection.close()
    const isOver = seconds * 1000 > deadlineMs + 3000
    if (isOver) same(closed, this.#connections.length, 'slow senders that were thrown out')
    return `${closed} of ${this.#connections.length} thrown out after ${seconds} s`
  }
}

function longPoll(topic: string, padding = 0): Buffer {
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 }]
  const body = { maxWaitMs: 0x7fffffff, minBytes: 0x7fffffff, topics: [{ topic, partitions }] }
  const frame = request(Fetch, 12, body)
  if (padding === 0) return frame
  // One tagged field that nobody knows, in place of none.
  const size = []
  let rest = padding
  for (; rest > 0x7f; rest >>>= 7) size.push((rest & 0x7f) | 0x80)
  size.push(rest)
  const tag = Buffer.from([1, 99, ...size])
  const padded = Buffer.concat([frame.subarray(0, -1), tag, Buffer.alloc(padding)])
  padded.writeInt32BE(padded.length - 4)
  return padded
}

/** Fetches that wait for three weeks, by peers that go away at once. */
export async function abandonedPolls(address: string, topic: string, count: number): Promise<void> {
  const bytes = longPoll(topic)
  for (let begun = 0; begun < count; begun += 500) {
    const connections = await openMany(address, Math.min(500, count - begun))
    for (const connection of connections) connection.write(bytes)
    await pause(20)
    for (const connection of connections) {
      if (begun % 1000 === 0) connection.socket.resetAndDestroy()
      else connection.close()
    }
  }
}

/** Large requests that wait for ever. */
export async function parkedFetches(
  address: string,
  topic: string,
  { count, bytes }: { count: number; bytes: number },
): Promise<RawConnection[]> {
  const connections = await openMany(address, count)
  const frame = longPoll(topic, bytes)
  for (const connection of connections) connection.write(frame)
  await pause(1000)
  return connections
}

/** A request of 99 MiB whose list has elements of two bytes. */
export async function hugeList(address: string): Promise<void> {
  const size = 99 * 1024 * 1024
  const frame = Buffer.alloc(4 + size)
  frame.writeInt32BE(size)
  frame.writeInt16BE(Metadata.key, 4)
  frame.writeInt16BE(-1, 12)
  frame.writeInt32BE((size - 14) / 2, 14)
  const connection = await RawConnection.open(address)
  connection.write(frame)
  same(await connection.outcome({ withinMs: 20_000 }), 'closed', 'a list of 51 million elements')
}

/** Connections up to a limit; those beyond are refused at once, those within are served. */
export async function beyondLimit(address: string, limit: number): Promise<string> {
  const connections = await openMany(address, limit + 100)
  await until(
    () => connections.filter(({ isClosed }) => isClosed).length >= 100,
    'connections beyond the limit are closed',
  )
  const open = connections.filter(({ isClosed }) => !isClosed)
  expectThat(open.length <= limit, `${open.length} connections are open`)
  for (const connection of open) connection.write(request(Metadata, 12, { topics: [] }))
  for (const connection of open)
    same(await connection.outcome(), 'answered', 'one within the limit')
  for (const connection of connections) connection.close()
  return `${open.length} of ${connections.length} served`
}

/** One frame with a batch of about a megabyte for each of so many partitions. */
export function largeProduce(topic: string, partitions: number): Buffer {
  const builder = new BatchBuilder({ codec: 'none' })
  const value = randomBytes(10_000)
  for (let count = 0; count < 100; count++) builder.append(Date.now(), null, value, [])
  const batch = builder.build({})
  const partitionData = Array.from({ length: partitions }, (_, index) => ({
    index,
    records: [Uint8Array.from(batch)],
  }))
  const topicData = [{ name: topic, partitionData }]
  return request(Produce, 9, { acks: -1, timeoutMs: 60_000, topicData })
}

/** `count` producers that each send `frame` twice, at once; all are answered. */
export async function sendLarge(address: string, frame: Buffer, count: number): Promise<void> {
  const connections = await openMany(address, count)
  for (const connection of connections) {
    connection.write(frame)
    connection.write(frame)
  }
  for (const connection of connections) {
    const outcome = await connection.outcome({ frames: 2, withinMs: 240_000 })
    same(outcome, 'answered', 'a producer of large requests')
    connection.close()
  }
}
