import { DecodeError } from '../../../lib/base/errors.ts'
import { decodeMetadataRecord, encodeMetadataRecord } from '../../../lib/protocol/metadata/frame.ts'
import { TopicRecord } from '../../../lib/protocol/metadata/records.ts'
import { assert, suite } from '../../support/suite.ts'

const test = suite('frame')
const topicId = 'AAAAAAAAAAAAAAAAAAAAAQ'

test('a framed record goes out and comes in', () => {
  const bytes = encodeMetadataRecord(TopicRecord, 0, { name: 'orders', topicId })
  assert.is(Buffer.from(bytes).toString('hex', 0, 4), '01020007')
  const record = decodeMetadataRecord([bytes])
  assert.is(record.name, 'TopicRecord')
  assert.is(record.version, 0)
  if (record.name === 'TopicRecord') assert.equal({ ...record.value }, { name: 'orders', topicId })
})

for (const [what, hex] of [
  ['another frame version', '020200'],
  ['an unknown kind', '017f00'],
  ['an unknown version', '010209'],
  ['nothing', ''],
] as const) {
  test(`${what} is a DecodeError`, () => {
    assert.throws(
      () => decodeMetadataRecord([Buffer.from(hex, 'hex')]),
      (error: Error) => error instanceof DecodeError,
    )
  })
}
