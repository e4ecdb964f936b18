/**
 * The partitions that live on this broker: made, led and removed as the metadata says, found for the
 * handlers, and waited on.
 *
 * Images are applied one after the other; those that came meanwhile are skipped in favour of the
 * newest. A topic that was deleted and made again under its name has a new id, and so a new log.
 * Source: apache/kafka: core/.../server/ReplicaManager.scala.
 */

import { deferred } from '../base/deferred.ts'
import { KafkaError } from '../base/errors.ts'
import {
  type BrokerId,
  type Offset,
  type TopicId,
  type TopicPartition,
  topicPartitionName,
} from '../base/types.ts'
import type { TopicConfig } from '../config/topic.ts'
import type { Env } from '../io/env.ts'
import type { ClusterImage, PartitionImage, TopicImage } from '../metadata/image.ts'
import type { RecordBatch } from '../record/batch.ts'
import type { AppendInfo, Log } from '../storage/log.ts'
import type { LogDir } from '../storage/log-dir.ts'
import { FetchMemory } from './fetch-memory.ts'
import { FetchSessionCache } from './fetch-session.ts'
import { Partition } from './partition.ts'
import { Purgatory } from './purgatory.ts'
import { TopicSchemas } from './topic-schemas.ts'

export interface ReplicaManagerOptions {
  readonly env: Env
  readonly brokerId: BrokerId
  readonly logDir: LogDir
  /** The resolved settings of a topic under this image. */
  readonly topicConfig: (image: ClusterImage, topic: TopicImage) => TopicConfig
  /** How many in-sync replicas acks=all needs in a topic. */
  readonly minIsr: (image: ClusterImage, topic: TopicImage, replicationFactor: number) => number
  /** How many fetch sessions are kept. */
  readonly fetchSessionSlots: () => number
}

export interface AppendResult {
  readonly baseOffset: Offset
  readonly logAppendTimeMs: number
  readonly logStartOffset: Offset
}

/** Logs that are made at the same time. */
const opensAtOnce = 16

interface AppliedWait {
  readonly revision: number
  resolve(): void
}

export class ReplicaManager {
  readonly fetchMemory = new FetchMemory()
  readonly fetchSessions: FetchSessionCache
  /** A partition's leader, high watermark or disk changed. */
  onPartition: (partition: Partition) => void = () => {}
  /** Parked fetches. */
  readonly fetchPurgatory: Purgatory<Partition>
  /** Appends that wait for the high watermark. */
  readonly #producePurgatory: Purgatory<Partition>
  readonly #schemas: TopicSchemas
  readonly #env: Env
  readonly #brokerId: BrokerId
  readonly #logDir: LogDir
  readonly #topicConfig: ReplicaManagerOptions['topicConfig']
  readonly #minIsr: ReplicaManagerOptions['minIsr']
  /** By topic name, then by partition number. */
  readonly #topics = new Map<string, Map<number, Partition>>()
  /** Read from disk at start, not yet claimed by an image. */
  readonly #loaded = new Map<string, Log>()
  #image: ClusterImage | null = null
  #nextImage: ClusterImage | null = null
  #applying: Promise<void> | null = null
  #appliedRevision = -1
  #waits: AppliedWait[] = []

  constructor(options: ReplicaManagerOptions) {
    this.#env = options.env
    this.#brokerId = options.brokerId
    this.#logDir = options.logDir
    this.#topicConfig = options.topicConfig
    this.#minIsr = options.minIsr
    this.fetchPurgatory = new Purgatory(options.env.clock)
    const { clock, random } = options.env
    this.fetchSessions = new FetchSessionCache({ clock, random, slots: options.fetchSessionSlots })
    this.#producePurgatory = new Purgatory(options.env.clock)
    this.#schemas = new TopicSchemas(options.env.log)
    this.#logDir.highWatermarks = () => this.#highWatermarks()
    // Every partition refuses its clients from now on; the broker goes on, and says so to all.
    this.#logDir.onOffline = (error) => {
      for (const partition of this.partitions()) partition.markFailed(error)
    }
  }

  /** Takes the logs that were on disk at start; the first image claims them. */
  adopt(logs: readonly Log[]): void {
    for (const log of logs) this.#loaded.set(topicPartitionName(log.topicPartition), log)
  }

  get partitionCount(): number {
    let count = 0
    for (const partitions of this.#topics.values()) count += partitions.size
    return count
  }

  get parkedRequests(): { readonly fetches: number; readonly appends: number } {
    return { fetches: this.fetchPurgatory.size, appends: this.#producePurgatory.size }
  }

  /** Every partition here. */
  *partitions(): Iterable<Partition> {
    for (const partitions of this.#topics.values()) yield* partitions.values()
  }

  /**
   * The partition, which is on this broker. Otherwise UNKNOWN_TOPIC_OR_PARTITION when no such
   * partition exists, NOT_LEADER_OR_FOLLOWER when it lives elsewhere, KAFKA_STORAGE_ERROR when its
   * log could not be made or read.
   */
  partition(topic: string, partition: number): Partition {
    const found = this.#topics.get(topic)?.get(partition)
    if (found !== undefined) return found
    const name = topicPartitionName({ topic, partition })
    const known = this.#image?.topics.get(topic)?.partitions[partition]
    if (known === undefined) {
      throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `there is no partition ${name}`)
    }
    if (known.replicas.includes(this.#brokerId)) {
      throw new KafkaError('KAFKA_STORAGE_ERROR', `${name} is offline on this broker`)
    }
    throw new KafkaError('NOT_LEADER_OR_FOLLOWER', `${name} is not on broker ${this.#brokerId}`)
  }

  /**
   * Appends batches to a partition this broker leads. Offsets are assigned before it returns; it
   * resolves when what `acks` asks for is reached: 0 and 1 when written, -1 when the high watermark
   * has passed. KafkaErrors of Partition.appendAsLeader, REQUEST_TIMED_OUT (the data stays),
   * NOT_LEADER_OR_FOLLOWER when leadership went meanwhile.
   */
  append(
    partition: Partition,
    batches: readonly RecordBatch[],
    { acks, timeoutMs }: { acks: number; timeoutMs: number },
  ): Promise<AppendResult> {
    const infos: AppendInfo[] = []
    // Of several nothing is appended when one does not fit: they are one request of an old client.
    if (batches.length > 1) partition.checkRecords(batches)
    try {
      for (const batch of batches) infos.push(partition.appendAsLeader(batch, { acks }))
    } catch (error) {
      // Nobody will await what was appended before the refused one; the log reports its own failure.
      for (const { written } of infos) written.catch(() => {})
      throw error
    }
    return this.#appended(partition, infos, { acks, timeoutMs })
  }

  async #appended(
    partition: Partition,
    infos: readonly AppendInfo[],
    { acks, timeoutMs }: { acks: number; timeoutMs: number },
  ): Promise<AppendResult> {
    const [first] = infos
    const last = infos.at(-1)
    if (first === undefined || last === undefined) {
      throw new KafkaError('INVALID_RECORD', `${partition.name}: no record batch`)
    }
    const { leaderEpoch } = partition
    // One log writes in order: when the last append is written, all are.
    if (infos.length > 1) await Promise.all(infos.map((info) => info.written))
    else await last.written
    const endOffset = last.lastOffset + 1
    if (acks === -1 && partition.highWatermark < endOffset) {
      const isOver = () =>
        partition.highWatermark >= endOffset ||
        !partition.isServing ||
        partition.leaderEpoch !== leaderEpoch
      await this.#producePurgatory.wait({ keys: [partition], isDone: isOver, timeoutMs }).ended
      this.#checkCommitted(partition, endOffset, timeoutMs)
    }
    const { baseOffset, logAppendTimeMs, logStartOffset } = first
    return { baseOffset, logAppendTimeMs, logStartOffset }
  }

  #checkCommitted(partition: Partition, endOffset: Offset, timeoutMs: number): void {
    if (partition.highWatermark >= endOffset) return
    partition.checkLeader()
    throw new KafkaError(
      'REQUEST_TIMED_OUT',
      `${partition.name}: offset ${endOffset - 1} was not replicated within ${timeoutMs} ms`,
    )
  }

  /** A new picture of the cluster. Making and removing logs takes a while: `whenApplied` tells. */
  onImage(image: ClusterImage): void {
    this.#nextImage = image
    this.#applying ??= this.#applyImages().finally(() => {
      this.#applying = null
    })
  }

  /** Resolves when an image of at least this revision has been applied here, or after `timeoutMs` with REQUEST_TIMED_OUT. */
  async whenApplied(revision: number, timeoutMs: number): Promise<void> {
    if (this.#appliedRevision >= revision) return
    const end = deferred<boolean>()
    const wait: AppliedWait = { revision, resolve: () => end.resolve(true) }
    const timer = this.#env.clock.timer(timeoutMs, () => end.resolve(false), { unref: true })
    this.#waits.push(wait)
    const isApplied = await end.promise
    timer.cancel()
    this.#waits = this.#waits.filter((each) => each !== wait)
    if (isApplied) return
    throw new KafkaError(
      'REQUEST_TIMED_OUT',
      `revision ${revision} of the metadata was not applied within ${timeoutMs} ms`,
    )
  }

  /** Answers parked fetches now; appends still end in good order. */
  drain(): void {
    this.fetchPurgatory.close()
  }

  /** Ends all waits. The logs are closed by the log directory. */
  async close(): Promise<void> {
    this.fetchPurgatory.close()
    this.#producePurgatory.close()
    this.#nextImage = null
    await this.#applying
  }

  async #applyImages(): Promise<void> {
    while (this.#nextImage !== null) {
      const image: ClusterImage = this.#nextImage
      this.#nextImage = null
      const previous = this.#image
      this.#image = image
      await this.#removeGone(image, previous)
      for (const topic of image.topics.values()) {
        const isSame =
          previous?.topics.get(topic.name) === topic &&
          previous.brokerConfigs === image.brokerConfigs &&
          previous.defaultBrokerConfig === image.defaultBrokerConfig
        if (!isSame) await this.#applyTopic(image, topic)
      }
      if (previous === null) await this.#clearUnclaimed()
      this.#appliedRevision = image.revision
      for (const wait of this.#waits) if (wait.revision <= image.revision) wait.resolve()
    }
  }

  async #removeGone(image: ClusterImage, previous: ClusterImage | null): Promise<void> {
    for (const [name, partitions] of [...this.#topics]) {
      const topic = image.topics.get(name)
      if (topic !== undefined && topic === previous?.topics.get(name)) continue
      for (const [index, partition] of [...partitions]) {
        const isHere =
          topic?.topicId === partition.topicId &&
          topic.partitions[index]?.replicas.includes(this.#brokerId) === true
        if (isHere) continue
        partitions.delete(index)
        partition.markRemoved()
        await this.#guarded(partition.name, 'remove', () => this.#logDir.remove(partition.log))
      }
      if (partitions.size > 0) continue
      this.#topics.delete(name)
      this.#schemas.forget(name)
    }
  }

  async #applyTopic(image: ClusterImage, topic: TopicImage): Promise<void> {
    const config = this.#topicConfig(image, topic)
    const here = topic.partitions.filter(({ replicas }) => replicas.includes(this.#brokerId))
    const missing = here.filter(({ partition }) => !this.#topics.get(topic.name)?.has(partition))
    for (let from = 0; from < missing.length; from += opensAtOnce) {
      const group = missing.slice(from, from + opensAtOnce)
      await Promise.all(group.map((state) => this.#open(topic, state, config)))
    }
    const recordCheck = await this.#schemas.checkOf(topic.name, config)
    for (const state of here) {
      const partition = this.#topics.get(topic.name)?.get(state.partition)
      if (partition === undefined) continue
      partition.config = config
      partition.log.recordCheck = recordCheck
      partition.log.setConfig(config)
      const minIsr = this.#minIsr(image, topic, state.replicas.length)
      partition.apply({ ...state, minIsr })
    }
  }

  /** Puts a partition over the log that was loaded, or over a new one; none when the disk refuses. */
  async #open(
    topic: TopicImage,
    { partition }: PartitionImage,
    config: TopicConfig,
  ): Promise<void> {
    const topicPartition: TopicPartition = { topic: topic.name, partition }
    const name = topicPartitionName(topicPartition)
    const loaded = await this.#claim(name, topic.topicId)
    const create = () => this.#logDir.create(topicPartition, topic.topicId, config)
    const log = loaded ?? (await this.#guarded(name, 'create', create))
    if (log === null) return
    const made = new Partition({
      log,
      topicId: topic.topicId,
      brokerId: this.#brokerId,
      config,
      highWatermark: this.#logDir.highWatermarkOf(topicPartition),
      onChange: (changed) => {
        this.#producePurgatory.wake(changed)
        this.fetchPurgatory.wake(changed)
        this.onPartition(changed)
      },
    })
    const partitions = this.#topics.get(topic.name) ?? new Map<number, Partition>()
    this.#topics.set(topic.name, partitions.set(partition, made))
  }

  /**
   * A log read at start, if it is that topic's. One of an earlier topic of the same name makes room;
   * one that cannot say whose it is stays where it is, offline.
   */
  async #claim(name: string, topicId: TopicId): Promise<Log | null> {
    const log = this.#loaded.get(name)
    if (log === undefined) return null
    this.#loaded.delete(name)
    if (log.topicId === topicId || log.topicId === null) return log
    await this.#putAway(name, log)
    return null
  }

  /** Logs that no topic claimed: of one deleted meanwhile, or unknown, and then kept out of the way. */
  async #clearUnclaimed(): Promise<void> {
    for (const [name, log] of this.#loaded) await this.#putAway(name, log)
    this.#loaded.clear()
  }

  async #putAway(name: string, log: Log): Promise<void> {
    const isDeleted =
      log.topicId !== null && this.#image?.topicIds.get(log.topicId)?.state === 'deleting'
    if (isDeleted) await this.#guarded(name, 'remove', () => this.#logDir.remove(log))
    else await this.#guarded(name, 'set aside', () => this.#logDir.setAside(log))
  }

  async #guarded<T>(name: string, what: string, fn: () => Promise<T>): Promise<T | null> {
    try {
      return await fn()
    } catch (error) {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.#env.log.error('replica failed', { partition: name, what, reason })
      return null
    }
  }

  *#highWatermarks(): Iterable<[TopicPartition, Offset]> {
    for (const partition of this.partitions()) {
      yield [partition.topicPartition, partition.highWatermark]
    }
  }
}
