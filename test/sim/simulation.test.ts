import { planted } from '../../lib/base/planted.ts'
import { assert, suite } from '../support/suite.ts'
import { check, History } from './checker.ts'
import { plantedBugs } from './planted.ts'
import { Simulation } from './simulation.ts'
import { World } from './world.ts'

const test = suite('simulation')
const run = (seed: number, seconds: number) =>
  new Simulation({ seed, durationMs: seconds * 1000 }).run()

test('events run in the order of their time, then of their making, with all work between', async () => {
  const world = new World(1)
  const done: string[] = []
  const note = (what: string) => () => {
    done.push(`${what} at ${world.nowMs}`)
    void Promise.resolve().then(() => done.push(`after ${what}`))
  }
  world.after(5, note('b'))
  world.after(5, note('c'))
  world.after(1, note('a'))
  world.after(3, note('never')).cancel()
  await world.run(4)
  assert.is(world.nowMs, 4)
  await world.run(10)
  assert.equal(done, ['a at 1', 'after a', 'b at 5', 'after b', 'c at 5', 'after c'])
})

test('the same seed gives the same history', async () => {
  for (const seed of [3, 4]) {
    const [first, second] = [await run(seed, 4), await run(seed, 4)]
    assert.is(first.violation, null)
    assert.equal([first.hash, first.events], [second.hash, second.events])
    assert.ok(first.events > 500, `${first.events} events`)
  }
})

test('no bug is planted unless somebody plants it', () => {
  assert.equal(
    plantedBugs.filter((bug) => planted[bug]),
    [],
  )
  assert.ok(plantedBugs.length >= 12)
})

test('a planted bug is found', async () => {
  planted.readBeyondHighWatermark = true
  try {
    let violation: Error | null = null
    for (let seed = 1; seed <= 10 && violation === null; seed++) {
      violation = (await run(seed, 5)).violation
    }
    assert.match(String(violation), /read-uncommitted/)
  } finally {
    planted.readBeyondHighWatermark = false
  }
})

/** What happened, and which kinds of error the checker must find in it. */
const histories: [what: string, make: (history: History) => void, kinds: string[]][] = [
  ['all is well', () => {}, []],
  [
    'an acknowledged record is not there',
    (history) => void history.acknowledged.push({ name: 'p:2', offset: 2 }),
    ['lost-write'],
  ],
  [
    'a record is there twice',
    (history) => {
      history.final = found(['p:0', 'p:1', 'p:0'])
    },
    ['duplicate'],
  ],
  [
    'an offset changed its record',
    (history) => {
      history.final = found(['p:0', 'q:1'])
    },
    ['inconsistent-offsets', 'lost-write'],
  ],
  [
    'a reader went back',
    (history) => history.step('r', { kind: 'read', offset: 0, name: 'p:0' }),
    ['nonmonotonic-poll'],
  ],
  [
    'a reader left something out',
    (history) => {
      history.readers.set('s', [{ kind: 'read', offset: 1, name: 'p:1' }])
    },
    ['poll-skip', 'unseen'],
  ],
  [
    'the log began later for a reader',
    (history) => {
      history.readers.set('s', [
        { kind: 'jump', to: 1 },
        { kind: 'read', offset: 1, name: 'p:1' },
      ])
    },
    [],
  ],
]

function found(names: readonly string[]) {
  return { start: 0, names: new Map(names.entries()) }
}

for (const [what, make, kinds] of histories) {
  test(`the checker: ${what}`, () => {
    const history = new History('t-0')
    history.acknowledged.push({ name: 'p:0', offset: 0 }, { name: 'p:1', offset: 1 })
    history.step('r', { kind: 'read', offset: 0, name: 'p:0' })
    history.step('r', { kind: 'read', offset: 1, name: 'p:1' })
    history.final = found(['p:0', 'p:1'])
    make(history)
    const kindsFound = check(history, () => true).map(({ kind }) => kind)
    assert.equal(kindsFound.sort(), kinds)
  })
}

test('the checker: of a compacted log the latest record of a key is there', () => {
  const keyOf = (name: string) => name.slice(0, 1)
  const kindsOf = (...final: [offset: number, name: string][]) => {
    const history = new History('t-0', keyOf)
    for (const [offset, name] of ['a:0', 'b:1', 'a:2'].entries())
      history.acknowledged.push({ name, offset })
    history.step('r', { kind: 'read', offset: 1, name: 'b:1' })
    history.step('r', { kind: 'read', offset: 2, name: 'a:2' })
    history.final = { start: 0, names: new Map(final) }
    return check(history, () => true).map(({ kind }) => kind)
  }
  assert.equal(kindsOf([1, 'b:1'], [2, 'a:2']), [])
  assert.equal(kindsOf([0, 'a:0'], [1, 'b:1'], [2, 'a:2']), [])
  assert.equal(kindsOf([2, 'a:2']), ['lost-write'])
  assert.equal(kindsOf([0, 'a:0'], [1, 'b:1']), ['lost-write', 'unseen'])
})
