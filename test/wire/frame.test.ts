import { joinChunks } from '../../lib/base/bytes.ts'
import { DecodeError } from '../../lib/base/errors.ts'
import { FrameSplitter } from '../../lib/wire/frame.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('frame')

/** All frames of `bytes` when it arrives in pieces of `pieceSize`. */
function framesOf(bytes: Uint8Array, pieceSize: number, maxFrameBytes = 1000): string[] {
  const splitter = new FrameSplitter(() => maxFrameBytes)
  const frames: string[] = []
  for (let at = 0; at < bytes.length; at += pieceSize) {
    splitter.push(bytes.subarray(at, at + pieceSize), (frame) => {
      frames.push(Buffer.from(joinChunks(frame)).toString())
    })
  }
  return frames
}

function frame(text: string): Buffer {
  const body = Buffer.from(text)
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  return Buffer.concat([size, body])
}

test('frames come out whole wherever the chunks were cut', () => {
  const bytes = Buffer.concat([frame('first'), frame(''), frame('x'.repeat(300)), frame('last')])
  for (let pieceSize = 1; pieceSize <= bytes.length; pieceSize++) {
    assert.equal(framesOf(bytes, pieceSize), ['first', '', 'x'.repeat(300), 'last'])
  }
})

test('a frame in one chunk is a view, not a copy', () => {
  const bytes = frame('shared')
  const splitter = new FrameSplitter(() => 100)
  splitter.push(bytes, (chunks) => assert.is(chunks[0]?.buffer, bytes.buffer))
})

for (const [what, size] of [
  ['negative', -1],
  ['beyond the limit', 1001],
  ['the largest int32', 0x7fffffff],
] as const) {
  test(`a size that is ${what} is refused before its bytes arrive`, () => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(size)
    assert.throws(
      () => framesOf(bytes, 4),
      (error: Error) => error instanceof DecodeError && error.message.includes(String(size)),
    )
  })
}

test('it tells an open frame from a quiet connection', () => {
  const splitter = new FrameSplitter(() => 100)
  assert.is(splitter.isInsideFrame, false)
  splitter.push(frame('abc').subarray(0, 2), () => {})
  assert.is(splitter.isInsideFrame, true)
  splitter.push(frame('abc').subarray(2), () => {})
  assert.is(splitter.isInsideFrame, false)
})
