/** Bytes that do not follow their schema: a DecodeError, whatever was done to them. */

import type { Chunks } from '../../lib/base/bytes.ts'
import { DecodeError } from '../../lib/base/errors.ts'
import { readMessage } from '../../lib/protocol/codec.ts'
import { Reader } from '../../lib/protocol/reader.ts'
import { assert, suite } from '../support/suite.ts'
import { allFixtures, type Fixture, plain } from './support/fixtures.ts'

const test = suite('malformed')
const slow = { timeoutMs: 60_000 }

const groups = allFixtures()

function decode({ message, version }: Fixture, chunks: Chunks): unknown {
  return readMessage(message, version, new Reader(chunks))
}

/** Null when the bytes decode; anything thrown that is no DecodeError goes through. */
function errorOf(fixture: Fixture, chunks: Chunks): DecodeError | null {
  try {
    decode(fixture, chunks)
    return null
  } catch (error) {
    if (error instanceof DecodeError) return error
    throw new Error(`${fixture.name}: ${Buffer.concat(chunks).toString('hex')}`, { cause: error })
  }
}

/** Up to `count` of the numbers 0 to `end`, the ends included. */
function positions(end: number, count: number): number[] {
  if (end <= count) return Array.from({ length: end + 1 }, (_, i) => i)
  return Array.from({ length: count + 1 }, (_, i) => Math.round((i * end) / count))
}

test(
  'a message cut at any byte is a DecodeError',
  () => {
    for (const { fixtures } of groups) {
      for (const fixture of fixtures) {
        for (const at of positions(fixture.bytes.length - 1, 200)) {
          const error = errorOf(fixture, [fixture.bytes.subarray(0, at)])
          assert.ok(error, `${fixture.name} cut at ${at}`)
        }
      }
    }
  },
  slow,
)

test(
  'a byte after the end is a DecodeError that says so',
  () => {
    for (const { fixtures } of groups) {
      for (const fixture of fixtures) {
        const error = errorOf(fixture, [fixture.bytes, Buffer.from([0])])
        assert.match(error?.message ?? '', '1 bytes after the end', fixture.name)
      }
    }
  },
  slow,
)

test(
  'chunks cut at any byte give the same values',
  () => {
    for (const { fixtures } of groups) {
      for (const fixture of fixtures) {
        const { bytes, message } = fixture
        const whole = JSON.stringify(plain(message.fields, decode(fixture, [bytes])))
        for (const at of positions(bytes.length, 60)) {
          const parts = [bytes.subarray(0, at), bytes.subarray(at)]
          const value = plain(message.fields, decode(fixture, parts))
          if (JSON.stringify(value) !== whole) assert.unreachable(`${fixture.name} cut at ${at}`)
        }
        const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))
        const value = plain(message.fields, decode(fixture, single))
        assert.is(JSON.stringify(value), whole, `${fixture.name} byte by byte`)
      }
    }
  },
  slow,
)

/** A small generator of numbers, the same in every run (xorshift). */
function numbers(seed: number): (below: number) => number {
  let state = seed | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

/** A copy with some bytes changed, most often into those that lengths are made of. */
function mutated(bytes: Buffer, random: (below: number) => number): Buffer {
  const copy = Buffer.from(bytes)
  const telling = [0x00, 0x01, 0x7f, 0x80, 0xff]
  for (let left = 1 + random(4); left > 0 && copy.length > 0; left--) {
    copy[random(copy.length)] = telling[random(8)] ?? random(256)
  }
  return copy
}

test(
  'mutated messages decode or are a DecodeError, and never ask for much memory',
  () => {
    const random = numbers(20_261_121)
    let refused = 0
    let largest = 0
    for (const { fixtures } of groups) {
      for (const fixture of fixtures) {
        const before = process.memoryUsage().arrayBuffers
        for (let attempt = 0; attempt < 40; attempt++) {
          if (errorOf(fixture, [mutated(fixture.bytes, random)]) !== null) refused++
        }
        largest = Math.max(largest, process.memoryUsage().arrayBuffers - before)
      }
    }
    assert.ok(refused > 10_000, `only ${refused} were refused`)
    assert.ok(largest < 1 << 20, `${largest} bytes were taken for 40 small messages`)
  },
  slow,
)
