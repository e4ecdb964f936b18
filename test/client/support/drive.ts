/** Lets time pass in memory until something has happened. */

import type { MemoryEnv } from '../../../lib/io/memory/env.ts'

/** Moves the clock until `promise` settles, `limitMs` at most, and returns what it came to. */
export async function drive<T>(env: MemoryEnv, promise: Promise<T>, limitMs = 120_000): Promise<T> {
  const state = { isSettled: false }
  const watched = promise.finally(() => {
    state.isSettled = true
  })
  watched.catch(() => {})
  await env.clock.settle()
  const endMs = env.clock.monotonicMs() + limitMs
  while (!state.isSettled) {
    if (env.clock.monotonicMs() >= endMs) throw new Error(`not settled within ${limitMs} ms`)
    await env.clock.advance(20)
  }
  return await promise
}

/** The error that `promise` is rejected with while time passes. */
export async function driveToFailure(
  env: MemoryEnv,
  promise: Promise<unknown>,
  limitMs?: number,
): Promise<Error> {
  const outcome = await drive(
    env,
    promise.then(
      () => null,
      (error: unknown) => error,
    ),
    limitMs,
  )
  if (outcome instanceof Error) return outcome
  throw new Error('expected a rejection, but it resolved')
}
