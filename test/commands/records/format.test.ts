import { ByteWriter } from '../../../commands/records/byte-writer.ts'
import { compileFormat, type FormatOptions } from '../../../commands/records/format.ts'
import { BadValue } from '../../../commands/values.ts'
import { assert, suite } from '../../support/suite.ts'
import { place, record } from './support.ts'

const test = suite('format')

function print(
  format: string,
  fields: Parameters<typeof record>[0] = {},
  options: FormatOptions = {},
): string {
  const out = new ByteWriter(1)
  compileFormat(format, options)(out, record(fields), place())
  return out.take().toString('latin1')
}

const full = {
  key: 'k1',
  value: 'hello',
  headers: [
    ['a', '1'],
    ['b', null],
    ['c', ''],
    ['a', '2'],
  ] as [string, string | null][],
  offset: 42,
  timestamp: Date.UTC(2026, 10, 20, 9, 5, 7, 89),
}

for (const [format, expected] of [
  ['%s\\n', 'hello\n'],
  ['%v|%V|%S', 'hello|5|5'],
  ['%k=%K', 'k1=2'],
  ['%R', '\0\0\0\x05'],
  ['%t %p %o %e %i', 'orders 3 42 7 11'],
  ['%t{len}', '6'],
  ['%T', '1795165507089'],
  ['%d', '2026-11-20T09:05:07.089Z'],
  ['%d{%F %T}', '2026-11-20 09:05:07'],
  ['%d{%Y/%m/%d %H.%M.%S.%L %j %a %b %s%%}', '2026/11/20 09.05.07.089 324 Fri Nov 1795165507%'],
  ['%h', 'a=1,b=NULL,c=,a=2'],
  ['%H', '4'],
  ['%h{a}', '2'],
  ['%h{nope}|%h{b}', '|'],
  ['%h{%k=%v;}', 'a=1;b=;c=;a=2;'],
  ['%h{%k:%v{hex} %V,}', 'a:31 1,b: -1,c: 0,a:32 1,'],
  ['%j', '"hello"'],
  ['%s{hex}', '68656c6c6f'],
  ['%v{base64}', 'aGVsbG8='],
  ['%k{json}', '"k1"'],
  ['%L-%E', '5-99'],
  ['%%s', '%s'],
  ['100%%', '100%'],
  ['\\x41\\t\\r\\0\\\\', 'A\t\r\0\\'],
  ['\\xff', '\xff'],
  ['%S{big16}%S{little16}%S{byte}', '\0\x05\x05\0\x05'],
  ['%o{hex}|%o{hex8}|%o{hex64}', '2a|2a|000000000000002a'],
  ['', ''],
] as const) {
  test(format, () => assert.is(print(format, full), expected))
}

for (const [format, options, expected] of [
  ['%k|%s|%K|%S', {}, '||-1|-1'],
  ['%R', {}, '\xff\xff\xff\xff'],
  ['%k|%s', { nullMark: Buffer.from('NULL') }, 'NULL|NULL'],
  ['%j %k{json} %s{hex}', {}, 'null null '],
  ['%d %T', {}, '- -1'],
  ['%h%H', {}, '0'],
] as const) {
  test(`null: ${format} ${'nullMark' in options ? 'with a mark' : ''}`, () => {
    const fields = { key: null, value: null, headers: [], timestamp: -1 }
    assert.is(print(format, fields, options), expected)
  })
}

test('empty is not null', () => {
  assert.is(
    print('%k|%s|%K|%S', { key: '', value: '' }, { nullMark: Buffer.from('NULL') }),
    '||0|0',
  )
})

test('times outside of the calendar print their milliseconds', () => {
  assert.is(print('%d', { timestamp: 2 ** 53 }), '9007199254740992')
  assert.is(print('%T', { timestamp: 9223372036854775807n }), '9223372036854775807')
})

test('bytes go through untouched', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
  assert.is(print('%s', { value: bytes }), Buffer.from(bytes).toString('latin1'))
})

test('a terminal is shown control characters, unless raw is asked for', () => {
  const value = 'a\x1b[2J\x07\tb\nc\x7f\u009bé'
  const shown = print('%s', { value }, { isTty: true })
  assert.is(Buffer.from(shown, 'latin1').toString(), 'a\\x1b[2J\\x07\tb\nc\\x7f\\x9bé')
  assert.is(Buffer.from(print('%s{raw}', { value }, { isTty: true }), 'latin1').toString(), value)
})

test('--decode renders tokens without a modifier of their own', () => {
  const options = { keyRendering: 'hex', valueRendering: 'base64' } as const
  assert.is(print('%k %s %s{hex}', full, options), '6b31 aGVsbG8= 68656c6c6f')
})

for (const [format, reason] of [
  ['%q', /%q/],
  ['%', /only the tokens/],
  ['%s{upper}', /upper/],
  ['%s{pack:<iq}', /pack/],
  ['%p{utf8}', /utf8/],
  ['%p{big24}', /big24/],
  ['%s{hex', /closing/],
  ['%h{}', /%h/],
  ['%h{%t}', /%t/],
  ['%d{%Q}', /%Q/],
  ['\\q', /escapes/],
  ['\\x4', /escapes/],
  ['end\\', /escapes/],
] as const) {
  test(`refused: ${format}`, () => {
    assert.throws(
      () => compileFormat(format),
      (error: Error) => error instanceof BadValue && reason.test(error.message),
    )
  })
}
