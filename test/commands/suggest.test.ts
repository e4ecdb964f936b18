/** Suggestions are near, and there are none when nothing is. */

import { closest, didYouMean } from '../../commands/suggest.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('suggest')

test('the nearest word within one edit, or two of a longer word', () => {
  const cases: [string, string[], string | null][] = [
    ['topc', ['topic', 'help'], 'topic'],
    ['ordres', ['orders', 'logs'], 'orders'],
    ['biling', ['billing'], 'billing'],
    ['intrnal', ['internal'], 'internal'],
    ['foo', ['log', 'for'], 'for'],
    ['xyz', ['topic'], null],
    ['orders', ['orders'], null],
    ['', ['a'], 'a'],
  ]
  for (const [word, words, expected] of cases) assert.is(closest(word, words), expected, word)
})

test('a suggestion is a question behind a semicolon', () => {
  assert.is(didYouMean('topc', ['topic']), '; did you mean "topic"?')
  assert.is(didYouMean('zzz', ['topic']), '')
})
