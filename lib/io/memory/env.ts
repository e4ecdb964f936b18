/** A machine in memory: time stands still until it is moved, chance comes from a seed. */

import type { Env } from '../env.ts'
import { type Logger, silentLogger } from '../logger.ts'
import { MemoryClock } from './clock.ts'
import { MemoryDisk, type MemoryDiskOptions } from './disk.ts'
import { MemoryNetwork } from './network.ts'
import { seededRandom } from './random.ts'

export interface MemoryEnv extends Env {
  readonly clock: MemoryClock
  readonly disk: MemoryDisk
  readonly network: MemoryNetwork
}

export function memoryEnv({
  seed = 1,
  disk = { tracksDurability: true },
  log = silentLogger,
}: {
  seed?: number
  disk?: MemoryDiskOptions
  log?: Logger
} = {}): MemoryEnv {
  const clock = new MemoryClock()
  return {
    clock,
    random: seededRandom(seed),
    disk: new MemoryDisk(disk),
    network: new MemoryNetwork(clock),
    log,
    verify: true,
  }
}
