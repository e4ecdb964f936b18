/**
 * Bytes that follow no rule, in process: `node build/test/fuzz/run.mjs [--frames N] [--served N]
 * [--seed S] [--heavy]`. Ends with `N passed, N failed, N skipped`; a find names the seed that makes it again.
 */

import { Checks, numberFlag } from '../interop/support/checks.ts'
import { cellCount, fuzzFrames } from './frames.ts'
import { checkHeavy } from './heavy.ts'
import { checkLargeLists } from './large-lists.ts'
import { fuzzServed, servedCellCount } from './served.ts'

const frames = numberFlag('--frames', 100_000)
const served = numberFlag('--served', 4000)
const seed = numberFlag('--seed', 1)
const checks = new Checks()

await checks.run(`${frames} frames of ${cellCount} APIs and versions, seed ${seed}`, () => {
  const { decoded, refused, bytes, slowestMs, heapRatio } = fuzzFrames({ seed, count: frames })
  return `${decoded} decoded, ${refused} refused, ${Math.round(bytes / frames)} bytes on average, slowest ${slowestMs.toFixed(1)} ms, heap at most ${heapRatio.toFixed(1)} times a frame`
})
await checks.run(
  `${served} requests of ${servedCellCount} served APIs and versions, seed ${seed}`,
  async () => {
    const { answered, closed, restarts, slowest, slowestMs } = await fuzzServed({
      seed,
      count: served,
    })
    return `${answered} answered, ${closed} closed, ${restarts} restarts, slowest ${slowest}: ${slowestMs.toFixed(0)} ms`
  },
)
await checks.run('the longest lists that decode, and one element more', () => {
  const { lists, what, bytes, ms } = checkLargeLists()
  return `${lists} lists; the slowest is ${what}: ${ms.toFixed(0)} ms for ${bytes} bytes`
})
if (process.argv.includes('--heavy')) {
  await checks.run('the longest lists through a whole broker', async () => {
    const { requests, slowest } = await checkHeavy()
    return `${requests} requests; ${slowest.map(([what, ms]) => `${what} ${ms.toFixed(0)} ms`).join(', ')}`
  })
}
checks.end()
