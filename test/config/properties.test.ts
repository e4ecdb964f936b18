import { SettingError } from '../../lib/base/setting.ts'
import { parseProperties } from '../../lib/config/properties.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('properties')

const good: readonly [what: string, text: string, expected: Record<string, string>][] = [
  ['nothing', '', {}],
  ['key=value', 'a=b\nc=d', { a: 'b', c: 'd' }],
  ['spaces round the sign', '  a  =  b  ', { a: 'b  ' }],
  ['a colon', 'a: b', { a: 'b' }],
  ['only a space', 'a b c', { a: 'b c' }],
  ['no value', 'a=\nb', { a: '', b: '' }],
  ['comments and empty lines', '# x=y\n\n   ! z\na=1#no comment', { a: '1#no comment' }],
  ['line ends of all kinds', 'a=1\r\nb=2\rc=3\n', { a: '1', b: '2', c: '3' }],
  ['lines that go on', 'a=1,\\\n   2,\\\r\n3\nb=2', { a: '1,2,3', b: '2' }],
  ['a backslash before the end of the line', 'a=1\\\\\nb=2', { a: '1\\', b: '2' }],
  ['a comment does not go on', '# x \\\na=1', { a: '1' }],
  ['escapes', 'a\\=b\\:c\\ d=\\t\\n\\u00e9\\q', { 'a=b:c d': '\t\n\u00e9q' }],
  ['more signs', 'a==b=c', { a: '=b=c' }],
  ['a byte order mark', '\ufeffa=1', { a: '1' }],
  [
    "Kafka's listeners",
    'listeners=PLAINTEXT://:9092,SSL://:9093',
    { listeners: 'PLAINTEXT://:9092,SSL://:9093' },
  ],
]

for (const [what, text, expected] of good) {
  test(what, () => assert.equal(parseProperties(text), expected))
}

const bad: readonly [what: string, text: string, message: string][] = [
  ['a key that stands twice', 'a=1\nb=1\na=2', 'line 3: a is set twice'],
  ['a bad escape', 'a=1\n\nb=\\u12', 'line 3: \\u needs four hex digits'],
  ['__proto__', '__proto__=1', 'line 1'],
]

for (const [what, text, message] of bad) {
  test(`${what} is refused`, () => {
    assert.throws(
      () => parseProperties(text),
      (error: Error) => error instanceof SettingError && error.message.includes(message),
    )
  })
}
