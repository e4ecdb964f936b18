import { DecodeError, KafkaError } from '../../lib/base/errors.ts'
import type { BatchHeader } from '../../lib/record/batch.ts'
import {
  decodeProducerSnapshot,
  encodeProducerSnapshot,
} from '../../lib/storage/producer-snapshot.ts'
import { ProducerStates, sequenceAfter } from '../../lib/storage/producer-state.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('producer-state')

interface Sent {
  epoch?: number
  first: number
  count?: number
}

let offset = 0

function headerOf({ epoch = 0, first, count = 1 }: Sent, producerId = 7): BatchHeader {
  const baseOffset = offset
  offset += count
  return {
    baseOffset,
    sizeBytes: 100,
    partitionLeaderEpoch: 0,
    magic: 2,
    crc: 0,
    attributes: 0,
    lastOffsetDelta: count - 1,
    baseTimestamp: 5,
    maxTimestamp: 5,
    producerId,
    producerEpoch: epoch,
    baseSequence: first,
    recordCount: count,
  }
}

const top = 0x7fffffff

/** before: what is in the log; sent: the next batch; answer: ok, the error, or the index of the batch it repeats. */
const cases: [string, Sent[], Sent, string | number][] = [
  ['an unknown producer may start anywhere', [], { first: 42 }, 'ok'],
  ['the next sequence', [{ first: 0, count: 3 }], { first: 3 }, 'ok'],
  ['a gap', [{ first: 0 }], { first: 2 }, 'OUT_OF_ORDER_SEQUENCE_NUMBER'],
  ['the same batch again', [{ first: 0, count: 3 }], { first: 0, count: 3 }, 0],
  [
    'part of the last batch',
    [{ first: 0, count: 3 }],
    { first: 1, count: 2 },
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
  ],
  [
    'any of the last five batches',
    [{ first: 0 }, { first: 1 }, { first: 2 }, { first: 3 }, { first: 4 }, { first: 5 }],
    { first: 1 },
    1,
  ],
  [
    'the sixth last batch',
    [{ first: 0 }, { first: 1 }, { first: 2 }, { first: 3 }, { first: 4 }, { first: 5 }],
    { first: 0 },
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
  ],
  ['the last sequence, then 0', [{ first: top }], { first: 0 }, 'ok'],
  ['a batch that wraps, then what follows', [{ first: top - 1, count: 4 }], { first: 2 }, 'ok'],
  ['a batch that wraps, again', [{ first: top - 1, count: 4 }], { first: top - 1, count: 4 }, 0],
  ['a new epoch from 0', [{ first: 9 }], { epoch: 1, first: 0 }, 'ok'],
  ['a new epoch from 1', [{ first: 9 }], { epoch: 1, first: 1 }, 'OUT_OF_ORDER_SEQUENCE_NUMBER'],
  ['an old epoch', [{ epoch: 3, first: 9 }], { epoch: 2, first: 10 }, 'INVALID_PRODUCER_EPOCH'],
  [
    'an old batch under a newer epoch is no repetition',
    [{ first: 0 }, { epoch: 1, first: 0 }, { epoch: 1, first: 1 }],
    { epoch: 1, first: 0 },
    1,
  ],
]

for (const [what, before, sent, answer] of cases) {
  test(what, () => {
    const states = new ProducerStates()
    const headers = before.map((one) => headerOf(one))
    for (const header of headers) states.update(header, 0)
    let got: string | number
    try {
      const known = states.check(headerOf(sent), 't-0')
      got = known === null ? 'ok' : headers.findIndex((h) => h.baseOffset === known.firstOffset)
    } catch (error) {
      got = error instanceof KafkaError ? error.name : String(error)
    }
    assert.is(got, answer)
  })
}

test('sequences wrap from 2^31-1 to 0', () => {
  assert.is(sequenceAfter(top, 1), 0)
  assert.is(sequenceAfter(top - 1, 3), 1)
})

test('what has not written for the expiration time is forgotten, and the oldest when there are too many', () => {
  const states = new ProducerStates(3)
  for (let id = 1; id <= 4; id++) states.update(headerOf({ first: 0 }, id), id * 100)
  assert.equal(
    [...states.entries()].map(({ producerId }) => producerId),
    [2, 3, 4],
  )
  states.expire(1300, 1000)
  assert.equal(
    [...states.entries()].map(({ producerId }) => producerId),
    [4],
  )
})

test('a snapshot keeps the last batches of each producer, where Kafka reads and behind', () => {
  const states = new ProducerStates()
  for (let first = 0; first < 28; first += 4) {
    states.update(headerOf({ first, count: 4 }), 1_700_000_000_000)
  }
  states.update(headerOf({ epoch: 2, first: top, count: 2 }, 9), 1_700_000_000_001)
  const bytes = encodeProducerSnapshot(states.entries())
  assert.is(bytes.length, 10 + 2 * 46 + 4 + 2 + 4 * 24)
  // Read by Kafka: the last batch of each.
  assert.is(Buffer.from(bytes).readInt32BE(20), 27)
  const {
    entries: [one, two],
    hasWindows,
  } = decodeProducerSnapshot(bytes)
  assert.ok(hasWindows)
  assert.equal(
    one?.batches.map(({ firstSequence, lastSequence }) => [firstSequence, lastSequence]),
    [8, 12, 16, 20, 24].map((first) => [first, first + 3]),
  )
  const [known] = states.entries()
  assert.equal(one?.batches.slice(0, 4), known?.batches.slice(0, 4))
  assert.is(one?.lastWriteMs, 1_700_000_000_000)
  assert.is(two?.producerEpoch, 2)
  assert.is(two?.batches[0]?.firstSequence, top)
  assert.is(two?.batches[0]?.lastSequence, 0)
})

test('a snapshot with any bit flipped or byte missing is refused', () => {
  const states = new ProducerStates()
  states.update(headerOf({ first: 0, count: 4 }), 5)
  states.update(headerOf({ first: 4, count: 4 }), 5)
  const bytes = encodeProducerSnapshot(states.entries())
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = Uint8Array.from(bytes)
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    assert.throws(
      () => decodeProducerSnapshot(damaged),
      (error: Error) => error instanceof DecodeError,
    )
  }
  for (let size = 0; size < bytes.length; size++) {
    const cut = bytes.subarray(0, size)
    assert.throws(
      () => decodeProducerSnapshot(cut),
      (error: Error) => error instanceof DecodeError,
    )
  }
})
