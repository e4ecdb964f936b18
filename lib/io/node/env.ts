/** The real machine as an Env. */

import type { Env } from '../env.ts'
import { type Logger, silentLogger } from '../logger.ts'
import { nodeClock } from './clock.ts'
import { nodeDisk } from './disk.ts'
import { nodeNetwork } from './network.ts'
import { nodeRandom } from './random.ts'

export function nodeEnv({
  log = silentLogger,
  verify = false,
}: {
  log?: Logger
  verify?: boolean
} = {}): Env {
  return {
    clock: nodeClock,
    random: nodeRandom(),
    disk: nodeDisk,
    network: nodeNetwork,
    log,
    verify,
  }
}
