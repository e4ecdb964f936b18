/**
 * The only door to uvu. Bare uvu ends with exit code 0 when a `before` hook throws, when a test
 * rejects with something that is no Error, and when `.run()` is forgotten; it knows no time-out.
 * This wrapper closes all four holes, and prints `N passed, N failed, N skipped` as its last line.
 */

import { suite as uvuSuite } from 'uvu'
import * as assert from 'uvu/assert'

export { assert }

type Handler = () => void | Promise<void>

export interface Suite {
  (title: string, handler: Handler, options?: { timeoutMs?: number }): void
  /** Not run, but counted: `why` is printed. */
  skip(title: string, why: string): void
  before(handler: Handler): void
  after(handler: Handler): void
  beforeEach(handler: Handler): void
  afterEach(handler: Handler): void
}

const counts = { registered: 0, passed: 0, failed: 0, skipped: 0, brokenHooks: 0 }

process.on('exit', (code) => {
  const lost = counts.registered - counts.passed - counts.failed
  const failed = counts.failed + lost + counts.brokenHooks
  if (lost > 0) console.log(`${lost} tests registered but never finished`)
  if (counts.registered + counts.skipped === 0) console.log('no test was registered')
  console.log(`${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped`)
  if (failed > 0 || counts.registered + counts.skipped === 0 || code !== 0) process.exitCode = 1
})

/** A suite of tests; it runs by itself once the file has registered them. */
export function suite(name: string): Suite {
  const inner = uvuSuite(name)
  const hook = (handler: Handler) => async () => {
    try {
      await withDeadline(handler, 30_000, 'hook')
    } catch (error) {
      counts.brokenHooks++
      console.log(`a hook of ${name} failed:`, error)
      throw asError(error)
    }
  }
  const register = (title: string, handler: Handler, { timeoutMs = 30_000 } = {}) => {
    counts.registered++
    inner(title, async () => {
      try {
        await withDeadline(handler, timeoutMs, title)
        counts.passed++
      } catch (error) {
        counts.failed++
        throw asError(error)
      }
    })
  }
  queueMicrotask(() => inner.run())
  return Object.assign(register, {
    skip(title: string, why: string) {
      counts.skipped++
      console.log(`skipped: ${title}: ${why}`)
    },
    before: (handler: Handler) => inner.before(hook(handler)),
    after: (handler: Handler) => inner.after(hook(handler)),
    beforeEach: (handler: Handler) => inner.before.each(hook(handler)),
    afterEach: (handler: Handler) => inner.after.each(hook(handler)),
  })
}

async function withDeadline(handler: Handler, timeoutMs: number, what: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`"${what}" did not end within ${timeoutMs} ms`)),
      timeoutMs,
    )
  })
  try {
    await Promise.race([handler(), deadline])
  } finally {
    clearTimeout(timer)
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`thrown: ${String(thrown)}`)
}

/** The rejection of `promise`; fails when it resolves or rejects with something that is no Error. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    if (error instanceof Error) return error
    throw new Error(`rejected with ${String(error)}, not with an Error`, { cause: error })
  }
  throw new Error('expected a rejection, but it resolved')
}
