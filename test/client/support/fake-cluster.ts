/**
 * A cluster that does what a test says: nodes on an in-memory network that answer as brokers do
 * (sequence checks of idempotent producers included), until `react` says otherwise for a request.
 * It keeps no state but what the client can see, and no promise but the order of answers.
 */

import { type Chunks, joinChunks } from '../../../lib/base/bytes.ts'
import { type ErrorName, errorCode } from '../../../lib/base/errors.ts'
import { type MemoryEnv, memoryEnv } from '../../../lib/io/memory/env.ts'
import type { Listener, Stream } from '../../../lib/io/network.ts'
import { ApiVersions } from '../../../lib/protocol/apis/api-versions.ts'
import { Fetch, type FetchRequest, type FetchResponse } from '../../../lib/protocol/apis/fetch.ts'
import { apiByKey } from '../../../lib/protocol/apis/index.ts'
import { InitProducerId } from '../../../lib/protocol/apis/init-producer-id.ts'
import { ListOffsets, type ListOffsetsRequest } from '../../../lib/protocol/apis/list-offsets.ts'
import { Metadata, type MetadataRequest } from '../../../lib/protocol/apis/metadata.ts'
import {
  OffsetForLeaderEpoch,
  type OffsetForLeaderEpochRequest,
} from '../../../lib/protocol/apis/offset-for-leader-epoch.ts'
import { Produce, type ProduceRequest } from '../../../lib/protocol/apis/produce.ts'
import { decodeRequest, decodeRequestHeader, encodeResponse } from '../../../lib/protocol/codec.ts'
import type { Api } from '../../../lib/protocol/schema.ts'
import {
  type BatchHeader,
  batchAt,
  patchOffsetAndEpoch,
  readBatchHeader,
} from '../../../lib/record/batch.ts'
import { readRecords } from '../../../lib/record/record.ts'
import { FrameSplitter } from '../../../lib/wire/frame.ts'

/** A request as a node got it. */
export interface Call {
  readonly node: number
  readonly api: string
  readonly version: number
  /** How many of this API came before it, over all nodes. */
  readonly count: number
  readonly body: unknown
}

/**
 * What a node does instead of answering: nothing at all; close; do as asked, then close; answer an
 * error to every partition; send these bytes; send the answer but cut it and close.
 */
export type Reaction =
  | 'silence'
  | 'close'
  | 'apply-and-close'
  | { readonly error: ErrorName; readonly hint?: { leader: number; epoch: number } }
  | { readonly bytes: Uint8Array }
  | { readonly cutAt: number }
  | { readonly correlationShift: number }
  | { readonly throttleTimeMs: number }

/** The members of all reactions that are objects. */
interface Faults {
  error?: ErrorName
  hint?: { leader: number; epoch: number }
  bytes?: Uint8Array
  cutAt?: number
  correlationShift?: number
  throttleTimeMs?: number
}

interface Fault {
  readonly error: ErrorName
  readonly hint: { leader: number; epoch: number } | undefined
}

interface ProducerState {
  epoch: number
  batches: { sequence: number; count: number; offset: number }[]
}

export class FakePartition {
  leader = 1
  leaderEpoch = 0
  logStartOffset = 0
  highWatermark = 0
  /** null: no transaction is open. */
  lastStableOffset: number | null = null
  batches: Uint8Array[] = []
  producers = new Map<number, ProducerState>()
  aborted: { producerId: number; firstOffset: number }[] = []
  /** End offsets of leader epochs, for those that ended. */
  epochEnds = new Map<number, number>()

  /** Every record's value, as text, in order. */
  values(): string[] {
    return this.batches.flatMap((bytes) =>
      readRecords(bytes, { maxBytes: 1 << 30 }).map(({ value }) => String(value)),
    )
  }

  /** Appends as a leader does; returns the base offset. */
  append(records: Uint8Array): number {
    const bytes = Uint8Array.from(records)
    const batch = batchAt(bytes)
    const offset = this.highWatermark
    patchOffsetAndEpoch(batch, offset, this.leaderEpoch)
    this.batches.push(bytes)
    this.highWatermark += batch.header.lastOffsetDelta + 1
    return offset
  }
}

type MoreAnswers = (
  node: number,
  body: unknown,
  error: ErrorName | null,
) => Answer | Promise<Answer> | null

type Answer = { [field: string]: unknown }

const servedApis: readonly Api[] = [
  Produce,
  Fetch,
  ListOffsets,
  Metadata,
  ApiVersions,
  InitProducerId,
  OffsetForLeaderEpoch,
]

export class FakeCluster {
  readonly env: MemoryEnv
  readonly calls: Call[] = []
  readonly topics = new Map<
    string,
    { id: string; partitions: FakePartition[]; error: ErrorName | null }
  >()
  /** Highest version by API name; the schema's otherwise. */
  readonly highest = new Map<string, number>()
  /** Batches larger than this are refused. */
  maxBatchBytes = Number.POSITIVE_INFINITY
  react: (call: Call) => Reaction | undefined = () => undefined
  readonly #more = new Map<Api, MoreAnswers>()
  #listeners = new Map<number, Listener>()
  #nextProducerId = 1000

  constructor(env: MemoryEnv = memoryEnv()) {
    this.env = env
  }

  static async start({ nodes = 1, env = memoryEnv() } = {}): Promise<FakeCluster> {
    const cluster = new FakeCluster(env)
    for (let node = 1; node <= nodes; node++) await cluster.startNode(node)
    return cluster
  }

  /** For Client: where the nodes listen. */
  get brokers(): string[] {
    return [...this.#listeners.keys()].map((node) => `127.0.0.1:${portOf(node)}`)
  }

  async startNode(node: number): Promise<void> {
    const address = { host: '127.0.0.1', port: portOf(node) }
    const listener = await this.env.network.listen(address, (stream) => this.#serve(node, stream))
    this.#listeners.set(node, listener)
  }

  /** Its connections are reset, and new ones refused. */
  async stopNode(node: number): Promise<void> {
    await this.#listeners.get(node)?.close()
    this.#listeners.delete(node)
    this.env.network.cut(portOf(node))
  }

  /** Its connections are refused, though the others still speak of it. */
  async hideNode(node: number): Promise<void> {
    await this.#listeners.get(node)?.close()
  }

  topic(name: string, partitions = 1): FakePartition[] {
    const id = Buffer.from(name.padEnd(16, '.').slice(0, 16)).toString('base64url')
    const made = Array.from({ length: partitions }, () => new FakePartition())
    this.topics.set(name, { id, partitions: made, error: null })
    return made
  }

  /** The one partition of a topic of one. */
  single(name: string): FakePartition {
    const [only] = this.topics.get(name)?.partitions ?? this.topic(name)
    if (only === undefined) throw new Error(`no topic ${name}`)
    return only
  }

  /** Serves a further API: the answer of a node to a body, a later one, or no answer. */
  serve(api: Api, answer: MoreAnswers): void {
    this.#more.set(api, answer)
  }

  callsOf(api: string): Call[] {
    return this.calls.filter((call) => call.api === api)
  }

  #serve(node: number, stream: Stream): void {
    const splitter = new FrameSplitter(() => 1 << 30)
    stream.handle({
      onData: (chunk) => splitter.push(chunk, (frame) => this.#onFrame(node, stream, frame)),
      onClose: () => {},
    })
  }

  #onFrame(node: number, stream: Stream, frame: Chunks): void {
    const header = decodeRequestHeader(frame, apiByKey)
    const { apiVersion: version, correlationId } = header
    const api = apiByKey(header.apiKey)
    const highest = api === undefined ? -1 : (this.highest.get(api.name) ?? api.versions[1])
    if (api === ApiVersions && version > highest) {
      const apiKeys = [{ apiKey: 18, minVersion: 0, maxVersion: highest }]
      stream.write(encodeResponse(ApiVersions, 0, correlationId, { errorCode: 35, apiKeys }))
      return
    }
    if (api === undefined || version > highest) {
      stream.destroy()
      return
    }
    const body: unknown = decodeRequest(api, version, header.reader)
    const call = { node, api: api.name, version, count: this.callsOf(api.name).length, body }
    this.calls.push(call)
    const reply = (answer: { [field: string]: unknown }, shift = 0) =>
      encodeResponse(api, version, correlationId + shift, answer)
    this.#react(stream, { node, api, body, reaction: this.react(call), reply })
  }

  #react(
    stream: Stream,
    {
      node,
      api,
      body,
      reaction,
      reply,
    }: {
      node: number
      api: Api
      body: unknown
      reaction: Reaction | undefined
      reply: (answer: { [field: string]: unknown }, shift?: number) => Uint8Array[]
    },
  ): void {
    const faults: Faults = typeof reaction === 'object' ? reaction : {}
    if (reaction === 'silence') return
    const error = faults.error === undefined ? null : { error: faults.error, hint: faults.hint }
    const answer = reaction === 'close' ? null : this.#answer(node, { api, body, error })
    if (answer instanceof Promise) {
      void answer.then((late) => stream.write(reply(late)))
    } else if (reaction === 'close' || reaction === 'apply-and-close') {
      stream.destroy()
    } else if (answer === null) {
      return
    } else if (faults.bytes !== undefined) {
      stream.write([faults.bytes])
    } else if (faults.cutAt !== undefined) {
      stream.write([joinChunks(reply(answer)).subarray(0, faults.cutAt)])
      stream.end()
    } else if (api === Fetch && isEmptyFetch(answer)) {
      // As a broker does: it waits for records before it says that there are none.
      this.env.clock.timer((body as FetchRequest).maxWaitMs, () => {
        stream.write(reply(this.#fetch(node, body as FetchRequest, error)))
      })
    } else {
      const { throttleTimeMs = 0 } = faults
      stream.write(reply({ ...answer, throttleTimeMs }, faults.correlationShift))
    }
  }

  #answer(
    node: number,
    { api, body, error }: { api: Api; body: unknown; error: Fault | null },
  ): Answer | Promise<Answer> | null {
    switch (api) {
      case ApiVersions:
        return this.#apiVersions()
      case Metadata:
        return this.#metadata(body as MetadataRequest)
      case InitProducerId:
        if (error !== null) return { errorCode: errorCode(error.error) }
        return { errorCode: 0, producerId: this.#nextProducerId++, producerEpoch: 0 }
      case Produce:
        return this.#produce(node, body as ProduceRequest, error)
      case Fetch:
        return this.#fetch(node, body as FetchRequest, error)
      case ListOffsets:
        return this.#listOffsets(node, body as ListOffsetsRequest)
      case OffsetForLeaderEpoch:
        return this.#epochEnds(body as OffsetForLeaderEpochRequest)
      default:
        return this.#more.get(api)?.(node, body, error?.error ?? null) ?? null
    }
  }

  #apiVersions() {
    const served = [...servedApis, ...this.#more.keys()]
    const apiKeys = served.map(({ key, name, versions: [minVersion, maxVersion] }) => ({
      apiKey: key,
      minVersion,
      maxVersion: this.highest.get(name) ?? maxVersion,
    }))
    return { errorCode: 0, apiKeys }
  }

  #metadata({ topics }: MetadataRequest) {
    const names = topics === null ? [...this.topics.keys()] : topics.map(({ name }) => name ?? '')
    return {
      clusterId: 'fake',
      controllerId: 1,
      brokers: [...this.#listeners.keys()].map(endpoint),
      topics: names.map((name) => {
        const topic = this.topics.get(name)
        if (topic === undefined || topic.error !== null) {
          return { name, errorCode: errorCode(topic?.error ?? 'UNKNOWN_TOPIC_OR_PARTITION') }
        }
        const partitions = topic.partitions.map((partition, partitionIndex) => ({
          partitionIndex,
          errorCode: partition.leader < 0 ? 5 : 0,
          leaderId: partition.leader,
          leaderEpoch: partition.leaderEpoch,
          replicaNodes: [partition.leader],
          isrNodes: [partition.leader],
        }))
        return { name, topicId: topic.id, errorCode: 0, partitions }
      }),
    }
  }

  #produce(node: number, request: ProduceRequest, error: Fault | null) {
    const hint = error?.hint ?? null
    const responses = request.topicData.map(({ name, topicId, partitionData }) => ({
      name,
      topicId,
      partitionResponses: partitionData.map(({ index, records }) => {
        const partition = this.#find(name, topicId, index)
        const failed = error?.error ?? this.#refusal(node, partition)
        if (failed !== null || partition === undefined) {
          const currentLeader = hint
            ? { leaderId: hint.leader, leaderEpoch: hint.epoch }
            : undefined
          return {
            index,
            errorCode: errorCode(failed ?? 'UNKNOWN_TOPIC_OR_PARTITION'),
            baseOffset: -1,
            currentLeader,
          }
        }
        return { index, ...this.#appendChecked(partition, joinChunks(records ?? [])) }
      }),
    }))
    if (request.acks === 0) return null
    return { responses, nodeEndpoints: hint ? [endpoint(hint.leader)] : [] }
  }

  /** As Kafka's ProducerAppendInfo: five batches are remembered, the next one must follow. */
  #appendChecked(partition: FakePartition, records: Uint8Array) {
    if (records.length > this.maxBatchBytes) return { errorCode: 10, baseOffset: -1 }
    const { producerId, producerEpoch, baseSequence, recordCount } = readBatchHeader(records)
    if (producerId < 0) return { errorCode: 0, baseOffset: partition.append(records) }
    const state = partition.producers.get(producerId)
    const known = state?.epoch === producerEpoch ? state.batches : []
    const twin = known.find(
      ({ sequence, count }) => sequence === baseSequence && count === recordCount,
    )
    if (twin !== undefined) return { errorCode: 0, baseOffset: twin.offset }
    if (state !== undefined && producerEpoch < state.epoch) return { errorCode: 47, baseOffset: -1 }
    const last = known.at(-1)
    const isNewEpoch = state !== undefined && producerEpoch > state.epoch
    const expected =
      last === undefined ? (isNewEpoch ? 0 : baseSequence) : last.sequence + last.count
    if (baseSequence !== expected) return { errorCode: 45, baseOffset: -1 }
    const offset = partition.append(records)
    const batches = [...known, { sequence: baseSequence, count: recordCount, offset }].slice(-5)
    partition.producers.set(producerId, { epoch: producerEpoch, batches })
    return { errorCode: 0, baseOffset: offset }
  }

  #fetch(node: number, request: FetchRequest, error: Fault | null) {
    const hint = error?.hint ?? null
    const responses = request.topics.map(({ topic, topicId, partitions }) => ({
      topic,
      topicId,
      partitions: partitions.map((asked) => {
        const partition = this.#find(topic, topicId, asked.partition)
        const failed = error?.error ?? this.#refusal(node, partition)
        const partitionIndex = asked.partition
        if (failed !== null || partition === undefined) {
          const currentLeader = hint
            ? { leaderId: hint.leader, leaderEpoch: hint.epoch }
            : undefined
          return {
            partitionIndex,
            errorCode: errorCode(failed ?? 'UNKNOWN_TOPIC_OR_PARTITION'),
            highWatermark: -1,
            currentLeader,
          }
        }
        return { partitionIndex, ...readFrom(partition, asked.fetchOffset, request) }
      }),
    }))
    return { responses, nodeEndpoints: hint ? [endpoint(hint.leader)] : [] }
  }

  #listOffsets(node: number, { topics }: ListOffsetsRequest) {
    return {
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => {
          const partition = this.#find(name, '', partitionIndex)
          const failed = this.#refusal(node, partition)
          if (failed !== null || partition === undefined) {
            return { partitionIndex, errorCode: errorCode(failed ?? 'UNKNOWN_TOPIC_OR_PARTITION') }
          }
          const offset = timestamp === -2 ? partition.logStartOffset : partition.highWatermark
          return { partitionIndex, errorCode: 0, offset, leaderEpoch: partition.leaderEpoch }
        }),
      })),
    }
  }

  #epochEnds({ topics }: OffsetForLeaderEpochRequest) {
    return {
      topics: topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition, leaderEpoch }) => {
          const found = this.#find(topic, '', partition)
          const endOffset = found?.epochEnds.get(leaderEpoch) ?? found?.highWatermark ?? -1
          return { partition, errorCode: 0, leaderEpoch, endOffset }
        }),
      })),
    }
  }

  #find(name: string, id: string, partition: number): FakePartition | undefined {
    for (const [topicName, topic] of this.topics) {
      if (topicName === name || (name === '' && topic.id === id)) return topic.partitions[partition]
    }
    return undefined
  }

  #refusal(node: number, partition: FakePartition | undefined): ErrorName | null {
    if (partition === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
    return partition.leader === node ? null : 'NOT_LEADER_OR_FOLLOWER'
  }
}

function isEmptyFetch(answer: { [field: string]: unknown }): boolean {
  const { responses } = answer as unknown as FetchResponse
  return responses.every(({ partitions }) =>
    partitions.every(({ errorCode: code, records }) => code === 0 && (records?.length ?? 0) === 0),
  )
}

function portOf(node: number): number {
  return 9090 + node
}

function endpoint(node: number) {
  return { nodeId: node, host: '127.0.0.1', port: portOf(node) }
}

function readFrom(partition: FakePartition, offset: number, request: FetchRequest) {
  const { highWatermark, logStartOffset, aborted } = partition
  const lastStableOffset = partition.lastStableOffset ?? highWatermark
  const log = { highWatermark, lastStableOffset, logStartOffset }
  if (offset < logStartOffset || offset > highWatermark) return { ...log, errorCode: 1 }
  const records: Uint8Array[] = []
  let sizeBytes = 0
  for (const bytes of partition.batches) {
    const header: BatchHeader = readBatchHeader(bytes)
    if (header.baseOffset + header.lastOffsetDelta < offset) continue
    if (records.length > 0 && sizeBytes + bytes.length > request.maxBytes) break
    sizeBytes += bytes.length
    records.push(bytes)
  }
  const abortedTransactions = request.isolationLevel === 1 ? aborted : null
  return { ...log, errorCode: 0, records, abortedTransactions }
}
