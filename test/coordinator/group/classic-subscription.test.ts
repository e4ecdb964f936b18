import { subscribedTopicsOf } from '../../../lib/coordinator/group/classic-subscription.ts'
import { assert, suite } from '../../support/suite.ts'
import { subscription } from './support/classic-world.ts'

const test = suite('classic subscription')

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

const cases: readonly [name: string, metadata: Uint8Array, topics: string[] | null][] = [
  ['two topics', subscription(['a', 'bc']), ['a', 'bc']],
  ['no topic', subscription([]), []],
  ['a newer version with more behind', hex('0003 00000001 0001 61 ffffffff 00000000'), ['a']],
  ['a topic that is not ASCII', subscription(['ä']), ['ä']],
  ['no bytes', hex(''), null],
  ['a version and nothing else', hex('0000'), null],
  ['a negative version', hex('ffff 00000000'), null],
  ['a null list', hex('0000 ffffffff'), null],
  ['a null topic', hex('0000 00000001 ffff'), null],
  ['more topics than bytes', hex('0000 7fffffff 0001 61'), null],
  ['a topic longer than the bytes', hex('0000 00000001 7fff 61'), null],
  ['a negative length', hex('0000 80000000'), null],
  ['text', Buffer.from('no subscription at all'), null],
]

for (const [name, metadata, topics] of cases) {
  test(`${name}: ${topics === null ? 'not a subscription' : topics.length}`, () => {
    assert.equal(subscribedTopicsOf(metadata), topics)
  })
}

test('every truncation of a subscription is read or refused, never thrown', () => {
  const whole = subscription(['one', 'two'])
  for (let size = 0; size < whole.length; size++) subscribedTopicsOf(whole.subarray(0, size))
})
