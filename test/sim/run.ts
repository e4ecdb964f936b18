/**
 * The simulator from the command line.
 *
 *   npm run sim -- --seeds 200 --from 1     so many seeds; ends with a line of counts, 1 on a violation
 *   npm run sim -- --seed 7 --trace         one seed, with a line per thing that happens
 *   npm run sim -- --hash                   also the trace hash of each seed
 *   npm run sim -- --twice                  each seed twice: the hashes must be the same
 *   npm run sim -- --planted                plants each bug in turn: how many seeds until it is found
 *   npm run sim -- --corpus                 the seeds that once failed
 *
 * `--seconds N` how long a seed lasts in simulated time (60; planted 20), `--jobs N` threads (2),
 * `--plant NAME` one bug, `--profile NAME` worlds made for that bug, `--any-world` with --planted: no such worlds.
 */

import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { type PlantedBug, planted } from '../../lib/base/planted.ts'
import { corpus } from './corpus.ts'
import { plantedBugs } from './planted.ts'
import { type Outcome, Simulation } from './simulation.ts'

interface Task {
  readonly seed: number
  readonly seconds: number
  readonly bug: PlantedBug | null
  /** The world is made for this bug (profiles.ts). */
  readonly profile: PlantedBug | null
}

interface Result extends Omit<Outcome, 'violation'> {
  readonly violation: string | null
}

const seedsPerBugMax = 500

async function simulate({ seed, seconds, bug, profile }: Task, isTraced = false): Promise<Result> {
  for (const name of Object.keys(planted) as PlantedBug[]) planted[name] = name === bug
  const simulation = new Simulation({
    seed,
    durationMs: seconds * 1000,
    profile,
    onTrace: isTraced ? (line) => console.log(line) : null,
  })
  const onStray = (error: unknown) => simulation.world.fail(error as Error)
  process.on('unhandledRejection', onStray)
  const outcome = await simulation.run()
  process.off('unhandledRejection', onStray)
  const { violation } = outcome
  return {
    ...outcome,
    violation: violation === null ? null : (violation.stack ?? String(violation)),
  }
}

/** Threads that run one seed after the other. */
class Threads {
  readonly #idle: Worker[] = []
  readonly #waiting: ((worker: Worker) => void)[] = []
  readonly size: number

  constructor(size: number) {
    this.size = size
    for (let count = 0; count < size; count++) {
      this.#idle.push(new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) }))
    }
  }

  async run(task: Task): Promise<Result> {
    const worker =
      this.#idle.pop() ?? (await new Promise<Worker>((resolve) => this.#waiting.push(resolve)))
    const result = await new Promise<Result>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
      worker.postMessage(task)
    })
    worker.removeAllListeners('error')
    const next = this.#waiting.shift()
    if (next === undefined) this.#idle.push(worker)
    else next(worker)
    return result
  }
}

function numberFlag(name: string, fallback: number): number {
  const at = process.argv.indexOf(name)
  return at < 0 ? fallback : Number(process.argv[at + 1])
}

function textFlag(name: string): string | null {
  const at = process.argv.indexOf(name)
  return at < 0 ? null : (process.argv[at + 1] ?? null)
}

const has = (flag: string) => process.argv.includes(flag)

class Totals {
  seeds = 0
  simulatedMs = 0
  faults = 0
  crashes = 0
  acknowledged = 0
  read = 0
  violations = 0
  readonly #startedMs = performance.now()

  add({ simulatedMs, counts, violation }: Result): void {
    this.seeds++
    this.simulatedMs += simulatedMs
    this.faults += counts.faults
    this.crashes += counts.crashes
    this.acknowledged += counts.acknowledged
    this.read += counts.read
    if (violation !== null) this.violations++
  }

  get line(): string {
    const wallSeconds = (performance.now() - this.#startedMs) / 1000
    return [
      `${this.seeds} seeds`,
      `${(this.simulatedMs / 3_600_000).toFixed(2)} simulated hours`,
      `${this.faults} faults`,
      `${this.crashes} crashes`,
      `${this.acknowledged} acknowledged records`,
      `${this.read} read`,
      `${this.violations} violations`,
      `${Math.round(this.simulatedMs / 1000 / wallSeconds)} simulated s per s`,
    ].join(', ')
  }
}

function report({ seed, seconds, bug, profile }: Task, violation: string): void {
  console.log(`seed ${seed}: ${violation}`)
  const plant =
    (bug === null ? '' : ` --plant ${bug}`) + (profile === null ? '' : ` --profile ${profile}`)
  console.log(`  again: npm run sim -- --seed ${seed} --seconds ${seconds}${plant} --trace`)
}

/** Each task, as threads are free. */
async function runAll(tasks: readonly Task[], threads: Threads, totals: Totals): Promise<void> {
  const queue = [...tasks]
  const lane = async () => {
    for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
      const result = await threads.run(task)
      let { violation } = result
      if (violation === null && has('--twice')) {
        const again = await threads.run(task)
        if (again.hash !== result.hash || again.events !== result.events) {
          violation = `not deterministic: ${result.hash}, then ${again.hash}`
        }
      }
      totals.add({ ...result, violation })
      if (has('--hash')) console.log(`${task.seed} ${result.hash} ${result.events} events`)
      if (violation !== null) report(task, violation)
    }
  }
  await Promise.all(Array.from({ length: threads.size }, lane))
}

interface Find {
  readonly seed: number
  readonly violation: string
}

/** The first seed that finds the bug; a world that fails without it counts for nothing. */
async function findBug(
  bug: PlantedBug,
  { threads, seconds, from }: { threads: Threads; seconds: number; from: number },
): Promise<Find | null> {
  const end = from + numberFlag('--seeds', seedsPerBugMax)
  const profile = has('--any-world') ? null : bug
  let next = from
  const finds: Find[] = []
  const lane = async () => {
    while (next < end && finds.length === 0) {
      const seed = next++
      const { violation } = await threads.run({ seed, seconds, bug, profile })
      if (violation === null) continue
      const { violation: without } = await threads.run({ seed, seconds, bug: null, profile })
      if (without !== null) report({ seed, seconds, bug: null, profile }, without)
      else finds.push({ seed, violation })
    }
  }
  await Promise.all(Array.from({ length: threads.size }, lane))
  return finds.sort((a, b) => a.seed - b.seed)[0] ?? null
}

async function runPlanted(threads: Threads, seconds: number): Promise<boolean> {
  const only = textFlag('--plant')
  const count = numberFlag('--bugs', plantedBugs.length)
  const bugs = plantedBugs.filter((bug) => only === null || bug === only).slice(0, count)
  const startedMs = performance.now()
  let found = 0
  for (const bug of bugs) {
    const bugStartedMs = performance.now()
    const find = await findBug(bug, { threads, seconds, from: numberFlag('--from', 1) })
    const took = secondsSince(bugStartedMs).padStart(6)
    if (find === null) {
      console.log(`${bug.padEnd(28)} NOT FOUND ${took} s`)
      continue
    }
    found++
    const what = find.violation.split('\n')[0]?.slice(0, 160)
    console.log(`${bug.padEnd(28)} seed ${String(find.seed).padStart(4)} ${took} s  ${what}`)
  }
  console.log(`${found} of ${bugs.length} planted bugs found in ${secondsSince(startedMs)} s`)
  console.log(`${found} passed, ${bugs.length - found} failed`)
  return found === bugs.length
}

function secondsSince(ms: number): string {
  return ((performance.now() - ms) / 1000).toFixed(1)
}

async function main(): Promise<boolean> {
  const one = numberFlag('--seed', -1)
  const bug = textFlag('--plant') as PlantedBug | null
  const profile = textFlag('--profile') as PlantedBug | null
  if (one >= 0) {
    const task = { seed: one, seconds: numberFlag('--seconds', 60), bug, profile }
    const totals = new Totals()
    const result = await simulate(task, has('--trace'))
    totals.add(result)
    if (result.violation !== null) report(task, result.violation)
    console.log(`hash ${result.hash}, ${result.events} events`)
    console.log(totals.line)
    return result.violation === null
  }
  const threads = new Threads(numberFlag('--jobs', 2))
  if (has('--planted')) return runPlanted(threads, numberFlag('--seconds', 20))
  const seconds = numberFlag('--seconds', 60)
  const from = numberFlag('--from', 1)
  const seeds = Array.from({ length: numberFlag('--seeds', 20) }, (_, index) => from + index)
  const tasks = has('--corpus')
    ? corpus.map((entry) => ({ ...entry, bug, profile }))
    : seeds.map((seed) => ({ seed, seconds, bug, profile }))
  const totals = new Totals()
  await runAll(tasks, threads, totals)
  console.log(totals.line)
  console.log(`${totals.seeds - totals.violations} passed, ${totals.violations} failed`)
  return totals.violations === 0
}

if (isMainThread) process.exit((await main()) ? 0 : 1)
else {
  parentPort?.on('message', (task: Task) => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
    void simulate(task).then((result) => parentPort?.postMessage(result))
  })
}
