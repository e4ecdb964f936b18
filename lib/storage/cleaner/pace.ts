/**
 * How the cleaner shares the process: it works in slices of a few milliseconds and lets everything else
 * of the event loop run between two of them. While there is anything else to do, slices are short and
 * rests long: requests wait for a slice rarely, and not for long. It also keeps to
 * log.cleaner.io.max.bytes.per.second, reads and writes together.
 */

import { type Clock, sleep } from '../../io/clock.ts'

/** One slice of work. A batch is the smallest unit where it is compressed: codecs run in one go. */
const sliceMs = 2
const busySliceMs = 0.5
/** A turn of others that took this long was no empty one: the loop has work. */
const busyTurnMs = 0.05
/** It counts as busy for so long: producers come back. */
const busyForMs = 100
/** While it is, a rest is so many times as long as the slice took: a sixth of the time is the cleaner's. */
const busyRestFactor = 5
const restMsMax = 100
/** Sleeps for the rate are no shorter, so that a timer is worth its price. */
const throttleMsMin = 5
const throttleMsMax = 1000

/** The cleaning is to end: its log goes, or the broker stops. */
export class CleaningStopped extends Error {
  override readonly name = 'CleaningStopped'
}

export class CleanerPace {
  readonly #clock: Clock
  /** Bytes per second; read anew each time. */
  readonly #rate: () => number
  #sliceStartMs = 0
  #sliceEndMs = 0
  #busyUntilMs = 0
  #owedMs = 0
  #lastSpendMs: number

  constructor(clock: Clock, rate: () => number) {
    this.#clock = clock
    this.#rate = rate
    this.#beginSlice(sliceMs)
    this.#lastSpendMs = clock.monotonicMs()
  }

  /** Whether it is time to call `rest`. */
  get isDue(): boolean {
    return this.#clock.monotonicMs() >= this.#sliceEndMs
  }

  /** Lets others run. Rejects with the signal's reason when the work is to end. */
  async rest(signal: AbortSignal): Promise<void> {
    const startMs = this.#clock.monotonicMs()
    await new Promise<void>((resolve) => this.#clock.endOfTurn(resolve))
    const nowMs = this.#clock.monotonicMs()
    signal.throwIfAborted()
    if (nowMs - startMs > busyTurnMs) this.#busyUntilMs = nowMs + busyForMs
    const isBusy = nowMs < this.#busyUntilMs
    if (isBusy) {
      // On a machine with more to do than processors a slice takes longer than it should.
      const restMs = busyRestFactor * Math.max(startMs - this.#sliceStartMs, busySliceMs)
      await sleep(this.#clock, Math.min(restMs, restMsMax), signal)
    }
    this.#beginSlice(isBusy ? busySliceMs : sliceMs)
  }

  #beginSlice(ms: number): void {
    this.#sliceStartMs = this.#clock.monotonicMs()
    this.#sliceEndMs = this.#sliceStartMs + ms
  }

  /** Counts bytes that were read or written, and waits while that is more than the rate allows. */
  async spend(sizeBytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const nowMs = this.#clock.monotonicMs()
    this.#owedMs = Math.max(this.#owedMs - (nowMs - this.#lastSpendMs), 0)
    this.#lastSpendMs = nowMs
    this.#owedMs += (sizeBytes / Math.max(this.#rate(), 1)) * 1000
    while (this.#owedMs >= throttleMsMin) {
      // In parts, so that a new rate is soon felt.
      const partMs = Math.min(this.#owedMs, throttleMsMax)
      await sleep(this.#clock, partMs, signal)
      this.#owedMs -= partMs
      this.#lastSpendMs = this.#clock.monotonicMs()
      this.#beginSlice(sliceMs)
    }
  }
}
