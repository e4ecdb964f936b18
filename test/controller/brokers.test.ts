import { registerBroker } from '../../lib/controller/brokers.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import { Keys } from '../../lib/metadata/keys.ts'
import { MemoryStore } from '../../lib/metadata/memory/store.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('brokers')
const keys = new Keys('c')

async function options(store: MemoryStore, incarnation: string, env = memoryEnv()) {
  return {
    env,
    store,
    keys,
    session: await store.grant(9000),
    brokerId: 1,
    incarnation,
    listeners: [{ name: 'PLAINTEXT', host: 'example', port: 9092 }],
    rack: 'r1',
    dirs: ['dir'],
    isClean: false,
  }
}

async function valueAt(store: MemoryStore, key: string): Promise<unknown> {
  const { keyValues } = await store.range(key)
  return keyValues[0] && JSON.parse(keyValues[0].value)
}

test('a new registration is a new epoch', async () => {
  const store = new MemoryStore()
  const first = await registerBroker(await options(store, 'a'))
  await first.end({ isClean: false })
  const second = await registerBroker(await options(store, 'b'))
  assert.ok(second.epoch > first.epoch)
  assert.is((await rejection(first.setState('active'))).name, 'STALE_BROKER_EPOCH')
  await second.setState('draining')
  const { keyValues } = await store.range(keys.broker(1))
  assert.is(keyValues[0]?.createRevision, second.epoch)
  assert.is(JSON.parse(keyValues[0]?.value ?? '').state, 'draining')
})

test('an id in use is waited for, then refused with the address of its holder', async () => {
  const store = new MemoryStore()
  await registerBroker(await options(store, 'a'))
  const env = memoryEnv()
  const refused = rejection(registerBroker(await options(store, 'b', env)))
  await env.clock.advance(10_000)
  const error = await refused
  assert.is(error.name, 'DUPLICATE_BROKER_REGISTRATION')
  assert.ok(error.message.includes('example:9092'), error.message)
})

test('an id whose holder goes meanwhile is taken over', async () => {
  const store = new MemoryStore()
  const before = await options(store, 'a')
  await registerBroker(before)
  const env = memoryEnv()
  const taken = registerBroker(await options(store, 'b', env))
  await env.clock.advance(1000)
  store.expire(before.session)
  await env.clock.advance(1000)
  assert.is((await taken).incarnation, 'b')
})

test('orderly stops are chained, a crash breaks the chain', async () => {
  const store = new MemoryStore()
  const chain = async (incarnation: string, isClean: boolean) => {
    const registration = await registerBroker({ ...(await options(store, incarnation)), isClean })
    const { cleanSince } = (await valueAt(store, keys.broker(1))) as { cleanSince: number | null }
    return { registration, cleanSince }
  }
  const a = await chain('a', true)
  assert.is(a.cleanSince, null, 'nothing before it')
  await a.registration.end({ isClean: true })
  const b = await chain('b', true)
  assert.is(b.cleanSince, a.registration.epoch)
  await b.registration.end({ isClean: true })
  const c = await chain('c', true)
  assert.is(c.cleanSince, a.registration.epoch)
  await c.registration.end({ isClean: false })
  const d = await chain('d', true)
  assert.is(d.cleanSince, null)
  await d.registration.end({ isClean: true })
  const e = await chain('e', false)
  assert.is(e.cleanSince, null, 'the log directories say that it was no clean stop')
})

test('fields of a newer version are kept', async () => {
  const store = new MemoryStore()
  const registration = await registerBroker(await options(store, 'a'))
  const { keyValues } = await store.range(keys.brokerInfo(1))
  const value = JSON.stringify({ ...JSON.parse(keyValues[0]?.value ?? ''), later: 'field' })
  await store.txn([], [{ kind: 'put', key: keys.brokerInfo(1), value }])
  await registration.end({ isClean: true })
  await registerBroker(await options(store, 'b'))
  assert.is(((await valueAt(store, keys.brokerInfo(1))) as { later: string }).later, 'field')
})
