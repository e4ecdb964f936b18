/**
 * A broker on a machine in memory, and clients that speak raw frames to it. Time stands still but
 * for what a test moves; `restart` keeps the disk, `crash` loses what was not synced.
 */

import { joinChunks } from '../../../lib/base/bytes.ts'
import { Broker, type ListenerOptions } from '../../../lib/broker/broker.ts'
import type { Configs } from '../../../lib/config/config.ts'
import { type MemoryEnv, memoryEnv } from '../../../lib/io/memory/env.ts'
import type { Address, Stream } from '../../../lib/io/network.ts'
import { ApiVersions } from '../../../lib/protocol/apis/api-versions.ts'
import { Fetch } from '../../../lib/protocol/apis/fetch.ts'
import { Metadata } from '../../../lib/protocol/apis/metadata.ts'
import { Produce } from '../../../lib/protocol/apis/produce.ts'
import { decodeResponse, encodeRequest } from '../../../lib/protocol/codec.ts'
import type { Api, Encodable, RequestOf, ResponseOf } from '../../../lib/protocol/schema.ts'
import { BatchBuilder } from '../../../lib/record/builder.ts'
import type { Codec } from '../../../lib/record/compression.ts'
import { FrameSplitter } from '../../../lib/wire/frame.ts'

export interface ScenarioOptions {
  readonly topics?: readonly string[]
  readonly configs?: Configs
  readonly listeners?: readonly ListenerOptions[]
  readonly env?: MemoryEnv
}

export class Scenario {
  readonly env: MemoryEnv
  broker: Broker
  readonly #options: ScenarioOptions

  constructor(env: MemoryEnv, broker: Broker, options: ScenarioOptions) {
    this.env = env
    this.broker = broker
    this.#options = options
  }

  static async start(options: ScenarioOptions = {}): Promise<Scenario> {
    const env = options.env ?? memoryEnv()
    return new Scenario(env, await startBroker(env, options), options)
  }

  get address(): Address {
    return this.listener('PLAINTEXT')
  }

  listener(name: string): Address {
    const found = this.broker.listeners.find((listener) => listener.name === name)
    if (found === undefined) throw new Error(`no listener ${name}`)
    return found
  }

  async stop(): Promise<void> {
    await this.until(this.broker.stop())
  }

  /** Lets time pass until the promise settles, at most two minutes of it. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const settled = () => {
      isSettled = true
    }
    promise.then(settled, settled)
    for (let step = 0; step < 1200 && !isSettled; step++) await this.env.clock.advance(100)
    return promise
  }

  /** A clean stop, and the next start on the same disk. */
  async restart(): Promise<void> {
    await this.stop()
    this.broker = await startBroker(this.env, this.#options)
  }

  connect(address: Address = this.address): Promise<RawClient> {
    return RawClient.connect(this.env, address)
  }

  /** One request on a connection of its own. */
  async call<A extends Api>(
    api: A,
    version: number,
    body: Encodable<RequestOf<A>>,
  ): Promise<ResponseOf<A>> {
    const client = await this.connect()
    try {
      return await client.call(api, version, body)
    } finally {
      client.stream.destroy()
    }
  }

  /** Appends one batch with these values and gives the partition's answer. */
  async produce(
    topic: string,
    records: Uint8Array,
    { partition = 0, acks = -1, version = 9, timeoutMs = 1000 } = {},
  ) {
    const partitionData = [{ index: partition, records: [records] }]
    const topicData = [{ name: topic, partitionData }]
    const answer = await this.call(Produce, version, { acks, timeoutMs, topicData })
    const found = answer.responses[0]?.partitionResponses[0]
    if (found === undefined) throw new Error('Produce answered no partition')
    return found
  }

  /** One partition's answer, without waiting for data. */
  async fetch(
    topic: string,
    fetchOffset: number,
    { partition = 0, version = 11, maxBytes = 1 << 20, ...fields }: FetchOptions = {},
  ) {
    const answer = await this.call(Fetch, version, {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes,
      ...fields.request,
      topics: [
        {
          topic,
          partitions: [
            { partition, fetchOffset, partitionMaxBytes: maxBytes, ...fields.partitionFields },
          ],
        },
      ],
    })
    const found = answer.responses[0]?.partitions[0]
    if (found === undefined) throw new Error('Fetch answered no partition')
    return { ...found, bytes: Buffer.from(joinChunks(found.records ?? [])) }
  }

  async topicId(topic: string): Promise<string> {
    const { topics } = await this.call(Metadata, 12, {
      topics: [{ name: topic }],
      allowAutoTopicCreation: false,
    })
    return topics[0]?.topicId ?? ''
  }
}

export interface FetchOptions {
  readonly partition?: number
  readonly version?: number
  readonly maxBytes?: number
  readonly request?: Encodable<RequestOf<typeof Fetch>>
  readonly partitionFields?: {
    readonly currentLeaderEpoch?: number
    readonly lastFetchedEpoch?: number
  }
}

function startBroker(env: MemoryEnv, options: ScenarioOptions): Promise<Broker> {
  return Broker.start({
    env,
    dataPath: '/data',
    nodeId: 1,
    clusterId: null,
    configs: options.configs ?? {},
    listen: { host: '127.0.0.1', port: 0 },
    advertise: null,
    listeners: options.listeners ?? [],
    topics: options.topics ?? [],
    adopt: false,
    process: { pid: 4711, bootId: 'boot' },
  })
}

/** A batch of magic 2 with a record per value. */
export function batch(
  values: readonly (string | null)[],
  {
    codec = 'none',
    timestamp = Date.UTC(2026, 0, 1),
    key = null,
    ...fields
  }: {
    codec?: Codec
    timestamp?: number
    key?: string | null
    producerId?: number
    producerEpoch?: number
    baseSequence?: number
    isTransactional?: boolean
    isControl?: boolean
  } = {},
): Uint8Array {
  const builder = new BatchBuilder({ codec })
  for (const value of values) {
    builder.append(
      timestamp,
      key === null ? null : Buffer.from(key),
      value === null ? null : Buffer.from(value),
      [],
    )
  }
  return builder.build(fields)
}

/** One uncompressed message of an old format. */
export function oldMessage(magic: 0 | 1, value: string): Uint8Array {
  const head = Buffer.alloc(magic === 0 ? 2 : 10)
  head.writeInt8(magic, 0)
  if (magic === 1) head.writeBigInt64BE(BigInt(Date.UTC(2026, 0, 1)), 2)
  const body = Buffer.alloc(8 + value.length)
  body.writeInt32BE(-1, 0)
  body.writeInt32BE(value.length, 4)
  body.write(value, 8)
  const covered = Buffer.concat([head, body])
  const message = Buffer.alloc(16)
  message.writeInt32BE(4 + covered.length, 8)
  message.writeUInt32BE(ieeeCrc(covered), 12)
  return Buffer.concat([message, covered])
}

function ieeeCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}

/** Speaks to the broker in raw frames; answers are matched by their order. */
export class RawClient {
  readonly stream: Stream
  readonly #env: MemoryEnv
  /** Frames that came and nobody took yet. */
  readonly frames: Uint8Array[][] = []
  isClosed = false
  #correlationId = 0

  private constructor(env: MemoryEnv, stream: Stream) {
    this.#env = env
    this.stream = stream
    const splitter = new FrameSplitter(() => 1 << 30)
    stream.handle({
      onData: (chunk) =>
        splitter.push(Uint8Array.from(chunk), (frame) => void this.frames.push([...frame])),
      onClose: () => {
        this.isClosed = true
      },
    })
  }

  static async connect(env: MemoryEnv, address: Address): Promise<RawClient> {
    const client = new RawClient(env, await env.network.connect(address))
    await env.clock.settle()
    return client
  }

  /** Queues a request; `answer` takes the replies in order. */
  send<A extends Api>(
    api: A,
    version: number,
    body: Encodable<RequestOf<A>>,
    clientId = 'test',
  ): void {
    const header = { correlationId: this.#correlationId++, clientId }
    this.stream.write(encodeRequest(api, version, header, body))
  }

  /** The next reply. */
  async answer<A extends Api>(api: A, version: number): Promise<ResponseOf<A>> {
    for (let attempt = 0; attempt < 50 && this.frames.length === 0 && !this.isClosed; attempt++) {
      await this.#env.clock.settle()
    }
    const frame = this.frames.shift()
    if (frame === undefined) {
      throw new Error(`no reply to ${api.name} v${version}${this.isClosed ? ': closed' : ''}`)
    }
    return decodeResponse(api, version, frame).body
  }

  call<A extends Api>(
    api: A,
    version: number,
    body: Encodable<RequestOf<A>>,
    clientId?: string,
  ): Promise<ResponseOf<A>> {
    this.send(api, version, body, clientId)
    return this.answer(api, version)
  }

  /** Whether the connection still answers. */
  async isAlive(): Promise<boolean> {
    if (this.isClosed) return false
    const { errorCode } = await this.call(ApiVersions, 0, {})
    return errorCode === 0
  }
}
