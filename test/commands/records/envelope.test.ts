import { ByteWriter } from '../../../commands/records/byte-writer.ts'
import { type EnvelopeOptions, envelopeWriter } from '../../../commands/records/envelope.ts'
import { EnvelopeError, EnvelopeReader } from '../../../commands/records/envelope-reader.ts'
import { assert, suite } from '../../support/suite.ts'
import { place, type RecordFields, record } from './support.ts'

const test = suite('envelope')

function write(fields: RecordFields, options: EnvelopeOptions = {}): string {
  const out = new ByteWriter()
  envelopeWriter(options)(out, record(fields), place())
  return out.take().toString()
}

function read(line: string | Uint8Array) {
  return new EnvelopeReader().read(Buffer.from(line))
}

const head =
  '{"topic":"orders","partition":3,"offset":42,"timestamp":1732154400000,"timestampType":"create"'

test('the example of the specification, byte for byte', () => {
  const line = write({
    offset: 42,
    timestamp: 1732154400000,
    headers: [
      ['trace', 'abc'],
      ['n', null],
      ['sig', Uint8Array.of(255)],
    ],
    key: 'k1',
    value: Uint8Array.of(0, 255, 30),
  })
  assert.is(
    line,
    `${head},"headers":[{"key":"trace","value":"abc"},{"key":"n","value":null},{"key":"sig","value":{"base64":"/w=="}}],"key":"k1","value":{"base64":"AP8e"}}\n`,
  )
})

test('--meta adds members at the end, --decode beside the field', () => {
  const fields = {
    offset: 42,
    timestamp: 1732154400000,
    key: 'ab',
    value: '{"a": 12345678901234567890,\n"b":1}',
  }
  assert.is(
    write(fields, { meta: true, decode: { key: 'hex', value: 'json' } }),
    `${head},"headers":[],"key":"ab","keyHex":"6162","value":"{\\"a\\": 12345678901234567890,\\n\\"b\\":1}","valueJson":{"a": 12345678901234567890, "b":1},"leaderEpoch":7,"producerId":1000,"size":36}\n`,
  )
  assert.is(
    write(
      { offset: 42, timestamp: 1732154400000, value: 'no json' },
      { decode: { key: null, value: 'json' } },
    ),
    `${head},"headers":[],"key":null,"value":"no json"}\n`,
  )
})

const base64 = (bytes: number[]) => ({ base64: Buffer.from(bytes).toString('base64') })

for (const [what, bytes, json] of [
  ['empty', [], ''],
  ['text', [...Buffer.from('grüße "x" \\ /')], 'grüße "x" \\ /'],
  ['controls', [0, 1, 10, 13, 31, 127], '\0\x01\n\r\x1f\x7f'],
  ['U+0000', [0], '\0'],
  ['byte order mark', [0xef, 0xbb, 0xbf, 65], '\ufeffA'],
  ['astral', [...Buffer.from('𝄞')], '𝄞'],
  ['line separator', [...Buffer.from('\u2028')], '\u2028'],
  ['lone surrogate', [0xed, 0xa0, 0x80], base64([0xed, 0xa0, 0x80])],
  ['invalid UTF-8 behind ASCII', [65, 66, 0xff], base64([65, 66, 0xff])],
  ['overlong', [0xc0, 0x80], base64([0xc0, 0x80])],
  ['cut', [0xe2, 0x82], base64([0xe2, 0x82])],
] as const) {
  test(`${what}: as JSON and back`, () => {
    const line = write({ value: Uint8Array.from(bytes), key: Uint8Array.from(bytes) })
    assert.is(line.indexOf('\n'), line.length - 1)
    const parsed = JSON.parse(line)
    assert.equal(parsed.value, json)
    assert.equal(parsed.key, json)
    const back = read(line)
    assert.equal([...(back.value ?? [])], [...bytes])
    assert.equal([...(back.key ?? [])], [...bytes])
  })
}

for (const timestamp of [
  -1,
  0,
  1,
  1732154400000,
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
]) {
  test(`timestamp ${timestamp} comes back exactly`, () => {
    const line = write({ value: 'x', timestamp })
    assert.is(read(line).timestamp, timestamp)
    assert.is(
      typeof JSON.parse(line).timestamp,
      typeof timestamp === 'bigint' ? 'string' : 'number',
    )
  })
}

test('a large timestamp is read exactly as a number and as a string', () => {
  assert.is(read('{"value":"1","timestamp":9007199254740993}').timestamp, 9007199254740993n)
  assert.is(read('{"value":"1","timestamp":"9007199254740993"}').timestamp, 9007199254740993n)
  assert.is(read('{"value":"\\"9007199254740993\\"","timestamp":5}').timestamp, 5)
})

test('what is not said is left to the producer', () => {
  const { key, timestamp, headers, partition, topic } = read('{"value":"v"}')
  assert.equal(
    { key, timestamp, headers, partition, topic },
    {
      key: null,
      timestamp: undefined,
      headers: [],
      partition: undefined,
      topic: undefined,
    },
  )
})

for (const [line, message] of [
  ['{"value":1}', '/value must be string, null or {"base64"}; got number 1'],
  ['{"value":true}', '/value must be string, null or {"base64"}; got boolean true'],
  ['{"value":["x"]}', '/value must be string, null or {"base64"}; got array of 1'],
  ['{"value":{}}', '/value must be string, null or {"base64"}; got object'],
  ['{"value":{"base64":"!"}}', '/value/base64 must be base64; got string "!"'],
  ['{"value":{"base64":"QQ==","x":1}}', '/value must be string, null or {"base64"}; got object'],
  ['{"key":"k"}', '/value is missing (null makes a tombstone)'],
  ['{"value":"v","key":1}', '/key must be string, null or {"base64"}; got number 1'],
  [
    '{"value":"v","timestamp":1.5}',
    '/timestamp must be milliseconds as an integer or a decimal string; got number 1.5',
  ],
  [
    '{"value":"v","timestamp":"soon"}',
    '/timestamp must be milliseconds as an integer or a decimal string; got string "soon"',
  ],
  [
    '{"value":"v","timestamp":99999999999999999999}',
    '/timestamp must be milliseconds as an integer or a decimal string; got string "99999999999999999999"',
  ],
  ['{"value":"v","partition":-1}', '/partition must be a partition number; got number -1'],
  ['{"value":"v","topic":7}', '/topic must be string; got number 7'],
  ['{"value":"v","headers":"a=1"}', '/headers must be an array of {key, value}; got string "a=1"'],
  ['{"value":"v","headers":["a"]}', '/headers/0 must be {key, value}; got string "a"'],
  [
    '{"value":"v","headers":[{"key":"a","value":"1"},{"value":"1"}]}',
    '/headers/1/key must be string; got nothing',
  ],
  [
    '{"value":"v","headers":[{"key":"a","value":1}]}',
    '/headers/0/value must be string, null or {"base64"}; got number 1',
  ],
  [
    '{"value":"\\ud800"}',
    '/value must be valid Unicode; got half a surrogate pair (write bytes as {"base64"})',
  ],
  ['[1]', 'must be a JSON object; got array of 1'],
  ['"x"', 'must be a JSON object; got string "x"'],
  ['null', 'must be a JSON object; got null'],
] as const) {
  test(`refused: ${line}`, () => {
    assert.throws(
      () => read(line),
      (error: Error) => error instanceof EnvelopeError && (assert.is(error.message, message), true),
    )
  })
}

for (const line of ['', '{', '{"value":', 'plain text', '{"value":"a\nb"}']) {
  test(`not JSON: ${JSON.stringify(line)}`, () => {
    assert.throws(
      () => read(line),
      (error: Error) => error instanceof EnvelopeError && error.message.startsWith('not JSON'),
    )
  })
}

test('a line that is no UTF-8 is refused', () => {
  assert.throws(() => read(Buffer.from('{"value":"\xff"}', 'latin1')), /not valid UTF-8/)
})

const plain = (line: string) => {
  const { key, value, headers, timestamp, partition } = read(line)
  const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString())
  return {
    key: text(key),
    value: text(value),
    headers: headers.map((header) => [header.key, text(header.value)]),
    timestamp,
    partition,
  }
}

for (const [tool, line, expected] of [
  [
    'kcat -J',
    '{"topic":"t","partition":1,"offset":4,"tstype":"create","ts":1732154400000,"broker":0,"headers":["a","1","n",null],"key":"k","payload":"v"}',
    {
      key: 'k',
      value: 'v',
      headers: [
        ['a', '1'],
        ['n', null],
      ],
      timestamp: 1732154400000,
      partition: 1,
    },
  ],
  [
    'kcat -J without a time',
    '{"topic":"t","partition":1,"offset":4,"tstype":"unknown","ts":0,"broker":0,"key":null,"payload":null}',
    { key: null, value: null, headers: [], timestamp: -1, partition: 1 },
  ],
  [
    'ottla kcat -J of bytes',
    '{"topic":"t","partition":0,"offset":4,"tstype":"create","ts":5,"key":null,"payload":"\ufffd","payload_base64":"/w=="}',
    { key: null, value: '\ufffd', headers: [], timestamp: 5, partition: 0 },
  ],
  [
    'kaf json-each-row',
    '{"topic":"t","partition":2,"offset":4,"timestamp":"2026-11-20T10:00:00.5+01:00","headers":[{"key":"a","value":"1"}],"key":"k","payload":"v"}',
    {
      key: 'k',
      value: 'v',
      headers: [['a', '1']],
      timestamp: Date.UTC(2026, 10, 20, 9, 0, 0, 500),
      partition: 2,
    },
  ],
  [
    'rpk',
    '{"topic":"t","key":"k","value":"v","headers":[{"key":"a","value":"1"}],"timestamp":1732154400000,"partition":0,"offset":4}',
    { key: 'k', value: 'v', headers: [['a', '1']], timestamp: 1732154400000, partition: 0 },
  ],
  [
    'rpk without a value',
    '{"topic":"t","key":"k","timestamp":1732154400000,"partition":0,"offset":4}',
    { key: 'k', value: null, headers: [], timestamp: 1732154400000, partition: 0 },
  ],
  [
    'kafkactl',
    '{"Partition":3,"Offset":4,"Headers":{"a":"1","b":"2"},"Key":"k","Value":"v","Timestamp":"2026-11-20T10:00:00Z"}',
    {
      key: 'k',
      value: 'v',
      headers: [
        ['a', '1'],
        ['b', '2'],
      ],
      timestamp: Date.UTC(2026, 10, 20, 10),
      partition: 3,
    },
  ],
  [
    'kafkactl input',
    '{"key":"k","value":"v","headers":{"a":"1"}}',
    { key: 'k', value: 'v', headers: [['a', '1']], timestamp: undefined, partition: undefined },
  ],
] as const) {
  test(`${tool} is recognised`, () => {
    if (tool === 'ottla kcat -J of bytes') assert.equal([...(read(line).value ?? [])], [255])
    else assert.equal(plain(line) as unknown, expected)
  })
}

test('the first line decides for the others', () => {
  const reader = new EnvelopeReader()
  reader.read(Buffer.from('{"ts":1,"tstype":"create","key":"k","payload":"v"}'))
  assert.is(reader.shape, 'kcat')
  assert.is(reader.read(Buffer.from('{"key":"k","payload":null,"value":"x"}')).value, null)
})
