/** Groups of a FakeCluster: what a test says they are, answered as coordinators do. */

import { type ErrorName, errorCode } from '../../../lib/base/errors.ts'
import {
  ConsumerGroupDescribe,
  type ConsumerGroupDescribeRequest,
} from '../../../lib/protocol/apis/consumer-group-describe.ts'
import { DeleteGroups, type DeleteGroupsRequest } from '../../../lib/protocol/apis/delete-groups.ts'
import {
  DescribeGroups,
  type DescribeGroupsRequest,
} from '../../../lib/protocol/apis/describe-groups.ts'
import {
  FindCoordinator,
  type FindCoordinatorRequest,
} from '../../../lib/protocol/apis/find-coordinator.ts'
import { ListGroups } from '../../../lib/protocol/apis/list-groups.ts'
import { OffsetCommit, type OffsetCommitRequest } from '../../../lib/protocol/apis/offset-commit.ts'
import { OffsetDelete, type OffsetDeleteRequest } from '../../../lib/protocol/apis/offset-delete.ts'
import { OffsetFetch, type OffsetFetchRequest } from '../../../lib/protocol/apis/offset-fetch.ts'
import type { FakeCluster } from './fake-cluster.ts'

export interface FakeMember {
  readonly memberId: string
  /** Of a classic member, as on the wire. */
  readonly assignment?: Uint8Array
  /** Of a member of the new protocol. */
  readonly topics?: Readonly<Record<string, readonly number[]>>
}

export interface FakeGroupOptions {
  readonly type?: 'classic' | 'consumer'
  readonly protocolType?: string
  readonly members?: readonly FakeMember[]
  readonly committed?: Readonly<Record<string, Readonly<Record<number, number>>>>
}

export class FakeGroup {
  node = 1
  readonly type: 'classic' | 'consumer'
  readonly protocolType: string
  members: readonly FakeMember[]
  /** By `topic-partition`. */
  readonly committed = new Map<string, number>()
  readonly partitionErrors = new Map<string, ErrorName>()
  /** One for each request, until there are none. */
  findErrors: ErrorName[] = []
  errors: ErrorName[] = []
  commitErrors: ErrorName[] = []

  constructor({ type = 'classic', protocolType, members = [], committed = {} }: FakeGroupOptions) {
    this.type = type
    this.protocolType = protocolType ?? 'consumer'
    this.members = members
    for (const [topic, partitions] of Object.entries(committed)) {
      for (const [partition, offset] of Object.entries(partitions)) {
        this.committed.set(`${topic}-${partition}`, offset)
      }
    }
  }

  get state(): string {
    return this.members.length === 0 ? 'Empty' : 'Stable'
  }
}

export class FakeGroups {
  readonly #groups = new Map<string, FakeGroup>()
  listErrors: ErrorName[] = []
  isNewProtocolOff = false

  constructor(cluster: FakeCluster) {
    cluster.serve(FindCoordinator, (_, body) => this.#find(body as FindCoordinatorRequest))
    cluster.serve(ListGroups, (node) => this.#list(node))
    cluster.serve(DescribeGroups, (_, body) => this.#describe(body as DescribeGroupsRequest))
    cluster.serve(ConsumerGroupDescribe, (_, body) =>
      this.#describeNew(body as ConsumerGroupDescribeRequest),
    )
    cluster.serve(OffsetFetch, (node, body) => this.#offsets(node, body as OffsetFetchRequest))
    cluster.serve(OffsetCommit, (_, body) => this.#commit(body as OffsetCommitRequest))
    cluster.serve(OffsetDelete, (_, body) => this.#forget(body as OffsetDeleteRequest))
    cluster.serve(DeleteGroups, (_, body) => this.#delete(body as DeleteGroupsRequest))
  }

  add(name: string, options: FakeGroupOptions = {}): FakeGroup {
    const group = new FakeGroup(options)
    this.#groups.set(name, group)
    return group
  }

  of(name: string): FakeGroup {
    const group = this.#groups.get(name)
    if (group === undefined) throw new Error(`no group ${name}`)
    return group
  }

  #find({ key, coordinatorKeys }: FindCoordinatorRequest) {
    const answers = (coordinatorKeys.length > 0 ? coordinatorKeys : [key]).map((name) => {
      const group = this.#groups.get(name)
      const error = group?.findErrors.shift()
      const nodeId = group?.node ?? 1
      if (error !== undefined) return { key: name, nodeId: -1, errorCode: errorCode(error) }
      return { key: name, nodeId, host: '127.0.0.1', port: 9090 + nodeId, errorCode: 0 }
    })
    return coordinatorKeys.length > 0
      ? { coordinators: answers }
      : { ...answers[0], key: undefined }
  }

  #list(node: number) {
    const error = this.listErrors.shift()
    if (error !== undefined) return { errorCode: errorCode(error) }
    const groups = [...this.#groups]
      .filter(([, group]) => group.node === node)
      .map(([groupId, { protocolType, state, type }]) => ({
        groupId,
        protocolType,
        groupState: state,
        groupType: type,
      }))
    return { groups }
  }

  #describe({ groups }: DescribeGroupsRequest) {
    return {
      groups: groups.map((groupId) => {
        const group = this.#groups.get(groupId)
        if (group === undefined) return { groupId, errorCode: 0, groupState: 'Dead' }
        return {
          groupId,
          groupState: group.state,
          protocolType: group.protocolType,
          protocolData: group.members.length === 0 ? '' : 'range',
          members: group.members.map(({ memberId, assignment = new Uint8Array(0) }) => ({
            memberId,
            clientId: 'c',
            clientHost: '/10.0.0.4',
            memberMetadata: new Uint8Array(0),
            memberAssignment: assignment,
          })),
        }
      }),
    }
  }

  #describeNew({ groupIds }: ConsumerGroupDescribeRequest) {
    return {
      groups: groupIds.map((groupId) => {
        const group = this.#groups.get(groupId)
        if (this.isNewProtocolOff) return { groupId, errorCode: 35 }
        if (group?.type !== 'consumer') return { groupId, errorCode: 69 }
        return {
          groupId,
          groupState: group.state,
          groupEpoch: 4,
          assignorName: 'uniform',
          members: group.members.map(({ memberId, topics = {} }) => ({
            memberId,
            memberEpoch: 4,
            clientId: 'c',
            clientHost: '/10.0.0.5',
            assignment: {
              topicPartitions: Object.entries(topics).map(([topicName, partitions]) => ({
                topicName,
                partitions: [...partitions],
              })),
            },
          })),
        }
      }),
    }
  }

  #offsets(node: number, { groupId, groups }: OffsetFetchRequest) {
    const one = (name: string) => {
      const group = this.#groups.get(name)
      const error =
        group?.errors.shift() ?? (group && group.node !== node ? 'NOT_COORDINATOR' : null)
      if (error !== null) return { topics: [], errorCode: errorCode(error) }
      return { topics: topicsOf(group?.committed ?? new Map()), errorCode: 0 }
    }
    if (groups.length === 0) return one(groupId)
    return { groups: groups.map((asked) => ({ groupId: asked.groupId, ...one(asked.groupId) })) }
  }

  #commit({ groupId, topics }: OffsetCommitRequest) {
    const group = this.of(groupId)
    const error = group.commitErrors.shift()
    return {
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, committedOffset }) => {
          const key = `${name}-${partitionIndex}`
          const failed = error ?? group.partitionErrors.get(key)
          if (failed === undefined) group.committed.set(key, committedOffset)
          return { partitionIndex, errorCode: failed === undefined ? 0 : errorCode(failed) }
        }),
      })),
    }
  }

  #forget({ groupId, topics }: OffsetDeleteRequest) {
    const group = this.#groups.get(groupId)
    if (group === undefined) return { errorCode: 69 }
    return {
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => {
          const key = `${name}-${partitionIndex}`
          const failed = group.partitionErrors.get(key)
          if (failed === undefined) group.committed.delete(key)
          return { partitionIndex, errorCode: failed === undefined ? 0 : errorCode(failed) }
        }),
      })),
    }
  }

  #delete({ groupsNames }: DeleteGroupsRequest) {
    return {
      results: groupsNames.map((groupId) => {
        const group = this.#groups.get(groupId)
        const code = group === undefined ? 69 : group.members.length > 0 ? 68 : 0
        if (code === 0) this.#groups.delete(groupId)
        return { groupId, errorCode: code }
      }),
    }
  }
}

function topicsOf(committed: ReadonlyMap<string, number>) {
  const topics = new Map<string, { partitionIndex: number; committedOffset: number }[]>()
  for (const [key, committedOffset] of committed) {
    const at = key.lastIndexOf('-')
    const name = key.slice(0, at)
    const partition = { partitionIndex: Number(key.slice(at + 1)), committedOffset, metadata: '' }
    topics.set(name, [...(topics.get(name) ?? []), partition])
  }
  return [...topics].map(([name, partitions]) => ({ name, partitions }))
}
