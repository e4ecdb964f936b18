/**
 * The largest requests through a whole broker: every list of every served API as long as a request may
 * have it, with names that differ. None may hold up the others for long.
 */

import { handlers } from '../../lib/broker/handlers/index.ts'
import { encodeRequest, requestElementsMax } from '../../lib/protocol/codec.ts'
import type { Field, Fields } from '../../lib/protocol/schema.ts'
import { Scenario } from '../broker/support/scenario.ts'

export interface HeavyCost {
  requests: number
  slowest: readonly (readonly [what: string, ms: number])[]
}

const inHand = 0.9

export async function checkHeavy(): Promise<HeavyCost> {
  const configs = {
    'offsets.topic.num.partitions': '2',
    'offsets.topic.replication.factor': '1',
    'auto.create.topics.enable': 'false',
  }
  const world = await Scenario.start({ topics: ['a:2'], configs })
  world.env.network.pieceBytes = 1 << 26
  const costs: (readonly [what: string, ms: number])[] = []
  for (const { api, served } of handlers) {
    const version = served[1]
    for (const [name, field] of Object.entries(api.request.fields)) {
      if (field.kind !== 'array' || version < field.since || version > field.until) continue
      for (const depth of [0, 1]) {
        const list = longList(field, version, depth)
        if (list === null) continue
        const what = `${api.name}.${name}${depth === 0 ? '' : ', inner lists'}`
        const header = { correlationId: 1, clientId: 'fuzz' }
        const frame = encodeRequest(api, version, header, {
          ...plain(api.request.fields, version),
          [name]: list,
        })
        const client = await world.connect()
        const began = performance.now()
        client.stream.write(frame)
        await world.env.clock.settle()
        costs.push([what, performance.now() - began])
        client.stream.destroy()
        await world.env.clock.advance(1000)
        if (world.broker.failure !== null) throw new Error(`${what}: the broker gave up`)
      }
    }
  }
  await world.stop()
  return { requests: costs.length, slowest: costs.sort(([, a], [, b]) => b - a).slice(0, 8) }
}

/** As many elements as fit, or one whose own list has as many. */
function longList(field: Field<unknown>, version: number, depth: number): unknown[] | null {
  const { element } = field
  const count = Math.floor(requestElementsMax * inHand)
  if (element === null) return null
  if (depth === 0) return Array.from({ length: count }, (_, n) => elementOf(element, version, n))
  const inner = Object.entries(element.fields ?? {}).find(
    ([, { kind, since, until }]) => kind === 'array' && version >= since && version <= until,
  )
  if (inner === undefined || inner[1].element === null) return null
  const innerElement = inner[1].element
  const elements = Array.from({ length: count }, (_, n) => elementOf(innerElement, version, n))
  return [{ ...structOf(element.fields ?? {}, version, 0), [inner[0]]: elements }]
}

function elementOf(field: Field<unknown>, version: number, n: number): unknown {
  switch (field.kind) {
    case 'string':
      return `name-${n}`
    case 'struct':
      return structOf(field.fields ?? {}, version, n)
    default:
      return field.fallback
  }
}

/** Texts of its own; lists stay empty. */
function structOf(fields: Fields, version: number, n: number): object {
  const entries = Object.entries(fields).filter(
    ([, field]) => version >= field.since && version <= field.until,
  )
  return Object.fromEntries(entries.map(([name, field]) => [name, elementOf(field, version, n)]))
}

/** What makes a request pass its first checks. */
function plain(fields: Fields, version: number): object {
  const wanted: { [name: string]: unknown } = {
    groupId: 'g',
    timeoutMs: 1000,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    protocolType: 'consumer',
    memberId: 'm',
    maxBytes: 1 << 20,
  }
  const fits = ([name]: [string, unknown]) => {
    const field = fields[name]
    return field !== undefined && version >= field.since && version <= field.until
  }
  return Object.fromEntries(Object.entries(wanted).filter(fits))
}
