/**
 * A coordinator of classic groups on a FakeCluster, as small as members can tell: joins are held
 * until every member has come back or the rebalance is over, the leader's assignment is handed out,
 * heartbeats say 27 meanwhile. Members that fall silent are not expired: a test removes them.
 */

import { type Deferred, deferred } from '../../../lib/base/deferred.ts'
import { type ErrorName, errorCode } from '../../../lib/base/errors.ts'
import {
  FindCoordinator,
  type FindCoordinatorRequest,
} from '../../../lib/protocol/apis/find-coordinator.ts'
import { Heartbeat, type HeartbeatRequest } from '../../../lib/protocol/apis/heartbeat.ts'
import { JoinGroup, type JoinGroupRequest } from '../../../lib/protocol/apis/join-group.ts'
import { LeaveGroup, type LeaveGroupRequest } from '../../../lib/protocol/apis/leave-group.ts'
import { OffsetCommit, type OffsetCommitRequest } from '../../../lib/protocol/apis/offset-commit.ts'
import { OffsetFetch, type OffsetFetchRequest } from '../../../lib/protocol/apis/offset-fetch.ts'
import { SyncGroup, type SyncGroupRequest } from '../../../lib/protocol/apis/sync-group.ts'
import type { FakeCluster } from './fake-cluster.ts'

type Answer = { [field: string]: unknown }

interface Joined {
  protocols: JoinGroupRequest['protocols']
  instanceId: string | null
  join: Deferred<Answer> | null
  sync: Deferred<Answer> | null
}

export class FakeCoordinator {
  readonly #cluster: FakeCluster
  /** The broker that it lives on; others answer NOT_COORDINATOR. */
  node = 1
  generation = 0
  readonly members = new Map<string, Joined>()
  /** By `topic-partition`. */
  readonly committed = new Map<string, number>()
  phase: 'empty' | 'preparing' | 'completing' | 'stable' = 'empty'
  leader = ''
  #protocol = ''
  #nextId = 1

  constructor(cluster: FakeCluster) {
    this.#cluster = cluster
    cluster.serve(FindCoordinator, (_, body) => this.#find(body as FindCoordinatorRequest))
    cluster.serve(
      JoinGroup,
      (node, body, error) =>
        this.#refused(node, error, body as { memberId?: string }) ??
        this.#join(body as JoinGroupRequest),
    )
    cluster.serve(
      SyncGroup,
      (node, body, error) =>
        this.#refused(node, error, body as { memberId?: string }) ??
        this.#sync(body as SyncGroupRequest),
    )
    cluster.serve(
      Heartbeat,
      (node, body, error) =>
        this.#refused(node, error, body as { memberId?: string }) ??
        this.#heartbeat(body as HeartbeatRequest),
    )
    cluster.serve(
      LeaveGroup,
      (node, body, error) =>
        this.#refused(node, error, body as { memberId?: string }) ??
        this.#leave(body as LeaveGroupRequest),
    )
    cluster.serve(OffsetCommit, (node, body, error) => this.#commit(node, body as never, error))
    cluster.serve(OffsetFetch, (_, body) => this.#offsets(body as OffsetFetchRequest))
  }

  /** As when its session has run out. */
  remove(memberId: string): void {
    this.members.delete(memberId)
    this.#rebalance()
  }

  #refused(
    node: number,
    error: ErrorName | null,
    { memberId }: { memberId?: string },
  ): Answer | null {
    if (error === 'UNKNOWN_MEMBER_ID' && memberId !== undefined) this.remove(memberId)
    if (error !== null) return { errorCode: errorCode(error) }
    return node === this.node ? null : { errorCode: errorCode('NOT_COORDINATOR') }
  }

  #find({ coordinatorKeys }: FindCoordinatorRequest): Answer {
    const place = { nodeId: this.node, host: '127.0.0.1', port: 0, errorCode: 0 }
    return { coordinators: coordinatorKeys.map((key) => ({ key, ...place })) }
  }

  #join(request: JoinGroupRequest): Answer | Promise<Answer> {
    const { groupInstanceId: instanceId, protocols } = request
    let { memberId } = request
    if (memberId === '' && instanceId === null) {
      return { errorCode: errorCode('MEMBER_ID_REQUIRED'), memberId: `member-${this.#nextId++}` }
    }
    if (memberId === '') memberId = `${instanceId}-${this.#nextId++}`
    const isForeign = !this.members.has(memberId) && !/^(member|\w+)-\d+$/.test(memberId)
    if (isForeign) return { errorCode: errorCode('UNKNOWN_MEMBER_ID') }
    const join = deferred<Answer>()
    this.members.set(memberId, { protocols, instanceId, join, sync: null })
    this.#rebalance()
    return join.promise
  }

  #rebalance(): void {
    this.phase = this.members.size === 0 ? 'empty' : 'preparing'
    for (const { sync } of this.members.values()) sync?.resolve({ errorCode: 27 })
    // In the next turn: who joins together is in one generation.
    this.#cluster.env.clock.timer(1, () => this.#completeJoin())
  }

  #completeJoin(): void {
    const members = [...this.members]
    if (this.phase !== 'preparing' || members.some(([, { join }]) => join === null)) return
    const [first] = members
    if (first === undefined) return
    this.generation++
    this.phase = 'completing'
    if (!this.members.has(this.leader)) this.leader = first[0]
    const isShared = (name: string) =>
      members.every(([, { protocols }]) => protocols.some((one) => one.name === name))
    this.#protocol = first[1].protocols.find(({ name }) => isShared(name))?.name ?? ''
    for (const [memberId, member] of members) {
      const list = members.map(([id, { protocols, instanceId }]) => ({
        memberId: id,
        groupInstanceId: instanceId,
        metadata: protocols.find(({ name }) => name === this.#protocol)?.metadata,
      }))
      member.join?.resolve({
        errorCode: this.#protocol === '' ? errorCode('INCONSISTENT_GROUP_PROTOCOL') : 0,
        generationId: this.generation,
        protocolType: 'consumer',
        protocolName: this.#protocol,
        leader: this.leader,
        memberId,
        members: memberId === this.leader ? list : [],
      })
      member.join = null
    }
  }

  #sync({ memberId, generationId, assignments }: SyncGroupRequest): Answer | Promise<Answer> {
    const member = this.members.get(memberId)
    if (member === undefined) return { errorCode: errorCode('UNKNOWN_MEMBER_ID') }
    if (generationId !== this.generation) return { errorCode: errorCode('ILLEGAL_GENERATION') }
    if (this.phase === 'preparing') return { errorCode: errorCode('REBALANCE_IN_PROGRESS') }
    member.sync = deferred<Answer>()
    const { promise } = member.sync
    if (memberId === this.leader) {
      this.phase = 'stable'
      this.#assignments = new Map(assignments.map((one) => [one.memberId, one.assignment]))
    }
    if (this.phase === 'stable') {
      for (const [id, waiting] of this.members) {
        const assignment = this.#assignments.get(id) ?? Buffer.alloc(0)
        waiting.sync?.resolve({ errorCode: 0, assignment })
        waiting.sync = null
      }
    }
    return promise
  }

  #assignments = new Map<string, Uint8Array>()

  #heartbeat({ memberId, generationId }: HeartbeatRequest): Answer {
    if (!this.members.has(memberId)) return { errorCode: errorCode('UNKNOWN_MEMBER_ID') }
    if (generationId !== this.generation) return { errorCode: errorCode('ILLEGAL_GENERATION') }
    return { errorCode: this.phase === 'preparing' ? 27 : 0 }
  }

  #leave({ members }: LeaveGroupRequest): Answer {
    for (const { memberId } of members) this.remove(memberId)
    return { errorCode: 0, members: members.map((one) => ({ ...one, errorCode: 0 })) }
  }

  #commit(node: number, request: OffsetCommitRequest, error: ErrorName | null): Answer {
    const { memberId, generationIdOrMemberEpoch: generation } = request
    let code = 0
    if (error !== null) code = errorCode(error)
    else if (node !== this.node) code = errorCode('NOT_COORDINATOR')
    else if (!this.members.has(memberId)) code = errorCode('UNKNOWN_MEMBER_ID')
    else if (generation !== this.generation) code = errorCode('ILLEGAL_GENERATION')
    else if (this.phase === 'completing') code = 27
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, committedOffset }) => {
        if (code === 0) this.committed.set(`${name}-${partitionIndex}`, committedOffset)
        return { partitionIndex, errorCode: code }
      }),
    }))
    return { topics }
  }

  #offsets({ groups }: OffsetFetchRequest): Answer {
    return {
      groups: groups.map(({ groupId, topics }) => ({
        groupId,
        errorCode: 0,
        topics: (topics ?? []).map(({ name, partitionIndexes }) => ({
          name,
          partitions: partitionIndexes.map((partitionIndex) => ({
            partitionIndex,
            committedOffset: this.committed.get(`${name}-${partitionIndex}`) ?? -1,
            metadata: '',
            errorCode: 0,
          })),
        })),
      })),
    }
  }
}
