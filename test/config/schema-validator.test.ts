/** JSON Schemas of topics: what fits, what is no schema, and that no schema can ask for too much. */

import { SettingError } from '../../lib/base/setting.ts'
import { schemaFormats } from '../../lib/config/schema-formats.ts'
import { schemaBytesMax } from '../../lib/config/schema-limits.ts'
import { compileSchema, StepsExceededError } from '../../lib/config/schema-validator.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('schema validator')
const plenty = 20_000_000

async function problem(schema: unknown, value: unknown): Promise<string | null> {
  const { meter, check } = await compileSchema(JSON.stringify(schema))
  meter.left = plenty
  return check(value)
}

const draft7 = 'http://json-schema.org/draft-07/schema#'
const draft2019 = 'https://json-schema.org/draft/2019-09/schema'
const order = {
  type: 'object',
  properties: { id: { type: 'integer' }, price: { type: 'number', minimum: 0 } },
  required: ['id'],
  additionalProperties: false,
}
const tree = {
  $dynamicAnchor: 'node',
  properties: { value: { type: 'number' }, children: { items: { $dynamicRef: '#node' } } },
}
const values: readonly (readonly [schema: unknown, value: unknown, problem: string | null])[] = [
  [true, 1, null],
  [false, 1, 'the schema lets nothing pass'],
  [{}, null, null],
  [order, { id: 1, price: 2.5 }, null],
  [order, { id: 1, price: 'x' }, '/price must be number'],
  [order, { id: 1, price: -1 }, '/price must be >= 0'],
  [order, {}, "must have required property 'id'"],
  [order, { id: 1, extra: 1 }, 'must NOT have additional properties: "extra"'],
  [order, 'text', 'must be object'],
  [{ prefixItems: [{ type: 'string' }] }, [1], '/0 must be string'],
  [{ $schema: draft7, items: [{ type: 'string' }] }, [1], '/0 must be string'],
  [{ $schema: draft2019, unevaluatedProperties: false }, { a: 1 }, 'must NOT have unevaluated properties: "a"'],
  [{ $defs: { a: { type: 'string' } }, properties: { b: { $ref: '#/$defs/a' } } }, { b: 1 }, '/b must be string'],
  [{ $defs: { a: { $anchor: 'a', type: 'string' } }, items: { $ref: '#a' } }, [1], '/0 must be string'],
  [{ $id: 'https://example.com/order', $defs: { 'a/b': { type: 'string' } }, items: { $ref: '#/$defs/a~1b' } }, [1], '/0 must be string'],
  [{ $defs: { a: false }, items: { $ref: '#/$defs/a' } }, [1], '/0 boolean schema is false'],
  [tree, { value: 1, children: [{ value: 2, children: [{ value: 'x' }] }] }, '/children/0/children/0/value must be number'],
  [{ pattern: '^[a-z]+-\\d+$' }, 'abc-12', null],
  [{ pattern: '^[a-z]+-\\d+$' }, 'abc', 'must match pattern "^[a-z]+-\\d+$"'],
  [{ pattern: '^\\u0061$' }, 'a', null],
  [{ patternProperties: { '^n': { type: 'number' } } }, { n1: 'x' }, '/n1 must be number'],
  [{ uniqueItems: true }, [{ a: 1, b: 2 }, { b: 2, a: 1 }], 'must not have items twice'],
  [{ uniqueItems: true }, [1, '1', [1], { 1: 1 }, null, true], null],
  [{ uniqueItems: false }, [1, 1], null],
  [{ required: ['toString'] }, {}, "must have required property 'toString'"],
  [{ properties: { constructor: { type: 'string' } } }, {}, null],
  [{ enum: [{ a: [1] }, 2] }, { a: [1] }, null],
  [{ const: 3 }, 4, 'must be equal to constant'],
  [{ oneOf: [{ type: 'string' }, { minLength: 2 }] }, 1, null],
  [{ format: 'date-time' }, '2026-02-30T00:00:00Z', 'must match format "date-time"'],
  [{ 'x-owner': { team: 'billing' }, title: 'unknown words are notes' }, 1, null],
] // biome-ignore format: a table
for (const [schema, value, expected] of values) {
  test(`${JSON.stringify(schema)} with ${JSON.stringify(value)}`, async () => {
    assert.is(await problem(schema, value), expected)
  })
}

const noSchemas: readonly (readonly [what: string, text: string, message: RegExp])[] = [
  ['no JSON', '{"type":', /^expected a JSON Schema, got what is not JSON/],
  ['nothing', '', /not JSON/],
  ['a list', '[]', /got a list$/],
  ['a word', '"string"', /got a string$/],
  ['too large', `{"a":"${'x'.repeat(schemaBytesMax)}"}`, /at most 65536/],
  ['too deep', `${'{"not":'.repeat(64)}{}${'}'.repeat(64)}`, /deeper than 64/],
  ['too deep to be read', '['.repeat(60_000) + ']'.repeat(60_000), /at most|deeper|list/],
  ['too many subschemas', JSON.stringify({ anyOf: Array.from({ length: 1000 }, () => ({})) }), /more than 1000/],
  ['an unknown type', '{"properties":{"a":{"type":"strng"}}}', /^at \/properties\/a\/type: must be equal to one of/],
  ['an unknown draft', '{"$schema":"http://json-schema.org/draft-04/schema#"}', /^at \/\$schema: got .*expected https/],
  ['an unknown format', '{"properties":{"tel":{"format":"phone"}}}', /^at \/properties\/tel: unknown format "phone"; known: date, /],
  ['a look-ahead', '{"items":{"pattern":"(?=a)"}}', /^at \/items\/pattern: "\(\?=a\)" is no RE2 expression/],
  ['a long pattern', JSON.stringify({ pattern: 'x'.repeat(1001) }), /1001 characters, at most 1000/],
  ['large patterns', JSON.stringify({ patternProperties: { '[^x]{1000}[^y]{1000}': {}, '(.{1000}){1}': {}, ['a{999}'.repeat(20)]: {} } }), /^at \/patternProperties: .* repeat too much$/],
  ['a reference out of it', '{"items":{"$ref":"other.json"}}', /^at \/items\/\$ref: "other.json" leads out of the schema/],
  ['a reference to data', '{"const":{"type":"string"},"items":{"$ref":"#/const"}}', /^at \/items\/\$ref: "#\/const" leads to no subschema/],
  ['a reference to a note', '{"x":{"a":{}},"$ref":"#/x/a"}', /leads to no subschema/],
  ['an anchor in a note', '{"x":{"$anchor":"a"},"$ref":"#a"}', /leads to no subschema/],
  ['an inner $id', '{"items":{"$id":"b"}}', /^at \/items: an \$id is possible at the top only/],
  ['$async', '{"$async":true}', /\$async/],
  ['our own keyword', '{"ottla:steps":[0,0]}', /ottla:steps/],
] // biome-ignore format: a table
for (const [what, text, message] of noSchemas) {
  test(`${what} is no schema`, async () => {
    const error = await rejection(compileSchema(text))
    assert.instance(error, SettingError)
    assert.match(error.message, message)
    assert.ok(error.message.length < 500)
  })
}

/** Sixty levels, of which each asks twice for the next: 2^60 evaluations from four kilobytes. */
function doubling(keyword: string, leaf: unknown) {
  const levels = Array.from({ length: 60 }, (_, level) => {
    const next = { $ref: `#/$defs/a${level + 1}` }
    return [`a${level}`, { [keyword]: [next, next] }] as const
  })
  return { $ref: '#/$defs/a0', $defs: { ...Object.fromEntries(levels), a60: leaf } }
}

const many = (count: number, one: unknown) => Array.from({ length: count }, () => one)
const numbers = Array.from({ length: 100_000 }, (_, index) => index)
const properties = Object.fromEntries(numbers.map((index) => [`x${index}`, index]))
const costly: readonly (readonly [what: string, schema: unknown, value: unknown])[] = [
  ['doubling anyOf', doubling('anyOf', { type: 'string' }), 1],
  ['doubling oneOf', doubling('oneOf', { type: 'string' }), 1],
  ['doubling allOf', doubling('allOf', { type: 'number' }), 1],
  ['many loops', { allOf: many(490, { items: { type: 'number' } }) }, numbers],
  ['a long loop', { items: { allOf: many(900, { type: 'number' }) } }, numbers],
  ['many counts', { allOf: many(900, { minProperties: 1 }) }, properties],
  ['many lengths', { allOf: many(900, { minLength: 1 }) }, 'x'.repeat(1_000_000)],
  ['many searches', { patternProperties: { 'x+x+y': {}, 'x+y+x': {}, '(x|xx)+z': {} } }, { ['x'.repeat(5_000_000)]: 1 }],
  ['many comparisons', { enum: numbers.slice(0, 900).map((index) => ({ index })) }, properties],
  ['unique items', { allOf: many(900, { uniqueItems: true }) }, numbers],
] // biome-ignore format: a table
for (const [what, schema, value] of costly) {
  test(`${what}: stopped in time`, async () => {
    const { meter, check } = await compileSchema(JSON.stringify(schema))
    meter.left = 2_000_000
    assert.throws(() => check(value), (error: unknown) => error instanceof StepsExceededError) // biome-ignore format: one line
  })
}

test('a schema that refers to itself fills the stack, and no more', async () => {
  for (const schema of [{ $ref: '#' }, { allOf: [{ $ref: '#' }] }]) {
    const { meter, check } = await compileSchema(JSON.stringify(schema))
    meter.left = plenty
    assert.throws(() => check(1), (error: unknown) => error instanceof RangeError) // biome-ignore format: one line
  }
})

test('an ordinary value takes few steps', async () => {
  const { meter, check } = await compileSchema(JSON.stringify(order))
  meter.left = 1000
  assert.is(check({ id: 1, price: 2 }), null)
  assert.ok(meter.left > 900, `${1000 - meter.left} steps`)
})

const formats: readonly (readonly [name: string, good: readonly string[], bad: readonly string[]])[] = [
  ['date', ['2026-11-21', '2024-02-29', '2000-02-29'], ['2026-02-29', '1900-02-29', '2026-13-01', '2026-1-1', '2026-01-00', '2026-04-31']],
  ['time', ['23:59:59Z', '00:00:00.123+02:00', '23:59:60Z'], ['24:00:00Z', '12:00:00', '12:00Z', '12:60:00Z']],
  ['date-time', ['2026-11-21T10:00:00Z', '2026-11-21t10:00:00.5-01:30'], ['2026-11-21', '2026-11-21X10:00:00Z', '2026-11-31T10:00:00Z']],
  ['duration', ['P1D', 'PT1H30M', 'P3W', 'P1Y2M3DT4S'], ['P', 'PT', '1D', 'P1S', 'P1DT']],
  ['email', ['a@b.example', 'first.last+tag@example.com'], ['a', '@b', 'a@', 'a b@c', 'a@-b.c', 'a@b..c']],
  ['hostname', ['localhost', 'a-b.example'], ['', 'a_b', '-a', 'a.', `${'a'.repeat(64)}.b`]],
  ['ipv4', ['127.0.0.1', '255.255.255.255'], ['1.2.3', '256.0.0.1', '01.2.3.4', '1.2.3.4.5']],
  ['ipv6', ['::', '::1', '2001:db8::1', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4'], [':', ':::', '1:2:3:4:5:6:7', '1::2::3', 'g::', '1.2.3.4', ':1:2:3:4:5:6:7:8']],
  ['uri', ['https://example.com/a?b=c#d', 'urn:isbn:1', 'mailto:a@b'], ['/a', 'a b:c', 'https://a/%zz', '']],
  ['uuid', ['1b4e28ba-2fa1-11d2-883f-0016d3cca427'], ['1b4e28ba', '1b4e28ba-2fa1-11d2-883f-0016d3cca42g']],
] // biome-ignore format: a table
for (const [name, good, bad] of formats) {
  test(`format ${name}`, () => {
    const is = schemaFormats.get(name) ?? (() => false)
    assert.equal(good.filter((text) => !is(text)), []) // biome-ignore format: one line
    assert.equal(bad.filter((text) => is(text)), []) // biome-ignore format: one line
  })
}

test('each format has cases', () => {
  assert.equal(formats.map(([name]) => name).sort(), [...schemaFormats.keys()].sort())
})
