/**
 * A member of a classic group: joins, syncs, sends heartbeats, and does it all again whenever the
 * group rebalances.
 *
 *   unjoined -- JoinGroup --> joined -- SyncGroup --> stable -- heartbeat says 27 --> unjoined
 *
 * Eager (any of our assignors is): everything is given up before each JoinGroup. Cooperative (all
 * are): we keep what we have, give up what the new assignment lacks, and join once more, so that
 * others get it (KIP-429). UNKNOWN_MEMBER_ID and ILLEGAL_GENERATION: what we had is lost, and we
 * join as a new member.
 * Sources: KIP-62 (background heartbeats), KIP-345 (static members), KIP-394, KIP-429, KIP-814;
 * apache/kafka: .../consumer/internals/AbstractCoordinator.java, ConsumerCoordinator.java.
 */

import { DecodeError, KafkaError } from '../base/errors.ts'
import type { TopicPartition } from '../base/types.ts'
import { sleep } from '../io/clock.ts'
import { JoinGroup, type JoinGroupResponse } from '../protocol/apis/join-group.ts'
import { LeaveGroup } from '../protocol/apis/leave-group.ts'
import { SyncGroup } from '../protocol/apis/sync-group.ts'
import { decodeAssignment, encodeSubscription } from '../protocol/consumer-protocol.ts'
import type { OwnAssignment } from './assignors/assignor.ts'
import { assignors } from './assignors/index.ts'
import { type Member, type MemberIdentity, type MemberParts, without } from './member.ts'
import { sendHeartbeats } from './member-heartbeats.ts'
import { assignAsLeader, countPartitions } from './member-leader.ts'
import { Signal } from './member-link.ts'
import { orAborted } from './or-aborted.ts'
import { byTopic } from './per-leader.ts'

const protocolType = 'consumer'
/** JoinGroup is answered when the group is complete: the coordinator gets that much longer. */
const joinMarginMs = 5000
/** While a topic that somebody wants does not exist, it is looked for so often. */
const missingTopicCheckMs = 10_000

export class ClassicMember implements Member {
  readonly #parts: MemberParts
  readonly #isCooperative: boolean
  readonly #event = new Signal()
  #memberId = ''
  #generation = -1
  #owned: readonly TopicPartition[] = []
  #last: OwnAssignment = { partitions: [], generation: -1 }
  #topics: readonly string[] = []
  /** Of the leader: the partitions that it shared out. */
  #counts: ReadonlyMap<string, number> | null = null
  #needsJoin = true
  #reason = ''
  #isSuspended = false
  #isLeaving = false
  /** Aborted when it leaves or is suspended. */
  #life = new AbortController()
  #heartbeats = new AbortController()

  constructor(parts: MemberParts) {
    this.#parts = parts
    this.#isCooperative = parts.options.assignors.every((name) => assignors[name].isCooperative)
  }

  get identity(): MemberIdentity {
    const { instanceId } = this.#parts.options
    return { memberId: this.#memberId, generation: this.#generation, instanceId }
  }

  get isStable(): boolean {
    return this.#generation >= 0 && !this.#needsJoin
  }

  start(): void {
    void this.#run()
  }

  suspend(why: Error): void {
    if (this.#isLeaving || this.#isSuspended) return
    this.#isSuspended = true
    this.#life.abort(why)
    void this.#sendLeave(why.message)
    this.#lose(why)
    this.#memberId = ''
  }

  resume(): void {
    if (!this.#isSuspended) return
    this.#isSuspended = false
    this.#life = new AbortController()
    this.#requestJoin('reads again')
  }

  async leave(): Promise<void> {
    if (this.#isLeaving) return
    this.#isLeaving = true
    this.#life.abort(new Error('the member leaves'))
    this.#heartbeats.abort()
    this.#event.raise()
    await this.#sendLeave('the consumer is closed')
    this.#generation = -1
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
        if (this.#needsJoin || this.#generation < 0) await this.#rebalance(signal)
        else await this.#watch()
        failures = 0
      } catch (error) {
        if (signal.aborted) continue
        this.#needsJoin = true
        if (!link.shouldRetry(error)) {
          this.#heartbeats.abort()
          return host.fail(error instanceof Error ? error : new Error(String(error)))
        }
        await this.#pause(link.pauseMs(error, ++failures), signal)
      }
    }
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    try {
      await sleep(this.#parts.client.env.clock, ms, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  #requestJoin(reason: string): void {
    if (!this.#needsJoin) this.#parts.client.env.log.debug('group-rejoin', { reason })
    this.#needsJoin = true
    this.#reason = reason
    this.#event.raise()
    this.#parts.host.onChange()
  }

  /** What we had is somebody else's. */
  #lose(why: Error): void {
    this.#heartbeats.abort()
    this.#generation = -1
    const lost = this.#owned
    this.#owned = []
    if (lost.length > 0) this.#parts.host.lose(lost, why)
    this.#requestJoin(why.message)
  }

  async #rebalance(signal: AbortSignal): Promise<void> {
    const { host } = this.#parts
    const topics = await orAborted(host.topics(), signal)
    if (!this.#isCooperative && this.#owned.length > 0) {
      await orAborted(host.revoke(this.#owned), signal)
      this.#owned = []
    }
    this.#topics = topics
    const joined = await this.#join(signal)
    if (joined === null) return
    const assigned = await this.#sync(joined, signal)
    if (assigned !== null) await this.#take(assigned, signal)
  }

  /** null: not in the group yet, and worth another try at once. */
  async #join(signal: AbortSignal): Promise<JoinGroupResponse | null> {
    const { link, options } = this.#parts
    const { groupId, instanceId, sessionTimeoutMs, rebalanceTimeoutMs } = options
    this.#heartbeats.abort()
    this.#needsJoin = false
    const response = await orAborted(
      link.request(
        JoinGroup,
        () => ({
          groupId,
          sessionTimeoutMs,
          rebalanceTimeoutMs,
          memberId: this.#memberId,
          groupInstanceId: instanceId,
          protocolType,
          protocols: this.#subscriptions(),
          reason: this.#reason === '' ? null : this.#reason.slice(0, 255),
        }),
        { isHeld: true, timeoutMs: rebalanceTimeoutMs + joinMarginMs },
      ),
      signal,
    )
    const { errorCode, memberId, generationId } = response
    if (errorCode === 79) {
      this.#memberId = memberId
      this.#needsJoin = true
      return null
    }
    if (errorCode !== 0) {
      this.#onRefused(new KafkaError(errorCode))
      return null
    }
    this.#memberId = memberId
    this.#generation = generationId
    this.#reason = ''
    this.#startHeartbeats()
    return response
  }

  #subscriptions(): { name: string; metadata: Uint8Array }[] {
    const { options } = this.#parts
    const ownedPartitions = [...byTopic(this.#owned)].map(([topic, group]) => ({
      topic,
      partitions: group.map(({ partition }) => partition),
    }))
    return options.assignors.map((name) => ({
      name,
      metadata: encodeSubscription({
        topics: [...this.#topics],
        userData: assignors[name].userData(this.#last),
        ownedPartitions,
        generationId: this.#last.generation,
        rackId: options.rackId,
      }),
    }))
  }

  /** null: the group has gone on without us, or rebalances again. */
  async #sync(joined: JoinGroupResponse, signal: AbortSignal): Promise<TopicPartition[] | null> {
    const { client, link, options } = this.#parts
    const { groupId, instanceId, rebalanceTimeoutMs } = options
    const generationId = this.#generation
    const isLeader = joined.leader === joined.memberId
    const result = isLeader ? await orAborted(assignAsLeader(client, joined), signal) : null
    this.#counts = result?.counts ?? null
    const assignments = joined.skipAssignment ? [] : (result?.assignments ?? [])
    const response = await orAborted(
      link.request(
        SyncGroup,
        () => ({
          groupId,
          generationId,
          memberId: joined.memberId,
          groupInstanceId: instanceId,
          protocolType,
          protocolName: joined.protocolName,
          assignments,
        }),
        { isHeld: true, timeoutMs: rebalanceTimeoutMs + joinMarginMs },
      ),
      signal,
    )
    if (this.#generation !== generationId) return null
    if (response.errorCode !== 0) {
      this.#onRefused(new KafkaError(response.errorCode))
      return null
    }
    return partitionsOf(response.assignment, joined.leader)
  }

  /** Gives up what is not ours any more, then takes what is new. */
  async #take(assigned: readonly TopicPartition[], signal: AbortSignal): Promise<void> {
    const { host } = this.#parts
    const generation = this.#generation
    const revoked = without(this.#owned, assigned)
    this.#last = { partitions: assigned, generation }
    if (revoked.length > 0) {
      await orAborted(host.revoke(revoked), signal)
      if (this.#generation !== generation) return
      // The others get it in the next round only.
      this.#requestJoin('partitions were given up')
    }
    const added = without(assigned, this.#owned)
    this.#owned = assigned
    await orAborted(host.assign(added), signal)
    host.onChange()
  }

  /** A refusal of JoinGroup or SyncGroup. Throws what another try as the same member does not mend. */
  #onRefused(error: KafkaError): void {
    this.#needsJoin = true
    if (error.name === 'REBALANCE_IN_PROGRESS') return
    if (error.name !== 'UNKNOWN_MEMBER_ID' && error.name !== 'ILLEGAL_GENERATION') {
      throw this.#explained(error)
    }
    if (error.name === 'UNKNOWN_MEMBER_ID') this.#memberId = ''
    this.#lose(error)
  }

  /** With what we asked for, where that is what was refused. */
  #explained(error: KafkaError): KafkaError {
    const { groupId, assignors: ours, sessionTimeoutMs } = this.#parts.options
    const reasons: { readonly [name: string]: string } = {
      INCONSISTENT_GROUP_PROTOCOL: `its members do not have any of ${ours.join(', ')} in common, or are no consumers`,
      INVALID_SESSION_TIMEOUT: `${sessionTimeoutMs} ms is outside group.min.session.timeout.ms and group.max.session.timeout.ms of the broker`,
    }
    const reason = reasons[error.name]
    const text = `group "${groupId}": ${error.message}${reason === undefined ? '' : `: ${reason}`}`
    return new KafkaError(error.code, text, { cause: error })
  }

  #startHeartbeats(): void {
    const heartbeats = new AbortController()
    this.#heartbeats = heartbeats
    void sendHeartbeats(this.#parts, this.identity, {
      signal: heartbeats.signal,
      onRebalance: () => {
        if (!this.#needsJoin) this.#requestJoin('the group rebalances')
      },
      onLost: (error) => {
        if (error.name === 'UNKNOWN_MEMBER_ID') this.#memberId = ''
        this.#lose(error)
      },
      onFailed: (error) => {
        this.#lose(error)
        this.#isLeaving = true
        this.#parts.host.fail(error)
      },
    })
  }

  /** Waits until there is something to do; looks for new topics and partitions meanwhile. */
  async #watch(): Promise<void> {
    const { client, options } = this.#parts
    const isMissing = this.#counts !== null && [...this.#counts.values()].includes(0)
    const dueMs = Math.min(
      options.metadataMaxAgeMs,
      isMissing ? missingTopicCheckMs : Number.POSITIVE_INFINITY,
    )
    let isDue = false
    const timer = client.env.clock.timer(dueMs, () => {
      isDue = true
      this.#event.raise()
    })
    await this.#event.wait()
    timer.cancel()
    if (!isDue || this.#needsJoin || this.#life.signal.aborted) return
    try {
      await this.#checkTopics()
    } catch (error) {
      // It is looked at again; that nobody answered is no reason to disturb the group.
      if (!this.#parts.link.shouldRetry(error)) throw error
    }
  }

  async #checkTopics(): Promise<void> {
    const { client, host } = this.#parts
    const topics = await host.topics()
    if (topics.join() !== this.#topics.join()) return this.#requestJoin('topics have changed')
    if (this.#counts === null) return
    const counts = await countPartitions(client, new Set(this.#counts.keys()))
    const isChanged = [...counts].some(([topic, count]) => this.#counts?.get(topic) !== count)
    if (isChanged) this.#requestJoin('the number of partitions has changed')
  }

  /** A static member stays: whoever comes back under its name goes on where it was. */
  async #sendLeave(reason: string): Promise<void> {
    const { link, options } = this.#parts
    const { groupId, instanceId } = options
    const memberId = this.#memberId
    if (memberId === '' || instanceId !== null || link.outage !== null) return
    const member = { memberId, groupInstanceId: null, reason: reason.slice(0, 255) }
    try {
      await link.request(LeaveGroup, (_, version) =>
        version >= 3 ? { groupId, members: [member] } : { groupId, memberId },
      )
    } catch (error) {
      // The session runs out by itself.
      this.#parts.client.env.log.info('leave-failed', { reason: String(error) })
    }
  }
}

function partitionsOf(assignment: Uint8Array, leader: string): TopicPartition[] {
  if (assignment.length === 0) return []
  try {
    return decodeAssignment(assignment).assignedPartitions.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    )
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    const text = `the group's leader ${leader} sent an assignment that cannot be read: ${error.message}`
    throw new KafkaError('INCONSISTENT_GROUP_PROTOCOL', text, { cause: error })
  }
}
