/**
 * What a broker may hold of its clients' requests, over all connections, before it stops reading
 * their sockets: memory then grows no further, whatever the disk does.
 *
 *   held     every byte read and not yet let go: half frames, frames that wait, requests in work
 *   running  the part that handlers work on: produce data on its way to the disk
 *   parked   the part whose handlers wait, perhaps for something that a client decides on: a Fetch for
 *            records, a JoinGroup for other members. It never keeps others from being read; above its
 *            bound the connection that holds most of it is closed.
 *
 * Half frames alone can use up `held` while no request runs that could free anything. One waiting
 * connection is then let through until its frame is complete, so there is always progress.
 */

import { assert } from '../base/assert.ts'

export interface RequestBudgetLimits {
  readonly heldBytesMax: number
  readonly runningBytesMax: number
  readonly parkedBytesMax: number
}

export const requestBudgetLimits: RequestBudgetLimits = {
  heldBytesMax: 256 * 1024 * 1024,
  runningBytesMax: 32 * 1024 * 1024,
  parkedBytesMax: 64 * 1024 * 1024,
}

/** A connection that stopped reading because the budget was used up. */
export interface BudgetWaiter {
  /** There is room again, or it is this one's turn to finish its frame. */
  onRoom(): void
}

/** A connection whose request is parked. */
export interface ParkedHolder {
  /** Its memory is needed: it is to be closed, which ends with `unpark`. */
  giveUp(reason: string): void
}

export class RequestBudget {
  readonly #limits: RequestBudgetLimits
  readonly #waiters = new Set<BudgetWaiter>()
  #heldBytes = 0
  #runningBytes = 0
  readonly #parked = new Map<ParkedHolder, number>()
  #parkedBytes = 0
  /** May read although the budget is used up, until it lets go of its privilege. */
  #privileged: BudgetWaiter | null = null

  constructor(limits: Partial<RequestBudgetLimits> = {}) {
    this.#limits = { ...requestBudgetLimits, ...limits }
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  get runningBytes(): number {
    return this.#runningBytes
  }

  get parkedBytes(): number {
    return this.#parkedBytes
  }

  hold(sizeBytes: number): void {
    this.#heldBytes += sizeBytes
  }

  /** Bytes that were held are in work from now on. */
  start(sizeBytes: number): void {
    this.#runningBytes += sizeBytes
  }

  /** Their work is done; they are still held until `release`. */
  finish(sizeBytes: number): void {
    this.#runningBytes -= sizeBytes
    assert(this.#runningBytes >= 0, `${this.#runningBytes} request bytes in work`)
  }

  /** The work on bytes that were started waits from now on; a holder has one such request at most. */
  park(holder: ParkedHolder, sizeBytes: number): void {
    assert(!this.#parked.has(holder), 'two requests of one connection are parked')
    this.finish(sizeBytes)
    this.#parked.set(holder, sizeBytes)
    this.#parkedBytes += sizeBytes
    while (this.#parkedBytes > this.#limits.parkedBytesMax) {
      const largest = this.#largestParked(holder)
      if (largest === null) break
      const bytes = this.#parked.get(largest) ?? 0
      largest.giveUp(`its request of ${bytes} bytes waits, and the memory is needed`)
      assert(!this.#parked.has(largest), 'a connection that was closed has a parked request')
    }
    if (this.#waiters.size > 0) this.#wake()
  }

  /** The wait is over; the bytes are still held until `release`. */
  unpark(holder: ParkedHolder): void {
    this.#parkedBytes -= this.#parked.get(holder) ?? 0
    this.#parked.delete(holder)
  }

  #largestParked(newest: ParkedHolder): ParkedHolder | null {
    let largest: ParkedHolder | null = null
    let largestBytes = 0
    for (const [holder, bytes] of this.#parked) {
      if (holder === newest || bytes <= largestBytes) continue
      largest = holder
      largestBytes = bytes
    }
    return largest
  }

  release(sizeBytes: number): void {
    this.#heldBytes -= sizeBytes
    assert(this.#heldBytes >= 0, `${this.#heldBytes} request bytes held`)
    if (this.#waiters.size > 0) this.#wake()
  }

  /** Whether `waiter` may go on reading; if not, its `onRoom` is called later. */
  mayRead(waiter: BudgetWaiter): boolean {
    if (!this.#isFull() || this.#privileged === waiter) return true
    this.#waiters.add(waiter)
    if (this.#runningBytes === 0 && this.#privileged === null) this.#wake()
    return this.#privileged === waiter
  }

  /** The waiter's frame is complete, or its connection is gone. */
  forget(waiter: BudgetWaiter): void {
    this.#waiters.delete(waiter)
    if (this.#privileged !== waiter) return
    this.#privileged = null
    if (this.#waiters.size > 0) this.#wake()
  }

  #isFull(): boolean {
    return (
      this.#heldBytes >= this.#limits.heldBytesMax ||
      this.#runningBytes >= this.#limits.runningBytesMax
    )
  }

  #wake(): void {
    if (!this.#isFull()) {
      const waiters = [...this.#waiters]
      this.#waiters.clear()
      for (const waiter of waiters) waiter.onRoom()
      return
    }
    if (this.#runningBytes > 0 || this.#privileged !== null) return
    const [first] = this.#waiters
    if (first === undefined) return
    this.#waiters.delete(first)
    this.#privileged = first
    first.onRoom()
  }
}
