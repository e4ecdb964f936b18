import {
  decodeText,
  mergePerField,
  parseEncoding,
  parseRendering,
} from '../../../commands/records/encoding.ts'
import { parseHeaderOption, splitHeaders } from '../../../commands/records/headers-option.ts'
import { BadValue } from '../../../commands/values.ts'
import { assert, suite } from '../../support/suite.ts'

const test = suite('line options')

for (const [text, expected] of [
  ['a=1', { name: 'a', value: { text: '1' } }],
  ['a=', { name: 'a', value: { text: '' } }],
  ['a', { name: 'a', value: null }],
  ['a=b=c', { name: 'a', value: { text: 'b=c' } }],
  ['a=@f.bin', { name: 'a', value: { file: 'f.bin' } }],
] as const) {
  test(`-H ${text}`, () => assert.equal(parseHeaderOption(text) as unknown, expected))
}

for (const text of ['', '=1', 'a=@']) {
  test(`-H "${text}" is refused`, () => {
    assert.throws(
      () => parseHeaderOption(text),
      (error: Error) => error instanceof BadValue,
    )
  })
}

for (const [line, headers, rest] of [
  [
    'a:1,b:2\tk:v',
    [
      ['a', '1'],
      ['b', '2'],
    ],
    'k:v',
  ],
  ['a:\tv', [['a', '']], 'v'],
  ['a:x:y\tv', [['a', 'x:y']], 'v'],
  ['\tv', [], 'v'],
  ['a:NIL\tv\tw', [['a', null]], 'v\tw'],
] as const) {
  test(`headers of ${JSON.stringify(line)}`, () => {
    const found = splitHeaders(Buffer.from(line), Buffer.from('NIL'))
    const text = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString()
    assert.equal(found.headers.map(({ key, value }) => [key, text(value)]) as unknown, headers)
    assert.is(text(found.rest), rest)
  })
}

test('headers without a tab or a colon are refused', () => {
  assert.throws(() => splitHeaders(Buffer.from('a:1'), null), /no tab/)
  assert.throws(() => splitHeaders(Buffer.from('a\tv'), null), /header "a" has no ":"/)
})

for (const [text, encoding, expected] of [
  ['00ff', 'hex', [0, 255]],
  ['00FF', 'hex', [0, 255]],
  ['', 'hex', []],
  ['0', 'hex', null],
  ['zz', 'hex', null],
  ['AP8=', 'base64', [0, 255]],
  ['AP8', 'base64', [0, 255]],
  ['-_8', 'base64', [251, 255]],
  ['A', 'base64', null],
  ['AP8==', 'base64', null],
  ['A P8', 'base64', null],
  ['', 'base64', []],
] as const) {
  test(`${encoding} "${text}"`, () => {
    const bytes = decodeText(Buffer.from(text), encoding)
    assert.equal(bytes && [...bytes], expected as unknown)
  })
}

test('an encoding holds for one field or for both, and the later wins', () => {
  assert.equal(parseEncoding('hex'), { key: 'hex', value: 'hex' })
  assert.equal(parseEncoding('key=hex'), { key: 'hex', value: null })
  assert.equal(mergePerField([parseEncoding('hex'), parseEncoding('value=base64')]), {
    key: 'hex',
    value: 'base64',
  })
  assert.equal(parseRendering('value=json'), { key: null, value: 'json' })
  for (const text of ['', 'utf16', 'key=', 'topic=hex']) {
    assert.throws(
      () => parseEncoding(text),
      (error: Error) => error instanceof BadValue,
    )
  }
})
