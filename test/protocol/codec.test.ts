import { type Chunks, joinChunks } from '../../lib/base/bytes.ts'
import { DecodeError, KafkaError } from '../../lib/base/errors.ts'
import { ApiVersions } from '../../lib/protocol/apis/api-versions.ts'
import { Fetch } from '../../lib/protocol/apis/fetch.ts'
import { Heartbeat } from '../../lib/protocol/apis/heartbeat.ts'
import { apiByKey } from '../../lib/protocol/apis/index.ts'
import { Metadata } from '../../lib/protocol/apis/metadata.ts'
import { Produce } from '../../lib/protocol/apis/produce.ts'
import {
  decodeMessage,
  decodeRequest,
  decodeRequestHeader,
  decodeResponse,
  encodeMessage,
  encodeRequest,
  encodeResponse,
} from '../../lib/protocol/codec.ts'
import { array, bytes, int32, int64, message, string, struct } from '../../lib/protocol/schema.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('codec')
const header = { correlationId: 7, clientId: 'me' }

/** A frame as the receiver sees it: whole, without its size, which must be right. */
function received(frame: readonly Uint8Array[]): Uint8Array {
  const whole = Buffer.from(joinChunks(frame))
  assert.is(whole.readInt32BE(0), whole.length - 4)
  return whole.subarray(4)
}

/** Bytes written as hex with spaces between the fields. */
function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex')
}

function thrownBy(act: () => unknown): Error {
  try {
    act()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('expected an error')
}

test('a request goes out and comes in with its header', () => {
  for (const version of [0, 3, 4]) {
    const frame = encodeRequest(Heartbeat, version, header, { groupId: 'g', generationId: 3 })
    const { reader, ...read } = decodeRequestHeader([received(frame)], apiByKey)
    assert.equal(read, { apiKey: 12, apiVersion: version, correlationId: 7, clientId: 'me' })
    const expected = { groupId: 'g', generationId: 3, memberId: '', groupInstanceId: null }
    assert.equal(decodeRequest(Heartbeat, version, reader), expected)
  }
})

test('the client id may be null or empty', () => {
  for (const clientId of [null, '']) {
    const frame = encodeRequest(ApiVersions, 3, { correlationId: -1, clientId }, {})
    const read = decodeRequestHeader([received(frame)], apiByKey)
    assert.is(read.clientId, clientId)
    assert.is(read.correlationId, -1)
  }
})

test('the header of ApiVersions in a version of the future is read, so that it can be answered', () => {
  const frame = bytesOf('0012 0063 00000005 0001 78 00 ffff')
  const read = decodeRequestHeader([frame], apiByKey)
  assert.is(read.apiVersion, 99)
  assert.is(read.clientId, 'x')
  assert.is(read.reader.remaining, 2)
})

test('the header of an unknown key is read as plain', () => {
  const frame = bytesOf('03e7 0000 00000005 ffff aabb')
  const { reader, ...read } = decodeRequestHeader([frame], apiByKey)
  assert.equal(read, { apiKey: 999, apiVersion: 0, correlationId: 5, clientId: null })
  assert.is(reader.remaining, 2)
})

test('a version that is not known is a DecodeError, not a crash', () => {
  const frame = encodeRequest(ApiVersions, 0, header, {})
  const { reader } = decodeRequestHeader([received(frame)], apiByKey)
  for (const version of [-1, 5]) {
    const error = thrownBy(() => decodeRequest(ApiVersions, version, reader))
    assert.instance(error, DecodeError)
  }
})

test('a response carries tagged fields in its header from the flexible version on, but not ApiVersions', () => {
  const plainHeader = received(encodeResponse(Metadata, 8, 5, {}))
  const flexibleHeader = received(encodeResponse(Metadata, 9, 5, {}))
  assert.is(flexibleHeader[4], 0)
  assert.is(decodeResponse(Metadata, 8, [plainHeader]).correlationId, 5)
  assert.is(decodeResponse(Metadata, 9, [flexibleHeader]).correlationId, 5)
  // correlation id 5, error 35 at once
  const frame = received(encodeResponse(ApiVersions, 3, 5, { errorCode: 35 }))
  assert.is(Buffer.from(frame).toString('hex', 0, 6), '000000050023')
  assert.is(decodeResponse(ApiVersions, 3, [frame]).body.errorCode, 35)
})

test('tagged fields of a header are passed over', () => {
  const request = bytesOf('000c 0004 00000001 ffff 01 09 02 abcd 77')
  assert.is(decodeRequestHeader([request], apiByKey).reader.remaining, 1)
  const response = bytesOf('00000001 01 09 01 ff 00000000 0000 00')
  assert.is(decodeResponse(Heartbeat, 4, [response]).correlationId, 1)
})

test('a field that the version lacks reads as its fallback', () => {
  const { body } = decodeResponse(Heartbeat, 0, [received(encodeResponse(Heartbeat, 0, 1, {}))])
  assert.equal(body, { throttleTimeMs: 0, errorCode: 0 })
})

test('a value that the version cannot carry is refused, unless it may be ignored', () => {
  const error = thrownBy(() => encodeRequest(Heartbeat, 2, header, { groupInstanceId: 'i' }))
  assert.instance(error, KafkaError)
  assert.is(error.name, 'UNSUPPORTED_VERSION')
  assert.is(error.message, 'HeartbeatRequest v2 cannot carry groupInstanceId = "i"')
  encodeRequest(Heartbeat, 2, header, { groupInstanceId: null })
  encodeResponse(Heartbeat, 0, 1, { throttleTimeMs: 100 })
})

test('a struct or list that the version lacks is refused only where it says something', () => {
  const request = { replicaState: { replicaId: -1 }, forgottenTopicsData: [] }
  encodeRequest(Fetch, 4, header, request)
  const replica = thrownBy(() =>
    encodeRequest(Fetch, 4, header, { replicaState: { replicaId: 1 } }),
  )
  assert.is(replica.message, 'FetchRequest v4 cannot carry replicaState = {"replicaId":1}')
  const forgotten = thrownBy(() => encodeRequest(Fetch, 4, header, { forgottenTopicsData: [{}] }))
  assert.match(forgotten.message, 'FetchRequest v4 cannot carry forgottenTopicsData')
})

test('null goes only where the version allows it', () => {
  encodeRequest(Metadata, 1, header, { topics: null })
  const error = thrownBy(() => encodeRequest(Metadata, 0, header, { topics: null }))
  assert.is(error.message, 'MetadataRequest v0 cannot carry topics = null')
  const bytes = bytesOf('ffffffff')
  assert.is(decodeMessage(Metadata.request, 1, bytes).topics, null)
  const refused = thrownBy(() => decodeMessage(Metadata.request, 0, bytes))
  assert.instance(refused, DecodeError)
  assert.match(refused.message, 'MetadataRequest v0: topics is null')
})

test('records are views both ways, also across chunks', () => {
  const batches = [Buffer.from('first batch'), Buffer.from('second')]
  const topicData = [{ name: 't', partitionData: [{ index: 1, records: batches }, { index: 2 }] }]
  for (const version of [3, 9]) {
    const frame = encodeRequest(Produce, version, header, { topicData })
    assert.ok(frame.includes(batches[0] as Uint8Array))
    assert.ok(frame.includes(batches[1] as Uint8Array))
    const chunks: Chunks = [received(frame).subarray(0, -12), received(frame).subarray(-12)]
    const { reader } = decodeRequestHeader(chunks, apiByKey)
    const [topic] = decodeRequest(Produce, version, reader).topicData
    const [first, second] = topic?.partitionData ?? []
    assert.is(Buffer.concat(first?.records ?? []).toString(), 'first batchsecond')
    for (const view of first?.records ?? []) {
      assert.ok(chunks.some((chunk) => chunk.buffer === view.buffer))
    }
    assert.is(second?.records, null)
  }
})

const Sample = message({
  name: 'Sample',
  versions: [0, 1],
  flexible: 1,
  fields: {
    id: int64(),
    note: string({ since: 1, tag: 3 }),
    blob: bytes({ since: 1, tag: 1 }),
    inner: struct({ size: int32(), names: array(string()) }, { nullableSince: 0 }),
  },
})

test('tagged fields are written by ascending tag, and only where they differ from their fallback', () => {
  const value = { id: 1, note: 'n', blob: Buffer.from([9]), inner: null }
  const encoded = encodeMessage(Sample, 1, value)
  assert.is(Buffer.from(encoded).toString('hex'), '0000000000000001ff02010202090302026e')
  const bare = encodeMessage(Sample, 1, { id: 1, note: '', inner: null })
  assert.is(Buffer.from(bare).toString('hex'), '0000000000000001ff00')
})

test('unknown tagged fields are passed over at every depth', () => {
  const hex = '0000000000000001 01 00000005 01 01 0702cafe 02 0302026e 0901ff'
  const { inner, note } = decodeMessage(Sample, 1, bytesOf(hex))
  assert.equal(inner, { size: 5, names: [] })
  assert.is(note, 'n')
})

test('a tagged field of more or fewer bytes than it says is a DecodeError', () => {
  for (const tagged of ['03 01 026e', '03 03 026e00']) {
    const bytes = bytesOf(`0000000000000001 ff 01 ${tagged}`)
    assert.instance(
      thrownBy(() => decodeMessage(Sample, 1, bytes)),
      DecodeError,
    )
  }
})

test('a tagged field of more than 127 bytes has a longer size in front', () => {
  for (const size of [1, 126, 127, 128, 16_383, 16_384, 200_000]) {
    const value = { id: -1, note: 'x'.repeat(size), blob: Buffer.alloc(size, 1), inner: null }
    assert.equal({ ...decodeMessage(Sample, 1, encodeMessage(Sample, 1, value)) }, value)
  }
})

for (const [what, value, hex] of [
  ['0', 0, '0000000000000000'],
  ['-1', -1, 'ffffffffffffffff'],
  ['2^32', 2 ** 32, '0000000100000000'],
  ['2^53 - 1', 2 ** 53 - 1, '001fffffffffffff'],
  ['-2^53 + 1', -(2 ** 53) + 1, 'ffe0000000000001'],
  ['the largest', 2 ** 63, '7fffffffffffffff'],
  ['the smallest', -(2 ** 63), '8000000000000000'],
] as const) {
  test(`an int64 may be ${what}`, () => {
    const encoded = Buffer.from(encodeMessage(Sample, 0, { id: value, inner: null }))
    assert.is(encoded.toString('hex'), `${hex}ff`)
    assert.is(decodeMessage(Sample, 0, encoded).id, value)
  })
}

for (const hex of [
  '0020000000000000',
  'ffdfffffffffffff',
  '7ffffffffffffffe',
  '8000000000000001',
]) {
  test(`an int64 of 0x${hex} is a DecodeError: no number is it exactly`, () => {
    assert.instance(
      thrownBy(() => decodeMessage(Sample, 0, bytesOf(`${hex}ff`))),
      DecodeError,
    )
  })
}

for (const value of [2 ** 53, -(2 ** 53) - 2, 2 ** 64, Number.NaN, Number.POSITIVE_INFINITY]) {
  test(`an int64 of ${value} is not written`, () => {
    assert.match(thrownBy(() => encodeMessage(Sample, 0, { id: value })).message, String(value))
  })
}

test('numbers and uuids that do not fit are not written', () => {
  assert.throws(() => encodeResponse(Heartbeat, 0, 1, { errorCode: 40_000 }))
  for (const topicId of ['', 'short', '!'.repeat(22), 'A'.repeat(23)]) {
    const error = thrownBy(() => encodeResponse(Metadata, 12, 1, { topics: [{ topicId }] }))
    assert.match(error.message, 'base64url')
  }
})

for (const [what, hex] of [
  ['a list longer than its bytes', '0000000000000000 01 00000000 7fffffff'],
  ['a list whose elements cannot fit', '0000000000000000 01 00000000 00000003 00000000'],
  ['a negative length', '0000000000000000 01 00000000 fffffffe'],
  ['a negative length of text', '0000000000000000 01 00000000 00000001 fffe'],
  ['a mark of a struct that is neither 1 nor -1', '0000000000000000 02'],
] as const) {
  test(`${what} is a DecodeError`, () => {
    assert.instance(
      thrownBy(() => decodeMessage(Sample, 0, bytesOf(hex))),
      DecodeError,
    )
  })
}

test('a varint of more than 32 bits is a DecodeError', () => {
  const tags = '0000000000000000 ff ffffffff10'
  const error = thrownBy(() => decodeMessage(Sample, 1, bytesOf(tags)))
  assert.match(error.message, 'more than 32 bits')
})

test('messages encoded one after the other do not share bytes', () => {
  const first = encodeResponse(Heartbeat, 1, 1, { errorCode: 1 })
  const before = Buffer.concat(first).toString('hex')
  for (let i = 0; i < 20_000; i++) encodeResponse(Heartbeat, 1, i, { errorCode: 2 })
  assert.is(Buffer.concat(first).toString('hex'), before)
})

test('decoded values of one message cannot change another', () => {
  const frame = received(encodeRequest(Fetch, 4, header, {}))
  const read = () => decodeRequest(Fetch, 4, decodeRequestHeader([frame], apiByKey).reader)
  const { forgottenTopicsData, replicaState } = read()
  assert.throws(() => (forgottenTopicsData as unknown[]).push(1))
  assert.throws(() => ((replicaState as { replicaId: number }).replicaId = 1))
})
