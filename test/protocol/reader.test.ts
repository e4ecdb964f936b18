import { DecodeError } from '../../lib/base/errors.ts'
import { Reader } from '../../lib/protocol/reader.ts'
import { Writer } from '../../lib/protocol/writer.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('reader')

test('bytes in one chunk are a view, bytes of two chunks a copy', () => {
  const [first, second] = [Buffer.from('abcdef'), Buffer.from('ghijkl')]
  const reader = new Reader([first, second])
  const view = reader.bytes(4)
  assert.is(view.buffer, first.buffer)
  assert.is(view.byteOffset, first.byteOffset)
  assert.is(Buffer.from(reader.bytes(4)).toString(), 'efgh')
  const rest = reader.bytes(4)
  assert.is(Buffer.from(rest).toString(), 'ijkl')
  assert.is(rest.byteOffset, second.byteOffset + 2)
  assert.is(reader.remaining, 0)
})

test('views are never copied, whatever was joined before them', () => {
  const chunks = ['ab', 'c', '', 'defg', 'h'].map((text) => Buffer.from(text))
  const reader = new Reader(chunks)
  reader.int32()
  const views = reader.views(4)
  assert.is(views.length, 2)
  assert.is(Buffer.concat(views).toString(), 'efgh')
  assert.is(views[0]?.byteOffset, (chunks[3]?.byteOffset ?? 0) + 1)
})

test('offset and remaining count over all chunks', () => {
  const reader = new Reader([Buffer.alloc(3), Buffer.alloc(0), Buffer.alloc(6)])
  assert.is(reader.remaining, 9)
  reader.int16()
  reader.int32()
  assert.is(reader.offset, 6)
  reader.skip(2)
  assert.is(reader.remaining, 1)
  assert.throws(
    () => reader.skip(2),
    (error: Error) =>
      error instanceof DecodeError && error.message === '2 bytes wanted, 1 left, at byte 8 of 9',
  )
})

for (const [value, hex] of [
  [0, '00'],
  [127, '7f'],
  [128, '8001'],
  [16_383, 'ff7f'],
  [2 ** 28 - 1, 'ffffff7f'],
  [2 ** 28, '8080808001'],
  [2 ** 32 - 1, 'ffffffff0f'],
] as const) {
  test(`${value} is the varint ${hex}`, () => {
    const writer = new Writer()
    writer.unsignedVarint(value)
    assert.is(Buffer.concat(writer.finish()).toString('hex'), hex)
    assert.is(new Reader([Buffer.from(hex, 'hex')]).unsignedVarint(), value)
  })
}
