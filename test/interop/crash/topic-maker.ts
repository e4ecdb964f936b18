/** Makes and deletes topics while the broker is killed, and knows which changes were acknowledged. */

import { Admin } from '../../../lib/client/admin.ts'
import { Client } from '../../../lib/client/client.ts'
import { expectThat, pause, same } from '../support/checks.ts'

const retention = '86400000'
const betweenMs = 150

export class TopicMaker {
  readonly #client: Client
  readonly #admin: Admin
  /** Ids of the topics that must exist. */
  readonly #made = new Map<string, string>()
  /** Names of those that must not. */
  readonly #gone = new Set<string>()
  readonly #done: Promise<void>
  #isEnding = false

  constructor(address: string) {
    this.#client = new Client({ brokers: [address], retryForMs: 600_000, timeoutMs: 600_000 })
    this.#admin = new Admin(this.#client)
    this.#done = this.#work()
  }

  get changes(): number {
    return this.#made.size + 2 * this.#gone.size
  }

  async #work(): Promise<void> {
    for (let count = 0; !this.#isEnding; count++) {
      const name = `made-${count}`
      await this.#untilDone(() => this.#create(name))
      if (count % 3 !== 0) await this.#untilDone(() => this.#delete(name))
      await pause(betweenMs)
    }
  }

  /** A broker that is gone is asked again: only its answer counts. */
  async #untilDone(change: () => Promise<boolean>): Promise<void> {
    while (!this.#isEnding) {
      if (await change().catch(() => false)) return
      await pause(20)
    }
  }

  async #create(name: string): Promise<boolean> {
    const topic = { name, partitions: 2, configs: { 'retention.ms': retention } }
    const [result] = await this.#admin.createTopics([topic])
    // An earlier try may have come through without its answer.
    const isThere = result?.error === null || result?.error.name === 'TOPIC_ALREADY_EXISTS'
    if (!isThere) return false
    const found = (await this.#admin.listTopics()).find((one) => one.name === name)
    expectThat(found !== undefined, `${name} was made, and is not there`)
    this.#made.set(name, found.topicId ?? '')
    return true
  }

  async #delete(name: string): Promise<boolean> {
    const [result] = await this.#admin.deleteTopics([name])
    const isGone = result?.error === null || result?.error.name === 'UNKNOWN_TOPIC_OR_PARTITION'
    if (!isGone) return false
    this.#made.delete(name)
    this.#gone.add(name)
    return true
  }

  async end(): Promise<void> {
    this.#isEnding = true
    await this.#done
    this.#client.close()
  }

  /** After `end`: what was acknowledged is so. */
  async check(address: string): Promise<void> {
    const client = new Client({ brokers: [address] })
    const admin = new Admin(client)
    try {
      const topics = new Map((await admin.listTopics()).map((topic) => [topic.name, topic]))
      for (const [name, id] of this.#made) {
        const topic = topics.get(name)
        expectThat(topic !== undefined, `${name} was made, and is gone`)
        same([topic.topicId, topic.partitions.length], [id, 2], name)
      }
      for (const name of this.#gone)
        expectThat(!topics.has(name), `${name} was deleted, and is back`)
      const resources = [...this.#made.keys()].map((name) => ({ type: 'topic' as const, name }))
      for (const { name, entries, error } of await admin.describeConfigs(resources)) {
        expectThat(error === null, `${name}: ${error}`)
        const value = entries.find((entry) => entry.name === 'retention.ms')?.value
        same(value, retention, `retention.ms of ${name}`)
      }
    } finally {
      client.close()
    }
  }
}
