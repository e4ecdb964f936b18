/** Server-side assignors: tables, and what holds of any group. */

import { type Assignment, sizeOf } from '../../../lib/coordinator/group/assignment.ts'
import type { GroupSpec, MemberSpec } from '../../../lib/coordinator/group/assignor-spec.ts'
import { assignors } from '../../../lib/coordinator/group/assignors.ts'
import { seededRandom } from '../../../lib/io/memory/random.ts'
import { randomBelow } from '../../../lib/io/random.ts'
import { assert, suite } from '../../support/suite.ts'

const test = suite('coordinator/group/assignors')

type Counts = Record<string, number>

/** `m1: a b | a0 a1`: a member, what it reads, what it had; `m1/i1` with an instance id. */
function specOf(counts: Counts, lines: readonly string[]): GroupSpec {
  const members = new Map<string, MemberSpec>()
  const sets = new Map<string, Set<string>>()
  for (const line of lines) {
    const [name = '', rest = ''] = line.split(':')
    const [memberId = '', instanceId = null] = name.split('/')
    const [reads = '', had = ''] = rest.split('|').map((part) => part.trim())
    const topicIds = sets.get(reads) ?? new Set(reads.split(' ').filter((topic) => topic !== ''))
    sets.set(reads, topicIds)
    members.set(memberId, { instanceId, topicIds, assignment: assignmentOf(had) })
  }
  return { members, isHomogeneous: sets.size === 1, partitionsOf: (id) => counts[id] ?? 0 }
}

function assignmentOf(text: string): Assignment {
  const assignment = new Map<string, Set<number>>()
  for (const one of text.split(' ')) {
    if (one === '') continue
    const topic = one.slice(0, 1)
    assignment.set(topic, (assignment.get(topic) ?? new Set()).add(Number(one.slice(1))))
  }
  return assignment
}

const shown = (assignment: Assignment | undefined) =>
  [...(assignment ?? [])]
    .flatMap(([topic, partitions]) => [...partitions].map((partition) => `${topic}${partition}`))
    .sort()
    .join(' ')

function assign(name: string, spec: GroupSpec): Map<string, Assignment> {
  const assignor = assignors.get(name)
  if (assignor === undefined) throw new Error(name)
  return assignor(spec)
}

const rows: [what: string, name: string, counts: Counts, members: string[], expected: string[]][] =
  [
    ['range: runs', 'range', { a: 5 }, ['m1: a', 'm2: a'], ['a0 a1 a2', 'a3 a4']],
    [
      'range: the same of each topic',
      'range',
      { a: 3, b: 3 },
      ['m1: a b', 'm2: a b'],
      ['a0 a1 b0 b1', 'a2 b2'],
    ],
    [
      'range: by instance, then member',
      'range',
      { a: 3 },
      ['m1: a', 'm2/i2: a', 'm3/i1: a'],
      ['a2', 'a1', 'a0'],
    ],
    ['range: more members than partitions', 'range', { a: 1 }, ['m1: a', 'm2: a'], ['a0', '']],
    [
      'range: different topics',
      'range',
      { a: 2, b: 4 },
      ['m1: a', 'm2: a b', 'm3: b'],
      ['a0', 'a1 b0 b1', 'b2 b3'],
    ],
    ['range: nothing to read', 'range', {}, ['m1:', 'm2:'], ['', '']],
    ['range: does not stick', 'range', { a: 2 }, ['m1: a | a1', 'm2: a | a0'], ['a0', 'a1']],
    ['uniform: equal', 'uniform', { a: 4 }, ['m1: a', 'm2: a'], ['a0 a1', 'a2 a3']],
    [
      'uniform: sticks',
      'uniform',
      { a: 4 },
      ['m1: a | a1 a3', 'm2: a | a0 a2'],
      ['a1 a3', 'a0 a2'],
    ],
    [
      'uniform: a new member',
      'uniform',
      { a: 4 },
      ['m1: a | a0 a1 a2 a3', 'm2: a'],
      ['a0 a1', 'a2 a3'],
    ],
    [
      'uniform: the larger share stays',
      'uniform',
      { a: 3 },
      ['m1: a | a0', 'm2: a | a1 a2'],
      ['a0', 'a1 a2'],
    ],
    [
      'uniform: a member is gone',
      'uniform',
      { a: 4 },
      ['m1: a | a0', 'm2: a | a2'],
      ['a0 a1', 'a2 a3'],
    ],
    [
      'uniform: a topic is gone',
      'uniform',
      { b: 2 },
      ['m1: b | a0 a1', 'm2: b | b0 b1'],
      ['b1', 'b0'],
    ],
    ['uniform: nothing to read', 'uniform', {}, ['m1:'], ['']],
    [
      'uneven: the only reader',
      'uniform',
      { a: 2, b: 2 },
      ['m1: a b', 'm2: b'],
      ['a0 a1', 'b0 b1'],
    ],
    [
      'uneven: levels',
      'uniform',
      { a: 6, b: 2 },
      ['m1: a | a0 a1 a2 a3 a4 a5', 'm2: a b'],
      ['a0 a1 a2 a3', 'a4 a5 b0 b1'],
    ],
    [
      'uneven: sticks',
      'uniform',
      { a: 2, b: 2 },
      ['m1: a | a0', 'm2: a b | a1 b0 b1'],
      ['a0 a1', 'b0 b1'],
    ],
    [
      'uneven: drops what is not read',
      'uniform',
      { a: 1, b: 1 },
      ['m1: a | b0', 'm2: b | a0'],
      ['a0', 'b0'],
    ],
  ]

for (const [what, name, counts, members, expected] of rows) {
  test(what, () => {
    const targets = assign(name, specOf(counts, members))
    assert.equal(
      members.map((line) => shown(targets.get(line.split(/[:/]/)[0] ?? ''))),
      expected,
    )
  })
}

test('whatever the group: each partition has one owner that reads it, and shares are level', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seededRandom(seed)
    const counts: Counts = {}
    for (const topic of 'abcdef') counts[topic] = randomBelow(random, 12)
    const isSame = seed % 3 === 0
    let lines = Array.from({ length: 1 + randomBelow(random, 9) }, (_, index) => {
      const some = 'abcdef'.split('').filter(() => isSame || randomBelow(random, 2) === 0)
      return `m${index}: ${some.join(' ')}`
    })
    for (let change = 0; change < 12; change++) {
      for (const name of ['uniform', 'range']) {
        const spec = specOf(counts, lines)
        const targets = assign(name, spec)
        checkCover(`seed ${seed} ${name}`, spec, { counts, targets })
        if (name === 'range') continue
        if (spec.isHomogeneous) checkLevel(`seed ${seed}`, targets)
        const again = lines.map((line) => {
          const [memberId = ''] = line.split(':')
          return `${line.split('|')[0]?.trim()} | ${shown(targets.get(memberId))}`
        })
        const settled = assign(name, specOf(counts, again))
        for (const [memberId, target] of targets) {
          assert.is(shown(settled.get(memberId)), shown(target), `seed ${seed}: moves for nothing`)
        }
        lines = again
      }
      lines = changed(lines, change, random)
    }
  }
})

function changed(lines: string[], change: number, random: ReturnType<typeof seededRandom>) {
  const kept = lines.filter(() => randomBelow(random, 4) > 0)
  const reads = lines[0]?.split('|')[0]?.split(':')[1]?.trim() ?? 'a'
  return [...kept, `n${change}: ${reads}`]
}

function checkCover(
  what: string,
  { members }: GroupSpec,
  { counts, targets }: { counts: Counts; targets: Map<string, Assignment> },
): void {
  const owners = new Map<string, string>()
  for (const [memberId, target] of targets) {
    for (const one of shown(target).split(' ')) {
      if (one === '') continue
      assert.not(owners.has(one), `${what}: ${one} of ${memberId} and ${owners.get(one)}`)
      assert.ok(members.get(memberId)?.topicIds.has(one.slice(0, 1)), `${what}: ${memberId} ${one}`)
      owners.set(one, memberId)
    }
  }
  for (const [topic, count] of Object.entries(counts)) {
    const isRead = [...members.values()].some(({ topicIds }) => topicIds.has(topic))
    const owned = [...owners.keys()].filter((one) => one.startsWith(topic)).length
    assert.is(owned, isRead ? count : 0, `${what}: topic ${topic}`)
  }
}

function checkLevel(what: string, targets: Map<string, Assignment>): void {
  const sizes = [...targets.values()].map(sizeOf)
  assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `${what}: shares of ${sizes.join(' ')}`)
}

test('a large group is shared out in no time', () => {
  const counts: Counts = { a: 5000, b: 3000, c: 2000 }
  const lines = Array.from({ length: 1000 }, (_, at) => `m${at}: ${at % 2 === 0 ? 'a b' : 'a c'}`)
  const spec = specOf(counts, lines)
  const started = performance.now()
  checkCover('large', spec, { counts, targets: assign('uniform', spec) })
  assert.ok(performance.now() - started < 3000)
})
