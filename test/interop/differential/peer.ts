/**
 * One of the two brokers under comparison, asked in raw frames over connections of its own: one
 * request at a time, an answer or the close of the connection within a deadline.
 *
 * What a case needs beforehand (topics, records, ids) goes through here too, and must succeed. Apache
 * Kafka tells the outcome of a change before its broker follows it, so `settle` waits for that.
 */

import { createConnection, type Socket } from 'node:net'
import { type Chunks, joinChunks } from '../../../lib/base/bytes.ts'
import { zeroUuid } from '../../../lib/base/uuid.ts'
import { ApiVersions } from '../../../lib/protocol/apis/api-versions.ts'
import { CreateTopics, type CreateTopicsRequest } from '../../../lib/protocol/apis/create-topics.ts'
import { ListOffsets } from '../../../lib/protocol/apis/list-offsets.ts'
import { Metadata } from '../../../lib/protocol/apis/metadata.ts'
import { Produce } from '../../../lib/protocol/apis/produce.ts'
import { decodeResponse, encodeRequest } from '../../../lib/protocol/codec.ts'
import type { Api, Encodable, RequestOf, ResponseOf } from '../../../lib/protocol/schema.ts'
import { FrameSplitter } from '../../../lib/wire/frame.ts'

const answerDeadlineMs = 6000
const changeDeadlineMs = 20_000

/** How a connection ended instead of an answer. */
export type NoAnswer = 'closed' | 'silent'

export type PeerName = 'kafka' | 'ottla'

export interface NewTopic {
  readonly partitions?: number
  readonly configs?: Readonly<Record<string, string>>
}

export class Peer {
  readonly name: PeerName
  readonly host: string
  readonly port: number
  clusterId = ''
  /** What ApiVersions says, by key. */
  readonly ranges = new Map<number, readonly [number, number]>()
  /** Every topic id ever seen, with its name. */
  readonly topicNames = new Map<string, string>()
  #connection: Connection | null = null
  readonly #others = new Map<string, Peer>()
  #barriers = 0
  readonly #made = new Map<string, Promise<void>>()

  private constructor(name: PeerName, address: string) {
    const at = address.lastIndexOf(':')
    this.name = name
    this.host = address.slice(0, at)
    this.port = Number(address.slice(at + 1))
  }

  static async connect(name: PeerName, address: string): Promise<Peer> {
    const peer = new Peer(name, address)
    const { apiKeys } = await peer.call(ApiVersions, 0, {})
    for (const { apiKey, minVersion, maxVersion } of apiKeys) {
      peer.ranges.set(apiKey, [minVersion, maxVersion])
    }
    peer.clusterId = (await peer.call(Metadata, 4, { topics: [] })).clusterId ?? ''
    await peer.settle()
    return peer
  }

  close(): void {
    this.#connection?.socket.destroy()
    for (const other of this.#others.values()) other.close()
  }

  /** The same broker over another connection, one for each name: for requests that wait for each other. */
  other(connection: string): Peer {
    const other = this.#others.get(connection) ?? new Peer(this.name, `${this.host}:${this.port}`)
    this.#others.set(connection, other)
    return other
  }

  /** One request, and its answer. */
  async ask<A extends Api>(
    api: A,
    version: number,
    body: Encodable<RequestOf<A>>,
    clientId: string | null = 'diff',
  ): Promise<ResponseOf<A> | NoAnswer> {
    const frame = encodeRequest(api, version, { correlationId: 7, clientId }, body)
    const answer = await this.exchange(joinChunks(frame))
    if (typeof answer === 'string') return answer
    return decodeResponse(api, version, answer).body
  }

  /** Raw bytes, and the frame that comes back. */
  async exchange(bytes: Uint8Array): Promise<Chunks | NoAnswer> {
    this.#connection ??= await Connection.open(this.host, this.port)
    const answer = await this.#connection.exchange(bytes)
    if (typeof answer === 'string') {
      this.#connection.socket.destroy()
      this.#connection = null
    }
    return answer
  }

  /** As `ask`, for what must be answered. */
  async call<A extends Api>(
    api: A,
    version: number,
    body: Encodable<RequestOf<A>>,
  ): Promise<ResponseOf<A>> {
    const answer = await this.ask(api, version, body)
    if (typeof answer === 'string')
      throw new Error(`${this.name}: ${api.name} v${version}: ${answer}`)
    return answer
  }

  /** Makes a topic and waits until it can be written to. */
  async create(name: string, { partitions = 1, configs = {} }: NewTopic = {}): Promise<void> {
    const topic: Encodable<CreateTopicsRequest['topics'][number]> = {
      name,
      numPartitions: partitions,
      replicationFactor: 1,
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
    }
    const { topics } = await this.call(CreateTopics, 7, { topics: [topic], timeoutMs: 15_000 })
    const [made] = topics
    if (made === undefined || made.errorCode !== 0) {
      throw new Error(`${this.name}: topic ${name}: error ${made?.errorCode} ${made?.errorMessage}`)
    }
    this.topicNames.set(made.topicId, name)
    await this.#untilLed(name, partitions)
  }

  /** As `create`, at the first call. */
  ensure(name: string, topic?: NewTopic): Promise<void> {
    const made = this.#made.get(name) ?? this.create(name, topic)
    this.#made.set(name, made)
    return made
  }

  /** Waits until every change made so far holds at the broker. */
  async settle(): Promise<void> {
    if (this.name === 'ottla') return
    // A second topic is seen only after everything that came with the first was applied.
    for (const part of ['a', 'b']) await this.create(`barrier-${++this.#barriers}${part}`)
  }

  async idOf(topic: string): Promise<string> {
    await this.learnTopics()
    for (const [id, name] of [...this.topicNames].reverse()) if (name === topic) return id
    return zeroUuid
  }

  /** Keeps the names of all topic ids of now. */
  async learnTopics(): Promise<void> {
    const { topics } = await this.call(Metadata, 12, { topics: null })
    for (const { name, topicId } of topics) if (name !== null) this.topicNames.set(topicId, name)
  }

  /** Appends batches that must be taken, one after the other. */
  async produce(topic: string, batches: readonly Uint8Array[], partition = 0): Promise<void> {
    for (const batch of batches) {
      const { responses } = await this.call(Produce, 9, {
        acks: -1,
        timeoutMs: 10_000,
        topicData: [{ name: topic, partitionData: [{ index: partition, records: [batch] }] }],
      })
      const answer = responses[0]?.partitionResponses[0]
      if (answer?.errorCode === 0) continue
      throw new Error(
        `${this.name}: produce to ${topic}: ${answer?.errorCode} ${answer?.errorMessage}`,
      )
    }
  }

  async #untilLed(topic: string, count: number): Promise<void> {
    const deadline = performance.now() + changeDeadlineMs
    const asked = Array.from({ length: count }, (_, index) => ({
      partitionIndex: index,
      timestamp: -1,
    }))
    for (;;) {
      const { topics } = await this.call(ListOffsets, 4, {
        replicaId: -1,
        topics: [{ name: topic, partitions: asked }],
      })
      const codes = topics[0]?.partitions.map(({ errorCode }) => errorCode) ?? []
      if (codes.length === count && codes.every((code) => code === 0)) return
      if (performance.now() > deadline) throw new Error(`${this.name}: ${topic}: still ${codes}`)
    }
  }
}

/** A socket that carries one exchange at a time. */
class Connection {
  readonly socket: Socket
  #onEnd: (answer: Chunks | NoAnswer) => void = () => {}
  #isClosed = false

  private constructor(socket: Socket) {
    this.socket = socket
    const splitter = new FrameSplitter(() => 0x7fffffff)
    socket.setNoDelay(true)
    socket.on('data', (chunk) => splitter.push(chunk, (frame) => this.#onEnd(frame)))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#isClosed = true
      this.#onEnd('closed')
    })
  }

  static open(host: string, port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ host, port })
      socket.once('error', reject)
      socket.once('connect', () => resolve(new Connection(socket)))
    })
  }

  exchange(bytes: Uint8Array): Promise<Chunks | NoAnswer> {
    if (this.#isClosed) return Promise.resolve('closed')
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#onEnd('silent'), answerDeadlineMs)
      this.#onEnd = (answer) => {
        clearTimeout(timer)
        this.#onEnd = () => {}
        resolve(answer)
      }
      this.socket.write(bytes)
    })
  }
}
