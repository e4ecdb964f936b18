/** Addresses to listen on, and the rule that only loopback is open without being asked twice. */

import type { Address } from '../../lib/io/network.ts'
import { BadValue } from '../values.ts'

/** `host:port`, `[v6]:port` or `:port` (all addresses); port 0 = any free one. */
export function parseListen(text: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3] ?? 65_536)
  if (!match || port > 65_535) throw new BadValue('host:port, with a port of 0 to 65535')
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port }
}

/** Whether nobody outside this machine can reach the host. A name counts as outside, except localhost. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}
