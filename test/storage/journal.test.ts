import { assert, suite } from '../support/suite.ts'
import { JournalWorld, keeps } from './support/journal-world.ts'

const test = suite('storage/journal')

const topics = ['a', 'b', 'c', 'd']
/** Rounds until the journal is made and used. */
const warmUpRounds = 24

async function warm(world: JournalWorld): Promise<JournalWorld> {
  await world.open(topics)
  for (let round = 0; round < warmUpRounds; round++) await world.round(`warm ${round}`)
  await world.env.clock.settle()
  return world
}

/** What a broker does to its logs, with the journal in use: enough to fill and reuse its files. */
async function work(world: JournalWorld): Promise<void> {
  for (let round = 0; round < 60; round++) {
    await world.round(`round ${round}`)
    if (round === 10) await world.truncate('a', world.log('a').logEndOffset - 3)
    if (round === 20) await world.deleteRecords('b', world.log('b').logEndOffset - 2)
    if (round === 30) await world.recreate('c')
    if (round === 40) await world.dir.commits.checkpoint()
    if (round === 50) await world.truncate('d', 5)
  }
}

const isJournal = (path: string) => path.includes('/journal/')
const isSegment = (path: string) => path.endsWith('.log')

test('appends of several logs are acknowledged by one sync of the journal', async () => {
  const world = await warm(new JournalWorld())
  const synced: string[] = []
  world.diesBefore = (operation, path) => {
    if (operation === 'sync') synced.push(path)
    return false
  }
  await world.round('x')
  assert.is(synced.filter(isJournal).length, 1, synced.join())
  assert.is(synced.filter(isSegment).length, 0, synced.join())
  await world.crash()
  await world.verify('after the crash')
  assert.is((await world.values('a')).length, warmUpRounds + 1)
})

test('a log alone syncs its own segment', async () => {
  const world = await warm(new JournalWorld())
  const synced: string[] = []
  world.diesBefore = (operation, path) => {
    if (operation === 'sync') synced.push(path)
    return false
  }
  await world.append('a', 'alone')
  assert.is(synced.filter(isJournal).length, 0, synced.join())
  assert.is(synced.filter(isSegment).length, 1, synced.join())
})

test('acknowledged records outlive a power cut before any operation of the disk', async () => {
  const rehearsal = await warm(new JournalWorld())
  const from = rehearsal.operations
  await work(rehearsal)
  const count = rehearsal.operations - from
  for (const [name, keepOf] of Object.entries(keeps)) {
    for (let step = 0; step < count; step += 41) {
      const world = await warm(new JournalWorld())
      const at = world.operations + step
      world.diesBefore = () => world.operations > at
      await world.untilDeath(() => work(world))
      const where = `operation ${step} of ${count}, ${name} kept`
      await world.crash(keepOf(world))
      await world.verify(where)
      await world.round('after')
      await world.verify(`${where}, appended`)
      await world.crash(keepOf(world))
      await world.verify(`${where}, twice`)
    }
  }
})
