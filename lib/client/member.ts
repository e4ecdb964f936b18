/**
 * What the two kinds of group members have in common: member-classic.ts joins and syncs (JoinGroup,
 * SyncGroup), member-consumer.ts only sends heartbeats (KIP-848). Each runs by itself in the
 * background; what concerns the reader of the partitions it asks of its host and waits for.
 *
 * Invariant: a partition is given up to the group only after `revoke` has resolved, so that what was
 * processed could be committed while it was still ours; what is taken from us without asking (the
 * session ran out, somebody fenced us) goes through `lose`, and then nothing may be committed.
 */

import type { TopicPartition } from '../base/types.ts'
import type { AssignorName } from './assignors/assignor.ts'
import type { Client } from './client.ts'
import type { MemberLink } from './member-link.ts'

export interface MemberOptions {
  readonly groupId: string
  /** null = a dynamic member. */
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  /** How long the group waits for us to let go of partitions: max.poll.interval.ms. */
  readonly rebalanceTimeoutMs: number
  /** How often topics are looked at for new ones and new partitions. */
  readonly metadataMaxAgeMs: number
  /** Classic: those we can do, best first. */
  readonly assignors: readonly AssignorName[]
  /** Consumer protocol: `uniform` or `range`; null = the group's. */
  readonly remoteAssignor: string | null
}

/** What a member asks of whoever reads the partitions. */
export interface MemberHost {
  /** The topics that we are subscribed to, as far as they are known by now. */
  topics(): Promise<string[]>
  /** Resolves when nothing of them is being processed any more and what was is committed. */
  revoke(partitions: readonly TopicPartition[]): Promise<void>
  /** Resolves when the reader knows of them. Called with [] too: the group has had its say. */
  assign(partitions: readonly TopicPartition[]): Promise<void>
  /** They are somebody else's already. */
  lose(partitions: readonly TopicPartition[], why: Error): void
  /** The member has given up for good. */
  fail(error: Error): void
  /** Something that the reader may wait for has changed. */
  onChange(): void
}

/** Who commits: a coordinator refuses offsets of anybody who is not in the group by now. */
export interface MemberIdentity {
  readonly memberId: string
  /** The generation, or the member epoch; -1 = not in the group. */
  readonly generation: number
  readonly instanceId: string | null
}

export interface Member {
  readonly identity: MemberIdentity
  /** Whether it is in the group and no rebalance is known of. */
  readonly isStable: boolean
  /** Begins, in the background. */
  start(): void
  /** Leaves until `resume`: the reader is stuck. */
  suspend(why: Error): void
  resume(): void
  /** Ends everything and tells the coordinator; resolves when it knows, or was not reached. */
  leave(): Promise<void>
}

export interface MemberParts {
  readonly client: Client
  readonly link: MemberLink
  readonly host: MemberHost
  readonly options: MemberOptions
}

/** Those of `left` that are not in `right`. */
export function without(
  left: readonly TopicPartition[],
  right: readonly TopicPartition[],
): TopicPartition[] {
  const keys = new Set(right.map(({ topic, partition }) => `${topic}-${partition}`))
  return left.filter(({ topic, partition }) => !keys.has(`${topic}-${partition}`))
}
