/** One end of a connection of the simulated network. What it sends arrives in order, or never. */

import { nativeError } from '../../lib/io/memory/disk.ts'
import {
  type Address,
  addressText,
  type Stream,
  type StreamHandlers,
} from '../../lib/io/network.ts'
import type { Process } from './machine.ts'
import type { SimNetwork } from './network.ts'

interface Sent {
  bytes: Uint8Array
  readonly onFlushed: (() => void) | undefined
}

const highWaterBytes = 64 * 1024
/** How often a system sends again what nobody acknowledges. */
const resendMs = 1000

export class SimStream implements Stream {
  readonly local: Address
  readonly remote: Address
  readonly process: Process
  peer: SimStream | null = null
  /** What was written last, in one call; null = nothing, or more than is kept. */
  lastWrite: Uint8Array | null = null
  readonly #network: SimNetwork
  #handlers: StreamHandlers | null = null
  /** Bytes that arrived and were not taken. */
  #inbox: Sent[] = []
  /** Bytes written here that the peer has not taken. */
  #pendingBytes = 0
  #lastArrivalMs = 0
  #isPaused = false
  #isPumping = false
  /** We have said that no more comes; the peer has. */
  #hasEnded = false
  #peerHasEnded = false
  #sawEnd = false
  #isClosed = false
  #wantsDrain = false
  /** Callbacks of writes that the peer has not taken. */
  readonly #unflushed = new Set<() => void>()

  constructor(
    network: SimNetwork,
    process: Process,
    { local, remote }: { local: Address; remote: Address },
  ) {
    this.#network = network
    this.process = process
    this.local = local
    this.remote = remote
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  handle(handlers: StreamHandlers): void {
    this.#handlers = handlers
    this.#pump()
  }

  write(chunks: readonly Uint8Array[], onFlushed?: () => void): void {
    const { peer } = this
    if (this.#isClosed || this.#hasEnded || peer === null) {
      if (onFlushed) this.#soon(onFlushed)
      return
    }
    if (this.#network.losesAnswerOf(this.process)) {
      if (onFlushed) this.#soon(onFlushed)
      return this.#network.cut(this)
    }
    const bytes = Uint8Array.from(Buffer.concat(chunks))
    this.lastWrite = bytes
    this.#pendingBytes += bytes.length
    if (this.#pendingBytes > highWaterBytes) this.#wantsDrain = true
    // The system takes what its buffer holds; what is above waits for the peer.
    if (onFlushed && this.#pendingBytes <= highWaterBytes) this.#soon(onFlushed)
    else if (onFlushed) this.#unflushed.add(onFlushed)
    this.#send(() => peer.#receive({ bytes, onFlushed }))
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#pump()
  }

  end(): void {
    if (this.#hasEnded || this.#isClosed) return
    this.#hasEnded = true
    const { peer } = this
    this.#send(() => peer?.receiveEnd())
    if (this.#sawEnd) this.#close(undefined)
  }

  destroy(error?: Error): void {
    if (this.#isClosed) return
    const { peer } = this
    this.#send(() => peer?.receiveEnd())
    this.#close(error)
  }

  /** The connection is reset at this end, now. */
  reset(): void {
    this.#close(nativeError('ECONNRESET', 'read', addressText(this.remote)))
  }

  /** Its process is gone. `isSilent`: the peer hears nothing of it. */
  die(isSilent: boolean): void {
    const { peer } = this
    if (this.#isClosed) return
    this.#isClosed = true
    this.#network.streams.delete(this)
    if (!isSilent) this.#send(() => peer?.reset())
  }

  #send(arrive: () => void): void {
    const { peer } = this
    if (peer === null) return
    const network = this.#network
    this.#lastArrivalMs = Math.max(
      network.arrivalMs(this.process, peer.process),
      this.#lastArrivalMs,
    )
    network.world.at(this.#lastArrivalMs, arrive)
  }

  #receive(sent: Sent): void {
    if (this.#isClosed) return this.#refuse()
    this.#inbox.push(sent)
    this.#pump()
  }

  /**
   * Bytes for a connection that is not there any more: a machine that is up says so; for one that is
   * down they are sent again and again.
   */
  #refuse(): void {
    const { peer } = this
    if (peer === null || peer.isClosed || !peer.process.isAlive) return
    if (this.process.machine.process !== null) this.#send(() => peer.reset())
    else this.#network.world.after(resendMs, () => this.#refuse())
  }

  receiveEnd(): void {
    if (this.#isClosed) return
    this.#peerHasEnded = true
    this.#pump()
  }

  /** Delivers what waits, a piece a turn, then the end. */
  #pump(): void {
    if (this.#isPumping || this.#isClosed || this.#handlers === null) return
    this.#isPumping = true
    this.#soon(() => {
      this.#isPumping = false
      if (this.#isClosed || this.#handlers === null || this.#isPaused) return
      const [first] = this.#inbox
      if (first !== undefined) this.#deliver(this.#handlers, first)
      else if (this.#peerHasEnded) return this.#deliverEnd(this.#handlers)
      if (this.#inbox.length > 0 || this.#peerHasEnded) this.#pump()
    })
  }

  #deliver(handlers: StreamHandlers, first: Sent): void {
    const piece = first.bytes.subarray(0, this.#network.pieceBytes(first.bytes.length))
    first.bytes = first.bytes.subarray(piece.length)
    if (first.bytes.length === 0) this.#inbox.shift()
    this.#network.world.note('data', piece.length, this.process.machine.name)
    this.peer?.taken(piece.length, first.bytes.length === 0 ? first.onFlushed : undefined)
    handlers.onData(piece)
  }

  /** The peer has taken bytes. */
  taken(bytes: number, onFlushed: (() => void) | undefined): void {
    if (!this.process.isAlive) return
    this.#pendingBytes -= bytes
    if (onFlushed !== undefined && this.#unflushed.delete(onFlushed)) onFlushed()
    if (this.#isClosed || this.#pendingBytes > 0 || !this.#wantsDrain) return
    this.#wantsDrain = false
    this.#handlers?.onDrain?.()
  }

  #deliverEnd(handlers: StreamHandlers): void {
    this.#peerHasEnded = false
    this.#sawEnd = true
    if (this.#hasEnded || handlers.onEnd === undefined) {
      this.end()
      this.#close(undefined)
    } else handlers.onEnd()
  }

  #close(error: Error | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#network.streams.delete(this)
    this.#inbox = []
    for (const onFlushed of this.#unflushed) this.#soon(onFlushed)
    this.#unflushed.clear()
    this.#network.world.note('close', this.local.port, this.process.machine.name)
    this.#soon(() => this.#handlers?.onClose(error))
  }

  #soon(fn: () => void): void {
    const { world } = this.#network
    world.after(0, () => {
      if (this.process.isAlive) fn()
    })
  }
}
