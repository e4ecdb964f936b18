import { readdirSync } from 'node:fs'
import { decodeMessage, encodeMessage } from '../../lib/protocol/codec.ts'
import { assert, suite } from '../support/suite.ts'
import { allFixtures, plain, wireFolder, withFallbacks } from './support/fixtures.ts'

const test = suite('fixtures')

for (const { name, fixtures } of allFixtures()) {
  test(`${name}: Kafka's bytes decode to Kafka's values, and encode to the same bytes`, () => {
    for (const { name, message, version, bytes, value } of fixtures) {
      const decoded = decodeMessage(message, version, bytes)
      const expected = withFallbacks(message.fields, value)
      assert.equal(plain(message.fields, decoded), expected, name)
      const encoded = Buffer.from(encodeMessage(message, version, decoded))
      assert.is(encoded.toString('hex'), bytes.toString('hex'), name)
    }
  })
}

test('the fields of a decoded message stand in the order of its schema, in every version', () => {
  for (const { fixtures } of allFixtures()) {
    for (const { name, message, version, bytes } of fixtures) {
      const names = Object.keys(decodeMessage(message, version, bytes))
      assert.equal(names, Object.keys(message.fields), name)
    }
  }
})

test('every fixture belongs to a message and version that is declared', () => {
  const read = new Set(allFixtures().flatMap(({ fixtures }) => fixtures.map(({ file }) => file)))
  const headers = /^(request|response)-header\//
  const files = readdirSync(wireFolder, { recursive: true, encoding: 'utf8' })
  const unread = files.filter(
    (name) => name.endsWith('.hex') && !headers.test(name) && !read.has(name),
  )
  assert.equal(unread, [])
})
