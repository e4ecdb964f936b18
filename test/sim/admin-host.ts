/** An administrator: makes and deletes topics, deletes records, and checks that what was answered stays so. */

import { KafkaError } from '../../lib/base/errors.ts'
import { Admin } from '../../lib/client/admin.ts'
import { UnavailableError } from '../../lib/client/errors.ts'
import { randomBelow } from '../../lib/io/random.ts'
import { Violation } from './audit.ts'
import { ClientHost } from './client-host.ts'
import type { Cluster } from './cluster.ts'
import type { Simulation } from './simulation.ts'
import { between, pick } from './world.ts'

export class AdminHost extends ClientHost {
  /** Topics that it made, by name, and what is known of them. */
  readonly #topics = new Map<string, 'there' | 'gone' | 'unknown'>()
  #count = 0
  #isFinished = false

  get unfinished(): string | null {
    return this.#isFinished || !this.isRunning ? null : 'is not done'
  }

  protected override onKilled(): void {
    this.#isFinished = false
    // What was under way is unknown; all else holds.
    for (const name of this.#underWay) this.#topics.set(name, 'unknown')
    this.#underWay.clear()
  }

  readonly #pauseMs: number

  constructor(
    name: string,
    simulation: Simulation,
    { cluster, pauseMs }: { cluster: Cluster; pauseMs: number },
  ) {
    super(name, simulation, cluster)
    this.#pauseMs = pauseMs
  }

  readonly #underWay = new Set<string>()

  protected override async run(): Promise<void> {
    const { random, simulation } = this
    const admin = new Admin(this.client)
    while (!simulation.isEnding) {
      await this.pause(between(random, 100, this.#pauseMs))
      await this.#try(() => this.#step(admin))
    }
    while (!(await this.#try(() => this.#checkTopics(admin)))) await this.pause(300)
    this.#isFinished = true
    this.client.close()
  }

  /** Whether it went well; what clients may run into is no violation. */
  async #try(work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      if (error instanceof Violation) this.simulation.world.fail(error)
      else if (!(error instanceof KafkaError || error instanceof UnavailableError)) throw error
      return false
    }
  }

  #step(admin: Admin): Promise<void> {
    const dice = randomBelow(this.random, 10)
    if (dice < 3) return this.#create(admin)
    if (dice < 5) return this.#delete(admin)
    if (dice < 8) return this.#trim(admin)
    return this.#checkTopics(admin)
  }

  async #create(admin: Admin): Promise<void> {
    const name = `${this.name}-${this.#count++}`
    await this.#change(name, async () => {
      const partitions = 1 + randomBelow(this.random, 3)
      const [result] = await admin.createTopics([{ name, partitions }])
      return result?.error === null ? 'there' : 'unknown'
    })
  }

  async #delete(admin: Admin): Promise<void> {
    const there = [...this.#topics].filter(([, state]) => state === 'there')
    if (there.length === 0) return
    const [name] = pick(this.random, there)
    await this.#change(name, async () => {
      const [result] = await admin.deleteTopics([name])
      return result?.error === null ? 'gone' : 'unknown'
    })
  }

  async #change(name: string, work: () => Promise<'there' | 'gone' | 'unknown'>): Promise<void> {
    this.#topics.set(name, 'unknown')
    this.#underWay.add(name)
    const state = await work()
    this.#underWay.delete(name)
    this.#topics.set(name, state)
  }

  async #trim(admin: Admin): Promise<void> {
    const { random, cluster } = this
    const topic = pick(random, cluster.topics)
    const partition = randomBelow(random, topic.partitions)
    const ledger = cluster.ledger(topic.name, partition)
    if (!topic.isTrimmed || ledger.highWatermark === 0) return
    const offset = randomBelow(random, ledger.highWatermark + 1)
    ledger.trimAsked = Math.max(ledger.trimAsked, offset)
    const [result] = await admin.deleteRecords([{ topic: topic.name, partition, offset }])
    if (result?.error === null) ledger.trimmed = Math.max(ledger.trimmed, offset)
  }

  async #checkTopics(admin: Admin): Promise<void> {
    const before = new Map(this.#topics)
    const listed = new Set((await admin.listTopics()).map(({ name }) => name))
    for (const [name, state] of before) {
      if (state === 'unknown' || this.#topics.get(name) !== state) continue
      if (listed.has(name) === (state === 'there')) continue
      const text = state === 'there' ? 'was created and is not listed' : 'was deleted and is listed'
      throw new Violation('lost-topic', `${name} ${text}`)
    }
  }
}
