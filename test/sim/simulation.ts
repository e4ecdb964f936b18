/**
 * One seed: draws a world, lets clients and faults loose in it for a while, then heals it and waits
 * until everything that was begun has ended. Ends with what was counted, or with the first violation.
 */

import type { PlantedBug } from '../../lib/base/planted.ts'
import type { Random } from '../../lib/io/random.ts'
import { randomBelow } from '../../lib/io/random.ts'
import { AdminHost } from './admin-host.ts'
import { Violation } from './audit.ts'
import type { ClientHost } from './client-host.ts'
import { Cluster } from './cluster.ts'
import { FaultPlan } from './fault-plan.ts'
import { GroupHost } from './group-host.ts'
import { GroupLedger } from './group-ledger.ts'
import { LastReader } from './last-reader.ts'
import { SimNetwork } from './network.ts'
import { type ClusterPlan, drawPlan, type SimulationPlan } from './plan.ts'
import { ProducerHost } from './producer-host.ts'
import { planFor } from './profiles.ts'
import { RawHost } from './raw-host.ts'
import { ReaderHost } from './reader-host.ts'
import { World } from './world.ts'

export interface SimulationOptions {
  readonly seed: number
  /** How long clients and faults go on, in simulated ms. */
  readonly durationMs: number
  /** A world made for this kind of mistake (profiles.ts). */
  readonly profile?: PlantedBug | null
  readonly onTrace?: ((line: string) => void) | null
}

export interface Outcome {
  readonly seed: number
  readonly hash: string
  readonly violation: Error | null
  readonly simulatedMs: number
  readonly events: number
  readonly counts: Counts
}

export interface Counts {
  acknowledged: number
  failed: number
  read: number
  faults: number
  crashes: number
}

const healMs = 60_000
const auditEvery = 64

export class Simulation {
  readonly world: World
  readonly network: SimNetwork
  readonly plan: SimulationPlan
  readonly clusters: Cluster[]
  readonly clients: ClientHost[] = []
  readonly counts: Counts = { acknowledged: 0, failed: 0, read: 0, faults: 0, crashes: 0 }
  /** Clients finish what they are at. */
  isEnding = false
  readonly #durationMs: number
  readonly #random: Random
  readonly #faults: FaultPlan
  #auditDue = auditEvery

  constructor({ seed, durationMs, profile = null, onTrace = null }: SimulationOptions) {
    this.world = new World(seed)
    this.world.onTrace = onTrace
    this.#durationMs = durationMs
    this.#random = this.world.random('simulation')
    const drawn = drawPlan((name) => this.world.random(name))
    this.plan = profile === null ? drawn : planFor(profile, drawn, this.world.random('profile'))
    this.network = new SimNetwork(this.world)
    this.network.delayMs = this.plan.delayMs
    this.clusters = this.plan.clusters.map(
      (cluster, index) => new Cluster(this.world, this.network, { ...cluster, id: index + 1 }),
    )
    for (const [index, plan] of this.plan.clusters.entries()) {
      const cluster = this.clusters[index]
      if (cluster !== undefined) this.#addClients(cluster, plan)
    }
    this.#faults = new FaultPlan(this)
  }

  #addClients(cluster: Cluster, plan: ClusterPlan): void {
    const { producers, readers, groups, hasAdmin, hasRaw } = plan
    const { id } = cluster
    for (const plan of producers) this.clients.push(new ProducerHost(this, cluster, plan))
    for (const { name, topic } of readers) {
      this.clients.push(new ReaderHost(name, this, { cluster, topic }))
    }
    for (const { name, topic, protocols } of groups) {
      const group = new GroupLedger(name, cluster, topic)
      cluster.groups.set(name, group)
      for (const [index, protocol] of protocols.entries()) {
        this.clients.push(new GroupHost(`m${id}${index}`, this, { group, protocol }))
      }
    }
    if (hasAdmin) {
      this.clients.push(new AdminHost(`a${id}`, this, { cluster, pauseMs: plan.adminPauseMs }))
    }
    if (hasRaw) this.clients.push(new RawHost(`x${id}`, this, cluster))
  }

  areProducersDone(cluster: Cluster): boolean {
    return this.clients.every(
      (client) =>
        !(client instanceof ProducerHost) ||
        client.cluster !== cluster ||
        client.unfinished === null,
    )
  }

  async run(): Promise<Outcome> {
    const { world } = this
    world.afterEvent = () => this.#afterEvent()
    let violation: Error | null = null
    try {
      for (const { host } of this.clusters) host.start()
      for (const client of this.clients) {
        world.after(randomBelow(this.#random, 500), () => client.start())
      }
      this.#faults.start()
      await world.run(this.#durationMs)
      await this.#heal()
      await this.#lastCrash()
    } catch (error) {
      violation = error instanceof Error ? error : new Error(String(error))
    }
    return {
      seed: world.seed,
      hash: world.hash,
      violation,
      simulatedMs: world.nowMs,
      events: world.eventCount,
      counts: this.counts,
    }
  }

  #afterEvent(): void {
    for (const cluster of this.clusters) cluster.checkStep()
    if (--this.#auditDue > 0) return
    this.#auditDue = auditEvery
    for (const cluster of this.clusters) cluster.auditNew()
  }

  /** No more faults: within a minute every call ends and every reader is at the end. */
  async #heal(): Promise<void> {
    const { world } = this
    this.isEnding = true
    this.#faults.stop()
    world.note('heal')
    this.network.heal()
    for (const { host, rot } of this.clusters) {
      host.machine.faults.heal()
      host.machine.disk.capacityBytes = 1 << 30
      // A log that the disk would not give stays offline until somebody starts the broker anew. One that
      // is still starting may have met such a log, and has no partitions to ask.
      const partitions = [...host.partitions()]
      const isBroken = partitions.length === 0 || partitions.some(({ log }) => log.failure !== null)
      if (isBroken || host.hasRot) host.crash('kill', {})
      rot.heal()
      host.start()
    }
    for (const client of this.clients) if (!client.isRunning) client.start()
    const deadlineMs = world.nowMs + healMs
    let nextLookMs = 0
    await world.run(deadlineMs, () => {
      if (world.nowMs < nextLookMs) return false
      nextLookMs = world.nowMs + 100
      return this.#unfinished() === null
    })
    const unfinished = this.#unfinished()
    if (unfinished !== null) {
      throw new Violation('liveness', `${healMs / 1000} s after all was healed: ${unfinished}`)
    }
    for (const cluster of this.clusters) cluster.auditAll({ isEnd: true })
  }

  #unfinished(): string | null {
    for (const client of this.clients) {
      const { unfinished } = client
      if (unfinished !== null)
        return `${client.name}: ${unfinished}; ${this.clusters.map((c) => [...c.host.partitions()].map((p) => `${p.name} ${p.log.logStartOffset}..${p.log.writtenEndOffset} hw ${p.highWatermark} full ${p.log.isFull} ${p.log.failure?.message}`).join()).join()}`
    }
    for (const { host } of this.clusters) {
      if (host.broker === null) return `${host.machine.name} is not up`
    }
    return null
  }

  /** Then the power goes once more, for everything that was not synced. */
  async #lastCrash(): Promise<void> {
    for (const { host } of this.clusters) {
      host.crash('power', { cut: 'lost' })
      host.start()
    }
    const isUp = () => this.clusters.every(({ host }) => host.broker !== null)
    await this.world.run(this.world.nowMs + 30_000, isUp)
    if (!isUp()) throw new Violation('liveness', 'no broker 30 s after the last crash')
    for (const cluster of this.clusters) cluster.auditAll({ isEnd: true })
    await this.#readAgain()
  }

  /** What is there in the end, for the checker, which believes clients only. */
  async #readAgain(): Promise<void> {
    const readers = this.clusters.map(
      (cluster) => new LastReader(`last${cluster.id}`, this, cluster),
    )
    for (const reader of readers) reader.start()
    const unfinished = () => readers.find((reader) => reader.unfinished !== null)
    await this.world.run(this.world.nowMs + 30_000, () => unfinished() === undefined)
    const late = unfinished()
    if (late !== undefined) throw new Violation('liveness', `${late.name} ${late.unfinished}`)
    for (const { ledgers } of this.clusters) {
      for (const ledger of ledgers.values()) ledger.checkHistory()
    }
  }
}
