/**
 * The simulator: `npm run sim -- --seeds N --from S`. Ends with a line of counts; exit code 1 when a
 * seed found a violation.
 */

import { type Outcome, Simulation } from './simulation.ts'

function numberFlag(name: string, fallback: number): number {
  const at = process.argv.indexOf(name)
  return at < 0 ? fallback : Number(process.argv[at + 1])
}

const one = numberFlag('--seed', -1)
const from = one >= 0 ? one : numberFlag('--from', 1)
const seeds = one >= 0 ? 1 : numberFlag('--seeds', 20)
const seconds = numberFlag('--seconds', 60)
const isTraced = process.argv.includes('--trace')
const showsHash = process.argv.includes('--hash')

const started = performance.now()
let [simulatedMs, faults, acknowledged, violations, read, crashes] = [0, 0, 0, 0, 0, 0]
for (let seed = from; seed < from + seeds; seed++) {
  const outcome: Outcome = await new Simulation({
    seed,
    durationMs: seconds * 1000,
    onTrace: isTraced ? (line) => console.log(line) : null,
  }).run()
  simulatedMs += outcome.simulatedMs
  faults += outcome.counts.faults
  crashes += outcome.counts.crashes
  read += outcome.counts.read
  acknowledged += outcome.counts.acknowledged
  if (showsHash) console.log(`${seed} ${outcome.hash} ${outcome.events}`)
  if (outcome.violation === null) continue
  violations++
  console.log(`seed ${seed}: ${outcome.violation.stack}`)
  console.log(`  again: npm run sim -- --seed ${seed} --seconds ${seconds} --trace`)
}
const wallSeconds = (performance.now() - started) / 1000
console.log(
  `${seeds} seeds, ${(simulatedMs / 3_600_000).toFixed(2)} simulated hours, ${faults} faults, ${crashes} crashes, ${acknowledged} acknowledged records, ${read} read, ${violations} violations; ${Math.round(simulatedMs / 1000 / wallSeconds)} simulated s per s`,
)
process.exit(violations > 0 ? 1 : 0)
