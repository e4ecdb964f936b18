/**
 * Reads topics as a member of a consumer group: which partitions is the group's affair, and changes
 * while we read.
 *
 *   for await (const batch of group) ...        or        const batches = await group.next()
 *
 * What `next` hands out counts as processed when `next` is called again; only that is ever
 * committed. So partitions are given away inside `next`: when it is called, nothing is in work. Who
 * does not call it for `maxPollIntervalMs` leaves the group until the next call.
 *
 * Delivery is at least once: what was processed but not committed when a member dies, or is taken
 * for dead, is read again by the next owner.
 * Sources: KIP-62 (max poll interval), KIP-429, KIP-848; apache/kafka: .../consumer/KafkaConsumer.java.
 */

import { type Deferred, deferred } from '../base/deferred.ts'
import type { Offset, TopicPartition } from '../base/types.ts'
import type { Timer } from '../io/clock.ts'
import type { Client } from './client.ts'
import { Consumer } from './consumer.ts'
import { UnavailableError } from './errors.ts'
import type { FetchedBatch } from './fetched-batch.ts'
import {
  type GroupConsumerOptions,
  type GroupConsumerSettings,
  groupConsumerDefaults,
  type TopicChoice,
} from './group-options.ts'
import { GroupPositions } from './group-positions.ts'
import { startOffsets } from './group-start.ts'
import { type Member, type MemberHost, without } from './member.ts'
import { ClassicMember } from './member-classic.ts'
import { ConsumerMember } from './member-consumer.ts'
import { MemberLink } from './member-link.ts'
import { type CommitOffset, commitOffsets } from './member-offsets.ts'
import { keyOf } from './per-leader.ts'

/** Something that waits for the reader to be between two answers. */
interface Duty {
  readonly kind: 'assign' | 'revoke' | 'lose'
  partitions: readonly TopicPartition[]
  readonly done: Deferred<void>
}

/** Two heartbeats of a member that lets go of what comes to us. */
const emptyWaitMs = 10_000

export class GroupConsumer {
  readonly #client: Client
  readonly #options: GroupConsumerSettings
  readonly #consumer: Consumer
  readonly #link: MemberLink
  readonly #member: Member
  readonly #positions: GroupPositions
  #choices: readonly TopicChoice[] = []
  /** What we are assigned, as the member gave it: the same partition later is another object. */
  readonly #assigned = new Map<string, TopicPartition>()
  #duties: Duty[] = []
  #starting = 0
  #wasAssigned = false
  #assignedAtMs = 0
  #failure: Error | null = null
  #wakeUp: AbortController | null = null
  #pollTimer: Timer | null = null
  #commitDueMs: number
  #commits: Promise<void> = Promise.resolve()
  #offline = new Set<'fetch' | 'link'>()
  #isStarted = false
  #isClosed = false

  constructor(client: Client, options: GroupConsumerOptions) {
    const settings: GroupConsumerSettings = { ...groupConsumerDefaults, ...options }
    const { groupId, instanceId = null, rackId = null, remoteAssignor = null } = options
    const { sessionTimeoutMs, maxPollIntervalMs } = settings
    this.#client = client
    this.#options = settings
    this.#consumer = new Consumer(client, {
      ...options,
      onOffline: (error) => this.#onOffline('fetch', error),
      onOnline: () => this.#onOnline('fetch'),
    })
    this.#positions = new GroupPositions(this.#consumer)
    this.#link = new MemberLink(client, {
      groupId,
      onOffline: (error) => this.#onOffline('link', error),
      onOnline: () => this.#onOnline('link'),
    })
    const { heartbeatIntervalMs = Math.min(3000, sessionTimeoutMs / 3) } = options
    const parts = {
      client,
      link: this.#link,
      host: this.#host(),
      options: {
        ...settings,
        instanceId,
        rackId,
        remoteAssignor,
        heartbeatIntervalMs,
        rebalanceTimeoutMs: maxPollIntervalMs,
      },
    }
    const isClassic = settings.protocol === 'classic'
    this.#member = isClassic ? new ClassicMember(parts) : new ConsumerMember(parts)
    this.#commitDueMs = client.deadline(settings.autoCommitIntervalMs)
  }

  /** What to read; once, before the first `next`. */
  subscribe(topics: readonly TopicChoice[]): void {
    if (this.#isStarted) throw new Error('a group consumer subscribes once')
    this.#choices = topics
    this.#isStarted = true
    this.#member.start()
  }

  /** What we are assigned now. */
  get assignment(): TopicPartition[] {
    return [...this.#assigned.values()]
  }

  /** Whether the group has given us our first assignment, which may be empty. */
  get wasAssigned(): boolean {
    return this.#wasAssigned
  }

  /** Our id in the group and the generation (or epoch) that we are in; -1 = none. */
  get identity(): { readonly memberId: string; readonly generation: number } {
    return this.#member.identity
  }

  /**
   * With `untilEnd`: whether all we have was handed out up to its end, and no change is on its way.
   * A member that was given nothing waits a little: others may be about to let go of something.
   */
  get isFinished(): boolean {
    if (!this.#options.untilEnd || !this.#wasAssigned) return false
    if (this.#duties.length > 0 || this.#starting > 0 || !this.#member.isStable) return false
    const nowMs = this.#client.env.clock.monotonicMs()
    return this.#consumer.isFinished && nowMs >= this.#emptyUntilMs()
  }

  /** The next offset that `next` has not handed out; -1 for a partition that is not ours. */
  position(partition: TopicPartition): Offset {
    return this.#consumer.position(partition)
  }

  /**
   * Whatever has been fetched; waits for the first when nothing has. Everything that was handed out
   * before counts as processed from here on. Empty when all is finished, after `timeoutMs`, or when
   * closed. Rejects with KafkaError, UnavailableError, the signal's reason, or what a listener throws.
   */
  async next({
    timeoutMs = Number.POSITIVE_INFINITY,
    signal,
  }: {
    timeoutMs?: number
    signal?: AbortSignal
  } = {}): Promise<FetchedBatch[]> {
    const deadlineMs = this.#client.deadline(timeoutMs)
    this.#pollTimer?.cancel()
    this.#positions.settle()
    this.#member.resume()
    try {
      for (;;) {
        signal?.throwIfAborted()
        if (this.#failure !== null) throw this.#failure
        if (this.#isClosed) return []
        await this.#runDuties()
        const nowMs = this.#client.env.clock.monotonicMs()
        this.#commitIfDue(nowMs)
        this.#checkOffline(nowMs)
        if (nowMs >= deadlineMs || this.isFinished) return []
        const batches = await this.#read(Math.min(deadlineMs, this.#wakeAtMs(nowMs)), signal)
        if (batches.length > 0) return batches
      }
    } finally {
      this.#startPollTimer()
    }
  }

  /** Batch after batch. What was not reached when the loop is left counts as not processed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<FetchedBatch, void> {
    while (!this.#isClosed) {
      const batches = await this.next()
      if (batches.length === 0 && (this.isFinished || this.#isClosed)) return
      const reached = new Map<string, CommitOffset>()
      let isComplete = false
      try {
        for (const batch of batches) {
          const { topic, partition, nextOffset: offset } = batch
          reached.set(keyOf(topic, partition), { topic, partition, offset })
          yield batch
        }
        isComplete = true
      } finally {
        if (!isComplete) this.processedOnly([...reached.values()])
      }
    }
  }

  /** Of what the last `next` gave only so much was processed: up to these offsets, of others nothing. */
  processedOnly(offsets: readonly CommitOffset[]): void {
    this.#positions.limit(offsets)
  }

  /**
   * Commits what was processed, everything that was handed out included, or these offsets. Rejects
   * with KafkaError (UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION: the partitions are somebody else's) or
   * UnavailableError.
   */
  commit(offsets?: readonly CommitOffset[]): Promise<void> {
    const done = this.#commits.then(() => this.#commit(offsets))
    this.#commits = done.catch(() => {})
    return done
  }

  /**
   * Commits (with `autoCommit`), tells `onRevoked`, and leaves the group; a static member stays in it.
   * Rejects as `commit`, having left all the same.
   */
  async close({ commit = this.#options.autoCommit }: { commit?: boolean } = {}): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#wake()
    this.#pollTimer?.cancel()
    const assigned = this.assignment
    try {
      if (commit) await this.commit()
      if (assigned.length > 0) await this.#options.onRevoked?.(assigned)
    } finally {
      for (const { done } of this.#duties) done.resolve()
      this.#duties = []
      await this.#member.leave()
      this.#consumer.close()
      this.#assigned.clear()
    }
  }

  /** What the member in the background may ask of us. */
  #host(): MemberHost {
    const ask = (kind: Duty['kind'], partitions: readonly TopicPartition[]) => {
      const duty = { kind, partitions, done: deferred() }
      this.#duties.push(duty)
      this.#wake()
      return duty.done.promise
    }
    return {
      topics: () => this.#topics(),
      revoke: (partitions) => ask('revoke', partitions),
      assign: (partitions) => ask('assign', partitions),
      lose: (partitions, why) => {
        const { groupId } = this.#options
        this.#client.env.log.warn('partitions-lost', {
          groupId,
          partitions: partitions.length,
          reason: why.message,
        })
        const had = partitions.filter(({ topic, partition }) =>
          this.#assigned.has(keyOf(topic, partition)),
        )
        for (const duty of this.#duties) {
          // Lost before the reader got to them.
          if (duty.kind === 'assign') duty.partitions = without(duty.partitions, partitions)
        }
        this.#drop(partitions)
        if (had.length > 0) void ask('lose', had)
      },
      fail: (error) => {
        this.#failure = error
        this.#wake()
      },
      onChange: () => this.#wake(),
    }
  }

  async #topics(): Promise<string[]> {
    const names = new Set<string>()
    for (const choice of this.#choices) if (typeof choice === 'string') names.add(choice)
    if (names.size < this.#choices.length) {
      const { topics } = await this.#client.metadata()
      for (const { name, isInternal } of topics) {
        if (!isInternal && this.#choices.some((choice) => chooses(choice, name))) names.add(name)
      }
    }
    return [...names].sort()
  }

  async #runDuties(): Promise<void> {
    for (let duty = this.#duties[0]; duty !== undefined; duty = this.#duties[0]) {
      try {
        await this.#run(duty)
      } finally {
        this.#duties = this.#duties.filter((other) => other !== duty)
        duty.done.resolve()
      }
    }
  }

  async #run({ kind, partitions }: Duty): Promise<void> {
    const { onAssigned, onRevoked, onLost } = this.#options
    if (kind === 'lose') return await onLost?.(partitions)
    if (kind === 'assign') {
      for (const one of partitions) this.#assigned.set(keyOf(one.topic, one.partition), one)
      await onAssigned?.(partitions)
      this.#wasAssigned = true
      this.#assignedAtMs = this.#client.env.clock.monotonicMs()
      if (partitions.length > 0) void this.#startReading(partitions)
      return
    }
    const ours = partitions.filter(({ topic, partition }) =>
      this.#assigned.has(keyOf(topic, partition)),
    )
    if (this.#options.autoCommit) await this.#tryCommit()
    try {
      if (ours.length > 0) await onRevoked?.(ours)
    } finally {
      this.#drop(ours)
    }
  }

  #drop(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) this.#assigned.delete(keyOf(topic, partition))
    this.#positions.drop(partitions)
    this.#consumer.remove(partitions)
  }

  /** Finds where to begin, for as long as it takes and they are ours. Never rejects. */
  async #startReading(partitions: readonly TopicPartition[]): Promise<void> {
    const { groupId, startAt, untilEnd } = this.#options
    const parts = { client: this.#client, link: this.#link, groupId }
    const stillOurs = () =>
      partitions.filter((one) => this.#assigned.get(keyOf(one.topic, one.partition)) === one)
    this.#starting++
    try {
      for (let failures = 1; !this.#isClosed && stillOurs().length > 0; failures++) {
        try {
          const starts = await startOffsets(parts, stillOurs(), { startAt, untilEnd })
          const ours = new Set(stillOurs().map(({ topic, partition }) => keyOf(topic, partition)))
          const begun = starts.filter(({ topic, partition }) => ours.has(keyOf(topic, partition)))
          this.#positions.begin(begun)
          this.#consumer.add(begun)
          return
        } catch (error) {
          if (!this.#link.shouldRetry(error)) throw error
          await this.#client.pause(this.#link.pauseMs(error, failures))
        }
      }
    } catch (error) {
      if (!this.#client.isClosed) this.#failure = asError(error)
    } finally {
      this.#starting--
      this.#wake()
    }
  }

  async #commit(given?: readonly CommitOffset[]): Promise<void> {
    const { groupId } = this.#options
    const offsets = given ?? this.#positions.uncommitted()
    const parts = { client: this.#client, link: this.#link, groupId }
    const timeoutMs = this.#link.outage === null ? this.#client.timeoutMs : 0
    const identity = () => this.#member.identity
    await commitOffsets(parts, offsets, { identity, timeoutMs })
    this.#positions.onCommitted(offsets)
  }

  /** What fails is tried again with the next commit, or is read again by the next owner. */
  async #tryCommit(): Promise<void> {
    try {
      await this.commit()
    } catch (error) {
      const { groupId } = this.#options
      this.#client.env.log.warn('commit-failed', { groupId, reason: asError(error).message })
    }
  }

  #commitIfDue(nowMs: number): void {
    if (!this.#options.autoCommit || nowMs < this.#commitDueMs) return
    this.#commitDueMs = nowMs + this.#options.autoCommitIntervalMs
    void this.#tryCommit()
  }

  /** Until when a member without partitions waits for some. */
  #emptyUntilMs(): number {
    return this.#assigned.size > 0 ? 0 : this.#assignedAtMs + emptyWaitMs
  }

  /** When something is due although no record comes. */
  #wakeAtMs(nowMs: number): number {
    const { autoCommit, maxOfflineMs, untilEnd } = this.#options
    const { outage } = this.#link
    const commitAtMs = autoCommit ? this.#commitDueMs : Number.POSITIVE_INFINITY
    const offlineAtMs = outage === null ? Number.POSITIVE_INFINITY : outage.sinceMs + maxOfflineMs
    const emptyUntilMs = this.#emptyUntilMs()
    const endAtMs = untilEnd && emptyUntilMs > nowMs ? emptyUntilMs : Number.POSITIVE_INFINITY
    return Math.max(Math.min(commitAtMs, offlineAtMs, endAtMs), nowMs + 1)
  }

  /** Batches, or nothing when the time came or something happened. */
  async #read(untilMs: number, signal: AbortSignal | undefined): Promise<FetchedBatch[]> {
    if (this.#duties.length > 0 || this.#failure !== null || this.#isClosed) return []
    const { clock } = this.#client.env
    const timeoutMs = untilMs - clock.monotonicMs()
    const wakeUp = new AbortController()
    const onAbort = () => wakeUp.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#wakeUp = wakeUp
    try {
      if (!this.#consumer.isFinished) {
        this.#positions.beforeNext()
        const batches = await this.#consumer.next({ timeoutMs, signal: wakeUp.signal })
        this.#positions.onHandedOut(batches)
        return batches
      }
      await waitFor(clock, timeoutMs, wakeUp.signal)
      return []
    } catch (error) {
      if (wakeUp.signal.aborted) return []
      throw error
    } finally {
      this.#wakeUp = null
      signal?.removeEventListener('abort', onAbort)
    }
  }

  #wake(): void {
    this.#wakeUp?.abort()
  }

  #startPollTimer(): void {
    this.#pollTimer?.cancel()
    if (this.#isClosed || this.#failure !== null) return
    const { maxPollIntervalMs } = this.#options
    const onLate = () => {
      const why = new Error(
        `nothing was asked for in ${maxPollIntervalMs} ms (max.poll.interval.ms)`,
      )
      this.#member.suspend(why)
      const waiting = this.#duties.filter(({ kind }) => kind !== 'lose')
      this.#duties = this.#duties.filter(({ kind }) => kind === 'lose')
      for (const { done } of waiting) done.resolve()
    }
    this.#pollTimer = this.#client.env.clock.timer(maxPollIntervalMs, onLate, { unref: true })
  }

  #checkOffline(nowMs: number): void {
    const { outage } = this.#link
    if (outage === null || nowMs - outage.sinceMs < this.#options.maxOfflineMs) return
    const seconds = Math.round((nowMs - outage.sinceMs) / 100) / 10
    throw new UnavailableError(`offline for ${seconds} s: ${outage.error.message}`, {
      cause: outage.error,
    })
  }

  #onOffline(who: 'fetch' | 'link', error: Error): void {
    this.#offline.add(who)
    if (this.#offline.size === 1) this.#options.onOffline?.(error)
    this.#wake()
  }

  #onOnline(who: 'fetch' | 'link'): void {
    if (this.#offline.delete(who) && this.#offline.size === 0) this.#options.onOnline?.()
  }
}

function chooses(choice: TopicChoice, name: string): boolean {
  if (typeof choice === 'string') return choice === name
  return choice instanceof RegExp ? choice.test(name) : choice(name)
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

/** Resolves after `ms` or when `signal` aborts. */
async function waitFor(
  clock: { timer(ms: number, fn: () => void): Timer },
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return
  const done = deferred()
  const isTimed = ms < Number.POSITIVE_INFINITY
  const timer = isTimed ? clock.timer(Math.max(Math.ceil(ms), 1), () => done.resolve()) : null
  signal.addEventListener('abort', () => done.resolve(), { once: true })
  await done.promise
  timer?.cancel()
}
