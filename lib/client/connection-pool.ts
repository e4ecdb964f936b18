/**
 * Connections by address and lane, opened when first asked for and shared by all who ask meanwhile.
 * A lane is a connection of its own to the same broker, because a broker answers one request after
 * the other: a Fetch that waits for data would hold up whatever comes behind it.
 */

import type { Env } from '../io/env.ts'
import { type Address, addressText } from '../io/network.ts'
import { type Connection, openConnection, type Transport } from '../wire/connection.ts'
import { ConnectionError } from '../wire/connection-error.ts'

/** `main` for everything that is answered at once; a consumer has a lane of its own. */
export type Lane = 'main' | 'produce' | `fetch-${number}`

export interface PoolOptions {
  readonly env: Env
  readonly clientId: string
  readonly transport?: Transport
  readonly authenticate?: (connection: Connection) => Promise<void>
}

export class ConnectionPool {
  readonly #options: PoolOptions
  readonly #open = new Map<string, Connection>()
  readonly #opening = new Map<string, Promise<Connection>>()
  #isClosed = false

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /** The open connection to `address`, if there is one: no wait. */
  existing(address: Address, lane: Lane): Connection | undefined {
    return this.#open.get(keyOf(address, lane))
  }

  /** Rejects with ConnectionError within `timeoutMs` of the first who asked. */
  get(address: Address, lane: Lane, timeoutMs: number): Promise<Connection> {
    if (this.#isClosed) return Promise.reject(closedError(address))
    const key = keyOf(address, lane)
    const open = this.#open.get(key)
    if (open !== undefined) return Promise.resolve(open)
    const opening = this.#opening.get(key)
    if (opening !== undefined) return opening
    const started = this.#start(address, key, timeoutMs).finally(() => this.#opening.delete(key))
    this.#opening.set(key, started)
    return started
  }

  /** Closes all; nothing is opened any more. */
  close(): void {
    this.#isClosed = true
    for (const connection of Array.from(this.#open.values())) connection.close()
  }

  async #start(address: Address, key: string, timeoutMs: number): Promise<Connection> {
    const { env } = this.#options
    const connection = await openConnection({
      ...this.#options,
      address,
      connectTimeoutMs: timeoutMs,
      onClose: (error) => {
        if (this.#open.get(key)?.isClosed) this.#open.delete(key)
        if (error.failure === 'aborted') return
        env.log.info('connection-closed', { address: addressText(address), reason: error.reason })
      },
    })
    if (this.#isClosed) {
      connection.close()
      throw closedError(address)
    }
    env.log.debug('connection-open', { connection: key })
    if (!connection.isClosed) this.#open.set(key, connection)
    return connection
  }
}

function keyOf(address: Address, lane: Lane): string {
  return `${addressText(address)} ${lane}`
}

function closedError(address: Address): ConnectionError {
  return new ConnectionError(address, 'aborted', { reason: 'the client is closed' })
}
