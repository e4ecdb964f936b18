/**
 * The server side of the wire: listeners, and the connections they accepted (server-connection.ts).
 * Here are the bounds over all connections: how many, how many per address, how many request bytes
 * in memory (request-budget.ts), and the sweep that closes idle, stalled and trickling ones.
 * Source: apache/kafka: .../network/SocketServer.scala (connections.max.idle.ms, max.connections).
 */

import type { Clock, Timer } from '../io/clock.ts'
import type { LogFields, Logger } from '../io/logger.ts'
import {
  type Address,
  addressText,
  type Listener,
  type Network,
  type Stream,
} from '../io/network.ts'
import { RequestBudget } from './request-budget.ts'
import {
  type ConnectionLimits,
  type ConnectionOwner,
  connectionLimits,
  type RequestHandler,
  ServerConnection,
} from './server-connection.ts'

export interface AcceptorLimits extends ConnectionLimits {
  readonly connectionsMax: number
  /** Not for loopback addresses. */
  readonly connectionsPerAddressMax: number
  readonly idleMsMax: number
}

export const acceptorLimits: AcceptorLimits = {
  ...connectionLimits,
  connectionsMax: 10_000,
  connectionsPerAddressMax: 1000,
  idleMsMax: 600_000,
}

export interface AcceptorOptions {
  readonly clock: Clock
  readonly network: Network
  readonly log: Logger
  readonly handler: RequestHandler
  readonly limits?: Partial<AcceptorLimits>
  readonly budget?: RequestBudget
}

const sweepMs = 1000
const warningsPerSecondMax = 10
/** Of a peer's stall, once we are closing. */
const drainStalledMsMax = 1000
/** For the peer to close its side after we closed ours. */
const lingerMs = 500

export class Acceptor implements ConnectionOwner {
  readonly handler: RequestHandler
  readonly budget: RequestBudget
  limits: AcceptorLimits
  isOpen = false
  readonly #clock: Clock
  readonly #network: Network
  readonly #log: Logger
  readonly #listeners: Listener[] = []
  readonly #connections = new Set<ServerConnection>()
  readonly #perAddress = new Map<string, number>()
  #toFlush: ServerConnection[] = []
  #replyBytes = 0
  #warnSecond = -1
  #warnCount = 0
  #nextId = 1
  #sweepTimer: Timer | null = null
  #onEmpty: (() => void) | null = null

  constructor(options: AcceptorOptions) {
    this.#clock = options.clock
    this.#network = options.network
    this.#log = options.log
    this.handler = options.handler
    this.limits = { ...acceptorLimits, ...options.limits }
    this.budget = options.budget ?? new RequestBudget()
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Bytes of replies that exist and have not left, over all connections. */
  get replyBytes(): number {
    return this.#replyBytes
  }

  /** Starts to accept on `address`; resolves with the real port. Throws native errors (EADDRINUSE, ...). */
  async listen(name: string, address: Address): Promise<Address> {
    const listener = await this.#network.listen(address, (stream) => this.#onStream(name, stream))
    this.#listeners.push(listener)
    return listener.address
  }

  /** Starts requests from now on. Before, connections are accepted and their requests wait. */
  open(): void {
    this.isOpen = true
    for (const connection of [...this.#connections]) connection.onOpen()
  }

  /** Accepts no more, lets what is in work finish for at most `drainMs`, then closes every connection. */
  async close(drainMs: number): Promise<void> {
    const closing = this.#listeners.splice(0).map((listener) => listener.close())
    for (const connection of [...this.#connections]) connection.drain()
    // Who takes no replies must not hold up the end.
    const stalledMsMax = Math.min(this.limits.stalledMsMax, drainStalledMsMax)
    this.limits = { ...this.limits, stalledMsMax }
    if (this.#connections.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#clock.timer(drainMs, resolve)
        this.#onEmpty = () => {
          timer.cancel()
          resolve()
        }
      })
    }
    for (const connection of [...this.#connections]) connection.destroy()
    this.#sweepTimer?.cancel()
    this.#sweepTimer = null
    await Promise.all(closing)
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs()
  }

  flushLater(connection: ServerConnection): void {
    if (this.#toFlush.length === 0) {
      this.#clock.endOfTurn(() => {
        const connections = new Set(this.#toFlush)
        this.#toFlush = []
        for (const each of connections) each.flush()
      })
    }
    this.#toFlush.push(connection)
  }

  closeSoon(connection: ServerConnection): void {
    this.#clock.timer(lingerMs, () => connection.destroy(), { unref: true })
  }

  onReplyBytes(delta: number): void {
    this.#replyBytes += delta
  }

  onClosed(connection: ServerConnection, reason: Error | null): void {
    this.#connections.delete(connection)
    const { session } = connection
    const { host } = session.remote
    const left = (this.#perAddress.get(host) ?? 1) - 1
    if (left === 0) this.#perAddress.delete(host)
    else this.#perAddress.set(host, left)
    if (reason !== null) {
      this.#warn('connection closed', {
        client: addressText(session.remote),
        listener: session.listenerName,
        reason: reason.message,
      })
    }
    if (this.#connections.size === 0) this.#onEmpty?.()
  }

  /** At most a few a second, so that garbage on the port does not fill the log; the rest is counted. */
  #warn(event: string, fields: LogFields): void {
    const second = Math.floor(this.#clock.monotonicMs() / 1000)
    if (second !== this.#warnSecond) {
      if (this.#warnCount > warningsPerSecondMax) {
        const left = this.#warnCount - warningsPerSecondMax
        this.#log.warn('connection warnings left out', { count: left })
      }
      this.#warnSecond = second
      this.#warnCount = 0
    }
    if (++this.#warnCount <= warningsPerSecondMax) this.#log.warn(event, fields)
  }

  #onStream(listenerName: string, stream: Stream): void {
    const { host } = stream.remote
    const { connectionsMax, connectionsPerAddressMax } = this.limits
    const fromHost = this.#perAddress.get(host) ?? 0
    const isOverHost = !isLoopback(host) && fromHost >= connectionsPerAddressMax
    if (this.#connections.size >= connectionsMax || isOverHost) {
      this.#warn('connection refused', {
        client: addressText(stream.remote),
        connections: this.#connections.size,
        fromThisAddress: fromHost,
      })
      stream.handle({ onData() {}, onClose() {} })
      stream.destroy()
      return
    }
    this.#perAddress.set(host, fromHost + 1)
    const session = {
      id: this.#nextId++,
      listenerName,
      remote: stream.remote,
      clientSoftwareName: '',
      clientSoftwareVersion: '',
      isClosed: false,
      onClosed: new Set<() => void>(),
    }
    this.#connections.add(new ServerConnection(stream, session, this))
    this.#sweepTimer ??= this.#clock.timer(sweepMs, () => this.#sweep(), { unref: true })
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const connection of [...this.#connections]) {
      connection.sweep(nowMs, this.limits.idleMsMax)
    }
    this.#sweepTimer =
      this.#connections.size > 0
        ? this.#clock.timer(sweepMs, () => this.#sweep(), { unref: true })
        : null
  }
}

/** Whether the peer is on this machine. */
export function isLoopback(host: string): boolean {
  return host === '::1' || /^(::ffff:)?127\./.test(host)
}
