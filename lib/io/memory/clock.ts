/**
 * A clock that moves only when it is told to. Timers run in the order of their time, then of their
 * making; between two of them all work that is ready is done, so a test sees the same history each
 * time it runs.
 */

import type { Clock, Timer } from '../clock.ts'

interface Pending {
  readonly atMs: number
  readonly sequence: number
  readonly fn: () => void
}

export class MemoryClock implements Clock {
  #elapsedMs = 0
  #wallMs: number
  #sequence = 0
  #timers = new Set<Pending>()
  #turnsUnderWay = 0

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#wallMs = startMs
  }

  nowMs(): number {
    return Math.floor(this.#wallMs)
  }

  monotonicMs(): number {
    return this.#elapsedMs
  }

  timer(ms: number, fn: () => void): Timer {
    const pending: Pending = {
      atMs: this.#elapsedMs + Math.max(ms, 0),
      sequence: this.#sequence++,
      fn,
    }
    this.#timers.add(pending)
    return { cancel: () => this.#timers.delete(pending) }
  }

  endOfTurn(fn: () => void): void {
    this.#turnsUnderWay++
    setImmediate(() => {
      this.#turnsUnderWay--
      fn()
    })
  }

  /** Moves both clocks on by `ms`, running each timer at its time and all work it leads to. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#elapsedMs + ms
    await this.settle()
    for (;;) {
      const next = this.#firstTimerUntil(endMs)
      if (!next) break
      this.#moveTo(next.atMs)
      this.#timers.delete(next)
      next.fn()
      await this.settle()
    }
    this.#moveTo(endMs)
  }

  /** Jumps the wall clock alone, as an operator or NTP may. */
  jumpWall(ms: number): void {
    this.#wallMs += ms
  }

  /** Lets everything run that is ready without time passing. */
  async settle(): Promise<void> {
    let quietTurns = 0
    for (let turn = 0; turn < 100_000 && quietTurns < 3; turn++) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      quietTurns = this.#turnsUnderWay === 0 ? quietTurns + 1 : 0
    }
  }

  #firstTimerUntil(endMs: number): Pending | undefined {
    let first: Pending | undefined
    for (const timer of this.#timers) {
      if (timer.atMs > endMs) continue
      const isEarlier =
        !first ||
        timer.atMs < first.atMs ||
        (timer.atMs === first.atMs && timer.sequence < first.sequence)
      if (isEarlier) first = timer
    }
    return first
  }

  #moveTo(ms: number): void {
    this.#wallMs += ms - this.#elapsedMs
    this.#elapsedMs = ms
  }
}
