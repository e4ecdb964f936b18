/**
 * Keeps the disk from running full: below the floor appends are refused, reads go on, and from one
 * and a half times the floor on appends are taken again. Looks at the free space every few seconds,
 * and sooner when much was written since.
 */

import type { Timer } from '../io/clock.ts'
import type { Env } from '../io/env.ts'

const pollMs = 3_000
const defaultFloorBytes = 1024 * 1024 * 1024
const defaultFloorShare = 0.05
const resumeFactor = 1.5
/** Appended since the last look before the next is taken early. */
const lookAfterBytes = 128 * 1024 * 1024

export class DiskFloor {
  readonly #env: Env
  readonly #path: string
  /** -1: the smaller of 1 GiB and 5 % of the file system. */
  floorBytes: number
  #isBelow = false
  #isLooking = false
  #freeBytes = Number.POSITIVE_INFINITY
  #bytesSinceLook = 0
  #timer: Timer | null = null
  #isClosed = false
  /** Called when there is enough space again, and at each look while there is. */
  onSpace: () => void = () => {}

  constructor(env: Env, path: string, floorBytes: number) {
    this.#env = env
    this.#path = path
    this.floorBytes = floorBytes
  }

  /** Why appends are refused; null while there is space. */
  get refusal(): string | null {
    if (!this.#isBelow) return null
    return `only ${this.#freeBytes} bytes are free under ${this.#path}; appends are refused below ottla.disk.floor.bytes`
  }

  /** Looks once, then again and again until `close`. */
  async start(): Promise<void> {
    await this.look()
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isClosed) return
    const fire = () => void this.look().finally(() => this.#schedule())
    this.#timer = this.#env.clock.timer(pollMs, fire, { unref: true })
  }

  appended(bytes: number): void {
    this.#bytesSinceLook += bytes
    if (this.#bytesSinceLook > lookAfterBytes && !this.#isLooking) void this.look()
  }

  /** Asks the system; never rejects. */
  async look(): Promise<void> {
    if (this.#isLooking || this.#isClosed) return
    this.#isLooking = true
    this.#bytesSinceLook = 0
    try {
      const { freeBytes, totalBytes } = await this.#env.disk.free(this.#path)
      const floor =
        this.floorBytes >= 0
          ? this.floorBytes
          : Math.min(defaultFloorBytes, totalBytes * defaultFloorShare)
      this.#freeBytes = freeBytes
      const wasBelow = this.#isBelow
      this.#isBelow = freeBytes < (wasBelow ? floor * resumeFactor : floor)
      if (this.#isBelow !== wasBelow) this.#report(floor)
      if (!this.#isBelow) this.onSpace()
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#env.log.warn('disk.free.failed', { path: this.#path, error: message })
    } finally {
      this.#isLooking = false
    }
  }

  #report(floorBytes: number): void {
    const fields = { path: this.#path, freeBytes: this.#freeBytes, floorBytes }
    if (this.#isBelow) this.#env.log.error('disk.floor.reached', fields)
    else this.#env.log.info('disk.floor.left', fields)
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }
}
