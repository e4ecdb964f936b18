import { Controller } from '../../lib/controller/controller.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import { openEmbeddedStore } from '../../lib/metadata/embedded/store.ts'
import { MemoryStore } from '../../lib/metadata/memory/store.ts'
import { register, type Scene, startController } from '../support/controller.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('controller')

async function until(env: Scene['env'], condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 200 && !condition(); turn++) {
    await new Promise<void>((resolve) => env.clock.endOfTurn(resolve))
  }
  assert.ok(condition(), `not reached: ${String(condition)}`)
}

const orders = { name: 'orders', numPartitions: 3, replicationFactor: 2 }

test('the first broker holds the office, the next one refuses until it is free', async () => {
  const first = await startController()
  const { env, store, follower } = first
  const second = await register({ env, store, follower, brokerId: 2 })
  const rival = await Controller.start({
    env,
    store,
    follower,
    session: second.session,
    brokerId: 2,
    incarnation: second.registration.incarnation,
    staticConfigs: {},
  })
  assert.is(first.controller.isActive, true)
  assert.is(rival.isActive, false)
  assert.is(follower.image.controllerId, 1)
  assert.is((await rejection(rival.createTopic(orders))).name, 'NOT_CONTROLLER')
  await first.controller.close()
  await until(env, () => rival.isActive)
  assert.is(follower.image.controllerId, 2)
  await rival.createTopic(orders)
})

test('a controller that lost its session changes nothing any more', async () => {
  const store = new MemoryStore()
  const { controller, session, follower } = await startController({ store })
  store.expire(session)
  const { revision } = await store.range('')
  await follower.waitFor(revision, 100)
  for (const call of [controller.createTopic(orders), controller.deleteTopic('orders')]) {
    assert.is((await rejection(call)).name, 'NOT_CONTROLLER')
  }
  assert.is((await store.range('')).revision, revision)
})

test('when a leader vanishes the next replica leads, when all are gone nobody, when one returns it', async () => {
  const scene = await startController()
  const { env, store, follower, controller } = scene
  const second = await register({ env, store, follower, brokerId: 2 })
  const third = await register({ env, store, follower, brokerId: 3 })
  await controller.createTopic({
    name: 'orders',
    numPartitions: -1,
    replicationFactor: -1,
    assignments: [{ partitionIndex: 0, brokerIds: [2, 3] }],
  })
  const one = () => follower.image.topics.get('orders')?.partitions[0]
  assert.is(one()?.leader, 2)
  await second.session.end()
  await until(env, () => one()?.leader === 3)
  assert.is(one()?.leaderEpoch, 1)
  assert.equal(one()?.isr, [3])
  await third.session.end()
  await until(env, () => one()?.leader === -1)
  assert.is(one()?.leaderEpoch, 2)
  await register({ env, store, follower, brokerId: 2 })
  await until(env, () => follower.image.brokers.has(2))
  assert.is(one()?.leader, -1, 'it was out of sync')
  await register({ env, store, follower, brokerId: 3 })
  await until(env, () => one()?.leader === 3)
  assert.is(one()?.leaderEpoch, 3)
})

for (const { isClean, epoch } of [
  { isClean: true, epoch: 0 },
  { isClean: false, epoch: 1 },
]) {
  test(`a lone broker that comes back ${isClean ? 'after a clean stop' : 'after a crash'} leads under epoch ${epoch}`, async () => {
    const env = memoryEnv()
    await env.disk.mkdir('/data')
    const open = () => openEmbeddedStore({ env, path: '/data/metadata' })
    const before = await startController({ env, store: await open() })
    await before.controller.createTopic({ ...orders, replicationFactor: 1 })
    if (isClean) {
      await before.controller.close()
      await before.registration.end({ isClean: true })
    }
    await before.store.close()
    const after = await startController({ env, store: await open(), isClean })
    const partitions = after.follower.image.topics.get('orders')?.partitions ?? []
    assert.is(after.controller.isActive, true)
    assert.ok(after.registration.epoch > before.registration.epoch)
    assert.equal(
      partitions.map(({ leader, leaderEpoch }) => [leader, leaderEpoch]),
      [
        [1, epoch],
        [1, epoch],
        [1, epoch],
      ],
    )
  })
}

test('a clean log directory after an unclean stop of the metadata is no clean stop', async () => {
  const env = memoryEnv()
  await env.disk.mkdir('/data')
  const open = () => openEmbeddedStore({ env, path: '/data/metadata' })
  const before = await startController({ env, store: await open() })
  await before.controller.createTopic({ ...orders, replicationFactor: 1 })
  await before.store.close()
  const after = await startController({ env, store: await open(), isClean: true })
  assert.is(after.follower.image.topics.get('orders')?.partitions[0]?.leaderEpoch, 1)
})

test('blocks of producer ids never overlap', async () => {
  const { controller } = await startController()
  const blocks = await Promise.all(
    Array.from({ length: 10 }, () => controller.allocateProducerIds()),
  )
  const firsts = blocks.map(({ first }) => first).sort((a, b) => a - b)
  assert.equal(
    firsts,
    Array.from({ length: 10 }, (_, index) => index * 1000),
  )
})
