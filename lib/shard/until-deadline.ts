/** Waiting for a commit, but not for ever. */

import { KafkaError } from '../base/errors.ts'
import type { Clock } from '../io/clock.ts'

/** Settles as `commit` does, or rejects with COORDINATOR_NOT_AVAILABLE after `timeoutMs`. */
export function untilDeadline(
  clock: Clock,
  commit: Promise<void>,
  { timeoutMs, what }: { timeoutMs: number; what: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.timer(
      timeoutMs,
      () => {
        const message = `${what}: not committed within ${timeoutMs} ms`
        reject(new KafkaError('COORDINATOR_NOT_AVAILABLE', message))
      },
      { unref: true },
    )
    const settle = (then: () => void) => {
      timer.cancel()
      then()
    }
    commit.then(
      () => settle(resolve),
      (error) => settle(() => reject(error)),
    )
  })
}
