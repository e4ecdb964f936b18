import { BlockFile } from '../../lib/io/memory/block-file.ts'
import { seededRandom } from '../../lib/io/memory/random.ts'
import { randomBelow } from '../../lib/io/random.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('block file')

test('random writes, reads and resizes agree with one flat buffer', () => {
  const random = seededRandom(11)
  const file = new BlockFile()
  const flat = Buffer.alloc(3_000_000)
  let size = 0
  for (let round = 0; round < 400; round++) {
    const position = randomBelow(random, round % 3 === 0 ? 2000 : 2_000_000)
    const bytes = Buffer.alloc(
      randomBelow(random, round % 2 === 0 ? 600_000 : 700),
      (round % 255) + 1,
    )
    if (round % 17 === 16) {
      size = position
      file.resize(size)
      flat.fill(0, size)
    } else {
      file.write(bytes, position)
      bytes.copy(flat, position)
      if (bytes.length > 0) size = Math.max(size, position + bytes.length)
    }
    assert.is(file.size, size, `round ${round}`)
    const target = new Uint8Array(5000)
    const from = randomBelow(random, size + 1)
    const count = file.read(target, from)
    assert.is(count, Math.min(5000, size - from))
    assert.ok(flat.subarray(from, from + count).equals(target.subarray(0, count)), `round ${round}`)
  }
  assert.ok(flat.subarray(0, size).equals(file.bytes()))
})
