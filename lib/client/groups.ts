/**
 * Groups: listed by every broker, described by their coordinators. A group that is described with
 * ConsumerGroupDescribe (KIP-848) when it is one of that kind, otherwise with DescribeGroups.
 * What went wrong with one group or broker stands in its `error`.
 * Sources: KIP-518 (states), KIP-848 (types), KIP-1043 (unknown groups).
 */

import { DecodeError, KafkaError } from '../base/errors.ts'
import type { BrokerId } from '../base/types.ts'
import {
  ConsumerGroupDescribe,
  type ConsumerGroupDescribeResponse,
} from '../protocol/apis/consumer-group-describe.ts'
import { DeleteGroups } from '../protocol/apis/delete-groups.ts'
import { DescribeGroups, type DescribeGroupsResponse } from '../protocol/apis/describe-groups.ts'
import { ListGroups } from '../protocol/apis/list-groups.ts'
import { decodeAssignment } from '../protocol/consumer-protocol.ts'
import type { Connection } from '../wire/connection.ts'
import { resultError } from './admin-topics.ts'
import { backoffMs, retryBackoff } from './backoff.ts'
import type { Client } from './client.ts'
import type { Coordinators } from './coordinators.ts'
import { UnavailableError } from './errors.ts'

export interface GroupListing {
  readonly groupId: string
  /** `consumer` for consumers of both protocols; '' for a group that only has offsets. */
  readonly protocolType: string
  /** As Kafka spells it: Empty, Stable, PreparingRebalance, ...; '' when the broker does not tell. */
  readonly state: string
  /** classic, consumer, share, streams; '' when the broker does not tell. */
  readonly type: string
  readonly coordinator: BrokerId
}

export interface GroupList {
  /** By name. */
  readonly groups: readonly GroupListing[]
  /** Brokers that could not be asked: their groups are missing. */
  readonly failures: readonly {
    readonly broker: BrokerId
    readonly error: KafkaError | UnavailableError
  }[]
}

/** Partitions of one topic. */
export interface AssignedTopic {
  readonly topic: string
  readonly partitions: readonly number[]
}

export interface GroupMember {
  readonly memberId: string
  /** Of a static member. */
  readonly instanceId: string | null
  readonly clientId: string
  /** An address, as the coordinator sees it. */
  readonly clientHost: string
  readonly rackId: string | null
  /** Of the new protocol; -1 otherwise. */
  readonly memberEpoch: number
  /** By topic; null when it is not in the format of consumers. */
  readonly assignment: readonly AssignedTopic[] | null
}

export interface GroupDescription {
  readonly groupId: string
  /** GROUP_ID_NOT_FOUND for a group that does not exist; the rest is then empty. */
  readonly error: KafkaError | UnavailableError | null
  /** '' with an error. */
  readonly state: string
  readonly type: 'classic' | 'consumer'
  readonly protocolType: string
  /** Who assigns partitions; '' when nobody does. */
  readonly assignor: string
  /** Of the new protocol; -1 otherwise. */
  readonly epoch: number
  /** -1 with an error. */
  readonly coordinator: BrokerId
  readonly members: readonly GroupMember[]
}

export interface GroupResult {
  readonly groupId: string
  readonly error: KafkaError | UnavailableError | null
}

type Described = Omit<GroupDescription, 'groupId' | 'error' | 'coordinator'>

/** Groups of all brokers. Rejects when not even the brokers are known. */
export async function listGroups(
  client: Client,
  { timeoutMs = client.timeoutMs }: { timeoutMs?: number } = {},
): Promise<GroupList> {
  const { brokers } = await client.metadata({ topics: [], timeoutMs })
  const groups = new Map<string, GroupListing>()
  const failures: { broker: BrokerId; error: KafkaError | UnavailableError }[] = []
  await Promise.all(
    brokers.map(async ({ id }) => {
      try {
        for (const group of await groupsOf(client, id, timeoutMs)) groups.set(group.groupId, group)
      } catch (error) {
        if (!(error instanceof KafkaError) && !(error instanceof UnavailableError)) throw error
        failures.push({ broker: id, error })
      }
    }),
  )
  failures.sort((left, right) => left.broker - right.broker)
  const sorted = [...groups.values()].sort((a, b) => (a.groupId < b.groupId ? -1 : 1))
  return { groups: sorted, failures }
}

async function groupsOf(
  client: Client,
  broker: BrokerId,
  timeoutMs: number,
): Promise<GroupListing[]> {
  const deadlineMs = client.deadline(timeoutMs)
  for (let attempt = 1; ; attempt++) {
    const leftMs = Math.max(deadlineMs - client.env.clock.monotonicMs(), 250)
    const response = await client.request(ListGroups, () => ({}), {
      to: broker,
      timeoutMs: leftMs,
    })
    const error = resultError(response.errorCode, null)
    if (error === null) {
      return response.groups.map(({ groupId, protocolType, groupState, groupType }) => ({
        groupId,
        protocolType,
        state: groupState,
        type: groupType.toLowerCase(),
        coordinator: broker,
      }))
    }
    const pauseMs = backoffMs(client.env.random, retryBackoff, attempt)
    if (!error.isRetriable || client.env.clock.monotonicMs() + pauseMs >= deadlineMs) throw error
    await client.pause(pauseMs)
  }
}

/** In the order of `groupIds`. */
export async function describeGroups(
  coordinators: Coordinators,
  groupIds: readonly string[],
  options: { timeoutMs?: number } = {},
): Promise<GroupDescription[]> {
  const found = await coordinators.ask(groupIds, { ask: describeOnce, ...options })
  const known = groupIds.filter((_, index) => found[index]?.error === null)
  const nodes = await coordinators.nodesOf(known, options.timeoutMs)
  const nodeOf = new Map(known.map((groupId, index) => [groupId, nodes[index]?.answer ?? -1]))
  return groupIds.map((groupId, index) => {
    const outcome = found[index]
    const error = outcome?.error ?? null
    const description = outcome?.answer ?? nothing
    return { groupId, error, coordinator: nodeOf.get(groupId) ?? -1, ...description }
  })
}

const nothing: Described = {
  state: '',
  type: 'classic',
  protocolType: '',
  assignor: '',
  epoch: -1,
  members: [],
}

async function describeOnce(
  connection: Connection,
  groups: readonly string[],
  timeoutMs: number,
): Promise<Map<string, Described | KafkaError>> {
  const answers = new Map<string, Described | KafkaError>()
  if (connection.supports(ConsumerGroupDescribe)) {
    const body = { groupIds: [...groups] }
    const response = await connection.request(ConsumerGroupDescribe, body, { timeoutMs })
    for (const group of response.groups) answers.set(group.groupId, consumerGroup(group))
  }
  // Not of the new kind, or of no kind.
  const others = groups.filter((group) => isOther(answers.get(group)))
  if (others.length === 0) return answers
  const response = await connection.request(DescribeGroups, { groups: others }, { timeoutMs })
  for (const group of response.groups) answers.set(group.groupId, classicGroup(group))
  return answers
}

/** UNSUPPORTED_VERSION comes from brokers on which the new protocol is switched off. */
function isOther(answer: Described | KafkaError | undefined): boolean {
  if (answer === undefined) return true
  return answer instanceof KafkaError && (answer.code === 69 || answer.code === 35)
}

function consumerGroup(
  group: ConsumerGroupDescribeResponse['groups'][number],
): Described | KafkaError {
  const error = resultError(group.errorCode, group.errorMessage)
  if (error !== null) return error
  return {
    state: group.groupState,
    type: 'consumer',
    protocolType: 'consumer',
    assignor: group.assignorName,
    epoch: group.groupEpoch,
    members: group.members.map(
      ({ memberId, instanceId, clientId, clientHost, rackId, memberEpoch, assignment }) => ({
        memberId,
        instanceId,
        clientId,
        clientHost: addressOf(clientHost),
        rackId,
        memberEpoch,
        assignment: sortedTopics(
          assignment.topicPartitions.map(({ topicName, partitions }) => ({
            topic: topicName,
            partitions,
          })),
        ),
      }),
    ),
  }
}

function classicGroup(group: DescribeGroupsResponse['groups'][number]): Described | KafkaError {
  const error = resultError(group.errorCode, group.errorMessage)
  if (error !== null) return error
  // Before version 6 a group that nobody knows was a dead one.
  if (group.groupState === 'Dead') {
    return new KafkaError('GROUP_ID_NOT_FOUND', `no such group "${group.groupId}"`)
  }
  return {
    state: group.groupState,
    type: 'classic',
    protocolType: group.protocolType,
    assignor: group.protocolData,
    epoch: -1,
    members: group.members.map(
      ({ memberId, groupInstanceId, clientId, clientHost, memberAssignment }) => ({
        memberId,
        instanceId: groupInstanceId,
        clientId,
        clientHost: addressOf(clientHost),
        rackId: null,
        memberEpoch: -1,
        assignment:
          group.protocolType === 'consumer' || memberAssignment.length === 0
            ? classicAssignment(memberAssignment)
            : null,
      }),
    ),
  }
}

/** Java writes the slash of its InetAddress before it. */
function addressOf(clientHost: string): string {
  return clientHost.startsWith('/') ? clientHost.slice(1) : clientHost
}

function classicAssignment(bytes: Uint8Array): AssignedTopic[] | null {
  if (bytes.length === 0) return []
  try {
    return sortedTopics(decodeAssignment(bytes).assignedPartitions)
  } catch (error) {
    if (error instanceof DecodeError) return null
    throw error
  }
}

function sortedTopics(topics: readonly AssignedTopic[]): AssignedTopic[] {
  return topics
    .map(({ topic, partitions }) => ({ topic, partitions: [...partitions].sort((a, b) => a - b) }))
    .sort((left, right) => (left.topic < right.topic ? -1 : 1))
}

/** Deletes groups without members, with their offsets. In the order of `groupIds`. */
export async function deleteGroups(
  coordinators: Coordinators,
  groupIds: readonly string[],
  options: { timeoutMs?: number } = {},
): Promise<GroupResult[]> {
  const ask = async (connection: Connection, groups: readonly string[], timeoutMs: number) => {
    const body = { groupsNames: [...groups] }
    const { results } = await connection.request(DeleteGroups, body, { timeoutMs })
    return new Map(
      results.map(({ groupId, errorCode }) => [groupId, resultError(errorCode, null) ?? true]),
    )
  }
  const outcomes = await coordinators.ask(groupIds, { ask, isRepeatable: false, ...options })
  return groupIds.map((groupId, index) => ({ groupId, error: outcomes[index]?.error ?? null }))
}
