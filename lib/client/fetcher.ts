/**
 * Keeps one fetch on its way to every leader of a consumer's partitions, as long as there is room.
 *
 * `pump` starts what can be started; it runs after every answer, whenever the reader took
 * something, and by one timer for partitions that wait. A fetch asks for each partition of a leader
 * that wants something, in turning order, so that the first place (which alone is sure to get a
 * whole batch) comes to each. When the leader epoch has grown since the last batch, the new leader
 * is first asked whether that batch's epoch still ends behind our offset (KIP-320).
 */

import { DecodeError, errorCode, KafkaError } from '../base/errors.ts'
import type { BrokerId, Offset } from '../base/types.ts'
import type { Timer } from '../io/clock.ts'
import { Fetch, type FetchResponse } from '../protocol/apis/fetch.ts'
import { OffsetForLeaderEpoch } from '../protocol/apis/offset-for-leader-epoch.ts'
import type { Connection } from '../wire/connection.ts'
import { backoffMs, reconnectBackoff, retryBackoff } from './backoff.ts'
import type { Client } from './client.ts'
import type { Lane } from './connection-pool.ts'
import { asUnavailable, UnavailableError } from './errors.ts'
import type { FetchPartition } from './fetch-partition.ts'
import { FetchedBatch } from './fetched-batch.ts'
import { readableBatches } from './fetched-records.ts'
import { type Isolation, listOffsets } from './offsets.ts'
import { anyBroker, Outages } from './outages.ts'
import { byTopic, keyOf } from './per-leader.ts'

/** A position that is not in the log. */
export interface OutOfRange {
  readonly topic: string
  readonly partition: number
  readonly position: Offset
  readonly logStartOffset: Offset
  readonly logEndOffset: Offset
}

export interface FetcherOptions {
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly partitionMaxBytes: number
  readonly batchMaxBytes: number
  readonly isolation: Isolation
  readonly checkCrcs: boolean
  readonly onOutOfRange: 'fail' | 'earliest' | 'latest' | ((range: OutOfRange) => Offset)
  readonly onOffline: (error: Error) => void
  readonly onOnline: () => void
  readonly lane: Lane
  readonly hasRoom: () => boolean
  readonly onBatches: (
    state: FetchPartition,
    batches: readonly FetchedBatch[],
    position: Offset,
  ) => void
  readonly onChange: () => void
}

type PartitionAnswer = FetchResponse['responses'][number]['partitions'][number]

/** How long a topic that brokers do not know is taken for one that they will know again. */
const unknownTopicMs = 5000
/** Answers with a wrong checksum or malformed batches in a row before it is the log's fault. */
const corruptMax = 3
const outOfRange = errorCode('OFFSET_OUT_OF_RANGE')

export class Fetcher {
  readonly #client: Client
  readonly #options: FetcherOptions
  #partitions: FetchPartition[] = []
  readonly #busyLeaders = new Set<BrokerId>()
  #isLookingUp = false
  #timer: Timer | null = null
  #isClosed = false
  #turn = 0
  readonly #outages: Outages

  constructor(client: Client, options: FetcherOptions) {
    this.#client = client
    this.#options = options
    this.#outages = new Outages(options.onOffline, options.onOnline)
  }

  /** Since when, and why, a broker is not reached; null while all are. */
  get outage(): { readonly sinceMs: number; readonly error: Error } | null {
    return this.#outages.current
  }

  assign(partitions: FetchPartition[]): void {
    this.#partitions = partitions
    this.pump()
  }

  close(): void {
    this.#isClosed = true
    this.#partitions = []
    this.#timer?.cancel()
    this.#timer = null
  }

  /** Starts whatever can be started now. */
  pump(): void {
    if (this.#isClosed || this.#client.isClosed || !this.#options.hasRoom()) return
    const nowMs = this.#nowMs()
    const perLeader = new Map<BrokerId, FetchPartition[]>()
    let wakeAtMs = Number.POSITIVE_INFINITY
    let isUnknown = false
    for (const state of this.#partitions) {
      if (state.isBusy || state.isFetched || state.failure !== null) continue
      if (state.retryAtMs > nowMs) {
        wakeAtMs = Math.min(wakeAtMs, state.retryAtMs)
        continue
      }
      const leader = this.#leaderOf(state, nowMs)
      if (leader === null) isUnknown = isUnknown || state.failure === null
      else if (!this.#busyLeaders.has(leader)) {
        const group = perLeader.get(leader)
        if (group === undefined) perLeader.set(leader, [state])
        else group.push(state)
      }
    }
    if (isUnknown) void this.#lookUp()
    for (const [leader, group] of perLeader) void this.#fetch(leader, group)
    this.#wakeAt(wakeAtMs, nowMs)
  }

  #nowMs(): number {
    return this.#client.env.clock.monotonicMs()
  }

  #wakeAt(atMs: number, nowMs: number): void {
    this.#timer?.cancel()
    this.#timer = null
    if (atMs === Number.POSITIVE_INFINITY) return
    this.#timer = this.#client.env.clock.timer(Math.max(Math.ceil(atMs - nowMs), 1), () => {
      this.#timer = null
      this.pump()
    })
  }

  /** The leader to ask; null while it has to be looked up, or when the partition has failed. */
  #leaderOf(state: FetchPartition, nowMs: number): BrokerId | null {
    const topic = this.#client.cache.topic(state.topic)
    if (topic === undefined) return null
    if (topic.error !== null) {
      state.unknownSinceMs ??= nowMs
      const isGone = nowMs - state.unknownSinceMs >= unknownTopicMs
      if (!topic.error.isRetriable || isGone) this.#fail(state, topic.error)
      return null
    }
    state.unknownSinceMs = null
    const known = topic.partitions[state.partition]
    if (known === undefined) {
      const text = `${state.topic}-${state.partition}: the topic has ${topic.partitions.length} partitions`
      this.#fail(state, new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', text))
      return null
    }
    if (state.topicId !== null && topic.topicId !== state.topicId) {
      const text = `topic "${state.topic}" was deleted and created anew while it was read`
      this.#fail(state, new KafkaError('UNKNOWN_TOPIC_ID', text))
      return null
    }
    state.topicId = topic.topicId
    return known.leader < 0 ? null : known.leader
  }

  #fail(state: FetchPartition, error: Error): void {
    state.failure = error
    this.#options.onChange()
  }

  /** Fetches the metadata of all topics whose leaders are not known. */
  async #lookUp(): Promise<void> {
    if (this.#isLookingUp) return
    this.#isLookingUp = true
    const topics = new Set<string>()
    for (const state of this.#partitions) {
      const leader = this.#client.cache.partition(state.topic, state.partition)?.leader ?? -1
      if (leader < 0 || !this.#client.isFresh(state.topic)) {
        topics.add(state.topic)
      }
    }
    let pauseMs: number = retryBackoff.minMs
    try {
      await this.#client.refresh([...topics])
      this.#outages.onAnswered(anyBroker)
      this.#forgetOldLeaders()
    } catch (error) {
      pauseMs = this.#onLost(anyBroker, error)
    }
    const untilMs = this.#nowMs() + pauseMs
    for (const state of this.#partitions) {
      const isKnown =
        (this.#client.cache.partition(state.topic, state.partition)?.leader ?? -1) >= 0
      if (!isKnown && topics.has(state.topic)) state.retryAtMs = untilMs
    }
    this.#isLookingUp = false
    this.pump()
  }

  async #fetch(leader: BrokerId, group: readonly FetchPartition[]): Promise<void> {
    this.#busyLeaders.add(leader)
    for (const state of group) state.isBusy = true
    try {
      const connection = await this.#client.connectionTo(leader, this.#options.lane)
      const ready = await this.#validate(connection, group)
      if (ready.length > 0) await this.#exchange(leader, connection, ready)
    } catch (error) {
      const isFinal = error instanceof KafkaError && !error.isRetriable
      const untilMs = isFinal ? 0 : this.#nowMs() + this.#onLost(leader, error)
      for (const state of group) {
        if (isFinal) state.failure = error
        state.retryAtMs = untilMs
        this.#client.cache.invalidate(state.topic)
      }
      void this.#lookUp()
    }
    this.#busyLeaders.delete(leader)
    for (const state of group) state.isBusy = false
    if (this.#isClosed) return
    this.#options.onChange()
    this.pump()
  }

  /** A broker was not reached or did not answer; returns how long to wait. Rethrows our own bugs. */
  #onLost(broker: BrokerId, thrown: unknown): number {
    const error = asUnavailable(thrown)
    if (this.#isClosed || this.#client.isClosed) return reconnectBackoff.maxMs
    if (!(error instanceof UnavailableError || error instanceof KafkaError)) throw error
    const failures = this.#outages.onLost(broker, error, this.#nowMs())
    this.#options.onChange()
    return backoffMs(this.#client.env.random, reconnectBackoff, failures)
  }

  /** A broker that leads nothing of ours any more is not missed. */
  #forgetOldLeaders(): void {
    const leaders = this.#partitions.map(
      ({ topic, partition }) => this.#client.cache.partition(topic, partition)?.leader ?? -1,
    )
    if (leaders.every((leader) => leader >= 0)) this.#outages.keep(new Set(leaders))
  }

  async #exchange(
    leader: BrokerId,
    connection: Connection,
    group: readonly FetchPartition[],
  ): Promise<void> {
    const { maxWaitMs, minBytes, maxBytes, isolation } = this.#options
    const asked = turned(group, this.#turn++)
    const topics = new Map<string, FetchPartition[]>()
    for (const state of asked) {
      const states = topics.get(state.topic)
      if (states === undefined) topics.set(state.topic, [state])
      else states.push(state)
    }
    const hasIds = group.every(({ topicId }) => topicId !== null)
    const version = connection.versionOf(Fetch, { floor: 4, limit: hasIds ? 18 : 12 })
    const body = {
      maxWaitMs,
      minBytes,
      maxBytes,
      isolationLevel: isolation === 'committed' ? 1 : 0,
      topics: [...topics].map(([topic, states]) => ({
        ...(version >= 13 ? { topicId: states[0]?.topicId ?? '' } : { topic }),
        partitions: states.map((state) => this.#askFor(state)),
      })),
    }
    const timeoutMs = maxWaitMs + this.#client.timeoutMs
    const response = await connection.request(Fetch, body, { timeoutMs, version })
    this.#outages.onAnswered(leader)
    if (this.#isClosed) return
    if (response.errorCode !== 0) {
      const error = new KafkaError(response.errorCode)
      for (const state of group) this.#onError(state, error)
      return
    }
    await this.#onResponse(group, response)
  }

  #askFor(state: FetchPartition) {
    const { topic, partition, fetchOffset } = state
    const currentLeaderEpoch = this.#client.cache.partition(topic, partition)?.leaderEpoch ?? -1
    const { partitionMaxBytes } = this.#options
    return { partition, currentLeaderEpoch, fetchOffset, partitionMaxBytes }
  }

  async #onResponse(group: readonly FetchPartition[], response: FetchResponse): Promise<void> {
    const states = new Map(group.map((state) => [keyOf(state.topic, state.partition), state]))
    const misplaced: FetchPartition[] = []
    for (const { topic, topicId, partitions } of response.responses) {
      const name = topic !== '' ? topic : (this.#client.cache.topicName(topicId) ?? '')
      for (const answer of partitions) {
        const state = states.get(keyOf(name, answer.partitionIndex))
        if (state === undefined) continue
        if (answer.errorCode === 0) this.#onRecords(state, answer)
        else if (answer.errorCode === outOfRange) misplaced.push(state)
        else this.#onRefused(state, answer, response)
      }
    }
    await Promise.all(misplaced.map((state) => this.#onOutOfRange(state)))
  }

  #onRecords(state: FetchPartition, answer: PartitionAnswer): void {
    const { isolation, batchMaxBytes, checkCrcs } = this.#options
    state.highWatermark = answer.highWatermark
    state.logStartOffset = answer.logStartOffset
    state.lastStableOffset = answer.lastStableOffset
    const { topic, partition } = state
    const epoch = this.#client.cache.partition(topic, partition)?.leaderEpoch ?? -1
    state.validEpoch = epoch
    if (answer.records === null || answer.records.length === 0) return
    const aborted = isolation === 'committed' ? (answer.abortedTransactions ?? []) : null
    try {
      const readable = readableBatches(answer.records, {
        maxBytes: batchMaxBytes,
        checkCrcs,
        aborted,
      })
      if (readable.nextOffset < 0) return
      const limits = { from: state.fetchOffset, to: state.to, maxBytes: batchMaxBytes }
      const { highWatermark, logStartOffset, lastStableOffset } = answer
      const log = { highWatermark, logStartOffset, lastStableOffset }
      const batches: FetchedBatch[] = []
      for (const batch of readable.batches) {
        const { baseOffset, lastOffsetDelta } = batch.header
        if (baseOffset + lastOffsetDelta < limits.from || baseOffset >= limits.to) continue
        batches.push(new FetchedBatch({ topic, partition, batch, log, limits }))
      }
      state.fetchOffset = Math.max(Math.min(readable.nextOffset, state.to), state.fetchOffset)
      state.lastEpoch = readable.leaderEpoch
      state.failures = 0
      this.#options.onBatches(state, batches, state.fetchOffset)
    } catch (error) {
      if (!(error instanceof KafkaError) && !(error instanceof DecodeError)) throw error
      this.#onCorrupt(state, error)
    }
  }

  #onCorrupt(state: FetchPartition, cause: Error): void {
    const { topic, partition, fetchOffset } = state
    const text = `${topic}-${partition}, fetched at offset ${fetchOffset}: ${cause.message}`
    const error = new KafkaError('CORRUPT_MESSAGE', text, { cause })
    if (state.failures + 1 >= corruptMax) this.#fail(state, error)
    else this.#onError(state, error)
  }

  #onRefused(state: FetchPartition, answer: PartitionAnswer, response: FetchResponse): void {
    const { topic, partition } = state
    const { leaderId, leaderEpoch } = answer.currentLeader
    const endpoint = response.nodeEndpoints.find(({ nodeId }) => nodeId === leaderId)
    const isNews = this.#client.applyLeaderHint(
      { topic, partition, leader: leaderId, leaderEpoch },
      endpoint === undefined ? undefined : { id: endpoint.nodeId, ...endpoint },
    )
    if (isNews) return
    const plain = new KafkaError(answer.errorCode)
    this.#onError(state, new KafkaError(plain.code, `${topic}-${partition}: ${plain.message}`))
  }

  /** Tries again after a pause, with fresh metadata; or gives the partition up. */
  #onError(state: FetchPartition, error: KafkaError): void {
    if (!error.isRetriable) {
      this.#fail(state, error)
      return
    }
    state.failures++
    const pauseMs = backoffMs(this.#client.env.random, retryBackoff, state.failures)
    state.retryAtMs = this.#nowMs() + pauseMs
    this.#client.cache.invalidate(state.topic)
    void this.#lookUp()
  }

  /** Asks a new leader whether what was read last is on its log; returns who may fetch. */
  async #validate(
    connection: Connection,
    group: readonly FetchPartition[],
  ): Promise<readonly FetchPartition[]> {
    const epochOf = ({ topic, partition }: FetchPartition) =>
      this.#client.cache.partition(topic, partition)?.leaderEpoch ?? -1
    const doubtful = group.filter(
      (state) => state.lastEpoch >= 0 && state.validEpoch >= 0 && epochOf(state) > state.validEpoch,
    )
    if (doubtful.length === 0 || !connection.supports(OffsetForLeaderEpoch, 3)) return group
    const topics = [...byTopic(doubtful)].map(([topic, states]) => ({
      topic,
      partitions: states.map((state) => ({
        partition: state.partition,
        currentLeaderEpoch: epochOf(state),
        leaderEpoch: state.lastEpoch,
      })),
    }))
    const { timeoutMs } = this.#client
    const body = { replicaId: -1, topics }
    const response = await connection.request(OffsetForLeaderEpoch, body, { timeoutMs })
    const states = new Map(doubtful.map((state) => [keyOf(state.topic, state.partition), state]))
    for (const { topic, partitions } of response.topics) {
      for (const { partition, errorCode: code, endOffset } of partitions) {
        const state = states.get(keyOf(topic, partition))
        if (state === undefined) continue
        if (code !== 0) this.#onError(state, new KafkaError(code))
        else this.#onEpochEnd(state, endOffset, epochOf(state))
      }
    }
    return group.filter((state) => !doubtful.includes(state) || state.validEpoch >= epochOf(state))
  }

  #onEpochEnd(state: FetchPartition, endOffset: Offset, epoch: number): void {
    if (endOffset >= state.fetchOffset) {
      state.validEpoch = epoch
      return
    }
    const { topic, partition, fetchOffset } = state
    this.#client.env.log.warn('log-truncated', { topic, partition, fetchOffset, endOffset })
    if (this.#options.onOutOfRange === 'fail') {
      const text = `${topic}-${partition}: the log was cut to offset ${endOffset} by a change of leader, after ${fetchOffset} had been read`
      this.#fail(state, new KafkaError('OFFSET_OUT_OF_RANGE', text))
      return
    }
    state.jump(Math.max(endOffset, 0))
    state.validEpoch = epoch
  }

  async #onOutOfRange(state: FetchPartition): Promise<void> {
    const { topic, partition, fetchOffset } = state
    const { onOutOfRange, isolation } = this.#options
    const ends = await listOffsets(
      this.#client,
      [
        { topic, partition, at: 'earliest' },
        { topic, partition, at: 'latest' },
      ],
      { isolation },
    )
    const [earliest, latest] = ends
    const error = earliest?.error ?? latest?.error ?? null
    if (earliest === undefined || latest === undefined || error !== null) {
      const known = error instanceof KafkaError ? error : new KafkaError('LEADER_NOT_AVAILABLE')
      this.#onError(state, known)
      return
    }
    const logStartOffset = earliest.offset
    const logEndOffset = latest.offset
    if (fetchOffset >= logStartOffset && fetchOffset <= logEndOffset) {
      // A leader that had not caught up said so; by now it has.
      this.#onError(state, new KafkaError('OFFSET_NOT_AVAILABLE'))
      return
    }
    const range = { topic, partition, position: fetchOffset, logStartOffset, logEndOffset }
    if (onOutOfRange === 'fail') {
      const text = `${topic}-${partition}: offset ${fetchOffset} is out of range: the log has ${logStartOffset} to ${logEndOffset}`
      this.#fail(state, new KafkaError('OFFSET_OUT_OF_RANGE', text))
      return
    }
    if (onOutOfRange === 'earliest') state.jump(logStartOffset)
    else if (onOutOfRange === 'latest') state.jump(logEndOffset)
    else state.jump(onOutOfRange(range))
    this.#client.env.log.warn('offset-out-of-range', { ...range, wentTo: state.fetchOffset })
    this.#options.onBatches(state, [], Math.min(state.fetchOffset, state.to))
  }
}

/** The items, begun at another one each turn. */
function turned<T>(items: readonly T[], turn: number): T[] {
  const start = turn % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}
