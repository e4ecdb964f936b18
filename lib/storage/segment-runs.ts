/** Neighbouring segments: finding them in their log, and the end of those that nobody finds any more. */

import type { Env } from '../io/env.ts'
import type { LogConfig } from './log-config.ts'
import type { Segment } from './segment.ts'

/** Removes the files after file.delete.delay.ms. What is left behind the next start removes. */
export function removeLater(
  env: Env,
  log: { readonly name: string; readonly config: LogConfig },
  segments: readonly Segment[],
): void {
  const remove = () => {
    for (const segment of segments) {
      segment.removeFiles().catch((error: unknown) => {
        env.log.warn('log.delete.failed', { log: log.name, error: String(error) })
      })
    }
  }
  env.clock.timer(log.config['file.delete.delay.ms'], remove, { unref: true })
}

/** Where `run` stands in `segments`, its members next to each other; -1 when it does not. */
export function runStart(segments: readonly Segment[], run: readonly Segment[]): number {
  const [first] = run
  const at = first === undefined ? -1 : segments.indexOf(first)
  return run.every((segment, index) => segments[at + index] === segment) ? at : -1
}
