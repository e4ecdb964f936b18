/** A member of a consumer group: reads what it is given, commits now and then, comes and goes. */

import { KafkaError } from '../../lib/base/errors.ts'
import { Admin } from '../../lib/client/admin.ts'
import { UnavailableError } from '../../lib/client/errors.ts'
import { GroupConsumer } from '../../lib/client/group-consumer.ts'
import type { GroupConsumerOptions } from '../../lib/client/group-options.ts'
import { Violation } from './audit.ts'
import { ClientHost } from './client-host.ts'
import type { GroupLedger } from './group-ledger.ts'
import { nameOf } from './ledger.ts'
import type { Simulation } from './simulation.ts'
import { between, chance, pick } from './world.ts'

export class GroupHost extends ClientHost {
  readonly group: GroupLedger
  readonly protocol: 'classic' | 'consumer'
  #isFinished = false

  constructor(
    name: string,
    simulation: Simulation,
    { group, protocol }: { group: GroupLedger; protocol: 'classic' | 'consumer' },
  ) {
    super(name, simulation, group.cluster)
    this.group = group
    this.protocol = protocol
  }

  get unfinished(): string | null {
    if (this.#isFinished || !this.isRunning) return null
    return `is still in group ${this.group.name}: ${this.group.unread}`
  }

  protected override onKilled(): void {
    this.#isFinished = false
  }

  protected override async run(): Promise<void> {
    const { simulation } = this
    try {
      while (!this.#mayEnd) {
        try {
          await this.#live()
        } catch (error) {
          const isKnown = error instanceof KafkaError || error instanceof UnavailableError
          if (!isKnown && !this.cluster.host.hasRot) throw error
          await this.pause(200)
        }
      }
      await this.#checkCommitted()
      this.#isFinished = true
      this.client.close()
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      simulation.world.fail(error)
    }
  }

  get #mayEnd(): boolean {
    const { simulation, cluster, group } = this
    return simulation.isEnding && simulation.areProducersDone(cluster) && group.unread === null
  }

  /** One membership: joins, reads for a while, leaves. */
  async #live(): Promise<void> {
    const { simulation, random } = this
    const member: GroupConsumer = new GroupConsumer(
      this.client,
      this.#options(() => member),
    )
    member.subscribe([this.group.topic.name])
    const untilMs = simulation.world.nowMs + between(random, 2000, 60_000)
    try {
      while (!this.#mayEnd && (simulation.isEnding || simulation.world.nowMs < untilMs)) {
        const batches = await member.next({ timeoutMs: 300 })
        for (const batch of batches) {
          const ledger = this.cluster.ledger(batch.topic, batch.partition)
          for (const { offset, value } of batch.records()) {
            ledger.onRead(offset, nameOf(value), this.name)
            this.group.onRead(this.name, batch.partition, offset)
          }
        }
        if (chance(random, 0.2)) await this.#commit(member)
        // A commit that a crash took is soon hidden behind the next one.
        if (chance(random, 0.1)) await this.#askCommitted()
        if (!simulation.isEnding && chance(random, 0.05)) await this.pause(between(random, 0, 8000))
      }
    } finally {
      await member.close().catch(() => {})
    }
  }

  #options(member: () => GroupConsumer): GroupConsumerOptions {
    const { random, group } = this
    return {
      groupId: group.name,
      protocol: this.protocol,
      autoCommitIntervalMs: pick(random, [300, 1000, 5000]),
      sessionTimeoutMs: 10_000,
      maxPollIntervalMs: 15_000,
      maxWaitMs: pick(random, [50, 500]),
      onOutOfRange: 'earliest',
      assignors: pick(random, [['range'], ['range', 'cooperative-sticky']] as const),
      onAssigned: (partitions) => {
        const { identity } = member()
        for (const { partition } of partitions) group.onAssigned(this.name, partition, identity)
      },
    }
  }

  /** Commits what it has read, and remembers what was answered. */
  async #commit(member: GroupConsumer): Promise<void> {
    const offsets = member.assignment.flatMap((one) => {
      const offset = member.position(one)
      return offset > 0 ? [{ ...one, offset }] : []
    })
    if (offsets.length === 0) return
    try {
      await member.commit(offsets)
    } catch (error) {
      if (error instanceof KafkaError || error instanceof UnavailableError) return
      throw error
    }
    for (const { partition, offset } of offsets) this.group.onCommitted(partition, offset)
  }

  async #askCommitted(): Promise<void> {
    try {
      await this.#checkCommitted()
    } catch (error) {
      if (!(error instanceof KafkaError || error instanceof UnavailableError)) throw error
    }
  }

  async #checkCommitted(): Promise<void> {
    const { group } = this
    const before = group.committed
    const [found] = await new Admin(this.client).groupOffsets([group.name])
    if (found === undefined || found.error !== null) return
    for (const [partition, committed] of before.entries()) {
      const offset = found.offsets.find((one) => one.partition === partition)?.offset ?? -1
      group.checkCommitted(partition, { committed, offset })
    }
  }
}
