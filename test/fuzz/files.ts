/**
 * Data directories with damaged files: `node build/test/fuzz/files.mjs [--dirs N] [--seed S] [--once] [--verbose]`.
 * Each directory is made by a broker from a seed of its own, damaged, and started twice. Counts what came
 * of it; a violation of the rules (files/outcome.ts) prints the command that makes it again.
 */

import { seededRandom } from '../../lib/io/memory/random.ts'
import { randomBelow } from '../../lib/io/random.ts'
import { numberFlag } from '../interop/support/checks.ts'
import { type Damage, inflict } from './files/damage.ts'
import { type Earlier, interruptedStart, startAndDamage } from './files/earlier.ts'
import { type History, makeHistory } from './files/history.ts'
import { Trial } from './files/outcome.ts'
import { Violation } from './files/start.ts'
import { copyOf, root, type Tree } from './files/tree.ts'
import { MemoryMeter, Watchdog } from './files/watch.ts'

const dirs = numberFlag('--dirs', 100)
const firstSeed = numberFlag('--seed', 1)
const isVerbose = process.argv.includes('--verbose')
/** No start before the one that is looked at. */
const isOnce = process.argv.includes('--once')
const donors = 8

const watchdog = new Watchdog()
const meter = new MemoryMeter()
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
  const damagesFirst = damages.length
  let trial: Trial | null = null
  try {
    meter.begin()
    const holes = [...tree.sizes]
    const before = await startBefore({ seed, tree, damages, donor: donor.tree })
    const { lines: linesBefore } = before
    const isDamagedTwice = damages.length > damagesFirst
    trial = new Trial({
      history,
      damages,
      random,
      tree: before.tree,
      linesBefore,
      isDamagedTwice,
    })
    const kind = await trial.run()
    // The files of the metadata are read as a whole, up to 256 MiB: they are what they say.
    const metadata = [...holes, ...before.tree.sizes].filter(([path]) =>
      path.startsWith(`${root}/metadata/`),
    )
    const tooMuch = meter.verdict(Math.max(0, ...metadata.map(([, size]) => size)))
    if (tooMuch !== null) throw new Violation(tooMuch)
    largestBytes = Math.max(largestBytes, meter.largestBytes)
    return { kind, what: [textOf(damages), ...trial.lines].join('\n    ') }
  } catch (error) {
    const text =
      error instanceof Error
        ? error.name === 'Violation'
          ? error.message
          : error.stack
        : String(error)
    throw new Error(
      [
        text,
        `  damage (${history.wasClean ? 'clean stop' : 'power cut'}): ${textOf(damages)}`,
        ...(trial?.lines ?? []).map((line) => `  ${line}`),
      ].join('\n'),
      { cause: error },
    )
  }
}

function textOf(damages: readonly Damage[]): string {
  return damages.map(({ kind, paths }) => `${kind}: ${paths.join(', ')}`).join('; ')
}

/** One directory in four was started before: cut off in the middle, or damaged once more afterwards. */
async function startBefore(of: {
  seed: number
  tree: Tree
  damages: Damage[]
  donor: Tree
}): Promise<Earlier> {
  const random = seededRandom(of.seed ^ 0xbef0)
  const kind = isOnce ? 7 : randomBelow(random, 8)
  if (kind === 0) return interruptedStart(of.tree, random)
  if (kind > 1) return { tree: of.tree, lines: [] }
  return startAndDamage(of.tree, random, (left) => {
    of.damages.push(...inflict(left, of.donor, random))
  })
}

const counts = new Map<string, number>()
let failed = 0
let largestBytes = 0
const began = performance.now()
for (let seed = firstSeed; seed < firstSeed + dirs; seed++) {
  watchdog.begin(seed)
  try {
    const { kind, what } = await tryOne(seed)
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
    if (isVerbose) console.log(`${seed} ${kind}: ${what}`)
  } catch (error) {
    failed++
    const message = error instanceof Error ? error.message : String(error)
    console.log(`FAIL ${message}\n  again: npm run fuzz:files -- --dirs 1 --seed ${seed}`)
  }
  watchdog.end()
}
const seconds = ((performance.now() - began) / 1000).toFixed(0)
const told = [...counts].sort().map(([kind, count]) => `${count} ${kind}`)
console.log(
  `${dirs} directories from seed ${firstSeed} in ${seconds} s: ${[...told, `${failed} violations`].join(', ')}; largest buffer ${largestBytes} bytes`,
)
console.log(`${dirs - failed} passed, ${failed} failed`)
if (failed > 0) process.exitCode = 1
