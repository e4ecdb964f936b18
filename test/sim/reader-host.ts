/** A consumer by assignment: reads a topic from its start, without a gap and without a step back. */

import { KafkaError } from '../../lib/base/errors.ts'
import type { Offset } from '../../lib/base/types.ts'
import { Consumer, type OutOfRange } from '../../lib/client/consumer.ts'
import type { FetchedBatch } from '../../lib/client/fetched-batch.ts'
import { Violation } from './audit.ts'
import type { Step } from './checker.ts'
import { ClientHost } from './client-host.ts'
import type { Cluster, TopicPlan } from './cluster.ts'
import { nameOf } from './ledger.ts'
import type { Simulation } from './simulation.ts'
import { between, chance, pick } from './world.ts'

export class ReaderHost extends ClientHost {
  readonly topic: TopicPlan
  /** The offset that comes next, by partition. */
  readonly #positions: Offset[]
  /** Where the log was said to begin when a position was no longer in it: a gap up to there is none. */
  readonly #jumps: Offset[] = []

  constructor(
    name: string,
    simulation: Simulation,
    { cluster, topic }: { cluster: Cluster; topic: TopicPlan },
  ) {
    super(name, simulation, cluster)
    this.topic = topic
    this.#positions = Array.from({ length: topic.partitions }, () => 0)
  }

  get unfinished(): string | null {
    for (const [partition, position] of this.#positions.entries()) {
      const ledger = this.cluster.ledger(this.topic.name, partition)
      const found = [...this.cluster.host.partitions()].find(({ name }) => name === ledger.name)
      if (ledger.isRotten) continue
      const end = found?.log.logEndOffset ?? 0
      if (found === undefined || (position < end && this.#jumps[partition] !== end)) {
        return `${ledger.name} was read up to ${position} of ${found?.log.logEndOffset ?? 'nothing'}`
      }
    }
    return null
  }

  protected override onKilled(): void {
    // Whoever comes back begins anew, and must read the same.
    this.#positions.fill(0)
    for (const partition of this.#positions.keys()) this.#history(partition, { kind: 'begin' })
  }

  protected override async run(): Promise<void> {
    const { random, topic } = this
    for (;;) {
      const consumer = new Consumer(this.client, {
        maxWaitMs: pick(random, [50, 500]),
        partitionMaxBytes: pick(random, [1, 3000, 100_000]),
        onOutOfRange: (range) => this.#onOutOfRange(range),
      })
      consumer.assign(
        this.#positions.map((from, partition) => ({ topic: topic.name, partition, from })),
      )
      try {
        for (;;) {
          for (const batch of await consumer.next({ timeoutMs: 1000 })) this.#onBatch(batch)
          if (chance(random, 0.1)) await this.pause(between(random, 0, 2000))
        }
      } catch (error) {
        consumer.close()
        if (error instanceof Violation) return this.simulation.world.fail(error)
        if (!(error instanceof KafkaError) && !this.cluster.host.hasRot) throw error
        await this.pause(200)
      }
    }
  }

  #onOutOfRange({ partition, logStartOffset, position }: OutOfRange): Offset {
    const ledger = this.cluster.ledger(this.topic.name, partition)
    if (ledger.isDurable && position >= logStartOffset) {
      const text = `${this.name} was told that offset ${position} of ${ledger.name} is not there yet; it starts at ${logStartOffset}`
      this.simulation.world.fail(new Violation('nonmonotonic-poll', text))
    }
    this.#jumps[partition] = logStartOffset
    this.#history(partition, { kind: 'jump', to: logStartOffset })
    return logStartOffset
  }

  #history(partition: number, step: Step): void {
    this.cluster.ledger(this.topic.name, partition).history.step(this.name, step)
  }

  #onBatch(batch: FetchedBatch): void {
    const { partition } = batch
    const ledger = this.cluster.ledger(this.topic.name, partition)
    for (const { offset, value } of batch.records()) {
      const expected = this.#positions[partition] ?? 0
      // A read that was under way while segments went goes on behind them, as Kafka's does.
      const mayJump = ledger.hasRetention || offset <= ledger.trimAsked
      if (offset > expected && mayJump && offset !== this.#jumps[partition]) {
        this.#jumps[partition] = offset
        this.#history(partition, { kind: 'jump', to: offset })
      }
      // What the cleaner left out; the checker says whether that was right.
      const isPassed = ledger.isCompacted && offset > expected
      if (
        offset !== expected &&
        offset !== this.#jumps[partition] &&
        ledger.isDurable &&
        !isPassed
      ) {
        throw new Violation(
          offset > expected ? 'poll-skip' : 'nonmonotonic-poll',
          `${this.name} read offset ${offset} of ${ledger.name} after ${expected - 1}`,
        )
      }
      const name = nameOf(value)
      this.#history(partition, { kind: 'read', offset, name })
      ledger.onRead(offset, name, this.name)
      this.#positions[partition] = offset + 1
      this.simulation.counts.read++
    }
  }
}
