/** Counting steps changes nothing: chance schemas say of chance values what plain ajv says. */

import { Ajv2020 } from 'ajv/dist/2020.js'
import * as fc from 'fast-check'
import { compileSchema } from '../../lib/config/schema-validator.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('schema steps')

const name = fc.constantFrom('a', 'b', 'c')
const scalar = fc.oneof(fc.constantFrom('', 'a', 'ab', 'abc'), fc.integer({ min: -2, max: 3 }), fc.constantFrom(true, null, 1.5)) // biome-ignore format: one line
const holdsOne = [
  ...['not', 'if', 'then', 'else', 'items', 'contains', 'propertyNames'],
  ...['additionalProperties', 'unevaluatedProperties', 'unevaluatedItems'],
]
const byKeyword = <T>(keywords: readonly string[], one: T): Record<string, T> =>
  Object.fromEntries(keywords.map((keyword) => [keyword, one]))
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(name, tie('value'), { maxKeys: 3 }),
  ),
}))
const type = fc.constantFrom('string', 'number', 'integer', 'array', 'object', 'boolean', 'null')
const { schema } = fc.letrec((tie) => {
  const one = tie('schema')
  const some = fc.array(one, { minLength: 1, maxLength: 3 })
  return {
    schema: fc.oneof(
      { depthSize: 'small', maxDepth: 4 },
      fc.constantFrom(true, false, {}),
      fc.record({ $ref: fc.constantFrom('#/$defs/x', '#/$defs/y') }),
      fc.record(
        {
          ...{ type, const: value, enum: fc.array(value, { minLength: 1, maxLength: 3 }) },
          ...{ minLength: fc.nat(3), maxLength: fc.nat(3), pattern: fc.constantFrom('a', '^ab?$') },
          ...{ minimum: fc.nat(2), multipleOf: fc.constantFrom(1, 2) },
          ...{ minItems: fc.nat(2), uniqueItems: fc.boolean(), minProperties: fc.nat(2) },
          ...{ required: fc.uniqueArray(name, { maxLength: 2 }) },
        },
        { requiredKeys: [] },
      ),
      fc.record(
        {
          ...byKeyword(holdsOne, one),
          ...byKeyword(['allOf', 'anyOf', 'oneOf', 'prefixItems'], some),
          ...{ properties: fc.dictionary(name, one, { maxKeys: 2 }) },
          ...{
            patternProperties: fc.dictionary(fc.constantFrom('a', '[bc]'), one, { maxKeys: 2 }),
          },
          ...{ dependentSchemas: fc.dictionary(name, one, { maxKeys: 2 }) },
        },
        { requiredKeys: [] },
      ),
    ),
  }
})
const asJson = <T>(given: T): T => JSON.parse(JSON.stringify(given)) as T
/** References go from one definition to the next, so that none goes in circles. */
const whole = fc.record({ top: schema, x: schema, y: type }).map(({ top, x, y }) => ({
  $defs: { x: JSON.parse(JSON.stringify(x).replaceAll('$defs/x', '$defs/y')) as object, y: { type: y } },
  allOf: [top],
})) // biome-ignore format: one line

test('a schema with counted steps says what it said without', () =>
  fc.assert(
    fc.asyncProperty(whole, fc.array(value, { minLength: 8, maxLength: 8 }).map(asJson), async (given, values) => {
      const root = asJson(given)
      const plain = new Ajv2020({ strict: false, ownProperties: true, logger: false }).compile(root)
      const { meter, check } = await compileSchema(JSON.stringify(root))
      for (const each of values) {
        meter.left = 1_000_000
        assert.is(check(each) === null, plain(each))
      }
    }),
    { numRuns: 60 },
  )) // biome-ignore format: one line
