import { joinChunks } from '../../lib/base/bytes.ts'
import { readableBatches, wholeBatches } from '../../lib/client/fetched-records.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('fetched-records')
const options = { maxBytes: 1 << 20, checkCrcs: true, aborted: null }

function batch(baseOffset: number, count: number): Uint8Array {
  const builder = new BatchBuilder()
  for (let index = 0; index < count; index++) builder.append(index, null, Buffer.from(`${index}`))
  return builder.build({ baseOffset })
}

/** `bytes` in pieces, as a socket may give them. */
function pieces(bytes: Uint8Array, size: number): Uint8Array[] {
  const cut: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += size) cut.push(bytes.subarray(at, at + size))
  return cut
}

test('whole batches are found wherever the bytes are cut, and the rest is left', () => {
  const all = Buffer.concat([batch(0, 3), batch(3, 1), batch(4, 5)])
  const ends = [0, batch(0, 3).length, batch(0, 3).length + batch(3, 1).length, all.length]
  for (const size of [1, 7, 61, 100, 1000]) {
    for (let length = 0; length <= all.length; length++) {
      const expected = Math.max(...ends.filter((end) => end <= length))
      const whole = joinChunks(wholeBatches(pieces(all.subarray(0, length), size)))
      assert.is(whole.length, expected, `${length} bytes in pieces of ${size}`)
    }
  }
})

test('the next offset follows the last whole batch', () => {
  const all = Buffer.concat([batch(10, 3), batch(20, 2), batch(22, 5)])
  const cut = readableBatches([all.subarray(0, all.length - 1)], options)
  assert.is(cut.batches.length, 2)
  assert.is(cut.nextOffset, 22)
  assert.is(readableBatches([all.subarray(0, 30)], options).nextOffset, -1)
})

for (const [what, spoil, text] of [
  ['a size below that of a header', (bytes: Buffer) => bytes.writeInt32BE(20, 8), '32 bytes of 61'],
  ['a negative size', (bytes: Buffer) => bytes.writeInt32BE(-5, 8), 'of 7 bytes'],
  ['an unknown magic', (bytes: Buffer) => bytes.writeInt8(9, 16), 'magic 9'],
  ['another byte', (bytes: Buffer) => bytes.writeInt8(1, 64), 'the batch at offset 0 fails'],
] as const) {
  test(`${what} is refused`, () => {
    const bytes = Buffer.from(Buffer.concat([batch(0, 3), batch(3, 3)]))
    spoil(bytes)
    assert.throws(
      () => readableBatches([bytes], options),
      (error: Error) => error.message.includes(text) || assert.unreachable(error.message),
    )
  })
}
