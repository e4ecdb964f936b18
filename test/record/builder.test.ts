import * as fc from 'fast-check'
import { batchAt, batchCrc, codecOf } from '../../lib/record/batch.ts'
import { BatchBuilder } from '../../lib/record/builder.ts'
import { codecs } from '../../lib/record/compression.ts'
import { readRecords } from '../../lib/record/record.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('builder')

const bytes = fc.option(fc.uint8Array({ maxLength: 200 }), { nil: null })
const timestamp = fc.oneof(
  fc.constantFrom(-1, 0, 2 ** 53 - 1, 9007199254740992n, 2n ** 63n - 1n, -(2n ** 63n), 1.7e12),
  fc.maxSafeInteger(),
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
)
const record = fc.record({
  timestamp,
  key: bytes,
  value: bytes,
  headers: fc.array(fc.record({ key: fc.string({ unit: 'binary' }), value: bytes }), {
    maxLength: 4,
  }),
})

/** Text of any nested value, so that views and Buffers compare by content and bigints by value. */
function text(value: unknown): string {
  if (value instanceof Uint8Array) return `<${Buffer.from(value).toString('hex')}>`
  if (Array.isArray(value)) return `[${value.map(text).join()}]`
  if (typeof value !== 'object' || value === null) return `${typeof value} ${String(value)}`
  return `{${Object.entries(value)
    .map(([name, inner]) => `${name}: ${text(inner)}`)
    .sort()
    .join()}}`
}

for (const codec of codecs) {
  test(`what ${codec} builds, the reader reads back`, () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 30 }), (records) => {
        const builder = new BatchBuilder({ codec })
        for (const { timestamp, key, value, headers } of records) {
          builder.append(timestamp, key, value, headers)
        }
        const batch = batchAt(builder.build({ baseOffset: 1000 }))
        assert.is(codecOf(batch.header.attributes), codec)
        assert.is(batchCrc(batch), batch.header.crc)
        const read = readRecords(batch, { maxBytes: 1e6 })
        assert.equal(
          text(read),
          text(records.map((one, index) => ({ offset: 1000 + index, ...one }))),
        )
      }),
      { numRuns: 200, seed: 7 },
    )
  })
}
