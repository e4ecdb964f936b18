/** Lets the faults of a plan happen, each kind at times of its own. */

import type { DiskOperation } from '../../lib/io/memory/disk.ts'
import { type Random, randomBelow } from '../../lib/io/random.ts'
import type { Cluster } from './cluster.ts'
import type { FaultHabits, FaultKind } from './plan.ts'
import type { Simulation } from './simulation.ts'
import { between, chance, pick } from './world.ts'

const trapOperations = ['rename', 'syncDir', 'remove', 'open', 'sync', 'write'] as const

export class FaultPlan {
  readonly #simulation: Simulation
  readonly #random: Random
  readonly #habits: FaultHabits
  #isOver = false

  constructor(simulation: Simulation) {
    this.#simulation = simulation
    this.#habits = simulation.plan.habits
    this.#random = simulation.world.random('faults')
  }

  start(): void {
    const { clusters } = this.#simulation
    // Killed while it starts for the first time, and without power soon after.
    for (const cluster of clusters) {
      const probability = this.#habits.traps === undefined ? 0.3 : 1
      if (chance(this.#random, probability)) this.#trap(cluster)
    }
    for (const [kind, meanMs] of this.#simulation.plan.faults) this.#schedule(kind, meanMs)
  }

  stop(): void {
    this.#isOver = true
  }

  #schedule(kind: FaultKind, meanMs: number): void {
    this.#simulation.world.after(between(this.#random, 0, 2 * meanMs), () => {
      if (this.#isOver) return
      this.#simulation.counts.faults++
      this.#simulation.world.note('fault', 0, kind)
      this.#run(kind)
      this.#schedule(kind, meanMs)
    })
  }

  #run(kind: FaultKind): void {
    const random = this.#random
    const { network, clusters, clients, world } = this.#simulation
    const cluster = pick(random, clusters)
    const { host } = cluster
    const { machine } = host
    switch (kind) {
      case 'kill':
      case 'power':
        return this.#crash(kind, cluster)
      case 'crash-at':
        return this.#trap(cluster)
      case 'restart':
        void host.stop().then(() => world.after(between(random, 0, 3000), () => host.start()))
        if (chance(random, this.#habits.followUp ?? 0.4)) this.#followUp(cluster, 6000)
        return
      case 'cut': {
        const streams = [...network.streams].filter(({ remote }) => remote.port < 10_000)
        if (streams.length === 0) return
        const replaysLast = chance(random, 0.3)
        if (replaysLast) for (const group of cluster.groups.values()) group.committedMayFall = true
        for (let count = 1 + randomBelow(random, 3); count > 0; count--) {
          network.cut(pick(random, streams), { replaysLast })
        }
        return
      }
      case 'clog': {
        // A request that its sender gave up may arrive behind later ones.
        for (const group of cluster.groups.values()) group.committedMayFall = true
        const client = pick(random, clients).name
        const ms = between(random, 10, 5000)
        const [there, back] = pick(random, [
          [true, true],
          [true, false],
          [false, true],
        ])
        if (there) network.clog(client, machine.name, ms)
        if (back) network.clog(machine.name, client, ms)
        return
      }
      case 'lost-answers':
        network.loseAnswers(machine.name, between(random, 10, 1500))
        return
      case 'slow-disk': {
        machine.faults.slowness = this.#habits.slowness ?? pick(random, [5, 30, 300])
        const ms = between(random, 100, 5000)
        world.after(ms, () => {
          machine.faults.slowness = 1
        })
        if (chance(random, this.#habits.followUp ?? 0.4)) this.#followUp(cluster, ms)
        return
      }
      case 'eio': {
        const where = pick(random, ['', '', 'metadata/'])
        const others: DiskOperation[][] = [
          ['write'],
          ['read'],
          ['rename', 'syncDir'],
          ['open', 'remove'],
        ]
        const operations =
          where === '' && chance(random, 0.6) ? pick(random, others) : ['sync' as const]
        const count = 1 + randomBelow(random, 2)
        machine.faults.failNext(this.#habits.eio?.operations ?? operations, {
          count,
          where: this.#habits.eio?.where ?? where,
        })
        if (chance(random, this.#habits.followUp ?? 0.4)) this.#followUp(cluster, 6000)
        return
      }
      case 'full-disk':
        machine.disk.capacityBytes = machine.disk.usedBytes + randomBelow(random, 20_000)
        world.after(between(random, 100, 5000), () => {
          machine.disk.capacityBytes = 1 << 30
        })
        return
      case 'rot':
        cluster.rot.strike()
        return
      case 'wall-jump':
        machine.wallSkewMs += pick(random, [-3_600_000, -5000, -100, 100, 5000, 3_600_000])
        return
      case 'client-death': {
        const client = pick(random, clients)
        if (!client.isRunning) return
        client.kill(chance(random, 0.5))
        world.after(between(random, 0, 3000), () => {
          if (!client.isRunning) client.start()
        })
      }
    }
  }

  #crash(kind: 'kill' | 'power', cluster: Cluster): void {
    const random = this.#random
    const { host } = cluster
    const { world, counts } = this.#simulation
    if (host.isDown) return
    counts.crashes++
    host.crash(kind, {
      cut: this.#habits.cut ?? pick(random, ['lost', 'kept', 'partly', 'partly'] as const),
      isSilent: chance(random, 0.2),
    })
    world.after(between(random, 0, chance(random, 0.8) ? 300 : 5000), () => {
      host.start()
      // Once more, while it starts.
      if (chance(random, 0.2)) {
        world.after(between(random, 0, 40), () => {
          if (!this.#isOver) this.#crash(pick(random, ['kill', 'power']), cluster)
        })
      }
    })
  }

  /** A crash right after a disk operation of some kind, then perhaps another. */
  #trap(cluster: Cluster): void {
    const random = this.#random
    const { traps } = this.#habits
    const operation = pick(random, traps?.operations ?? trapOperations)
    const kinds = traps?.kinds ?? ['kill', 'kill', 'power']
    cluster.host.machine.faults.setTrap(operation, 1 + randomBelow(random, 8), () => {
      if (this.#isOver) return
      this.#crash(pick(random, kinds), cluster)
      if (chance(random, 0.6)) this.#followUp(cluster, 4000)
    })
  }

  /** One fault leaves what the next one brings to light: a power cut within `ms`. */
  #followUp(cluster: Cluster, ms: number): void {
    this.#simulation.world.after(between(this.#random, 0, ms), () => {
      if (!this.#isOver) this.#crash('power', cluster)
    })
  }
}
