/**
 * A member of a classic group: who it is, what it can do, what it was given, and its requests that
 * wait for the others (parked). To the broker metadata and assignment are bytes; only the leader of
 * the group, which is a client, reads them.
 * Source: apache/kafka: group-coordinator/.../classic/ClassicGroupMember.java.
 */

import type { JoinGroupResponse } from '../../protocol/apis/join-group.ts'
import type { SyncGroupResponse } from '../../protocol/apis/sync-group.ts'
import type { Encodable } from '../../protocol/schema.ts'
import type { Deadline } from './deadline.ts'

export type JoinAnswer = Encodable<JoinGroupResponse>
export type SyncAnswer = Encodable<SyncGroupResponse>

/** Answers a request that waits. Whoever calls it takes it out of the member first. */
export type Parked<R> = (answer: R) => void

/** A way to share out partitions that a member supports, with what it wants of it. */
export interface JoinProtocol {
  readonly name: string
  readonly metadata: Uint8Array
}

export const noBytes = new Uint8Array(0)

/** What an entry takes beside its bytes, roughly. */
const entryBytes = 64

/** About the memory that a member's protocols take. */
export function saidBytesOf(protocols: readonly JoinProtocol[]): number {
  let bytes = 0
  for (const { name, metadata } of protocols) bytes += entryBytes + name.length + metadata.length
  return bytes
}

/** What a member says of itself when it joins, and what a record remembers of it. */
export interface MemberOptions {
  readonly memberId: string
  /** null: a dynamic member; else a static one, known by this id through restarts (KIP-345). */
  readonly groupInstanceId: string | null
  readonly clientId: string
  /** As Kafka writes it: `/127.0.0.1`. */
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly protocolType: string
  /** In order of preference, each name once. */
  readonly protocols: readonly JoinProtocol[]
  readonly assignment?: Uint8Array
}

export class ClassicMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly protocolType: string
  rebalanceTimeoutMs: number
  sessionTimeoutMs: number
  protocols: readonly JoinProtocol[]
  /** What the leader gave it in this generation; no bytes until then. */
  assignment: Uint8Array
  /** Has not had its first JoinGroup answer: it cannot heartbeat, having no id to do it with. */
  isNew = false
  parkedJoin: Parked<JoinAnswer> | null = null
  parkedSync: Parked<SyncAnswer> | null = null
  /** Removes the member when it was silent for too long. Set once the group was loaded. */
  session: Deadline | null = null

  constructor(options: MemberOptions) {
    this.memberId = options.memberId
    this.groupInstanceId = options.groupInstanceId
    this.clientId = options.clientId
    this.clientHost = options.clientHost
    this.protocolType = options.protocolType
    this.rebalanceTimeoutMs = options.rebalanceTimeoutMs
    this.sessionTimeoutMs = options.sessionTimeoutMs
    this.protocols = options.protocols
    this.assignment = options.assignment ?? noBytes
  }

  get isStatic(): boolean {
    return this.groupInstanceId !== null
  }

  /** A member whose request waits here is alive, whatever its session says. */
  get isWaiting(): boolean {
    return !this.isNew && (this.parkedJoin !== null || this.parkedSync !== null)
  }

  /** What it wants of the protocol; no bytes for one that it does not support. */
  metadata(protocolName: string | null): Uint8Array {
    return this.protocols.find(({ name }) => name === protocolName)?.metadata ?? noBytes
  }

  /** Whether a join with these protocols changes nothing. */
  hasProtocols(protocols: readonly JoinProtocol[]): boolean {
    return (
      protocols.length === this.protocols.length &&
      this.protocols.every(({ name, metadata }, index) => {
        const other = protocols[index]
        return other?.name === name && Buffer.compare(other.metadata, metadata) === 0
      })
    )
  }

  /** The first of its protocols that everybody supports. */
  vote(candidates: ReadonlySet<string>): string | undefined {
    return this.protocols.find(({ name }) => candidates.has(name))?.name
  }
}
