import {
  bool,
  double,
  formatLong,
  int,
  list,
  long,
  longMax,
  oneOf,
  parseSetting,
  password,
  type Setting,
  SettingError,
  short,
  string,
} from '../../lib/base/setting.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('setting')
const doc = 'For the test.'

const settings: Record<string, Setting<unknown>> = {
  bool: bool(false, { doc }),
  int: int(0, { doc }),
  level: int(-1, { doc, min: 1, max: 9, or: -1 }),
  atLeast: int(1, { doc, min: 1 }),
  short: short(0, { doc }),
  long: long(0, { doc }),
  double: double(0, { doc }),
  ratio: double(0, { doc, min: 0, max: 1 }),
  string: string(null, { doc }),
  word: oneOf(['one', 'two'], 'one', { doc }),
  anyCase: oneOf(['one', 'two'], 'one', { doc, ignoreCase: true }),
  list: list([], { doc }),
  words: list([], { doc, words: ['a', 'b'] }),
  password: password({ doc }),
}

const good: readonly [kind: string, text: string, value: unknown, printed: string | null][] = [
  ['bool', 'true', true, 'true'],
  ['bool', ' FALSE ', false, 'false'],
  ['int', '0', 0, '0'],
  ['int', '-2147483648', -2147483648, '-2147483648'],
  ['int', '+7', 7, '7'],
  ['int', ' 12 ', 12, '12'],
  ['level', '9', 9, '9'],
  ['level', '-1', -1, '-1'],
  ['short', '32767', 32767, '32767'],
  ['long', '9223372036854775807', longMax, '9223372036854775807'],
  ['long', '9007199254740991', Number.MAX_SAFE_INTEGER, '9007199254740991'],
  ['long', '-9223372036854775808', -longMax, '-9223372036854775808'],
  ['double', '0.5', 0.5, '0.5'],
  ['double', '1', 1, '1.0'],
  ['double', '1e7', 1e7, '1.0E7'],
  ['double', '1.7976931348623157E308', Number.MAX_VALUE, '1.7976931348623157E308'],
  ['ratio', '1.0', 1, '1.0'],
  ['string', '', '', ''],
  ['word', 'two', 'two', 'two'],
  ['anyCase', 'TWO', 'two', 'two'],
  ['list', '', [], ''],
  ['list', ' a , b ', ['a', 'b'], 'a,b'],
  ['words', 'b,a', ['b', 'a'], 'b,a'],
  ['password', 'hunter2', 'hunter2', null],
]

for (const [kind, text, value, printed] of good) {
  test(`${kind} takes ${JSON.stringify(text)}`, () => {
    const setting = settings[kind]
    assert.equal(setting?.parse(text), value)
    assert.is(setting?.format(value), printed)
  })
}

const bad: readonly [kind: string, text: string, expected: string][] = [
  ['bool', 'yes', 'true or false'],
  ['bool', '', 'true or false'],
  ['int', '', 'a whole number'],
  ['int', '1.5', 'a whole number'],
  ['int', '0x10', 'a whole number'],
  ['int', '2147483648', 'up to 2147483647'],
  ['level', '0', 'from 1 to 9, or -1'],
  ['level', '10', 'from 1 to 9, or -1'],
  ['atLeast', '0', 'of at least 1'],
  ['short', '32768', 'from -32768 to 32767'],
  ['long', '9223372036854775808', 'up to 9223372036854775807'],
  ['long', '99999999999999999999', 'up to 9223372036854775807'],
  ['double', 'NaN', 'a number'],
  ['double', 'Infinity', 'a number'],
  ['ratio', '1.01', 'from 0 to 1'],
  ['word', 'Two', 'one of one, two'],
  ['words', 'a,c', 'a list of a, b'],
]

for (const [kind, text, expected] of bad) {
  test(`${kind} refuses ${JSON.stringify(text)}`, () => {
    const setting = settings[kind]
    assert.throws(
      () => setting && parseSetting('a.name', setting, text),
      (error: Error) =>
        error instanceof SettingError &&
        error.message.startsWith(`a.name: got ${JSON.stringify(text)}, expected `) &&
        error.message.includes(expected),
    )
  })
}

test('an error never shows a secret', () => {
  const secret: Setting<unknown> = { ...password({ doc }), parse: () => undefined }
  assert.throws(
    () => parseSetting('ssl.key.password', secret, 'hunter2'),
    (error: Error) => !error.message.includes('hunter2'),
  )
})

test('longs print as Java prints them', () => {
  assert.is(formatLong(2 ** 53), '9007199254740992')
  assert.is(formatLong(-1), '-1')
})
