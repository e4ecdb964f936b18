import {
  readRequestHeader,
  readResponseHeader,
  writeRequestHeader,
  writeResponseHeader,
} from '../../lib/protocol/header.ts'
import { Reader } from '../../lib/protocol/reader.ts'
import { api, message } from '../../lib/protocol/schema.ts'
import { Writer } from '../../lib/protocol/writer.ts'
import { assert, suite } from '../support/suite.ts'
import { fixturesIn } from './support/fixtures.ts'

const test = suite('header')
const body = message({ name: 'Body', versions: [0, 0], flexible: null, fields: {} })

/** An API of any key whose versions are all flexible, or none. */
function sample(key: number, flexible: number | null) {
  return api({ key, name: 'Sample', versions: [0, 0], flexible, request: {}, response: {} })
}

interface RequestValue {
  requestApiKey: number
  requestApiVersion: number
  correlationId: number
  clientId: string | null
}

for (const [version, flexible] of [
  [1, null],
  [2, -32768],
] as const) {
  test(`request header v${version} is as Kafka writes it`, () => {
    for (const { bytes, value } of fixturesIn(`request-header/v${version}.hex`, body, version)) {
      const { requestApiKey, requestApiVersion, ...rest } = value as RequestValue
      const expected = { apiKey: requestApiKey, apiVersion: requestApiVersion, ...rest }
      const known = sample(requestApiKey, flexible)
      const reader = new Reader([bytes])
      assert.equal(
        readRequestHeader(reader, () => known),
        expected,
      )
      assert.is(reader.remaining, 0)
      const writer = new Writer()
      writeRequestHeader(writer, known, expected)
      assert.is(Buffer.concat(writer.finish()).toString('hex'), bytes.toString('hex'))
    }
  })
}

for (const [version, flexible] of [
  [0, null],
  [1, 0],
] as const) {
  test(`response header v${version} is as Kafka writes it`, () => {
    for (const { bytes, value } of fixturesIn(`response-header/v${version}.hex`, body, version)) {
      const { correlationId } = value as { correlationId: number }
      const known = sample(1, flexible)
      assert.is(readResponseHeader(new Reader([bytes]), known, 0), correlationId)
      const writer = new Writer()
      writeResponseHeader(writer, known, { apiVersion: 0, correlationId })
      assert.is(Buffer.concat(writer.finish()).toString('hex'), bytes.toString('hex'))
    }
  })
}
