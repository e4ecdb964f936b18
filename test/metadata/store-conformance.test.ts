import { type MemoryEnv, memoryEnv } from '../../lib/io/memory/env.ts'
import { seededRandom } from '../../lib/io/memory/random.ts'
import { randomBelow } from '../../lib/io/random.ts'
import { openEmbeddedStore } from '../../lib/metadata/embedded/store.ts'
import { MemoryStore } from '../../lib/metadata/memory/store.ts'
import type {
  Compare,
  KeyValue,
  MetadataStore,
  Operation,
  Session,
  WatchEvent,
} from '../../lib/metadata/store.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('store-conformance')
const path = '/data/metadata'

/** Revisions are compared as they are; session ids are each store's own. */
function comparable(keyValues: readonly KeyValue[]): unknown[] {
  return keyValues.map(({ session, ...rest }) => ({ ...rest, hasSession: session !== null }))
}

interface Step {
  readonly compares: Compare[]
  readonly operations: Operation[]
  readonly reads: string[]
}

/** One client's next transaction, drawn from what it saw last. */
function drawStep(
  below: (bound: number) => number,
  seen: readonly KeyValue[],
  session: Session,
): Step {
  const keyOf = () => `k/${below(40)}`
  const compares = Array.from({ length: below(3) }, (): Compare => {
    const known = seen[below(Math.max(seen.length, 1))]
    const key = known && below(4) > 0 ? known.key : keyOf()
    switch (below(3)) {
      case 0:
        return { kind: 'absent', key }
      case 1:
        return { kind: 'createRevision', key, revision: known?.createRevision ?? below(50) }
      default:
        return { kind: 'modRevision', key, revision: known?.modRevision ?? below(50) }
    }
  })
  const keys = [...new Set(Array.from({ length: below(4) }, keyOf))]
  const operations = keys.map((key): Operation => {
    if (below(4) === 0) return { kind: 'delete', key }
    const value = JSON.stringify({ n: below(1000) })
    return below(5) === 0 ? { kind: 'put', key, value, session } : { kind: 'put', key, value }
  })
  return { compares, operations, reads: [keyOf()] }
}

interface Run {
  readonly outcomes: unknown[]
  readonly events: WatchEvent[]
  final(): Promise<unknown[]>
  readonly store: MetadataStore
}

async function run(store: MetadataStore, seed: number, steps: number): Promise<Run> {
  const random = seededRandom(seed)
  const below = (bound: number) => randomBelow(random, bound)
  const outcomes: unknown[] = []
  const events: WatchEvent[] = []
  store.watch('k/', 0, {
    onEvents: (found) => events.push(...found),
    onReset: () => assert.unreachable('a watch from the start was reset'),
  })
  const clients = await Promise.all(
    Array.from({ length: 4 }, async () => ({
      session: await store.grant(9000),
      seen: [] as readonly KeyValue[],
    })),
  )
  for (let step = 0; step < steps; step++) {
    const client = clients[below(4)]
    if (!client) continue
    if (below(400) === 0) {
      await client.session.end()
      client.session = await store.grant(9000)
    }
    if (below(3) === 0) client.seen = (await store.range('k/')).keyValues
    const { compares, operations, reads } = drawStep(below, client.seen, client.session)
    const result = await store.txn(compares, operations, reads)
    outcomes.push(
      result.outcome === 'failed'
        ? { ...result, reads: result.reads.map((read) => read && comparable([read])) }
        : result,
    )
  }
  return {
    outcomes,
    events,
    store,
    final: async () => comparable((await store.range('')).keyValues),
  }
}

function comparableEvents(events: readonly WatchEvent[]): unknown[] {
  return events.map(({ key, value, modRevision }) => ({
    key,
    modRevision,
    value: value && comparable([value]),
  }))
}

async function open(env: MemoryEnv, logBytesMax = 50_000) {
  await env.disk.mkdir('/data')
  await env.disk.syncDir('/')
  return openEmbeddedStore({ env, path, logBytesMax })
}

test(
  'the same 10,000 operations of 4 clients give the same answers, keys and events',
  async () => {
    const env = memoryEnv()
    const expected = await run(new MemoryStore(), 7, 10_000)
    const actual = await run(await open(env), 7, 10_000)
    assert.equal(actual.outcomes, expected.outcomes)
    assert.equal(await actual.final(), await expected.final())
    assert.equal(comparableEvents(actual.events), comparableEvents(expected.events))
  },
  { timeoutMs: 60_000 },
)

test('reopened, it has the same keys, without those of sessions', async () => {
  const env = memoryEnv()
  const before = await run(await open(env), 3, 1000)
  const { revision, keyValues } = await before.store.range('')
  await before.store.close()
  const store = await open(env)
  const after = await store.range('')
  assert.equal(
    after.keyValues,
    keyValues.filter(({ session }) => session === null),
  )
  assert.is(after.revision, revision + 1)
  await store.close()
})

test('after a crash everything that was answered is there', async () => {
  const env = memoryEnv()
  const before = await run(await open(env), 5, 1000)
  const { revision, keyValues } = await before.store.range('')
  env.disk.crash()
  const after = await (await open(env)).range('')
  assert.equal(
    after.keyValues,
    keyValues.filter(({ session }) => session === null),
  )
  assert.is(after.revision, revision + 1)
})
