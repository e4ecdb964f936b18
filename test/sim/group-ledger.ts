/** What the members of a group were given, read and committed: who owned what, and that nothing was passed over. */

import type { Offset } from '../../lib/base/types.ts'
import { Violation } from './audit.ts'
import type { Cluster, TopicPlan } from './cluster.ts'

export class GroupLedger {
  readonly name: string
  readonly cluster: Cluster
  readonly topic: TopicPlan
  /** Replayed requests may bring an old commit back. */
  committedMayFall = false
  /** Offsets below were handed to some member, by partition. */
  readonly #consumed: Offset[]
  /** A commit was answered up to here. */
  readonly #committed: Offset[]
  /** What was committed when a member was given a partition, until it reads from it. */
  readonly #floors = new Map<string, Offset>()
  /** Who was given a partition in a generation. */
  readonly #owners = new Map<string, string>()

  constructor(name: string, cluster: Cluster, topic: TopicPlan) {
    this.name = name
    this.cluster = cluster
    this.topic = topic
    this.#consumed = Array.from({ length: topic.partitions }, () => 0)
    this.#committed = Array.from({ length: topic.partitions }, () => -1)
  }

  onAssigned(
    host: string,
    partition: number,
    { memberId, generation }: { memberId: string; generation: number },
  ): void {
    this.cluster.world.note('assigned', generation, `${this.name}/${partition} ${host}`)
    this.#floors.set(`${host}/${partition}`, this.#committed[partition] ?? -1)
    const key = `${generation}/${partition}`
    const owner = this.#owners.get(key)
    this.#owners.set(key, memberId)
    if (owner === undefined || owner === memberId) return
    throw new Violation(
      'two-owners',
      `group ${this.name}: partition ${partition} belongs to ${owner} and to ${memberId} in generation ${generation}`,
    )
  }

  /** A member was handed a record; it may have been read before, but nothing may be left out. */
  onRead(host: string, partition: number, offset: Offset): void {
    this.#checkFloor(host, partition, offset)
    const consumed = this.#consumed[partition] ?? 0
    if (offset > consumed && !this.#mayBegin(partition, offset)) {
      throw new Violation(
        'poll-skip',
        `group ${this.name} read offset ${offset} of ${this.topic.name}-${partition}, nobody read from ${consumed} on`,
      )
    }
    this.#consumed[partition] = Math.max(consumed, offset + 1)
  }

  /** Whoever is given a partition begins where it was committed by then, or later. */
  #checkFloor(host: string, partition: number, offset: Offset): void {
    const key = `${host}/${partition}`
    const floor = this.#floors.get(key) ?? -1
    this.#floors.delete(key)
    if (offset >= floor || this.#mayFall) return
    throw new Violation(
      'lost-commit',
      `group ${this.name}: ${host} begins at ${offset} of ${this.topic.name}-${partition}, ${floor} was committed`,
    )
  }

  /** Whether the log may have lost all before `offset` to retention or DeleteRecords. */
  #mayBegin(partition: number, offset: Offset): boolean {
    const ledger = this.cluster.ledger(this.topic.name, partition)
    return ledger.hasRetention || !ledger.isDurable || offset <= ledger.trimAsked
  }

  /** A commit reached the broker. */
  onCommitAsked(partition: number, offset: Offset): void {
    const consumed = this.#consumed[partition] ?? 0
    if (offset <= consumed || this.#mayBegin(partition, offset)) return
    throw new Violation(
      'commit-ahead',
      `group ${this.name} commits offset ${offset} of ${this.topic.name}-${partition}, it was read up to ${consumed}`,
    )
  }

  /** A topic that may lose records takes its readers back. */
  get #mayFall(): boolean {
    return this.committedMayFall || this.topic.configs['ottla.durability'] === 'replicated'
  }

  onCommitted(partition: number, offset: Offset): void {
    this.cluster.world.note('committed', offset, `${this.name}/${partition}`)
    this.#committed[partition] = Math.max(this.#committed[partition] ?? 0, offset)
  }

  /** By partition, as far as commits were answered. */
  get committed(): readonly Offset[] {
    return [...this.#committed]
  }

  /** What the broker says is committed, and what was before it was asked. */
  checkCommitted(
    partition: number,
    { committed, offset }: { committed: Offset; offset: Offset },
  ): void {
    if (offset >= committed || this.#mayFall) return
    throw new Violation(
      'lost-commit',
      `group ${this.name}: offset ${committed} of ${this.topic.name}-${partition} was committed, the broker says ${offset}`,
    )
  }

  /** Why not everything was read; null when it was. */
  get unread(): string | null {
    for (const [partition, consumed] of this.#consumed.entries()) {
      const name = `${this.topic.name}-${partition}`
      const found = [...this.cluster.host.partitions()].find((one) => one.name === name)
      const end = found?.log.logEndOffset
      if (end === undefined) return `${name} is not there`
      if (consumed < end && found?.log.logStartOffset !== end) {
        return `${name} was read up to ${consumed} of ${end}`
      }
    }
    return null
  }
}
