/** Why a connection failed, and what that says about the requests that were on it. */

import { type Address, addressText } from '../io/network.ts'

/**
 * refused: nobody listens there. unreachable: no route, no such name, no time left to connect.
 * timeout: connected, but silent beyond the deadline. closed: the peer ended it. protocol: what it
 * sent is not Kafka's protocol. unsupported: no version in common. aborted: closed by ourselves.
 */
export type ConnectionFailure =
  | 'refused'
  | 'unreachable'
  | 'timeout'
  | 'closed'
  | 'protocol'
  | 'unsupported'
  | 'aborted'

/** A connection, or the attempt to get one, failed. The message begins with host:port. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  readonly address: Address
  readonly failure: ConnectionFailure
  /** The bare reason, without the address: `connection refused`. */
  readonly reason: string
  /** Whether the request may have reached the broker: it is then unknown if it took effect. */
  readonly wasSent: boolean

  constructor(
    address: Address,
    failure: ConnectionFailure,
    details: { reason: string; wasSent?: boolean; cause?: unknown },
  ) {
    super(`${addressText(address)}: ${details.reason}`, { cause: details.cause })
    this.address = address
    this.failure = failure
    this.reason = details.reason
    this.wasSent = details.wasSent ?? false
  }

  /** The same failure for a request that had gone out already. */
  afterSending(): ConnectionError {
    const { reason } = this
    return new ConnectionError(this.address, this.failure, { reason, wasSent: true, cause: this })
  }
}

const reasons: Readonly<Record<string, readonly [ConnectionFailure, string]>> = {
  ECONNREFUSED: ['refused', 'connection refused'],
  ECONNRESET: ['closed', 'connection reset by the peer'],
  EPIPE: ['closed', 'connection closed by the peer'],
  ETIMEDOUT: ['unreachable', 'no answer to the attempt to connect'],
  ENOTFOUND: ['unreachable', 'no such host'],
  EAI_AGAIN: ['unreachable', 'the name of the host cannot be resolved at the moment'],
  EHOSTUNREACH: ['unreachable', 'no route to the host'],
  ENETUNREACH: ['unreachable', 'network unreachable'],
  EADDRNOTAVAIL: ['unreachable', 'no local address or port left to connect from'],
  EMFILE: ['unreachable', 'too many open files in this process'],
}

/** The ConnectionError for a native error of the network. */
export function connectionErrorOf(
  address: Address,
  error: unknown,
  fallback: ConnectionFailure,
): ConnectionError {
  if (error instanceof ConnectionError) return error
  // Node tries every address of a name and wraps what they said.
  const inner = error instanceof AggregateError ? (error.errors[0] ?? error) : error
  const code = inner instanceof Error && 'code' in inner ? String(inner.code) : ''
  const known = reasons[code]
  const text = inner instanceof Error ? inner.message : String(inner)
  const [failure, reason] = known ?? [fallback, text]
  return new ConnectionError(address, failure, { reason, cause: error })
}
