/**
 * The time-outs of a consumer group's members: a session that each heartbeat prolongs, the time to
 * give up partitions, and for those that speak the classic protocol the times to join and to sync.
 * Source: KIP-848; apache/kafka: .../group/GroupMetadataManager.java (schedule..., cancel...).
 */

import type { Clock } from '../../io/clock.ts'
import { Deadline } from './deadline.ts'

export type TimeoutKind = 'session' | 'rebalance' | 'join' | 'sync'

export class MemberTimers {
  readonly #clock: Clock
  readonly #members = new Map<string, Map<TimeoutKind, Entry>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `onDue` is called `ms` from now, in place of what was set before. */
  set(memberId: string, kind: TimeoutKind, { ms, onDue }: { ms: number; onDue: () => void }): void {
    let kinds = this.#members.get(memberId)
    if (kinds === undefined) {
      kinds = new Map()
      this.#members.set(memberId, kinds)
    }
    let entry = kinds.get(kind)
    if (entry === undefined) {
      entry = new Entry(this.#clock)
      kinds.set(kind, entry)
    }
    entry.onDue = onDue
    entry.deadline.set(ms)
  }

  isSet(memberId: string, kind: TimeoutKind): boolean {
    return this.#members.get(memberId)?.get(kind)?.deadline.isSet ?? false
  }

  cancel(memberId: string, kind: TimeoutKind): void {
    this.#members.get(memberId)?.get(kind)?.deadline.clear()
  }

  /** All of a member's. */
  clear(memberId: string): void {
    for (const { deadline } of this.#members.get(memberId)?.values() ?? []) deadline.clear()
    this.#members.delete(memberId)
  }

  close(): void {
    for (const memberId of [...this.#members.keys()]) this.clear(memberId)
  }
}

class Entry {
  readonly deadline: Deadline
  onDue: () => void = () => {}

  constructor(clock: Clock) {
    this.deadline = new Deadline(clock, () => this.onDue())
  }
}
