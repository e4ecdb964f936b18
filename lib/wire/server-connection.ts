/**
 * One accepted connection: frames in, replies out in the order of the requests.
 *
 * - Requests start in arrival order. Those that `overlaps` names (Produce) may run together; every
 *   other one runs alone, as in Kafka, where a connection has one request in work at a time: it
 *   sees what the requests before it did, and a parked Fetch holds up what follows.
 * - Because a handler runs synchronously to its first await, overlapping appends keep their order.
 * - Replies that become ready in one turn of the event loop leave in one write; a large one leaves
 *   in slices, so that a slow reader shows progress and a dead one does not.
 * - Nothing grows without bound: reading stops while too much is queued, in work, or unsent.
 * - A malformed frame or a thrown error closes this connection and no other.
 */

import type { Chunks } from '../base/bytes.ts'
import { chunksSize, sliceChunks } from '../base/bytes.ts'
import { DecodeError } from '../base/errors.ts'
import type { Address, Stream } from '../io/network.ts'
import { FrameSplitter } from './frame.ts'
import type { BudgetWaiter, ParkedHolder, RequestBudget } from './request-budget.ts'

/** Bytes of one reply, its frame size included. */
export interface Reply {
  readonly chunks: readonly Uint8Array[]
  /** Called once when the bytes are no longer needed: sent, or never to be sent. */
  readonly afterSent?: () => void
}

/** What a connection is to the handlers of its requests. */
export interface Session {
  readonly id: number
  readonly listenerName: string
  readonly remote: Address
  /** As the client said in ApiVersions v3+; '' before. */
  clientSoftwareName: string
  clientSoftwareVersion: string
  isClosed: boolean
  /** What is to be given up when the connection is gone: parked requests. */
  readonly onClosed: Set<() => void>
}

export interface RequestHandler {
  /** Whether this request may run while others of its connection do. */
  overlaps(frame: Chunks): boolean
  /**
   * Runs to its first await before it returns. null: the request has no reply. A thrown error or
   * rejection closes the connection.
   */
  handle(frame: Chunks, session: Session): Reply | null | Promise<Reply | null>
}

export interface ConnectionLimits {
  /** Largest frame taken, in bytes. */
  readonly frameBytesMax: number
  /** Requests in work or waiting on one connection. */
  readonly pipelinedMax: number
  /** Request bytes held by one connection; one frame may always be completed. */
  readonly heldBytesMax: number
  /** Reply bytes given to the system or waiting; above it no further request is started. */
  readonly unsentBytesMax: number
  /** The same in replies: each costs memory beside its bytes, small ones far more than those. */
  readonly unsentRepliesMax: number
  /** Without any reply byte leaving for this long, the peer is taken for dead. */
  readonly stalledMsMax: number
  /** For a started frame to complete, plus a second per `frameBytesPerSecondMin` received. */
  readonly frameMsMax: number
  readonly frameBytesPerSecondMin: number
}

export const connectionLimits: ConnectionLimits = {
  frameBytesMax: 100 * 1024 * 1024,
  pipelinedMax: 256,
  heldBytesMax: 32 * 1024 * 1024,
  unsentBytesMax: 1024 * 1024,
  unsentRepliesMax: 64,
  stalledMsMax: 60_000,
  frameMsMax: 30_000,
  frameBytesPerSecondMin: 16 * 1024,
}

/** What a connection needs of the acceptor it belongs to. */
export interface ConnectionOwner {
  readonly limits: ConnectionLimits
  readonly budget: RequestBudget
  readonly handler: RequestHandler
  /** Whether requests may start; until then they wait. */
  readonly isOpen: boolean
  monotonicMs(): number
  /** Calls `connection.flush()` at the end of this turn. */
  flushLater(connection: ServerConnection): void
  /** We have ended our side: destroys the connection unless the peer closes it soon. */
  closeSoon(connection: ServerConnection): void
  /** Reply bytes came into being (positive) or left (negative). */
  onReplyBytes(delta: number): void
  /** Once; `reason` when we closed it for a fault of the peer or of a handler. */
  onClosed(connection: ServerConnection, reason: Error | null): void
}

interface Slot {
  reply: Reply | null
  isDone: boolean
}

interface Outgoing {
  readonly chunks: readonly Uint8Array[]
  readonly sizeBytes: number
  readonly afterSent: (() => void) | undefined
  sentBytes: number
}

const sizeFieldBytes = 4

export class ServerConnection implements BudgetWaiter, ParkedHolder {
  readonly session: Session
  readonly #stream: Stream
  readonly #owner: ConnectionOwner
  readonly #splitter: FrameSplitter
  /** Complete frames whose request has not started. */
  readonly #waiting: Chunks[] = []
  #waitingFrameBytes = 0
  /** One per started request, in order; those at the front that are done move to #outgoing. */
  readonly #slots: Slot[] = []
  readonly #outgoing: Outgoing[] = []
  #running = 0
  #runsAlone = false
  #runningBytes = 0
  /** Of the request that runs alone, while its handler waits. */
  #parkedBytes = 0
  /** The connection was closed with a request parked: its end has nothing more to give back. */
  #hasGivenUp = false
  /** Bytes of the frame that is still incomplete. */
  #partialBytes = 0
  /** Of finished replies that wait in #slots. */
  #finishedBytes = 0
  #outgoingBytes = 0
  #inFlightBytes = 0
  /** Finished, and not yet taken by the system as a whole. */
  #unsentReplies = 0
  #isPaused = false
  #isPumping = false
  #peerEnded = false
  #isDraining = false
  #hasEnded = false
  #isClosed = false
  #reason: Error | null = null
  #lastActivityMs: number
  #lastProgressMs: number
  #frameStartedMs: number

  constructor(stream: Stream, session: Session, owner: ConnectionOwner) {
    this.#stream = stream
    this.session = session
    this.#owner = owner
    this.#splitter = new FrameSplitter(() => owner.limits.frameBytesMax)
    this.#lastActivityMs = owner.monotonicMs()
    this.#lastProgressMs = this.#lastActivityMs
    this.#frameStartedMs = this.#lastActivityMs
    stream.handle({
      onData: (chunk) => this.#onData(chunk),
      onEnd: () => this.#onEnd(),
      onClose: () => this.#onClose(),
    })
  }

  /** Nothing in work, nothing waiting, nothing unsent. */
  get isQuiet(): boolean {
    return this.#running === 0 && this.#waiting.length === 0 && !this.#hasUnsent()
  }

  /** Takes no further request, finishes those that started, then closes. */
  drain(): void {
    this.#isDraining = true
    for (const frame of this.#waiting.splice(0)) this.#forgetWaiting(frame)
    this.#updateReading()
    this.#closeWhenDone()
  }

  /** Closes at once; `reason` is what the peer or a handler did wrong. */
  destroy(reason: Error | null = null): void {
    if (this.#isClosed) return
    this.#reason ??= reason
    this.#stream.destroy()
    this.#onClose()
  }

  /** Closes it when it is idle, stalled, or too slow with a frame. */
  sweep(nowMs: number, idleMsMax: number): void {
    const { stalledMsMax, frameMsMax, frameBytesPerSecondMin } = this.#owner.limits
    if (
      this.#outgoingBytes + this.#inFlightBytes > 0 &&
      nowMs - this.#lastProgressMs > stalledMsMax
    ) {
      this.destroy(new Error(`took no reply bytes for ${stalledMsMax} ms`))
      return
    }
    const frameMs = frameMsMax + (1000 * this.#partialBytes) / frameBytesPerSecondMin
    if (this.#splitter.isInsideFrame && !this.#isPaused && nowMs - this.#frameStartedMs > frameMs) {
      this.destroy(
        new Error(`a frame was not complete after ${Math.round(nowMs - this.#frameStartedMs)} ms`),
      )
      return
    }
    if (this.isQuiet && nowMs - this.#lastActivityMs > idleMsMax) this.destroy()
  }

  onRoom(): void {
    this.#updateReading()
  }

  /** The acceptor is open from now on. */
  onOpen(): void {
    this.#pump()
  }

  #onData(chunk: Uint8Array): void {
    if (this.#isClosed || this.#isDraining) return
    const nowMs = this.#owner.monotonicMs()
    this.#lastActivityMs = nowMs
    if (!this.#splitter.isInsideFrame) this.#frameStartedMs = nowMs
    this.#owner.budget.hold(chunk.length)
    this.#partialBytes += chunk.length
    try {
      this.#splitter.push(chunk, (frame) => this.#onFrame(frame, nowMs))
    } catch (error) {
      this.destroy(asError(error))
      return
    }
    this.#pump()
  }

  #onFrame(frame: Chunks, nowMs: number): void {
    this.#waiting.push(frame)
    this.#waitingFrameBytes += frameBytes(frame)
    this.#partialBytes -= frameBytes(frame)
    this.#frameStartedMs = nowMs
    this.#owner.budget.forget(this)
  }

  /** Starts what may start, then decides whether to go on reading. */
  #pump(): void {
    // A request that ends synchronously calls back into here: the loop below goes on by itself.
    if (this.#isPumping) return
    this.#isPumping = true
    while (this.#mayStart()) {
      const frame = this.#waiting[0]
      if (frame === undefined || this.#runsAlone) break
      let overlaps: boolean
      try {
        overlaps = this.#owner.handler.overlaps(frame)
      } catch (error) {
        this.destroy(asError(error))
        break
      }
      if (!overlaps && this.#running > 0) break
      this.#waiting.shift()
      this.#start(frame, !overlaps)
    }
    this.#isPumping = false
    this.#updateReading()
  }

  #mayStart(): boolean {
    return this.#owner.isOpen && !this.#isClosed && this.#hasRoomForReplies()
  }

  #start(frame: Chunks, runsAlone: boolean): void {
    const sizeBytes = frameBytes(frame)
    const slot: Slot = { reply: null, isDone: false }
    this.#slots.push(slot)
    this.#waitingFrameBytes -= sizeBytes
    this.#running++
    this.#runsAlone = runsAlone
    this.#runningBytes += sizeBytes
    this.#owner.budget.start(sizeBytes)
    let result: Reply | null | Promise<Reply | null>
    try {
      result = this.#owner.handler.handle(frame, this.session)
    } catch (error) {
      this.#onFailed(sizeBytes, error)
      return
    }
    if (result instanceof Promise) {
      // It may have ended by an answer to another's request, with this connection closed.
      if (runsAlone && !this.#isClosed) {
        this.#parkedBytes = sizeBytes
        this.#owner.budget.park(this, sizeBytes)
      }
      result.then(
        (reply) => this.#onDone(slot, sizeBytes, reply),
        (error) => this.#onFailed(sizeBytes, error),
      )
    } else this.#onDone(slot, sizeBytes, result)
  }

  #onDone(slot: Slot, sizeBytes: number, reply: Reply | null): void {
    this.#ended(sizeBytes)
    if (this.#isClosed) {
      reply?.afterSent?.()
      return
    }
    slot.reply = reply
    slot.isDone = true
    if (reply !== null) {
      const replyBytes = chunksSize(reply.chunks)
      this.#finishedBytes += replyBytes
      this.#unsentReplies++
      this.#owner.onReplyBytes(replyBytes)
    }
    this.#owner.flushLater(this)
    this.#pump()
  }

  #onFailed(sizeBytes: number, error: unknown): void {
    this.#ended(sizeBytes)
    this.destroy(asError(error))
  }

  #ended(sizeBytes: number): void {
    this.#running--
    this.#runsAlone = false
    this.#runningBytes -= sizeBytes
    const { budget } = this.#owner
    if (this.#parkedBytes > 0) this.#unpark()
    else if (!this.#hasGivenUp) {
      budget.finish(sizeBytes)
      budget.release(sizeBytes)
    }
  }

  /** The parked request is done, or nobody waits for it any more. */
  #unpark(): void {
    const { budget } = this.#owner
    budget.unpark(this)
    budget.release(this.#parkedBytes)
    this.#parkedBytes = 0
  }

  giveUp(reason: string): void {
    this.destroy(new Error(reason))
  }

  /** Moves finished replies out, in request order. */
  flush(): void {
    if (this.#isClosed) return
    let count = 0
    for (const slot of this.#slots) {
      if (!slot.isDone) break
      count++
      if (slot.reply === null) continue
      const { chunks, afterSent } = slot.reply
      const sizeBytes = chunksSize(chunks)
      if (this.#outgoingBytes + this.#inFlightBytes === 0)
        this.#lastProgressMs = this.#owner.monotonicMs()
      this.#outgoing.push({ chunks, sizeBytes, afterSent, sentBytes: 0 })
      this.#finishedBytes -= sizeBytes
      this.#outgoingBytes += sizeBytes
    }
    this.#slots.splice(0, count)
    this.#write()
    this.#closeWhenDone()
  }

  /** Gives the system slices of at most `unsentBytesMax` while it has less than that. */
  #write(): void {
    const sliceMax = this.#owner.limits.unsentBytesMax
    while (this.#outgoingBytes > 0 && this.#inFlightBytes < sliceMax) {
      const slice: Uint8Array[] = []
      const finished: (() => void)[] = []
      const { sizeBytes, replies } = this.#takeSlice(sliceMax, slice, finished)
      this.#outgoingBytes -= sizeBytes
      this.#inFlightBytes += sizeBytes
      this.#stream.write(slice, () => {
        for (const afterSent of finished) afterSent()
        this.#unsentReplies -= replies
        this.#onFlushed(sizeBytes)
      })
    }
  }

  /**
   * Fills `slice` from the front of #outgoing; `finished` gets the callbacks of the replies that end
   * in it. Gives its size and how many those are.
   */
  #takeSlice(
    sliceMax: number,
    slice: Uint8Array[],
    finished: (() => void)[],
  ): { sizeBytes: number; replies: number } {
    let sizeBytes = 0
    let complete = 0
    for (const outgoing of this.#outgoing) {
      const rest = outgoing.sizeBytes - outgoing.sentBytes
      const taken = Math.min(rest, sliceMax - sizeBytes)
      if (taken === 0 && rest > 0) break
      const end = outgoing.sentBytes + taken
      for (const chunk of sliceChunks(outgoing.chunks, outgoing.sentBytes, end)) slice.push(chunk)
      outgoing.sentBytes = end
      sizeBytes += taken
      if (taken < rest) break
      complete++
      if (outgoing.afterSent) finished.push(outgoing.afterSent)
    }
    this.#outgoing.splice(0, complete)
    return { sizeBytes, replies: complete }
  }

  #onFlushed(sizeBytes: number): void {
    this.#inFlightBytes -= sizeBytes
    this.#owner.onReplyBytes(-sizeBytes)
    if (this.#isClosed) return
    this.#lastProgressMs = this.#owner.monotonicMs()
    this.#lastActivityMs = this.#lastProgressMs
    this.#write()
    if (this.#waiting.length > 0 || this.#isPaused) this.#pump()
    this.#closeWhenDone()
  }

  #updateReading(): void {
    if (this.#isClosed) return
    const { pipelinedMax, heldBytesMax } = this.#owner.limits
    const hasQueued = this.#waiting.length > 0 || this.#running > 0
    const heldBytes = this.#waitingFrameBytes + this.#runningBytes + this.#partialBytes
    // While draining, what comes is read and thrown away: only so is the peer's end noticed.
    const mayRead =
      this.#isDraining ||
      (this.#waiting.length + this.#running < pipelinedMax &&
        this.#hasRoomForReplies() &&
        (heldBytes < heldBytesMax || !hasQueued) &&
        this.#owner.budget.mayRead(this))
    if (mayRead === !this.#isPaused) return
    this.#isPaused = !mayRead
    if (mayRead) {
      this.#frameStartedMs = this.#owner.monotonicMs()
      this.#stream.resume()
    } else this.#stream.pause()
  }

  #onEnd(): void {
    this.#peerEnded = true
    this.#closeWhenDone()
  }

  #closeWhenDone(): void {
    if (!this.#peerEnded && !this.#isDraining) return
    if (!this.isQuiet || this.#isClosed || this.#hasEnded) return
    this.#hasEnded = true
    this.#stream.end()
    this.#owner.closeSoon(this)
  }

  #onClose(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const { budget } = this.#owner
    budget.release(this.#partialBytes)
    this.#partialBytes = 0
    for (const frame of this.#waiting.splice(0)) this.#forgetWaiting(frame)
    if (this.#parkedBytes > 0) {
      this.#unpark()
      this.#hasGivenUp = true
    }
    budget.forget(this)
    for (const { reply } of this.#slots.splice(0)) {
      if (reply === null) continue
      this.#owner.onReplyBytes(-chunksSize(reply.chunks))
      reply.afterSent?.()
    }
    for (const { afterSent } of this.#outgoing.splice(0)) afterSent?.()
    this.#owner.onReplyBytes(-this.#outgoingBytes)
    this.#outgoingBytes = 0
    this.session.isClosed = true
    for (const giveUp of this.session.onClosed) giveUp()
    this.#owner.onClosed(this, this.#reason)
  }

  #forgetWaiting(frame: Chunks): void {
    this.#waitingFrameBytes -= frameBytes(frame)
    this.#owner.budget.release(frameBytes(frame))
  }

  #hasRoomForReplies(): boolean {
    const { unsentBytesMax, unsentRepliesMax } = this.#owner.limits
    return this.#unsentBytes() < unsentBytesMax && this.#unsentReplies < unsentRepliesMax
  }

  #unsentBytes(): number {
    return this.#finishedBytes + this.#outgoingBytes + this.#inFlightBytes
  }

  #hasUnsent(): boolean {
    return this.#unsentBytes() > 0 || this.#slots.some((slot) => slot.isDone)
  }
}

function frameBytes(frame: Chunks): number {
  return sizeFieldBytes + chunksSize(frame)
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new DecodeError(`thrown: ${String(thrown)}`)
}
