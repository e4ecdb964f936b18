/** Columns that texts take, as the package that it stands for counts them. */

import { stringWidth } from '../../cli/string-width.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('string-width')

test('columns of ASCII, wide characters, emoji, marks and escape sequences', () => {
  const cases: [string, number][] = [
    ['', 0],
    ['abc', 3],
    ['日本', 4],
    ['ｆｕｌｌ', 8],
    ['한', 2],
    ['é', 1],
    ['e\u0301', 1],
    ['👩‍👩‍👧', 2],
    ['🇩🇪', 2],
    ['☃️', 2],
    ['a\u200bb', 2],
    ['\u001b[31mred\u001b[39m', 3],
    ['\u001b]8;;http://x\u0007link\u001b]8;;\u0007', 4],
    ['a\u0000b', 2],
  ]
  for (const [text, expected] of cases) assert.is(stringWidth(text), expected, JSON.stringify(text))
})
