import { DecodeError } from '../../lib/base/errors.ts'
import { apiByKey } from '../../lib/protocol/apis/index.ts'
import { Metadata } from '../../lib/protocol/apis/metadata.ts'
import { decodeRequest, decodeRequestHeader } from '../../lib/protocol/codec.ts'
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

test('list elements and tags are counted together, and refused beyond the bound', () => {
  const writer = new Writer()
  writer.int32(3)
  writer.unsignedVarint(3)
  writer.unsignedVarint(2)
  const bytes = Buffer.concat([...writer.finish(), Buffer.alloc(20)])
  const read = (elementsMax: number) => {
    const reader = new Reader([bytes], { elementsMax })
    return [reader.listLength(1), reader.compactListLength(1), reader.taggedCount()]
  }
  assert.equal(read(7), [3, 2, 2])
  for (const elementsMax of [2, 4, 6]) {
    assert.throws(
      () => read(elementsMax),
      (error: Error) =>
        error instanceof DecodeError &&
        error.message.startsWith(`more than ${elementsMax} elements in one message`),
    )
  }
})

test('a request of 99 MiB with elements of two bytes is refused before any is made', () => {
  const frame = Buffer.alloc(99 * 1024 * 1024)
  frame.writeInt16BE(Metadata.key)
  frame.writeInt16BE(-1, 8)
  frame.writeInt32BE((frame.length - 14) / 2, 10)
  const { reader, apiVersion } = decodeRequestHeader([frame], apiByKey)
  const began = performance.now()
  assert.throws(
    () => decodeRequest(Metadata, apiVersion, reader),
    (error: Error) => error instanceof DecodeError,
  )
  assert.ok(performance.now() - began < 1000)
})
