import { KafkaError } from '../../lib/base/errors.ts'
import { readFile } from '../../lib/io/disk.ts'
import { type MemoryEnv, memoryEnv } from '../../lib/io/memory/env.ts'
import { DamageError } from '../../lib/metadata/embedded/frame.ts'
import { type EmbeddedStore, openEmbeddedStore } from '../../lib/metadata/embedded/store.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('embedded-faults')
const path = '/data/metadata'

async function newEnv(): Promise<MemoryEnv> {
  const env = memoryEnv()
  await env.disk.mkdir('/data')
  await env.disk.syncDir('/')
  return env
}

async function put(store: EmbeddedStore, key: string, value: string): Promise<string> {
  return (await store.txn([], [{ kind: 'put', key, value }])).outcome
}

async function keysOf(store: EmbeddedStore): Promise<string[]> {
  return (await store.range('')).keyValues.map(({ key, value }) => `${key}=${value}`)
}

async function contents(env: MemoryEnv, name: string): Promise<Uint8Array> {
  return (await readFile(env.disk, `${path}/${name}`)) ?? new Uint8Array(0)
}

async function write(env: MemoryEnv, name: string, bytes: Uint8Array): Promise<void> {
  const file = await env.disk.open(`${path}/${name}`, 'create')
  await file.truncate(0)
  await file.writeAt([bytes], 0)
  await file.close()
}

/** A directory whose log holds `count` groups, as after a kill, and the log's size after each. */
async function logOf(count: number): Promise<{ log: Uint8Array; ends: number[] }> {
  const env = await newEnv()
  const store = await openEmbeddedStore({ env, path })
  const ends = [(await contents(env, 'log')).length]
  for (let group = 0; group < count; group++) {
    await put(store, `k${group}`, `"value ${group}"`)
    ends.push((await contents(env, 'log')).length)
  }
  return { log: await contents(env, 'log'), ends }
}

async function envWith(files: Record<string, Uint8Array>): Promise<MemoryEnv> {
  const env = await newEnv()
  await env.disk.mkdir(path)
  for (const [name, bytes] of Object.entries(files)) await write(env, name, bytes)
  return env
}

test('a log cut at any byte opens with the groups that are whole', async () => {
  const { log, ends } = await logOf(5)
  const headerEnd = ends[0] ?? 0
  for (let cut = headerEnd; cut <= log.length; cut++) {
    const env = await envWith({ log: log.subarray(0, cut) })
    const store = await openEmbeddedStore({ env, path })
    const whole = ends.filter((end) => end <= cut).length - 1
    assert.is((await keysOf(store)).length, whole, `cut at ${cut}`)
    assert.is(await put(store, 'after', '1'), 'ok')
    await store.close()
    const again = await openEmbeddedStore({ env, path })
    assert.is((await keysOf(again)).length, whole + 1, `cut at ${cut}, reopened`)
  }
})

test('a log cut in its header, which is made by a rename, is refused', async () => {
  const { log, ends } = await logOf(1)
  for (let cut = 0; cut < (ends[0] ?? 0); cut++) {
    const env = await envWith({ log: log.subarray(0, cut) })
    assert.instance(await rejection(openEmbeddedStore({ env, path })), DamageError, `cut at ${cut}`)
  }
})

test('a flipped bit before the last group is damage, never a shorter log', async () => {
  const { log, ends } = await logOf(4)
  const lastStart = ends.at(-2) ?? 0
  for (let at = 0; at < lastStart; at++) {
    const bytes = Uint8Array.from(log)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8))
    const env = await envWith({ log: bytes })
    const error = await rejection(openEmbeddedStore({ env, path }))
    assert.instance(error, DamageError, `byte ${at}`)
    assert.equal(await contents(env, 'log'), bytes, 'the file is left as it was')
  }
})

test('a flipped bit in the last group is a torn write after a kill, and damage after a close', async () => {
  const { log, ends } = await logOf(3)
  const at = (ends.at(-2) ?? 0) + 30
  const torn = Uint8Array.from(log)
  torn[at] = (torn[at] ?? 0) ^ 1
  const killed = await envWith({ log: torn })
  assert.is((await keysOf(await openEmbeddedStore({ env: killed, path }))).length, 2)

  const env = await envWith({ log })
  await (await openEmbeddedStore({ env, path })).close()
  const closed = Uint8Array.from(await contents(env, 'log'))
  closed[at] = (closed[at] ?? 0) ^ 1
  await write(env, 'log', closed)
  assert.instance(await rejection(openEmbeddedStore({ env, path })), DamageError)
})

test('zeros and garbage after the last group are cut off', async () => {
  const { log } = await logOf(2)
  for (const tail of [new Uint8Array(5000), new Uint8Array(333).fill(0xa5), Buffer.from('OTLA')]) {
    const env = await envWith({ log: Buffer.concat([log, tail]) })
    const store = await openEmbeddedStore({ env, path })
    assert.is((await keysOf(store)).length, 2)
    assert.equal(await contents(env, 'log'), log)
  }
})

/** A store with a snapshot of 3 keys and a log of 2 more. */
async function withSnapshot(): Promise<{ snapshot: Uint8Array; log: Uint8Array }> {
  const env = await newEnv()
  const store = await openEmbeddedStore({ env, path, logBytesMax: 300 })
  for (let index = 0; (await contents(env, 'snapshot')).length === 0; index++) {
    await put(store, `s${index}`, '"in the snapshot"')
  }
  await put(store, 'l0', '1')
  return { snapshot: await contents(env, 'snapshot'), log: await contents(env, 'log') }
}

test('a damaged snapshot, or one that is gone, is refused', async () => {
  const { snapshot, log } = await withSnapshot()
  for (let at = 0; at < snapshot.length; at += 7) {
    const bytes = Uint8Array.from(snapshot)
    bytes[at] = (bytes[at] ?? 0) ^ 0x10
    const env = await envWith({ snapshot: bytes, log })
    assert.instance(await rejection(openEmbeddedStore({ env, path })), DamageError, `byte ${at}`)
  }
  for (const cut of [0, 10, snapshot.length - 1]) {
    const env = await envWith({ snapshot: snapshot.subarray(0, cut), log })
    assert.instance(await rejection(openEmbeddedStore({ env, path })), DamageError, `cut at ${cut}`)
  }
  const missing = [await envWith({ log }), await envWith({ snapshot })]
  for (const env of missing) {
    assert.instance(await rejection(openEmbeddedStore({ env, path })), DamageError)
  }
})

test('a crash between any two operations on the disk loses nothing that was answered', async () => {
  for (let crashAt = 1; ; crashAt++) {
    const env = await newEnv()
    const answered: string[] = []
    let operations = 0
    env.disk.beforeEach = () => {
      if (++operations >= crashAt) throw new Error('the machine has lost power')
    }
    let isWhole = false
    try {
      const store = await openEmbeddedStore({ env, path, logBytesMax: 250 })
      for (let index = 0; index < 12; index++) {
        if ((await put(store, `k${index}`, '1')) !== 'ok') break
        answered.push(`k${index}=1`)
      }
      await store.close()
      isWhole = answered.length === 12 && operations < crashAt
    } catch {
      // The crash came while the store was opened or closed.
    }
    env.disk.beforeEach = () => {}
    env.disk.crash()
    const found = await keysOf(await openEmbeddedStore({ env, path }))
    const lost = answered.filter((one) => !found.includes(one))
    assert.equal(lost, [], `crash at operation ${crashAt}`)
    assert.ok(found.length <= answered.length + 1, `crash at operation ${crashAt}`)
    if (isWhole) return assert.ok(crashAt > 50, `only ${crashAt} operations`)
  }
})

test('after a failed sync what is under way is unknown, and everything later is refused', async () => {
  const env = await newEnv()
  const store = await openEmbeddedStore({ env, path })
  const session = await store.grant(9000)
  let isLost = false
  session.onLost(() => {
    isLost = true
  })
  env.disk.beforeEach = (operation) => {
    if (operation === 'sync') throw Object.assign(new Error('EIO'), { code: 'EIO' })
  }
  const outcomes = await Promise.all([put(store, 'a', '1'), put(store, 'b', '1')])
  assert.equal(outcomes, ['unknown', 'unknown'])
  env.disk.beforeEach = () => {}
  for (const call of [put(store, 'c', '1'), store.range(''), store.grant(1000)]) {
    const error = await rejection(call)
    assert.instance(error, KafkaError)
    assert.is(error.name, 'KAFKA_STORAGE_ERROR')
  }
  assert.is(store.health(), 'lost')
  assert.is(isLost, true)
  await store.close()
})

for (const [what, logBytesMax] of [
  ['appending', 8 << 20],
  ['replacing the log by a snapshot', 1],
] as const) {
  test(`a full disk while ${what}: everybody waits, and nothing is lost`, async () => {
    const env = await newEnv()
    const store = await openEmbeddedStore({ env, path, logBytesMax })
    assert.is(await put(store, 'a', '1'), 'ok')
    let refusals = 0
    env.disk.beforeEach = (operation) => {
      if (operation !== 'write') return
      refusals++
      throw Object.assign(new Error('ENOSPC: as planned'), { code: 'ENOSPC' })
    }
    const outcomes = [put(store, 'b', '2'), put(store, 'c', '3')]
    await env.clock.advance(3000)
    assert.ok(refusals > 3, `${refusals} tries`)
    env.disk.beforeEach = () => {}
    await env.clock.advance(1000)
    assert.equal(await Promise.all(outcomes), ['ok', 'ok'])
    assert.is(store.health(), 'ok')
    env.disk.crash()
    const after = await openEmbeddedStore({ env, path })
    assert.equal(await keysOf(after), ['a=1', 'b=2', 'c=3'])
  })
}

test('a store that waits for space can be closed: what waits is unknown', async () => {
  const env = await newEnv()
  const store = await openEmbeddedStore({ env, path })
  env.disk.beforeEach = (operation) => {
    if (operation === 'write')
      throw Object.assign(new Error('ENOSPC: as planned'), { code: 'ENOSPC' })
  }
  const outcome = put(store, 'b', '2')
  await env.clock.advance(1000)
  const closed = store.close()
  await env.clock.advance(1000)
  await closed
  assert.is(await outcome, 'unknown')
})

test('transactions of one turn share one sync', async () => {
  const env = await newEnv()
  const store = await openEmbeddedStore({ env, path })
  let syncs = 0
  env.disk.beforeEach = (operation) => {
    if (operation === 'sync') syncs++
  }
  await Promise.all(Array.from({ length: 500 }, (_, index) => put(store, `k${index}`, '1')))
  assert.is(syncs, 1)
})

test('nobody sees a change before it is on disk', async () => {
  const env = await newEnv()
  const store = await openEmbeddedStore({ env, path })
  const history: string[] = []
  env.disk.beforeEach = (operation) => {
    if (operation === 'sync') history.push('synced')
  }
  store.watch('', 0, {
    onEvents: () => history.push('watch'),
    onReset: () => history.push('reset'),
  })
  await Promise.all([
    put(store, 'k', '1').then(() => history.push('written')),
    store.range('').then(() => history.push('read')),
    store.txn([{ kind: 'absent', key: 'k' }], []).then(() => history.push('failed')),
  ])
  assert.is(history[0], 'synced')
  assert.equal([...history].sort(), ['failed', 'read', 'synced', 'watch', 'written'])
})

test('a session ends when it is not renewed in time, with its keys', async () => {
  const env = await newEnv()
  const store = await openEmbeddedStore({ env, path })
  const session = await store.grant(9000)
  await store.txn([], [{ kind: 'put', key: 'mine', value: '1', session }])
  await env.clock.advance(60_000)
  assert.is(session.isAlive, true)
  let isLost = false
  session.onLost(() => {
    isLost = true
  })
  session.stopRenewing()
  await env.clock.advance(9001)
  assert.is(isLost, true)
  assert.equal(await keysOf(store), [])
  const put = store.txn([], [{ kind: 'put', key: 'late', value: '1', session }])
  assert.is((await rejection(put)).name, 'STALE_BROKER_EPOCH')
})

test('a watch from too far back is told to read everything again', async () => {
  const env = await newEnv()
  const store = await openEmbeddedStore({ env, path })
  await put(store, 'k', '1')
  await store.close()
  const reopened = await openEmbeddedStore({ env, path })
  const told: string[] = []
  reopened.watch('', 0, { onEvents: () => told.push('events'), onReset: () => told.push('reset') })
  await env.clock.settle()
  assert.equal(told, ['reset'])
})

test('what a failed sync left in the page cache only is on the disk once the store is opened again', async () => {
  const env = await newEnv()
  const store = await openEmbeddedStore({ env, path })
  env.disk.beforeEach = (operation) => {
    if (operation === 'sync') throw new Error('EIO')
  }
  assert.is(await put(store, 'k', 'x'.repeat(5000)), 'unknown')
  env.disk.beforeEach = () => {}
  env.disk.killProcess()
  const second = await openEmbeddedStore({ env, path })
  const found = await keysOf(second)
  assert.is(await put(second, 'l', '1'), 'ok')
  env.disk.crash()
  assert.equal(await keysOf(await openEmbeddedStore({ env, path })), [...found, 'l=1'])
})

test('files that only the cached directory knew are on the disk once the store is opened again', async () => {
  const env = await newEnv()
  env.disk.beforeEach = (operation, at) =>
    operation === 'syncDir' && at === path ? new Promise(() => {}) : undefined
  void openEmbeddedStore({ env, path })
  await env.clock.settle()
  env.disk.beforeEach = () => {}
  env.disk.killProcess()
  // The broker syncs what is above.
  await env.disk.syncDir('/data')
  const store = await openEmbeddedStore({ env, path })
  assert.is(await put(store, 'k', '1'), 'ok')
  env.disk.crash()
  assert.equal(await keysOf(await openEmbeddedStore({ env, path })), ['k=1'])
})

test('a file larger than any metadata is refused before it takes memory', async () => {
  const { log } = await logOf(2)
  const env = await envWith({ log })
  const open = env.disk.open.bind(env.disk)
  env.disk.open = async (name, mode) => {
    const file = await open(name, mode)
    return name.endsWith('/log') ? { ...file, size: async () => 2 ** 30 } : file
  }
  const error = await rejection(openEmbeddedStore({ env, path }))
  assert.instance(error, DamageError)
  assert.match(error.message, /1073741824 bytes/)
})
