/**
 * Env: the only door to the outside. Whatever is not determined by its input (time, chance, disk,
 * network, log output) comes through one of these interfaces, so the same broker and client run on
 * the real machine (io/node), in memory (io/memory) and in the simulator.
 */

import type { Clock } from './clock.ts'
import type { Disk } from './disk.ts'
import type { Logger } from './logger.ts'
import type { Network } from './network.ts'
import type { Random } from './random.ts'

export interface Env {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly network: Network
  readonly log: Logger
  /** Check invariants after each mutation: on in tests and in the simulator. */
  readonly verify: boolean
}
