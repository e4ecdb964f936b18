/**
 * Takes batches from the partition queues to the leaders and deals with the answers.
 *
 * `drain` looks at every queue that holds something: whatever is ready goes out, one batch per
 * partition and request, at most `maxInFlight` requests per leader. It runs at the end of a turn in
 * which records came, after each answer, and by one timer for whatever must wait.
 *
 * Answers by class:
 *   none (connection lost, time-out)  send again; an idempotent producer's repeat is recognised
 *   retriable                         send again after a pause, metadata refreshed
 *   45, 59 behind a failed batch      send again behind it
 *   45, 59 at the head                the broker lost earlier batches, or one was given up: what
 *                                     waits is numbered anew in the next epoch, once. It cannot be
 *                                     in the log: the broker would have known it as one of its last
 *                                     five, and only five are ever in flight
 *   10                                halve a batch of several records, unless it may be in the log
 *   other                             the batch fails
 * Sources: KIP-98, KIP-126, KIP-360, KIP-951; apache/kafka: .../producer/internals/{Sender,
 * TransactionManager}.java; twmb/franz-go: pkg/kgo/sink.go.
 */

import { errorCode, KafkaError } from '../base/errors.ts'
import type { Timer } from '../io/clock.ts'
import { Produce, type ProduceResponse } from '../protocol/apis/produce.ts'
import type { Connection } from '../wire/connection.ts'
import { ConnectionError } from '../wire/connection-error.ts'
import { backoffMs, retryBackoff } from './backoff.ts'
import type { Client } from './client.ts'
import { asUnavailable, UnavailableError } from './errors.ts'
import { LeaderLinks, type Link } from './leader-links.ts'
import type { PartitionQueue } from './partition-queue.ts'
import { keyOf } from './per-leader.ts'
import type { ProduceBatch, RecordError } from './produce-batch.ts'
import { ProducerIdentity } from './producer-identity.ts'

export interface SenderOptions {
  readonly acks: 0 | 1 | -1
  readonly isIdempotent: boolean
  readonly maxInFlight: number
  readonly maxRequestBytes: number
  readonly lingerMs: number
  readonly requestTimeoutMs: number
  readonly deliveryTimeoutMs: number
  readonly unknownTopicTimeoutMs: number
  /** Whether open batches are to go out now, full or not. */
  readonly isUrgent: (queue: PartitionQueue) => boolean
  readonly onSettled: (batch: ProduceBatch, outcome: BatchOutcome) => void
  /** A batch became two. */
  readonly onSplit: (batch: ProduceBatch) => void
  /** The metadata of a topic may have changed. */
  readonly onTopic: (topic: string) => void
}

export interface BatchOutcome {
  readonly baseOffset: number
  readonly logAppendTimeMs: number
  readonly error: Error | null
  readonly recordErrors?: readonly RecordError[]
}

/** A batch that was sent, with the queue it came from. */
type Sent = readonly [PartitionQueue, ProduceBatch]

type PartitionAnswer = ProduceResponse['responses'][number]['partitionResponses'][number]

const never = Number.POSITIVE_INFINITY
const outOfOrder = errorCode('OUT_OF_ORDER_SEQUENCE_NUMBER')
const unknownProducer = errorCode('UNKNOWN_PRODUCER_ID')
const duplicate = errorCode('DUPLICATE_SEQUENCE_NUMBER')
const tooLarge = errorCode('MESSAGE_TOO_LARGE')
/** What a request takes beside its batches, and per partition. */
const requestHeadBytes = 512

export class Sender {
  readonly #client: Client
  readonly #options: SenderOptions
  readonly #identity: ProducerIdentity
  /** Queues that hold something. */
  readonly #active = new Set<PartitionQueue>()
  readonly #links: LeaderLinks
  /** Since when each topic has been unknown, monotonic. */
  readonly #unknownSinceMs = new Map<string, number>()
  readonly #refreshing = new Set<string>()
  #isScheduled = false
  #isStopped = false
  #timer: Timer | null = null
  #wakeAtMs = never

  constructor(client: Client, options: SenderOptions) {
    this.#client = client
    this.#options = options
    this.#identity = new ProducerIdentity(client, () => this.schedule())
    this.#links = new LeaderLinks(client, {
      maxInFlight: options.maxInFlight,
      onChange: () => this.schedule(),
      onFailed: (link, error) => this.#onConnectFailed(link, error),
    })
    client.closing.addEventListener('abort', this.#onClientClosed, { once: true })
  }

  /** The queue holds something now. */
  activate(queue: PartitionQueue): void {
    this.#active.add(queue)
    this.schedule()
  }

  /** Runs `drain` at the end of this turn. */
  schedule(): void {
    if (this.#isScheduled || this.#isStopped) return
    this.#isScheduled = true
    this.#client.env.clock.endOfTurn(() => {
      this.#isScheduled = false
      this.#drain()
    })
  }

  /** Gives up everything that is on its way. */
  failAll(error: Error): void {
    for (const queue of Array.from(this.#active)) this.#failQueue(queue, error, true)
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#isStopped = true
    this.#client.closing.removeEventListener('abort', this.#onClientClosed)
    this.#cancelTimer()
  }

  readonly #onClientClosed = () => {
    this.failAll(new Error('given up: the client was closed'))
    this.stop()
  }

  #nowMs(): number {
    return this.#client.env.clock.monotonicMs()
  }

  #drain(): void {
    if (this.#isStopped) return
    const nowMs = this.#nowMs()
    let wakeAtMs = never
    let hasSent = true
    while (hasSent) {
      hasSent = false
      wakeAtMs = never
      const perLink = new Map<Link, PartitionQueue[]>()
      for (const queue of Array.from(this.#active)) {
        if (queue.isEmpty) {
          this.#active.delete(queue)
          continue
        }
        wakeAtMs = Math.min(wakeAtMs, this.#consider(queue, nowMs, perLink))
      }
      for (const [link, queues] of perLink) hasSent = this.#send(link, queues) || hasSent
    }
    this.#wake(wakeAtMs, nowMs)
  }

  /** Puts the queue with its leader's if it may send now; returns when to look at it again. */
  #consider(queue: PartitionQueue, nowMs: number, perLink: Map<Link, PartitionQueue[]>): number {
    const expiryMs = this.#expire(queue, nowMs)
    if (queue.waiting.length === 0 && queue.open === null) return never
    if (queue.waiting.length === 0 && queue.open !== null && !this.#options.isUrgent(queue)) {
      const dueMs = queue.open.createdMs + this.#options.lingerMs
      if (dueMs > nowMs) return Math.min(dueMs, expiryMs)
    }
    const link = this.#linkFor(queue)
    if (link === null) return expiryMs
    if (!queue.maySend(link.id, nowMs)) {
      return queue.inFlight.size > 0 ? expiryMs : Math.min(queue.retryAtMs, expiryMs)
    }
    const readyMs = this.#links.readyAt(link, nowMs)
    if (readyMs > nowMs) return Math.min(readyMs, expiryMs)
    if (this.#options.isIdempotent && !this.#hasIdentity(queue)) return expiryMs
    const queues = perLink.get(link)
    if (queues === undefined) perLink.set(link, [queue])
    else queues.push(queue)
    return expiryMs
  }

  /** Whether there is a producer id to send with; asks for it otherwise. */
  #hasIdentity(queue: PartitionQueue): boolean {
    if (queue.needsNewEpoch && !queue.startNewEpoch()) this.#identity.reset()
    if (this.#identity.current !== null) return true
    const failure = this.#identity.takeFailure()
    if (failure === null) this.#identity.request()
    else this.failAll(failure)
    return false
  }

  /** Fails batches that wait beyond their time; returns when the next one would. */
  #expire(queue: PartitionQueue, nowMs: number): number {
    const { deliveryTimeoutMs } = this.#options
    for (;;) {
      const oldest = queue.waiting[0] ?? queue.open
      if (oldest === null) return never
      const expiryMs = oldest.createdMs + deliveryTimeoutMs
      if (expiryMs > nowMs) return expiryMs
      if (queue.waiting.length === 0) queue.seal()
      queue.waiting.shift()
      // Without a number nobody misses it; with one it leaves a gap.
      if (oldest.attempts > 0) queue.onFailed(oldest)
      this.#settle(oldest, expired(oldest, deliveryTimeoutMs))
    }
  }

  /** The leader's link; null while there is none, with the metadata then on its way. */
  #linkFor(queue: PartitionQueue): Link | null {
    const { topic, partition } = queue
    const known = this.#client.cache.partition(topic, partition)
    const stale = known === undefined || known.leader < 0
    if (stale || this.#client.cache.topic(topic)?.error) {
      this.#refresh(topic)
      return null
    }
    // An old picture still serves while a new one is on its way.
    if (!this.#client.isFresh(topic)) this.#refresh(topic)
    return this.#links.to(known.leader)
  }

  /** Its partitions may have another leader; their batches remember why they wait. */
  #onConnectFailed(link: Link, error: Error): void {
    for (const queue of this.#active) {
      const leader = this.#client.cache.partition(queue.topic, queue.partition)?.leader
      if (leader !== link.id) continue
      for (const batch of [...queue.waiting, queue.open]) {
        if (batch !== null) batch.lastError = error
      }
      this.#refresh(queue.topic)
    }
  }

  /** Sends one request with a batch of each queue, as far as they fit. */
  #send(link: Link, queues: readonly PartitionQueue[]): boolean {
    const connection = this.#client.openConnectionTo(link.id, 'produce')
    if (connection === undefined) return false
    const batches: Sent[] = []
    let sizeBytes = requestHeadBytes
    for (const queue of queues) {
      const [next = queue.open] = queue.waiting
      if (next === null) continue
      const nextBytes = next.builder.sizeBytes + queue.topic.length + 32
      if (batches.length > 0 && sizeBytes + nextBytes > this.#options.maxRequestBytes) continue
      if (queue.waiting.length === 0) queue.seal()
      const { current } = this.#identity
      if (this.#options.isIdempotent && current !== null) queue.number(current)
      const batch = queue.send(link.id)
      if (batch === null) continue
      sizeBytes += nextBytes
      batches.push([queue, batch])
      // Whoever was served comes last in the next request.
      this.#active.delete(queue)
      this.#active.add(queue)
    }
    if (batches.length === 0) return false
    link.inFlight++
    this.#exchange(link, connection, batches)
    return true
  }

  #exchange(link: Link, connection: Connection, batches: readonly Sent[]): void {
    const { acks, requestTimeoutMs } = this.#options
    const onLost = (error: unknown) => {
      link.inFlight--
      this.#onLost(batches, error)
    }
    let answer: Promise<ProduceResponse>
    try {
      const body = this.#requestFor(connection, batches)
      if (acks === 0) {
        connection.send(Produce, body.request, {
          version: body.version,
          onFlushed: () => {
            link.inFlight--
            this.#onUnacknowledged(batches, connection)
          },
        })
        return
      }
      answer = connection.request(Produce, body.request, {
        version: body.version,
        timeoutMs: requestTimeoutMs + 500,
      })
    } catch (error) {
      onLost(error)
      return
    }
    answer.then((response) => {
      link.inFlight--
      this.#onResponse(batches, response)
    }, onLost)
  }

  #requestFor(connection: Connection, batches: readonly Sent[]) {
    const { acks, requestTimeoutMs } = this.#options
    const topics = new Map<string, { index: number; records: Uint8Array[] }[]>()
    for (const [{ topic, partition }, batch] of batches) {
      const partitions = topics.get(topic) ?? []
      if (partitions.length === 0) topics.set(topic, partitions)
      partitions.push({ index: partition, records: [batch.bytes()] })
    }
    const topicIdOf = (topic: string) => this.#client.cache.topic(topic)?.topicId ?? null
    const hasIds = [...topics.keys()].every((topic) => topicIdOf(topic) !== null)
    const version = connection.versionOf(Produce, { floor: 3, limit: hasIds ? 13 : 12 })
    const topicData = [...topics].map(([topic, partitionData]) =>
      version >= 13
        ? { topicId: topicIdOf(topic) ?? '', partitionData }
        : { name: topic, partitionData },
    )
    return { version, request: { acks, timeoutMs: requestTimeoutMs, topicData } }
  }

  /** acks=0: the system took the bytes, more is never known. */
  #onUnacknowledged(batches: readonly Sent[], connection: Connection): void {
    for (const [queue, batch] of stillOpen(batches)) {
      if (connection.isClosed) {
        this.#retry(queue, batch, new UnavailableError('the connection was lost'))
        continue
      }
      queue.onDelivered(batch)
      this.#settle(batch, { baseOffset: -1, logAppendTimeMs: -1, error: null })
    }
    this.schedule()
  }

  /** No answer came. */
  #onLost(batches: readonly Sent[], error: unknown): void {
    for (const [queue, batch] of stillOpen(batches)) {
      if (error instanceof ConnectionError) {
        if (error.wasSent) batch.isUncertain = true
        this.#retry(queue, batch, asUnavailable(error))
        this.#refresh(queue.topic)
        continue
      }
      queue.onFailed(batch)
      const failure = error instanceof Error ? error : new Error(String(error))
      this.#settle(batch, failureOf(failure))
    }
    this.schedule()
  }

  #onResponse(batches: readonly Sent[], response: ProduceResponse): void {
    const answers = new Map<string, PartitionAnswer>()
    for (const { name, topicId, partitionResponses } of response.responses) {
      const topic = name !== '' ? name : (this.#client.cache.topicName(topicId) ?? '')
      for (const answer of partitionResponses) answers.set(keyOf(topic, answer.index), answer)
    }
    for (const [queue, batch] of stillOpen(batches)) {
      const answer = answers.get(keyOf(queue.topic, queue.partition))
      if (answer === undefined) {
        // The topic may have been created anew meanwhile, so that its id is no longer known here.
        batch.isUncertain = true
        this.#retry(queue, batch, new KafkaError('UNKNOWN_TOPIC_ID'))
        this.#refresh(queue.topic)
      } else if (answer.errorCode === 0 || answer.errorCode === duplicate) {
        queue.onDelivered(batch)
        const { baseOffset, logAppendTimeMs } = answer
        this.#settle(batch, { baseOffset, logAppendTimeMs, error: null })
      } else {
        this.#onRefused(queue, batch, { answer, response })
      }
    }
    this.schedule()
  }

  #onRefused(
    queue: PartitionQueue,
    batch: ProduceBatch,
    { answer, response }: { answer: PartitionAnswer; response: ProduceResponse },
  ): void {
    const { topic, partition } = queue
    const text = answer.errorMessage ?? new KafkaError(answer.errorCode).message
    const error = new KafkaError(answer.errorCode, `${topic}-${partition}: ${text}`)
    const { code } = error
    if (code === outOfOrder || code === unknownProducer) {
      this.#onSequenceRefused(queue, batch, error)
    } else if (code === tooLarge && batch.recordCount > 1 && !batch.isUncertain) {
      this.#split(queue, batch)
    } else if (error.isRetriable) {
      // Timed out or short of replicas only after the append: it is in the log already.
      if (code === 7 || code === 20) batch.isUncertain = true
      const isNews = this.#applyHint(queue, answer, response)
      this.#retry(queue, batch, error, isNews)
      if (!isNews) this.#refresh(topic)
    } else {
      queue.onFailed(batch)
      const recordErrors = answer.recordErrors.map(({ batchIndex, batchIndexErrorMessage }) => ({
        index: batchIndex,
        message: batchIndexErrorMessage,
      }))
      this.#settle(batch, { ...failureOf(error), recordErrors })
    }
  }

  #applyHint(queue: PartitionQueue, answer: PartitionAnswer, response: ProduceResponse): boolean {
    const { leaderId, leaderEpoch } = answer.currentLeader
    const { topic, partition } = queue
    const endpoint = response.nodeEndpoints.find(({ nodeId }) => nodeId === leaderId)
    return this.#client.applyLeaderHint(
      { topic, partition, leader: leaderId, leaderEpoch },
      endpoint === undefined ? undefined : { id: endpoint.nodeId, ...endpoint },
    )
  }

  #onSequenceRefused(queue: PartitionQueue, batch: ProduceBatch, error: KafkaError): void {
    if (queue.hasEarlier(batch)) {
      queue.requeue(batch, 0)
      return
    }
    if (batch.wasRenumbered && !queue.hasGap) {
      queue.onFailed(batch)
      this.#settle(batch, failureOf(error))
      return
    }
    if (!queue.hasGap) {
      const { topic, partition } = queue
      const fields = { topic, partition, error: error.name, producerId: batch.producerId }
      this.#client.env.log.warn('producer-state-lost', fields)
    }
    batch.lastError = error
    queue.needsNewEpoch = true
    queue.requeue(batch, 0)
  }

  #split(queue: PartitionQueue, batch: ProduceBatch): void {
    const [first, second] = batch.split()
    queue.inFlight.delete(batch)
    queue.insert(first)
    queue.insert(second)
    this.#options.onSplit(batch)
    queue.isRecovering = true
  }

  #retry(queue: PartitionQueue, batch: ProduceBatch, error: unknown, atOnce = false): void {
    if (error instanceof Error) batch.lastError = error
    if (queue.inFlight.size === 1 || !queue.isRecovering) queue.failures++
    const pauseMs = atOnce ? 0 : backoffMs(this.#client.env.random, retryBackoff, queue.failures)
    queue.requeue(batch, this.#nowMs() + pauseMs)
    this.#active.add(queue)
  }

  /** Fetches a topic's metadata, once at a time, and looks again when it is there. */
  #refresh(topic: string): void {
    if (this.#refreshing.has(topic) || this.#isStopped) return
    this.#refreshing.add(topic)
    void this.#refreshNow(topic)
  }

  async #refreshNow(topic: string): Promise<void> {
    const { client, retryMs } = { client: this.#client, retryMs: retryBackoff.minMs * 2 }
    try {
      await client.refresh([topic])
    } catch (error) {
      if (client.isClosed) return
      if (!(error instanceof UnavailableError) && !(error instanceof KafkaError)) throw error
      for (const queue of this.#active) {
        for (const batch of queue.waiting) if (queue.topic === topic) batch.lastError = error
      }
    }
    this.#options.onTopic(topic)
    this.#checkTopic(topic)
    // The next one not at once: brokers need a moment to hear of a new leader.
    client.env.clock.timer(retryMs, () => {
      this.#refreshing.delete(topic)
      this.schedule()
    })
    this.schedule()
  }

  /** Fails what is meant for a topic that is gone or forbidden. */
  #checkTopic(topic: string): void {
    const error = this.#client.cache.topic(topic)?.error ?? null
    if (error === null) {
      this.#unknownSinceMs.delete(topic)
      return
    }
    const nowMs = this.#nowMs()
    const sinceMs = this.#unknownSinceMs.get(topic) ?? nowMs
    this.#unknownSinceMs.set(topic, sinceMs)
    if (error.isRetriable && nowMs - sinceMs < this.#options.unknownTopicTimeoutMs) return
    this.#unknownSinceMs.delete(topic)
    for (const queue of Array.from(this.#active)) {
      if (queue.topic === topic) this.#failQueue(queue, error, false)
    }
  }

  /** Fails what waits in a queue and, `withInFlight`, what was sent. */
  #failQueue(queue: PartitionQueue, error: Error, withInFlight: boolean): void {
    queue.seal()
    const batches = queue.waiting
    queue.waiting = []
    if (withInFlight) batches.unshift(...queue.inFlight)
    for (const batch of batches) {
      queue.onFailed(batch)
      this.#settle(batch, failureOf(error))
    }
  }

  #settle(batch: ProduceBatch, outcome: BatchOutcome): void {
    batch.isSettled = true
    this.#options.onSettled(batch, outcome)
  }

  #wake(atMs: number, nowMs: number): void {
    if (this.#timer !== null && this.#wakeAtMs <= atMs) {
      if (atMs === never && this.#active.size === 0) this.#cancelTimer()
      return
    }
    this.#cancelTimer()
    if (atMs === never) return
    this.#wakeAtMs = atMs
    this.#timer = this.#client.env.clock.timer(Math.max(Math.ceil(atMs - nowMs), 1), () => {
      this.#cancelTimer()
      this.#drain()
    })
  }

  #cancelTimer(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#wakeAtMs = never
  }
}

/** Those not given up while they were under way. */
function stillOpen(batches: readonly Sent[]): Sent[] {
  return batches.filter(([, batch]) => !batch.isSettled)
}

function failureOf(error: Error): BatchOutcome {
  return { baseOffset: -1, logAppendTimeMs: -1, error }
}

/** Not delivered in time: the kind of error, and the text, of what stood in the way. */
function expired(batch: ProduceBatch, deliveryTimeoutMs: number): BatchOutcome {
  const { topic, partition, lastError } = batch
  const doubt = batch.isUncertain ? '; it may have been stored all the same' : ''
  const head = `${topic}-${partition}: not delivered within ${deliveryTimeoutMs} ms`
  if (lastError instanceof KafkaError) {
    const text = `${head}: ${lastError.name}: ${lastError.message}${doubt}`
    return failureOf(new KafkaError(lastError.code, text, { cause: lastError }))
  }
  const reason = lastError?.message ?? 'no leader was reached'
  const text = `${head}: ${reason}${doubt}`
  return failureOf(new UnavailableError(text, { reason, cause: lastError ?? undefined }))
}
