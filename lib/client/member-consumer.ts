/**
 * A member of a group of the consumer protocol (KIP-848): one request, ConsumerGroupHeartbeat, joins
 * it, keeps it alive, tells what it has, and brings what it should have. The coordinator gives a
 * partition to us only when its last owner has told that it let go; so do we.
 *
 *   epoch 0 --> member, epoch n --> target --> revoke, take --> heartbeat with what we have --> ...
 *
 * What stands in a request is what has changed since the last that was answered, and everything
 * after one that was not. UNKNOWN_MEMBER_ID and FENCED_MEMBER_EPOCH: what we had is lost, and we
 * join again under the same member id, which is ours for the life of this object (KIP-1082).
 * Source: apache/kafka: .../consumer/internals/ConsumerHeartbeatRequestManager.java,
 * ConsumerMembershipManager.java.
 */

import { errorMessage, KafkaError } from '../base/errors.ts'
import type { TopicPartition } from '../base/types.ts'
import { randomUuid } from '../base/uuid.ts'
import { sleep } from '../io/clock.ts'
import {
  ConsumerGroupHeartbeat,
  type ConsumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponse,
} from '../protocol/apis/consumer-group-heartbeat.ts'
import type { Encodable } from '../protocol/schema.ts'
import { type Member, type MemberIdentity, type MemberParts, without } from './member.ts'
import { Signal } from './member-link.ts'
import { orAborted } from './or-aborted.ts'
import { byTopic } from './per-leader.ts'

type Target = readonly { readonly topicId: string; readonly partitions: readonly number[] }[]

/** Until the coordinator says how often it wants to hear of us. */
const firstIntervalMs = 5000
/** After we were put out, before we join again. */
const rejoinMs = 100
/** Of a member, and of a static member that will come back. */
const leaveEpoch = -1
const leaveForReturnEpoch = -2

export class ConsumerMember implements Member {
  readonly #parts: MemberParts
  readonly #memberId: string
  readonly #event = new Signal()
  #epoch = -1
  #owned: readonly TopicPartition[] = []
  /** What the coordinator wants us to have; null = what we have. */
  #target: Target | null = null
  #isReconciling = false
  /** The coordinator waits to hear what we have now. */
  #mustTell = false
  /** Everything goes into the next request. */
  #isFull = true
  #topics: readonly string[] = []
  #topicsAtMs = Number.NEGATIVE_INFINITY
  #intervalMs = firstIntervalMs
  #isSuspended = false
  #isLeaving = false
  #life = new AbortController()

  constructor(parts: MemberParts) {
    this.#parts = parts
    this.#memberId = randomUuid((count) => parts.client.env.random.bytes(count))
  }

  get identity(): MemberIdentity {
    const { instanceId } = this.#parts.options
    return { memberId: this.#memberId, generation: this.#epoch, instanceId }
  }

  get isStable(): boolean {
    return this.#epoch > 0 && this.#target === null && !this.#isReconciling
  }

  start(): void {
    void this.#run()
  }

  suspend(why: Error): void {
    if (this.#isLeaving || this.#isSuspended) return
    this.#isSuspended = true
    this.#life.abort(why)
    void this.#sendLeave()
    this.#lose(why)
  }

  resume(): void {
    if (!this.#isSuspended) return
    this.#isSuspended = false
    this.#life = new AbortController()
    this.#event.raise()
  }

  async leave(): Promise<void> {
    if (this.#isLeaving) return
    this.#isLeaving = true
    this.#life.abort(new Error('the member leaves'))
    this.#event.raise()
    await this.#sendLeave()
    this.#epoch = -1
  }

  async #run(): Promise<void> {
    const { link, host } = this.#parts
    let failures = 0
    while (!this.#isLeaving) {
      if (this.#isSuspended) {
        await this.#event.wait()
        continue
      }
      const { signal } = this.#life
      try {
        await this.#beat(signal)
        failures = 0
        const pauseMs = this.#epoch <= 0 ? rejoinMs : this.#intervalMs
        await this.#pause(this.#mustTell ? 0 : pauseMs, signal)
      } catch (error) {
        if (signal.aborted) continue
        this.#isFull = true
        if (!link.shouldRetry(error)) {
          this.#isLeaving = true
          this.#lose(error instanceof Error ? error : new Error(String(error)))
          return host.fail(error instanceof Error ? error : new Error(String(error)))
        }
        await this.#pause(link.pauseMs(error, ++failures), signal)
      }
    }
  }

  /** Ends early when something happens that the coordinator should know. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms === 0) return
    const timer = this.#parts.client.env.clock.timer(ms, () => this.#event.raise())
    await orAborted(this.#event.wait(), signal).catch(() => {})
    timer.cancel()
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const { link } = this.#parts
    await this.#lookAtTopics(signal)
    const wasFull = this.#isFull
    const hasTold = this.#mustTell
    const body = this.#body()
    this.#mustTell = false
    const response = await orAborted(
      link.request(ConsumerGroupHeartbeat, () => body),
      signal,
    )
    if (response.errorCode !== 0) {
      this.#mustTell = hasTold
      return this.#onRefused(response)
    }
    if (wasFull) this.#isFull = false
    this.#epoch = response.memberEpoch
    this.#intervalMs = Math.max(response.heartbeatIntervalMs, 100)
    if (response.assignment !== null) this.#target = response.assignment.topicPartitions
    if (this.#target !== null) void this.#reconcile(signal)
    this.#parts.host.onChange()
  }

  #body(): Encodable<ConsumerGroupHeartbeatRequest> {
    const { options } = this.#parts
    const isJoining = this.#epoch <= 0
    const base = {
      groupId: options.groupId,
      memberId: this.#memberId,
      memberEpoch: isJoining ? 0 : this.#epoch,
      instanceId: options.instanceId,
    }
    const topicPartitions = isJoining ? [] : this.#ownedById()
    if (!this.#isFull && !isJoining) return this.#mustTell ? { ...base, topicPartitions } : base
    return {
      ...base,
      rackId: options.rackId,
      rebalanceTimeoutMs: options.rebalanceTimeoutMs,
      subscribedTopicNames: [...this.#topics],
      serverAssignor: options.remoteAssignor,
      topicPartitions,
    }
  }

  #ownedById(): { topicId: string; partitions: number[] }[] {
    const { cache } = this.#parts.client
    return [...byTopic(this.#owned)].flatMap(([topic, group]) => {
      const topicId = cache.topic(topic)?.topicId ?? null
      const partitions = group.map(({ partition }) => partition)
      return topicId === null ? [] : [{ topicId, partitions }]
    })
  }

  /** Our subscription, looked at anew when it is old: patterns may match more by now. */
  async #lookAtTopics(signal: AbortSignal): Promise<void> {
    const { client, host, options } = this.#parts
    const nowMs = client.env.clock.monotonicMs()
    if (nowMs - this.#topicsAtMs < options.metadataMaxAgeMs) return
    const topics = await orAborted(host.topics(), signal)
    this.#topicsAtMs = nowMs
    if (topics.join() === this.#topics.join()) return
    this.#topics = topics
    this.#isFull = true
  }

  #onRefused({ errorCode: code, errorMessage: text }: ConsumerGroupHeartbeatResponse): void {
    const error = new KafkaError(code, text === null || text === '' ? errorMessage(code) : text)
    if (error.name !== 'UNKNOWN_MEMBER_ID' && error.name !== 'FENCED_MEMBER_EPOCH') throw error
    this.#lose(error)
  }

  #lose(why: Error): void {
    const lost = this.#owned
    this.#owned = []
    this.#epoch = -1
    this.#target = null
    this.#isFull = true
    this.#mustTell = false
    if (lost.length > 0) this.#parts.host.lose(lost, why)
    this.#parts.host.onChange()
  }

  /** Brings what we have to what we should have, while heartbeats go on. Never rejects. */
  async #reconcile(signal: AbortSignal): Promise<void> {
    const { host, link } = this.#parts
    if (this.#isReconciling) return
    this.#isReconciling = true
    try {
      while (this.#target !== null && !signal.aborted) {
        const target = this.#target
        const wanted = await this.#partitionsOf(target, signal)
        const epoch = this.#epoch
        const isOut = () => this.#epoch !== epoch && this.#epoch <= 0
        const revoked = without(this.#owned, wanted)
        if (revoked.length > 0) {
          await orAborted(host.revoke(revoked), signal)
          if (isOut()) break
          this.#owned = without(this.#owned, revoked)
        }
        const added = without(wanted, this.#owned)
        // Ours from here on, whenever the reader gets to them: what is not told is given to others.
        this.#owned = wanted
        await orAborted(host.assign(added), signal)
        if (isOut()) break
        this.#mustTell = true
        if (this.#target === target) this.#target = null
        this.#event.raise()
      }
    } catch (error) {
      if (!signal.aborted && !link.shouldRetry(error)) {
        host.fail(error instanceof Error ? error : new Error(String(error)))
      }
      // Otherwise the next heartbeat begins anew: the target is still there.
    } finally {
      this.#isReconciling = false
      host.onChange()
    }
  }

  /** By name. A topic that was made a moment ago is asked for once more. */
  async #partitionsOf(target: Target, signal: AbortSignal): Promise<TopicPartition[]> {
    const { client } = this.#parts
    for (let attempt = 1; ; attempt++) {
      const isUnknown = target.some(({ topicId }) => client.cache.topicName(topicId) === undefined)
      if (!isUnknown) break
      await orAborted(client.metadata({ topics: this.#topics }), signal)
      if (attempt >= 5) break
      await sleep(client.env.clock, 100 * attempt, signal)
    }
    return target.flatMap(({ topicId, partitions }) => {
      const topic = client.cache.topicName(topicId)
      return topic === undefined ? [] : partitions.map((partition) => ({ topic, partition }))
    })
  }

  async #sendLeave(): Promise<void> {
    const { link, options } = this.#parts
    const { groupId, instanceId } = options
    if (this.#epoch <= 0 || link.outage !== null) return
    const memberEpoch = instanceId === null ? leaveEpoch : leaveForReturnEpoch
    const body = { groupId, memberId: this.#memberId, memberEpoch, instanceId }
    try {
      await link.request(ConsumerGroupHeartbeat, () => body)
    } catch (error) {
      // The session runs out by itself.
      this.#parts.client.env.log.info('leave-failed', { reason: String(error) })
    }
  }
}
