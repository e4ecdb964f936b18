/**
 * Writes records. `append` is the fast way: a record's bytes are copied into the open batch of its
 * partition, nothing is made per record, and one report per batch says what became of it. `send`
 * is the convenient way: a promise for each record.
 *
 * Idempotent by default: what is sent again after a lost connection or a restart of the broker is
 * stored once and in order. Memory is bounded by `bufferBytes`: beyond it `append` answers false,
 * and the source has to wait for `drained`.
 * Sources: KIP-98 (idempotence), KIP-480 (sticky partitions), KIP-91 (delivery time-out).
 */

import { utf8 } from '../base/bytes.ts'
import { type Deferred, deferred } from '../base/deferred.ts'
import { KafkaError } from '../base/errors.ts'
import type { Codec } from '../record/compression.ts'
import type { RecordHeader } from '../record/record.ts'
import type { Client } from './client.ts'
import { UnavailableError } from './errors.ts'
import { PartitionQueue } from './partition-queue.ts'
import { type PartitionerName, type PartitionFunction, TopicPartitioner } from './partitioner.ts'
import { type DeliveredRecord, type DeliveryReport, ProduceBatch } from './produce-batch.ts'
import { type BatchOutcome, Sender } from './sender.ts'

export interface ProducerOptions {
  /** Who must have a record before it counts as delivered: all in-sync replicas, the leader, nobody (default `all`). */
  readonly acks?: 'all' | -1 | 0 | 1
  /** Whether the broker recognises what is sent twice (default: true with acks=all, else false). */
  readonly idempotent?: boolean
  readonly codec?: Codec
  /** gzip's 1-9 or zstd's 1-22. */
  readonly level?: number
  /** How long a batch waits for more records, in ms (default 5). */
  readonly lingerMs?: number
  /** Size at which a batch goes out, before compression (default 64 KiB). */
  readonly batchBytes?: number
  /** While earlier batches wait, a batch grows on up to this size (default 1,000,000). */
  readonly maxBatchBytes?: number
  /** Memory for records that are not delivered yet (default 32 MiB). */
  readonly bufferBytes?: number
  /** From append to the last attempt's end, in ms (default 30000). */
  readonly deliveryTimeoutMs?: number
  /** For one attempt, in ms (default 10000, at most `deliveryTimeoutMs`). */
  readonly requestTimeoutMs?: number
  /** The largest request, hence the largest record (default 64 MiB). */
  readonly maxRequestBytes?: number
  /** Requests per broker that wait for an answer at once (default 5). */
  readonly maxInFlight?: number
  /** Default `murmur2`, as the Java client. */
  readonly partitioner?: PartitionerName | PartitionFunction
}

/** A record to write. Its bytes are copied at once and may be reused. */
export interface ProducerRecord {
  readonly topic: string
  /** Chosen by the partitioner when absent or null. */
  readonly partition?: number | null
  readonly key?: Uint8Array | null
  /** null is a tombstone. */
  readonly value: Uint8Array | null
  readonly headers?: readonly RecordHeader[]
  /** Ms since 1970 (default now). */
  readonly timestamp?: number | bigint | null
}

/** A record for `send`: texts are written as UTF-8. */
export interface SendRecord extends Omit<ProducerRecord, 'key' | 'value'> {
  readonly key?: Uint8Array | string | null
  /** null is a tombstone. */
  readonly value: Uint8Array | string | null
}

/** A record whose topic is not known yet, with bytes of its own. */
interface EarlyRecord {
  readonly record: ProducerRecord
  readonly tag: number
  readonly sizeBytes: number
  readonly delivery: Deferred<DeliveredRecord> | null
}

interface TopicState {
  readonly name: string
  readonly partitioner: TopicPartitioner
  readonly queues: PartitionQueue[]
  /** Records that wait for the first metadata; null once it is there. */
  early: EarlyRecord[] | null
}

const noHeaders: readonly RecordHeader[] = []
/** Upper bound of what a record takes beside key, value and headers. */
const recordHeadBytes = 40
/** What a batch without records takes of the buffer. */
const batchHeadBytes = 128
const noTag = -1
/** Below the brokers' default max.message.bytes, with room for the batch's header. */
const maxBatchBytesDefault = 1_000_000

export class Producer {
  readonly #client: Client
  readonly #options: Required<Omit<ProducerOptions, 'level' | 'acks' | 'idempotent'>>
  readonly #level: number | undefined
  readonly #sender: Sender
  readonly #topics = new Map<string, TopicState>()
  #lastTopic: TopicState | null = null
  #bufferedBytes = 0
  /** Batches not settled yet, by generation; `flush` begins a new generation. */
  readonly #unsettled = new Map<number, number>()
  #generation = 0
  #earlyCount = 0
  #flushes: { generation: number; done: Deferred<void> }[] = []
  /** Batches up to this generation go out without waiting for more records. */
  #urgentGeneration = -1
  #drains: Deferred<void>[] = []
  /** Wall clock at the first append of this turn; 0 = not looked at yet. */
  #turnNowMs = 0
  /** Who waits for the record that is being appended. A field, so that `append` makes nothing. */
  #delivery: Deferred<DeliveredRecord> | null = null
  /** Size up to which a full batch goes on growing while earlier ones wait; 0 = not at all. */
  #backlogBatchBytes: number
  #state: 'open' | 'closing' | 'closed' = 'open'

  /** Called once for every batch, when all of it was delivered or given up. */
  onDelivery: (report: DeliveryReport) => void = () => {}

  /** Throws Error for options that contradict each other. */
  constructor(client: Client, options: ProducerOptions = {}) {
    const { deliveryTimeoutMs = 30_000, level, acks: acksName = 'all' } = options
    const acks = acksName === 'all' ? -1 : acksName
    const { idempotent = acks === -1 } = options
    if (idempotent && acks !== -1) {
      throw new Error(`an idempotent producer needs acks=all, not acks=${acks}`)
    }
    this.#client = client
    this.#level = level
    this.#options = {
      codec: options.codec ?? 'none',
      lingerMs: options.lingerMs ?? 5,
      batchBytes: options.batchBytes ?? 64 * 1024,
      maxBatchBytes: options.maxBatchBytes ?? maxBatchBytesDefault,
      bufferBytes: options.bufferBytes ?? 32 * 1024 * 1024,
      deliveryTimeoutMs,
      requestTimeoutMs: Math.min(options.requestTimeoutMs ?? 10_000, deliveryTimeoutMs),
      maxRequestBytes: options.maxRequestBytes ?? 64 * 1024 * 1024,
      maxInFlight: idempotent ? Math.min(options.maxInFlight ?? 5, 5) : (options.maxInFlight ?? 5),
      partitioner: options.partitioner ?? 'murmur2',
    }
    this.#backlogBatchBytes = this.#options.maxBatchBytes
    this.#sender = new Sender(client, {
      ...this.#options,
      acks,
      isIdempotent: idempotent,
      unknownTopicTimeoutMs: Math.min(5000, deliveryTimeoutMs),
      isUrgent: ({ open }) =>
        this.isFull ||
        (open !== null &&
          (open.generation <= this.#urgentGeneration ||
            open.builder.sizeBytes + recordHeadBytes > this.#options.batchBytes)),
      onSettled: (batch, outcome) => this.#onSettled(batch, outcome),
      onSplit: ({ generation }) => {
        // The topic takes no batches of that size.
        this.#backlogBatchBytes = 0
        this.#count(generation, 1)
      },
      onTopic: (topic) => this.#updateTopic(topic),
    })
  }

  /** Whether the source should wait for `drained`. */
  get isFull(): boolean {
    return this.#bufferedBytes >= this.#options.bufferBytes
  }

  /** Bytes of records that are not settled yet. */
  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /**
   * Takes a record; `tag` comes back in the report of its batch. False: the buffer is full, await
   * `drained` before the next one. Throws KafkaError MESSAGE_TOO_LARGE for a record that no request
   * can carry, UNKNOWN_TOPIC_OR_PARTITION for a partition that the topic lacks, and Error when the
   * producer is closed or twice `bufferBytes` are held because nobody awaits `drained`.
   */
  append(record: ProducerRecord, tag = noTag): boolean {
    this.#append(record, tag)
    return this.#bufferedBytes < this.#options.bufferBytes
  }

  /**
   * Takes a record and resolves when it is delivered. Waits while the buffer is full. Rejects with
   * KafkaError or UnavailableError.
   */
  async send(given: SendRecord): Promise<DeliveredRecord> {
    const record = { ...given, key: bytesOf(given.key ?? null), value: bytesOf(given.value) }
    while (this.isFull) await this.drained()
    const delivery = deferred<DeliveredRecord>()
    this.#delivery = delivery
    try {
      this.#append(record, noTag)
    } finally {
      this.#delivery = null
    }
    return await delivery.promise
  }

  /** Resolves when half the buffer is free, or the producer is closed. */
  drained(): Promise<void> {
    if (this.#bufferedBytes < this.#options.bufferBytes) return Promise.resolve()
    const drain = deferred()
    this.#drains.push(drain)
    return drain.promise
  }

  /** Lets everything go out at the end of this turn, as far as the brokers keep up. */
  sendNow(): void {
    this.#urgentGeneration = this.#generation++
    this.#sender.schedule()
  }

  /** Resolves when everything appended so far is settled; how, the reports say. */
  flush(): Promise<void> {
    this.sendNow()
    const generation = this.#urgentGeneration
    if (!this.#isUnsettled(generation)) return Promise.resolve()
    const done = deferred()
    this.#flushes.push({ generation, done })
    return done.promise
  }

  /** Delivers what was appended, then refuses more. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closing'
    await this.flush()
    this.#state = 'closed'
    this.#sender.stop()
    this.#releaseDrains()
  }

  /** Gives up at once what is not settled; returns how many records that were. */
  abort(): number {
    this.#state = 'closed'
    let count = 0
    const { onDelivery } = this
    this.onDelivery = (report) => {
      count += report.count
      onDelivery(report)
    }
    const error = new Error('given up: the producer was aborted')
    this.#sender.failAll(error)
    for (const topic of this.#topics.values()) this.#failEarly(topic, error)
    this.#sender.stop()
    this.onDelivery = onDelivery
    this.#releaseDrains()
    return count
  }

  #append(record: ProducerRecord, tag: number): void {
    if (this.#state !== 'open') throw new Error('the producer is closed')
    if (this.#bufferedBytes >= this.#options.bufferBytes * 2) {
      throw new Error('the buffer is full twice over: await drained() when append answers false')
    }
    const last = this.#lastTopic
    const topic = last !== null && last.name === record.topic ? last : this.#topicFor(record.topic)
    if (topic.early === null) this.#add(topic, record, tag)
    else this.#keepEarly(topic, record, tag)
  }

  /** Puts the record into the open batch of its partition. */
  #add(topic: TopicState, record: ProducerRecord, tag: number): void {
    const sizeBytes = this.#sizeOf(record)
    const key = record.key ?? null
    const partition = record.partition ?? topic.partitioner.choose(key)
    const queue = topic.queues[partition]
    if (queue === undefined) throw this.#noSuchPartition(topic, partition)
    let batch = queue.open
    if (batch !== null && batch.builder.sizeBytes + sizeBytes > this.#batchLimit(queue)) {
      this.#seal(topic, queue)
      batch = null
    }
    batch ??= this.#openBatch(queue)
    if (this.#turnNowMs === 0) this.#beginTurn()
    const timestamp = record.timestamp ?? this.#turnNowMs
    const before = batch.builder.sizeBytes
    const after = batch.builder.append(timestamp, key, record.value, record.headers ?? noHeaders)
    batch.tags.push(tag)
    batch.bufferedBytes += after - before
    this.#bufferedBytes += after - before
    if (this.#delivery !== null) batch.addWaiter(this.#delivery, timestamp)
    if (after + recordHeadBytes <= this.#options.batchBytes) return
    if (after + recordHeadBytes > this.#batchLimit(queue)) this.#seal(topic, queue)
    else if (before + recordHeadBytes <= this.#options.batchBytes) {
      topic.partitioner.onBatchFull(queue.partition)
    }
  }

  /**
   * How large the open batch of a partition may get. While earlier batches wait for their turn it
   * could not go out anyhow, so it grows: a slow broker gets fewer, larger batches.
   */
  #batchLimit(queue: PartitionQueue): number {
    const { batchBytes } = this.#options
    const isBacklogged = queue.waiting.length > 0
    return isBacklogged ? Math.max(batchBytes, this.#backlogBatchBytes) : batchBytes
  }

  /** At most what the record takes in a batch. Throws KafkaError MESSAGE_TOO_LARGE. */
  #sizeOf(record: ProducerRecord): number {
    const sizeBytes = recordSize(record)
    const { maxRequestBytes } = this.#options
    if (sizeBytes <= maxRequestBytes - 1024) return sizeBytes
    throw new KafkaError(
      'MESSAGE_TOO_LARGE',
      `a record of ${sizeBytes} bytes; requests carry at most ${maxRequestBytes}`,
    )
  }

  #seal(topic: TopicState, queue: PartitionQueue): void {
    queue.seal()
    topic.partitioner.onBatchFull(queue.partition)
    this.#sender.schedule()
  }

  #openBatch(queue: PartitionQueue): ProduceBatch {
    const { codec, maxBatchBytes } = this.#options
    const level = this.#level
    const batch = new ProduceBatch({
      topic: queue.topic,
      partition: queue.partition,
      createdMs: this.#client.env.clock.monotonicMs(),
      generation: this.#generation,
      builder: {
        codec,
        // As the last one turned out, so that a busy partition's buffer need not grow.
        initialBytes: Math.min(Math.max(queue.lastBatchBytes, 1024), maxBatchBytes) + 64,
        ...(level === undefined ? {} : { level }),
      },
    })
    batch.bufferedBytes = batchHeadBytes
    this.#bufferedBytes += batchHeadBytes
    this.#unsettled.set(this.#generation, (this.#unsettled.get(this.#generation) ?? 0) + 1)
    queue.open = batch
    this.#sender.activate(queue)
    return batch
  }

  #beginTurn(): void {
    const { clock } = this.#client.env
    this.#turnNowMs = clock.nowMs()
    clock.endOfTurn(() => {
      this.#turnNowMs = 0
    })
  }

  #noSuchPartition(topic: TopicState, partition: number): KafkaError {
    const count = topic.queues.length
    const range = count === 1 ? 'partition 0' : `partitions 0-${count - 1}`
    return new KafkaError(
      'UNKNOWN_TOPIC_OR_PARTITION',
      `topic "${topic.name}" has ${range}, not ${partition}`,
    )
  }

  #topicFor(name: string): TopicState {
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      const partitioner = new TopicPartitioner(
        this.#options.partitioner,
        this.#client.env.random,
        name,
      )
      topic = { name, partitioner, queues: [], early: [] }
      this.#topics.set(name, topic)
      this.#updateTopic(name)
      if (topic.early !== null) void this.#lookUp(topic)
    }
    this.#lastTopic = topic
    return topic
  }

  async #lookUp(topic: TopicState): Promise<void> {
    try {
      await this.#client.topic(topic.name)
      this.#updateTopic(topic.name)
    } catch (error) {
      const failure = error instanceof Error ? error : new UnavailableError(String(error))
      // The next record asks again.
      this.#topics.delete(topic.name)
      if (this.#lastTopic === topic) this.#lastTopic = null
      this.#failEarly(topic, failure)
    }
  }

  /** Takes over what the cache knows of a topic; the records that waited for it go on. */
  #updateTopic(name: string): void {
    const topic = this.#topics.get(name)
    const known = this.#client.cache.topic(name)
    if (topic === undefined || known === undefined || known.error !== null) return
    const { partitions } = known
    if (partitions.length === 0) return
    for (let at = topic.queues.length; at < partitions.length; at++) {
      topic.queues.push(new PartitionQueue(name, at))
    }
    const available = partitions.filter(({ leader }) => leader >= 0)
    topic.partitioner.update(
      partitions.length,
      available.map(({ partition }) => partition),
    )
    this.#releaseEarly(topic)
  }

  #keepEarly(topic: TopicState, record: ProducerRecord, tag: number): void {
    const sizeBytes = this.#sizeOf(record)
    topic.early?.push({ record: ownCopy(record), tag, sizeBytes, delivery: this.#delivery })
    this.#bufferedBytes += sizeBytes
    this.#earlyCount++
  }

  #releaseEarly(topic: TopicState): void {
    const { early } = topic
    if (early === null) return
    topic.early = null
    // A flush that began while they waited covers them: they belong to the first generation.
    const generation = this.#generation
    this.#generation = 0
    for (const { record, tag, sizeBytes, delivery } of early) {
      this.#earlyCount--
      this.#bufferedBytes -= sizeBytes
      this.#delivery = delivery
      try {
        this.#add(topic, record, tag)
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error
        this.#reportEarly(topic, [{ record, tag, sizeBytes, delivery }], error)
      } finally {
        this.#delivery = null
      }
    }
    this.#generation = generation
    this.#settleWaits()
  }

  #failEarly(topic: TopicState, error: Error): void {
    const { early } = topic
    if (early === null || early.length === 0) return
    topic.early = []
    for (const { sizeBytes } of early) this.#bufferedBytes -= sizeBytes
    this.#earlyCount -= early.length
    this.#reportEarly(topic, early, error)
    this.#settleWaits()
  }

  #reportEarly(topic: TopicState, early: readonly EarlyRecord[], error: Error): void {
    for (const { delivery } of early) delivery?.reject(error)
    this.onDelivery({
      topic: topic.name,
      partition: -1,
      baseOffset: -1,
      logAppendTimeMs: -1,
      count: early.length,
      tags: early.map(({ tag }) => tag),
      error,
      recordErrors: [],
    })
  }

  #onSettled(batch: ProduceBatch, outcome: BatchOutcome): void {
    this.#bufferedBytes -= batch.bufferedBytes
    this.#count(batch.generation, -1)
    this.onDelivery(batch.report(outcome))
    this.#settleWaits()
  }

  #count(generation: number, change: number): void {
    const left = (this.#unsettled.get(generation) ?? 0) + change
    if (left <= 0) this.#unsettled.delete(generation)
    else this.#unsettled.set(generation, left)
  }

  #isUnsettled(generation: number): boolean {
    if (this.#earlyCount > 0) return true
    for (const other of this.#unsettled.keys()) if (other <= generation) return true
    return false
  }

  /** Ends the waits of `flush` and `drained` that are over. */
  #settleWaits(): void {
    if (this.#flushes.length > 0) {
      this.#flushes = this.#flushes.filter(({ generation, done }) => {
        if (this.#isUnsettled(generation)) return true
        done.resolve()
        return false
      })
    }
    if (this.#drains.length > 0 && this.#bufferedBytes <= this.#options.bufferBytes / 2) {
      this.#releaseDrains()
    }
  }

  #releaseDrains(): void {
    const drains = this.#drains
    this.#drains = []
    for (const drain of drains) drain.resolve()
  }
}

/** At most what the record takes in a batch. */
function recordSize(record: ProducerRecord): number {
  const { key, value, headers } = record
  let sizeBytes = recordHeadBytes
  if (key != null) sizeBytes += key.length
  if (value !== null) sizeBytes += value.length
  if (headers !== undefined && headers.length > 0) {
    for (const header of headers) {
      sizeBytes += header.key.length * 3 + (header.value?.length ?? 0) + 10
    }
  }
  return sizeBytes
}

function ownCopy(record: ProducerRecord): ProducerRecord {
  const { key, value, headers } = record
  return {
    ...record,
    key: key == null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    ...(headers === undefined ? {} : { headers: headers.map(copyHeader) }),
  }
}

function copyHeader({ key, value }: RecordHeader): RecordHeader {
  return { key, value: value === null ? null : Buffer.from(value) }
}

function bytesOf(given: Uint8Array | string | null): Uint8Array | null {
  return typeof given === 'string' ? utf8(given) : given
}
