/**
 * A start on the damaged directory before the one that is looked at: cut off by a crash somewhere in the
 * middle, or whole and followed by more damage. What it said counts, since it may have mended things.
 */

import { type Random, randomBelow } from '../../../lib/io/random.ts'
import { crashOf, machine, startBroker } from './history.ts'
import { Reports, startOn, until } from './start.ts'
import { diskWith, type Tree, treeOf } from './tree.ts'

/** What was left, and what was logged. */
export interface Earlier {
  readonly tree: Tree
  readonly lines: readonly string[]
}

const operationsMax = 400
const steps = 200

/** The start ends with a crash before some operation of the disk, or soon after it was up. */
export async function interruptedStart(tree: Tree, random: Random): Promise<Earlier> {
  // What a crash does to links and to holes is not kept track of.
  if (tree.links.size + tree.sizes.size > 0) return { tree, lines: [] }
  const disk = await diskWith(tree)
  const reports = new Reports()
  const env = machine(disk, 900, reports)
  env.clock.jumpWall(60_000)
  let operationsLeft = randomBelow(random, operationsMax)
  disk.beforeEach = () => (operationsLeft-- > 0 ? undefined : new Promise(() => {}))
  let isRefused = false
  startBroker(env).catch(() => {
    isRefused = true
  })
  for (let step = 0; step < steps && operationsLeft >= 0 && !isRefused; step++) {
    await env.clock.advance(step < 20 ? 0 : 200)
  }
  disk.crash(crashOf(random))
  disk.beforeEach = () => {}
  return { tree: await treeOf(disk), lines: reports.lines }
}

/** A start, its end, and then whatever `damage` does to what it left. */
export async function startAndDamage(
  tree: Tree,
  random: Random,
  damage: (tree: Tree) => void,
): Promise<Earlier> {
  const { world, disk, reports } = await startOn(tree, 900)
  if (world === null) return { tree: await treeOf(disk), lines: reports.lines }
  const isWhole = disk.links.size + disk.sizes.size === 0
  if (isWhole && randomBelow(random, 2) === 0) disk.crash(crashOf(random))
  else await until(world.env, world.broker.stop(), 'the stop')
  const left = await treeOf(disk)
  damage(left)
  return { tree: left, lines: reports.lines }
}
