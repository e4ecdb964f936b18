/** A producer: numbered records to one topic, in bursts. Says of each what it was told. */

import type { DeliveryReport } from '../../lib/client/produce-batch.ts'
import { Producer, type ProducerOptions } from '../../lib/client/producer.ts'
import { randomBelow } from '../../lib/io/random.ts'
import { codecs } from '../../lib/record/compression.ts'
import { ClientHost } from './client-host.ts'
import type { Cluster, TopicPlan } from './cluster.ts'
import type { Simulation } from './simulation.ts'
import { between, chance, pick } from './world.ts'

export interface ProducerPlan {
  readonly name: string
  readonly topic: TopicPlan
  readonly acks: -1 | 0 | 1
  readonly isIdempotent: boolean
  /** Mean pause between bursts, in ms. */
  readonly pauseMs: number
  readonly burstMax: number
  readonly valueBytesMax: number
  /** In place of what it draws. */
  readonly settings?: ProducerOptions
}

export class ProducerHost extends ClientHost {
  readonly plan: ProducerPlan
  /** Names of records by their number; each life goes on counting. */
  #count = 0
  #isFinished = false
  #outstanding = 0
  #life = 0

  constructor(simulation: Simulation, cluster: Cluster, plan: ProducerPlan) {
    super(plan.name, simulation, cluster)
    this.plan = plan
  }

  get unfinished(): string | null {
    if (this.#isFinished || !this.isRunning) return null
    return `${this.#outstanding} records are not settled: ${JSON.stringify(this.plan)}`
  }

  protected override async run(): Promise<void> {
    const { simulation, plan, random } = this
    const life = ++this.#life
    this.#outstanding = 0
    const producer = new Producer(this.client, this.#options())
    producer.onDelivery = (report) => {
      if (life === this.#life) this.#onDelivery(report)
    }
    while (!simulation.isEnding) {
      if (this.#outstanding < 2000) {
        for (let left = 1 + randomBelow(random, plan.burstMax); left > 0; left--) {
          this.#append(producer)
        }
        if (chance(random, 0.3)) producer.sendNow()
      }
      await this.pause(between(random, 0, plan.pauseMs * 2))
    }
    await producer.close()
    this.#isFinished = true
    this.client.close()
  }

  #options(): ProducerOptions {
    const { random, plan } = this
    return {
      acks: plan.acks,
      idempotent: plan.isIdempotent,
      codec: chance(random, 0.7) ? 'none' : pick(random, codecs.slice(0, 4)),
      lingerMs: pick(random, [0, 1, 5, 50]),
      batchBytes: pick(random, [500, 4000, 16_000]),
      deliveryTimeoutMs: pick(random, [5_000, 30_000, 120_000]),
      requestTimeoutMs: pick(random, [1_000, 5_000, 30_000]),
      maxInFlight: pick(random, [1, 5]),
      ...plan.settings,
    }
  }

  #append(producer: Producer): void {
    const { random, plan, cluster } = this
    const number = this.#count++
    const partition = randomBelow(random, plan.topic.partitions)
    const name = this.#nameOf(number)
    const filler = 'x'.repeat(randomBelow(random, plan.valueBytesMax))
    const { keys } = plan.topic
    const key = keys > 0 ? `k${randomBelow(random, keys)}` : null
    cluster
      .ledger(plan.topic.name, partition)
      .sending(name, { isIdempotent: plan.isIdempotent, key })
    this.#outstanding++
    producer.append(
      {
        topic: plan.topic.name,
        partition,
        key: key === null ? null : Buffer.from(key),
        value: Buffer.from(`${name};${filler}`),
      },
      number,
    )
  }

  #nameOf(number: number): string {
    return `${this.plan.acks === 0 ? 'loose-' : ''}${this.name}:${number}`
  }

  #onDelivery({ topic, partition, baseOffset, tags, error }: DeliveryReport): void {
    const { simulation, plan } = this
    const said = `${this.name} ${topic}-${partition} ${tags[0]}-${tags.at(-1)}`
    simulation.world.note(error === null ? 'acknowledged' : 'given up', baseOffset, said)
    this.#outstanding -= tags.length
    // Given up before its partition was known.
    if (partition < 0) return
    const ledger = this.cluster.ledger(topic, partition)
    try {
      for (const [index, tag] of tags.entries()) {
        const name = this.#nameOf(tag)
        if (error !== null) ledger.onFailed(name)
        else ledger.onAcknowledged(name, baseOffset < 0 ? -1 : baseOffset + index, plan.acks)
      }
    } catch (violation) {
      simulation.world.fail(violation as Error)
    }
    if (error === null) simulation.counts.acknowledged += tags.length
    else simulation.counts.failed += tags.length
  }
}
