/** A client's machine: what runs on it may die at any moment and is then gone without a word. */

import { Client } from '../../lib/client/client.ts'
import { sleep } from '../../lib/io/clock.ts'
import type { Env } from '../../lib/io/env.ts'
import { addressText } from '../../lib/io/network.ts'
import type { Random } from '../../lib/io/random.ts'
import type { Cluster } from './cluster.ts'
import { Machine } from './machine.ts'
import type { Simulation } from './simulation.ts'

export abstract class ClientHost {
  readonly name: string
  readonly simulation: Simulation
  readonly cluster: Cluster
  readonly random: Random
  readonly machine: Machine
  #client: Client | null = null
  #env: Env | null = null

  constructor(name: string, simulation: Simulation, cluster: Cluster) {
    this.name = name
    this.simulation = simulation
    this.cluster = cluster
    this.random = simulation.world.random(name)
    this.machine = new Machine(name, simulation.world, simulation.network)
  }

  get client(): Client {
    if (this.#client === null) throw new Error(`${this.name} does not run`)
    return this.#client
  }

  get isRunning(): boolean {
    return this.machine.process !== null
  }

  start(): void {
    this.#env = this.machine.start()
    this.#client = new Client({
      env: this.#env,
      clientId: this.name,
      brokers: [addressText(this.cluster.host.address)],
      retryForMs: 3_600_000,
    })
    this.run().catch((error: unknown) => {
      this.simulation.world.fail(
        new Error(`${this.name} failed: ${error instanceof Error ? error.stack : String(error)}`),
      )
    })
  }

  kill(isSilent: boolean): void {
    this.simulation.world.note('client dies', isSilent ? 1 : 0, this.name)
    this.machine.kill({ isSilent })
    this.onKilled()
  }

  pause(ms: number): Promise<void> {
    if (this.#env === null) throw new Error(`${this.name} does not run`)
    return sleep(this.#env.clock, ms)
  }

  /** What it does until `simulation.isEnding`. Resolves when it has finished its work. */
  protected abstract run(): Promise<void>

  protected onKilled(): void {}

  /** Whether it has done all it is to do; why not, otherwise. */
  abstract get unfinished(): string | null
}
