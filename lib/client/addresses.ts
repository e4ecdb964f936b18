/** Broker addresses as people write them: `host`, `host:port`, `[::1]:9092`. */

import type { Address } from '../io/network.ts'

const defaultPort = 9092

/** Throws Error `bad broker address "kafka:http": port must be 1-65535`. */
export function parseBrokerAddress(text: string): Address {
  const bad = (why: string) => new Error(`bad broker address "${text}": ${why}`)
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*))(?::(.*))?$/.exec(text.trim())
  if (match === null) throw bad('expected host:port, an IPv6 address in brackets')
  const host = match[1] ?? match[2] ?? ''
  if (host === '' || /[\s/,]/.test(host)) throw bad('expected host:port')
  const portText = match[3]
  if (portText === undefined) return { host, port: defaultPort }
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0
  if (port < 1 || port > 65535) throw bad('port must be 1-65535')
  return { host, port }
}
