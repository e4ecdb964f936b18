/**
 * Fetch sessions (KIP-227): the broker remembers what a reader asked for, so that the reader names
 * only what changed, and is told only of partitions with news.
 *
 * - A request says (session id, epoch): (any, -1) no session, (any, 0) a new one, (id, n) the next
 *   request of a session; each of the first two ends the session it names. Epochs count from 1 to
 *   2^31-1 and begin again at 1.
 * - News: records, an error, a diverging epoch, or another high watermark or log start than was last
 *   told. After an error the partition counts as never told.
 * - A partition that gave records goes to the end of its session, so that those behind it get their turn.
 * - A session knows its partitions by topic id (Fetch v13 on) or by name, never both.
 * - When all slots are taken, a session that was not used for two minutes gives way; else one that has
 *   fewer partitions than the new one, or is a consumer's when the new one is a follower's. A session
 *   can only be driven out so by its own kind once it is two minutes old. Otherwise the reader gets no
 *   session, id 0, and goes on asking in full.
 * Source: KIP-227; apache/kafka: core/.../server/FetchSession.scala.
 */

import { KafkaError } from '../base/errors.ts'
import type { LeaderEpoch, Offset, TopicId } from '../base/types.ts'
import type { Clock } from '../io/clock.ts'
import { type Random, randomBelow } from '../io/random.ts'
import type { FetchedPartition } from './fetch.ts'

/** What a reader wants of one partition. */
export interface WantedPartition {
  /** Empty when it was asked for by id and the id is not known yet. */
  readonly topic: string
  readonly topicId: TopicId
  readonly partition: number
  readonly fetchOffset: Offset
  readonly partitionMaxBytes: number
  readonly currentLeaderEpoch: LeaderEpoch
  readonly lastFetchedEpoch: LeaderEpoch
}

export interface SessionRequest {
  readonly sessionId: number
  readonly epoch: number
  readonly usesTopicIds: boolean
  /** Followers keep their sessions before consumers. */
  readonly isFollower: boolean
  readonly partitions: readonly WantedPartition[]
  readonly forgotten: readonly Pick<WantedPartition, 'topic' | 'topicId' | 'partition'>[]
}

export interface SessionAnswer {
  /** 0 = no session. */
  readonly sessionId: number
  /** By index of the partitions that were read: whether the reader is to be told. */
  readonly isTold: (index: number) => boolean
}

/** One request's part of a session, or of none. */
export interface FetchContext {
  /** What is to be read, in this order. */
  readonly partitions: readonly WantedPartition[]
  /** Takes what was read, in the same order. INVALID_FETCH_SESSION_EPOCH. */
  answer(results: readonly (FetchedPartition | KafkaError)[]): SessionAnswer
}

/** A partition of a session: what is wanted, and what the reader was last told; -1 = nothing. */
interface CachedPartition {
  wanted: WantedPartition
  highWatermark: Offset
  logStartOffset: Offset
}

interface FetchSession {
  readonly id: number
  readonly isFollower: boolean
  readonly usesTopicIds: boolean
  readonly createdMs: number
  usedMs: number
  /** Of the next request. */
  epoch: number
  /** In the order they are read. */
  readonly partitions: Map<string, CachedPartition>
  /** Of `partitions`, as counted by the cache. */
  countedPartitions: number
}

const initialEpoch = 0
const finalEpoch = -1
const epochMax = 0x7fff_ffff
/** A session not used for longer gives way to any; one that is younger is safe from its own kind. */
const evictionMs = 120_000
/** Over all sessions: what one costs is the reader's choice. */
const partitionsMax = 500_000
const everything = () => true

export interface FetchSessionCacheOptions {
  readonly clock: Clock
  readonly random: Random
  /** Sessions kept at a time. */
  readonly slots: () => number
  readonly partitionsMax?: number
}

export class FetchSessionCache {
  readonly #options: FetchSessionCacheOptions
  readonly #partitionsMax: number
  /** By id, the least recently used first. */
  readonly #sessions = new Map<number, FetchSession>()
  #partitionCount = 0

  constructor(options: FetchSessionCacheOptions) {
    this.#options = options
    this.#partitionsMax = options.partitionsMax ?? partitionsMax
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  get partitionCount(): number {
    return this.#partitionCount
  }

  /** FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR. */
  open(request: SessionRequest): FetchContext {
    const { sessionId, epoch, partitions } = request
    if (epoch !== initialEpoch && epoch !== finalEpoch) return this.#next(request)
    this.#remove(this.#sessions.get(sessionId))
    if (epoch === finalEpoch) return sessionless(partitions)
    return {
      partitions,
      answer: (results) => ({ sessionId: this.#create(request, results), isTold: everything }),
    }
  }

  #next(request: SessionRequest): FetchContext {
    const { sessionId, epoch, usesTopicIds, partitions } = request
    const session = this.#sessions.get(sessionId)
    if (session === undefined) {
      throw new KafkaError('FETCH_SESSION_ID_NOT_FOUND', `there is no fetch session ${sessionId}`)
    }
    if (session.epoch !== epoch) {
      const text = `fetch session ${sessionId} expects epoch ${session.epoch}, not ${epoch}`
      throw new KafkaError('INVALID_FETCH_SESSION_EPOCH', text)
    }
    if (session.usesTopicIds !== usesTopicIds) {
      const [knows, asked] = usesTopicIds ? ['names', 'ids'] : ['ids', 'names']
      throw new KafkaError(
        'FETCH_SESSION_TOPIC_ID_ERROR',
        `fetch session ${sessionId} knows its topics by ${knows}, and was asked by ${asked}`,
      )
    }
    update(session, request)
    if (session.partitions.size === 0) {
      this.#remove(session)
      return sessionless(partitions)
    }
    this.#count(session)
    if (this.#partitionCount > this.#partitionsMax) {
      this.#remove(session)
      const text = `fetch sessions hold ${this.#partitionsMax} partitions, session ${sessionId} was closed`
      throw new KafkaError('FETCH_SESSION_ID_NOT_FOUND', text)
    }
    this.#touch(session)
    session.epoch = nextEpoch(epoch)
    return incremental(session)
  }

  /** The id of a new session, 0 when there is no place for it. */
  #create(
    { isFollower, usesTopicIds, partitions }: SessionRequest,
    results: readonly (FetchedPartition | KafkaError)[],
  ): number {
    if (!this.#makePlace(isFollower, partitions.length)) return 0
    const nowMs = this.#options.clock.monotonicMs()
    const session: FetchSession = {
      id: this.#newId(),
      isFollower,
      usesTopicIds,
      createdMs: nowMs,
      usedMs: nowMs,
      epoch: nextEpoch(initialEpoch),
      partitions: new Map(),
      countedPartitions: 0,
    }
    for (const [index, wanted] of partitions.entries()) {
      const cached = { wanted, highWatermark: -1, logStartOffset: -1 }
      const result = results[index]
      if (result !== undefined) hasNews(cached, result)
      session.partitions.set(keyOf(wanted, usesTopicIds), cached)
    }
    this.#count(session)
    this.#sessions.set(session.id, session)
    return session.id
  }

  #makePlace(isFollower: boolean, size: number): boolean {
    if (this.#partitionCount + size > this.#partitionsMax) return false
    const slots = this.#options.slots()
    if (this.#sessions.size < slots) return true
    const [oldest] = this.#sessions.values()
    // No slots at all, or fewer than before.
    if (oldest === undefined || this.#sessions.size > slots) return false
    const nowMs = this.#options.clock.monotonicMs()
    const evicted =
      nowMs - oldest.usedMs > evictionMs ? oldest : this.#leastWorthy(isFollower, size)
    this.#remove(evicted)
    return evicted !== undefined
  }

  /** The session that the new one is worth more than; undefined = none. */
  #leastWorthy(isFollower: boolean, size: number): FetchSession | undefined {
    let least: FetchSession | undefined
    for (const session of this.#sessions.values()) {
      const isOpen =
        session.usedMs - session.createdMs > evictionMs || (isFollower && !session.isFollower)
      if (isOpen && (least === undefined || isWorthLess(session, least))) least = session
    }
    const isBeaten =
      least !== undefined && isWorthLess(least, { isFollower, countedPartitions: size })
    return isBeaten ? least : undefined
  }

  #newId(): number {
    for (;;) {
      const id = 1 + randomBelow(this.#options.random, epochMax - 1)
      if (!this.#sessions.has(id)) return id
    }
  }

  #touch(session: FetchSession): void {
    this.#sessions.delete(session.id)
    this.#sessions.set(session.id, session)
    session.usedMs = this.#options.clock.monotonicMs()
  }

  #count(session: FetchSession): void {
    this.#partitionCount += session.partitions.size - session.countedPartitions
    session.countedPartitions = session.partitions.size
  }

  #remove(session: FetchSession | undefined): void {
    if (session === undefined || !this.#sessions.delete(session.id)) return
    this.#partitionCount -= session.countedPartitions
  }
}

function sessionless(partitions: readonly WantedPartition[]): FetchContext {
  return { partitions, answer: () => ({ sessionId: 0, isTold: everything }) }
}

function incremental(session: FetchSession): FetchContext {
  const entries = [...session.partitions]
  const { epoch } = session
  return {
    partitions: entries.map(([, { wanted }]) => wanted),
    answer: (results) => {
      // The same request came again over another connection while this one was waiting.
      if (session.epoch !== epoch) {
        const text = `fetch session ${session.id} is at epoch ${session.epoch}, not ${epoch}`
        throw new KafkaError('INVALID_FETCH_SESSION_EPOCH', text)
      }
      const told = new Set<number>()
      for (const [index, [key, cached]] of entries.entries()) {
        const result = results[index]
        if (result === undefined || !hasNews(cached, result)) continue
        told.add(index)
        if (result instanceof KafkaError || result.records.length === 0) continue
        session.partitions.delete(key)
        session.partitions.set(key, cached)
      }
      return { sessionId: session.id, isTold: (index) => told.has(index) }
    },
  }
}

/** Takes over what the request adds, changes and forgets. */
function update(session: FetchSession, { partitions, forgotten }: SessionRequest): void {
  for (const wanted of partitions) {
    const key = keyOf(wanted, session.usesTopicIds)
    const cached = session.partitions.get(key)
    if (cached === undefined) {
      session.partitions.set(key, { wanted, highWatermark: -1, logStartOffset: -1 })
      continue
    }
    // A name that was found once stays: the id may since have gone.
    const topic = cached.wanted.topic === '' ? wanted.topic : cached.wanted.topic
    cached.wanted = { ...wanted, topic }
  }
  for (const one of forgotten) session.partitions.delete(keyOf(one, session.usesTopicIds))
}

/** Whether the reader is to be told of `result`; keeps what it then knows. */
function hasNews(cached: CachedPartition, result: FetchedPartition | KafkaError): boolean {
  const isError = result instanceof KafkaError
  const highWatermark = isError ? -1 : result.highWatermark
  const logStartOffset = isError ? -1 : result.logStartOffset
  const isNew =
    isError ||
    result.records.length > 0 ||
    result.divergingEpoch !== null ||
    highWatermark !== cached.highWatermark ||
    logStartOffset !== cached.logStartOffset
  cached.highWatermark = highWatermark
  cached.logStartOffset = logStartOffset
  return isNew
}

type Worth = Pick<FetchSession, 'isFollower' | 'countedPartitions'>

function isWorthLess(one: Worth, other: Worth): boolean {
  if (one.isFollower !== other.isFollower) return other.isFollower
  return one.countedPartitions < other.countedPartitions
}

function keyOf(
  { topic, topicId, partition }: Pick<WantedPartition, 'topic' | 'topicId' | 'partition'>,
  usesTopicIds: boolean,
): string {
  return `${usesTopicIds ? topicId : topic}/${partition}`
}

/** The one after 2^31-1 is 1. */
export function nextEpoch(epoch: number): number {
  return epoch === epochMax ? 1 : epoch + 1
}
