/** What a group consumer is told, and what it does untold. The defaults are Kafka's where it has them. */

import type { TopicPartition } from '../base/types.ts'
import type { AssignorName } from './assignors/assignor.ts'
import type { ConsumerOptions } from './consumer.ts'
import type { GroupStart } from './group-start.ts'

export interface GroupConsumerOptions extends ConsumerOptions {
  readonly groupId: string
  /** `classic` (the default), or `consumer`: KIP-848, where the brokers have it. */
  readonly protocol?: 'classic' | 'consumer'
  /** The name of a static member: who comes back under it within the session goes on where it was. */
  readonly instanceId?: string
  readonly rackId?: string
  /** Classic: how long the group keeps a member that it does not hear of, in ms (default 45000). */
  readonly sessionTimeoutMs?: number
  /** Classic, in ms (default 3000, at most a third of the session). */
  readonly heartbeatIntervalMs?: number
  /** How long the reader may take between two calls of `next`, in ms (default 300000). */
  readonly maxPollIntervalMs?: number
  /** Classic, best first. Default: all, range first. Only `cooperative-sticky`: cooperative. */
  readonly assignors?: readonly AssignorName[]
  /** Consumer protocol: `uniform` or `range`; the group's own without it. */
  readonly remoteAssignor?: string
  /** Commits by itself: every `autoCommitIntervalMs`, before partitions go, and at the end (default true). */
  readonly autoCommit?: boolean
  /** In ms (default 5000). */
  readonly autoCommitIntervalMs?: number
  /** Where a partition begins of which the group has committed nothing (default `earliest`). */
  readonly startAt?: GroupStart
  /** Each partition ends where its log ends when we are given it (default false: followed). */
  readonly untilEnd?: boolean
  /** How often topics are looked at for new ones and new partitions, in ms (default 300000). */
  readonly metadataMaxAgeMs?: number
  /** Called inside `next`, before anything of these is handed out. */
  readonly onAssigned?: (partitions: readonly TopicPartition[]) => void | Promise<void>
  /** Called inside `next` or `close`, while they are still ours: `commit` is possible. */
  readonly onRevoked?: (partitions: readonly TopicPartition[]) => void | Promise<void>
  /** They are somebody else's by now: nothing of them can be committed. */
  readonly onLost?: (partitions: readonly TopicPartition[]) => void | Promise<void>
}

/** A name, or what chooses among the names of all topics (internal ones excepted). */
export type TopicChoice = string | RegExp | ((name: string) => boolean)

/** What has a default. */
export type GroupConsumerSettings = GroupConsumerOptions &
  Required<Pick<GroupConsumerOptions, keyof typeof groupConsumerDefaults>>

/** All but the heartbeat interval, which follows from the session. */
export const groupConsumerDefaults = {
  protocol: 'classic',
  sessionTimeoutMs: 45_000,
  maxPollIntervalMs: 300_000,
  assignors: ['range', 'cooperative-sticky', 'roundrobin', 'sticky'],
  autoCommit: true,
  autoCommitIntervalMs: 5000,
  startAt: 'earliest',
  untilEnd: false,
  metadataMaxAgeMs: 300_000,
  maxOfflineMs: Number.POSITIVE_INFINITY,
} as const
