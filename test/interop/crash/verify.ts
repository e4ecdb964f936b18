/** What must hold after any number of crashes: acknowledged is there, in order, once, and stays. */

import { Client } from '../../../lib/client/client.ts'
import { Consumer } from '../../../lib/client/consumer.ts'
import { listOffsets } from '../../../lib/client/offsets.ts'
import { expectThat } from '../support/checks.ts'
import type { Writer } from './writers.ts'

/** By partition: name and number of each record, at its offset. */
export type Contents = readonly string[][]

const nameAndNumber = (value: Uint8Array | null) =>
  Buffer.from(value ?? [])
    .toString('latin1')
    .split(' ', 2)
    .join(' ')

export async function readContents(address: string, topic: string): Promise<Contents> {
  const client = new Client({ brokers: [address] })
  const { partitions } = await client.topic(topic)
  const ends = await listOffsets(
    client,
    partitions.map(({ partition }) => ({ topic, partition, at: 'latest' })),
  )
  const found: string[][] = partitions.map(() => [])
  const consumer = new Consumer(client)
  consumer.assign(ends.map(({ partition, offset }) => ({ topic, partition, from: 0, to: offset })))
  for await (const batch of consumer) {
    const records = found[batch.partition] ?? []
    for (const { offset, value } of batch.records()) {
      expectThat(
        offset === records.length,
        `offset ${offset} of ${batch.partition} after ${records.length - 1}`,
      )
      records.push(nameAndNumber(value))
    }
  }
  consumer.close()
  client.close()
  return found
}

/** The last number that was acknowledged so far; -1 = none. */
export function lastAcknowledged({ offsets }: Writer): number {
  let last = -1
  for (const number of offsets.keys()) if (number > last) last = number
  return last
}

/**
 * Throws what is missing, twice, out of order or at another offset than was told. `last`: what had
 * been acknowledged before the contents were read.
 */
export function checkWriter(writer: Writer, last: number, contents: Contents): void {
  const { name, partition, offsets, written } = writer
  const records = contents[partition] ?? []
  let next = 0
  for (const [offset, text] of records.entries()) {
    const [who, number = ''] = text.split(' ')
    if (who !== name) continue
    expectThat(
      Number(number) === next,
      `${name}: number ${number} at offset ${offset}, expected ${next}`,
    )
    const told = offsets.get(next)
    expectThat(
      told === undefined || told === -1 || told === offset,
      `${name}: ${next} is at ${offset}, told ${told}`,
    )
    next++
  }
  expectThat(last < next, `${name}: acknowledged up to number ${last}, stored up to ${next - 1}`)
  expectThat(next <= written, `${name}: ${next} records of ${written} written`)
}

/** Follows a topic through everything, and keeps what it saw at each offset. */
export class Follower {
  readonly #client: Client
  readonly #consumer: Consumer
  readonly #seen: string[][]
  readonly #done: Promise<void>
  #isEnding = false
  #failure: Error | null = null

  constructor(address: string, topic: string, partitionCount: number) {
    this.#client = new Client({ brokers: [address], retryForMs: 600_000 })
    this.#consumer = new Consumer(this.#client, { maxWaitMs: 100 })
    this.#seen = Array.from({ length: partitionCount }, () => [])
    this.#consumer.assign(this.#seen.map((_, partition) => ({ topic, partition, from: 0 })))
    this.#done = this.#follow().catch((error: unknown) => {
      if (!this.#isEnding) this.#failure = error instanceof Error ? error : new Error(String(error))
    })
  }

  async #follow(): Promise<void> {
    while (!this.#isEnding) {
      for (const batch of await this.#consumer.next({ timeoutMs: 200 })) {
        const seen = this.#seen[batch.partition] ?? []
        for (const { offset, value } of batch.records()) {
          expectThat(
            offset === seen.length,
            `the follower got offset ${offset} after ${seen.length - 1}`,
          )
          seen.push(nameAndNumber(value))
        }
      }
    }
  }

  get count(): number {
    return this.#seen.reduce((sum, { length }) => sum + length, 0)
  }

  /** Waits until it has seen as much as there is, and compares. */
  async finish(contents: Contents): Promise<void> {
    const count = contents.reduce((sum, { length }) => sum + length, 0)
    const deadline = performance.now() + 30_000
    while (this.count < count && this.#failure === null && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20))
    this.#isEnding = true
    this.#consumer.close()
    await this.#done
    this.#client.close()
    if (this.#failure !== null) throw this.#failure
    for (const [partition, records] of contents.entries()) {
      const seen = this.#seen[partition] ?? []
      const at = seen.findIndex((text, offset) => text !== records[offset])
      expectThat(
        at === -1,
        `offset ${at} of partition ${partition} was ${seen[at]}, is ${records[at]}`,
      )
      expectThat(
        seen.length === records.length,
        `the follower saw ${seen.length} of ${records.length}`,
      )
    }
  }
}
