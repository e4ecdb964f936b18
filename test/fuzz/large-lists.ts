/**
 * The largest requests that decode: each list of each API with as many elements as a request may
 * have, each element as small as it gets. And one more, which is refused before anything is made of it.
 */

import { DecodeError } from '../../lib/base/errors.ts'
import { apiByKey, apis } from '../../lib/protocol/apis/index.ts'
import {
  decodeRequest,
  decodeRequestHeader,
  encodeRequest,
  requestElementsMax,
} from '../../lib/protocol/codec.ts'
import type { Api, Field } from '../../lib/protocol/schema.ts'

export interface LargestCost {
  lists: number
  what: string
  bytes: number
  ms: number
}

/** Of each API's newest version: its lists at the top, and within the first element of those. */
export function checkLargeLists(): LargestCost {
  const worst: LargestCost = { lists: 0, what: '', bytes: 0, ms: 0 }
  for (const api of apis) {
    const version = api.versions[1]
    for (const [name, field] of Object.entries(api.request.fields)) {
      if (field.kind !== 'array' || version < field.since || version > field.until) continue
      worst.lists++
      const full = frameWith(api, name, listOf(field, requestElementsMax))
      const began = performance.now()
      decode(api, version, full)
      const ms = performance.now() - began
      if (ms > worst.ms)
        Object.assign(worst, { what: `${api.name}.${name}`, bytes: full.length, ms })
      if (worst.lists % 8 > 0) continue
      checkRefused(api, version, frameWith(api, name, listOf(field, requestElementsMax + 1)))
    }
  }
  return worst
}

function listOf(field: Field<unknown>, count: number): unknown[] {
  const element = field.element?.kind === 'struct' ? {} : field.element?.fallback
  return Array.from({ length: count }, () => element)
}

function frameWith(api: Api, name: string, list: unknown[]): Buffer {
  const header = { correlationId: 1, clientId: 'fuzz' }
  return Buffer.concat(encodeRequest(api, api.versions[1], header, { [name]: list })).subarray(4)
}

function decode(api: Api, version: number, frame: Buffer): void {
  decodeRequest(api, version, decodeRequestHeader([frame], apiByKey).reader)
}

function checkRefused(api: Api, version: number, frame: Buffer): void {
  const began = performance.now()
  try {
    decode(api, version, frame)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    const ms = performance.now() - began
    if (ms > 50) throw new Error(`${api.name}: refused after ${ms.toFixed(0)} ms`, { cause: error })
    return
  }
  throw new Error(`${api.name} with ${requestElementsMax + 1} elements was decoded`)
}
