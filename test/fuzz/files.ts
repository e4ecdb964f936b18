/**
 * Data directories with damaged files: `node build/test/fuzz/files.mjs [--dirs N] [--seed S] [--verbose]`.
 * Each directory is made by a broker from a seed of its own, damaged, and started twice. Counts what came
 * of it; a violation of the rules (files/outcome.ts) prints the command that makes it again.
 */

import { seededRandom } from '../../lib/io/memory/random.ts'
import { numberFlag } from '../interop/support/checks.ts'
import { inflict } from './files/damage.ts'
import { type History, makeHistory } from './files/history.ts'
import { Trial } from './files/outcome.ts'
import { copyOf } from './files/tree.ts'

const dirs = numberFlag('--dirs', 100)
const firstSeed = numberFlag('--seed', 1)
const isVerbose = process.argv.includes('--verbose')
const donors = 8

const donorHistories = new Map<number, History>()

async function donorOf(seed: number): Promise<History> {
  const donorSeed = 1_000_000_000 + (seed % donors)
  const history = donorHistories.get(donorSeed) ?? (await makeHistory(donorSeed))
  donorHistories.set(donorSeed, history)
  return history
}

async function tryOne(seed: number): Promise<{ kind: string; what: string }> {
  const history = await makeHistory(seed)
  const donor = await donorOf(seed)
  const tree = copyOf(history.tree)
  const random = seededRandom(seed ^ 0x5eed)
  const damages = inflict(tree, donor.tree, random)
  const what = damages.map(({ kind, paths }) => `${kind}: ${paths.join(', ')}`).join('; ')
  try {
    return { kind: await new Trial({ history, tree, damages, random }).run(), what }
  } catch (error) {
    const text =
      error instanceof Error
        ? error.name === 'Violation'
          ? error.message
          : error.stack
        : String(error)
    throw new Error(
      `${text}\n  damage (${history.wasClean ? 'clean stop' : 'power cut'}): ${what}`,
      { cause: error },
    )
  }
}

const counts = new Map<string, number>()
let failed = 0
const began = performance.now()
for (let seed = firstSeed; seed < firstSeed + dirs; seed++) {
  try {
    const { kind, what } = await tryOne(seed)
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
    if (isVerbose) console.log(`${seed} ${kind}: ${what}`)
  } catch (error) {
    failed++
    const message = error instanceof Error ? error.message : String(error)
    console.log(`FAIL ${message}\n  again: npm run fuzz:files -- --dirs 1 --seed ${seed}`)
  }
}
const seconds = ((performance.now() - began) / 1000).toFixed(0)
const told = [...counts].sort().map(([kind, count]) => `${count} ${kind}`)
console.log(
  `${dirs} directories from seed ${firstSeed} in ${seconds} s: ${[...told, `${failed} violations`].join(', ')}`,
)
console.log(`${dirs - failed} passed, ${failed} failed`)
if (failed > 0) process.exitCode = 1
