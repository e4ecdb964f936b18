/**
 * A time-out that is pushed back again and again and seldom comes: a session. Pushing it back moves
 * a number; the timer under it is made anew only when it fires too early or is due too late. So a
 * heartbeat costs no timer.
 */

import type { Clock, Timer } from '../../io/clock.ts'

export class Deadline {
  readonly #clock: Clock
  readonly #onDue: () => void
  #dueMs = 0
  #timer: Timer | null = null
  #timerMs = 0

  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock
    this.#onDue = onDue
  }

  /** Whether it will come, unless it is pushed back or cleared. */
  get isSet(): boolean {
    return this.#timer !== null
  }

  /** `onDue` is called `ms` from now, not at the time that was set before. */
  set(ms: number): void {
    this.#dueMs = this.#clock.monotonicMs() + Math.max(ms, 0)
    if (this.#timer !== null && this.#timerMs <= this.#dueMs) return
    this.#timer?.cancel()
    this.#arm()
  }

  clear(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #arm(): void {
    this.#timerMs = this.#dueMs
    const ms = Math.max(this.#dueMs - this.#clock.monotonicMs(), 0)
    this.#timer = this.#clock.timer(ms, () => this.#onTimer(), { unref: true })
  }

  #onTimer(): void {
    this.#timer = null
    if (this.#clock.monotonicMs() < this.#dueMs) this.#arm()
    else this.#onDue()
  }
}
