/** The error for "the cluster did not answer", as distinct from "it answered with an error" (KafkaError). */

import { addressText } from '../io/network.ts'
import { ConnectionError } from '../wire/connection-error.ts'

/**
 * No broker could be reached, or none answered in time. The message names the addresses, the
 * reason, and how often it was tried: `cannot reach 127.0.0.1:1: connection refused (2 tries)`.
 */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError'
  /** What was tried, as host:port. */
  readonly addresses: readonly string[]
  /** Without the addresses, when it was the same for all. */
  readonly reason: string

  constructor(
    message: string,
    details: { addresses?: readonly string[]; reason?: string; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause })
    this.addresses = details.addresses ?? []
    this.reason = details.reason ?? message
  }
}

/** Says of each address why its last attempt failed. */
export function cannotReach(
  failures: ReadonlyMap<string, ConnectionError>,
  tries: number,
): UnavailableError {
  const addresses = [...failures.keys()]
  const reasons = [...failures.values()].map(({ reason }) => reason)
  const [reason = 'no broker address is known'] = reasons
  const count = `(${tries} ${tries === 1 ? 'try' : 'tries'})`
  const isSame = reasons.every((other) => other === reason)
  const each = addresses.map((address, index) => `${address} (${reasons[index]})`).join(', ')
  const text = isSame ? `${addresses.join(', ')}: ${reason}` : each
  const [cause] = failures.values()
  return new UnavailableError(`cannot reach ${text} ${count}`, { addresses, reason, cause })
}

/** A lost or silent connection as an UnavailableError; every other error as it is. */
export function asUnavailable(error: unknown): unknown {
  if (!(error instanceof ConnectionError)) return error
  const address = addressText(error.address)
  const isMissing = error.failure === 'refused' || error.failure === 'unreachable'
  const what = isMissing ? 'cannot reach' : 'lost'
  return new UnavailableError(`${what} ${address}: ${error.reason}`, {
    addresses: [address],
    reason: error.reason,
    cause: error,
  })
}
