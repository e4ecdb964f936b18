/** Starting a broker on a directory as it is: what came of it, what it logged, and what took too long. */

import type { LogFields, Logger } from '../../../lib/io/logger.ts'
import { Scenario } from '../../broker/support/scenario.ts'
import { machine, startBroker } from './history.ts'
import { diskWith, type Tree, type TreeDisk } from './tree.ts'
import { processorMs, startMsMax } from './watch.ts'

export class Violation extends Error {
  override readonly name = 'Violation'
}

/** What the broker logged as warnings and errors. */
export class Reports implements Logger {
  readonly lines: string[] = []
  error(event: string, fields?: LogFields): void {
    this.lines.push(`error ${event} ${JSON.stringify(fields ?? {})}`)
  }
  warn(event: string, fields?: LogFields): void {
    this.lines.push(`warn ${event} ${JSON.stringify(fields ?? {})}`)
  }
  info(): void {}
  debug(): void {}

  /** The directory that a log was moved to which the metadata does not know; null for none. */
  asideOf(name: string): string | null {
    const line = this.lines.find((one) => one.startsWith(`warn log.set-aside {"log":"${name}"`))
    return /"directory":"([^"]+)"/.exec(line ?? '')?.[1] ?? null
  }

  damagedLogs(): string[] {
    return this.lines.flatMap((line) => {
      return /^error log\.damaged \{"directory":"\/data\/([^"]+)"/.exec(line)?.[1] ?? []
    })
  }

  mentions(...texts: readonly string[]): boolean {
    return this.lines.some((line) => texts.some((text) => line.includes(text)))
  }
}

export interface Start {
  readonly world: Scenario | null
  readonly refusal: Error | null
  readonly disk: TreeDisk
  readonly reports: Reports
}

const steps = 600

/** Lets time pass until the promise settles; a Violation when it does not. */
export async function until<T>(
  world: { clock: { advance(ms: number): Promise<void> } },
  promise: Promise<T>,
  what: string,
): Promise<T> {
  let isSettled = false
  const settled = () => {
    isSettled = true
  }
  promise.then(settled, settled)
  for (let step = 0; step < steps && !isSettled; step++) {
    await world.clock.advance(step < 20 ? 0 : 200)
  }
  if (!isSettled) throw new Violation(`${what} hangs`)
  return promise
}

/** What takes longer, by the processor's time, is a Violation. */
export async function inTime<T>(msMax: number, what: string, work: () => Promise<T>): Promise<T> {
  const beganMs = processorMs()
  const result = await work()
  const tookMs = processorMs() - beganMs
  if (tookMs > msMax) throw new Violation(`${what} took ${tookMs.toFixed()} ms, at most ${msMax}`)
  return result
}

export async function startOn(tree: Tree, seed: number): Promise<Start> {
  const disk = await diskWith(tree)
  const reports = new Reports()
  const env = machine(disk, seed, reports)
  env.clock.jumpWall(60_000)
  try {
    const broker = await inTime(startMsMax, 'the start', () =>
      until(env, startBroker(env), 'the start'),
    )
    return { world: new Scenario(env, broker, {}), refusal: null, disk, reports }
  } catch (error) {
    if (error instanceof Violation || !(error instanceof Error)) throw error
    return { world: null, refusal: error, disk, reports }
  }
}
