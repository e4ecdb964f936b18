import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { apiNames, apis } from '../../lib/protocol/apis/index.ts'
import { metadataRecords } from '../../lib/protocol/metadata/records.ts'
import { array, int16, int32, message, string, struct } from '../../lib/protocol/schema.ts'
import { assert, suite } from '../support/suite.ts'
import {
  type DefinedField,
  type Definition,
  differences,
  readDefinitions,
} from './support/definitions.ts'

const test = suite('schemas')

const newest = join(process.cwd(), '../shared/kafka-messages-4.3.1')
const older = join(process.cwd(), '../shared/kafka-messages')

if (existsSync(newest) && existsSync(older)) {
  const folders = [readDefinitions(newest), readDefinitions(older)]
  const named = (name: string) => folders.flatMap((folder) => folder.get(name) ?? [])

  for (const api of apis) {
    test(`${api.name} is as Kafka defines it, in every version`, () => {
      const [request] = named(api.request.name)
      assert.is(request?.apiKey, api.key)
      assert.equal(differences(api.request, named(api.request.name)), [])
      // A response that names more versions than its request is never sent in those.
      const responses = named(api.response.name)
      const others = differences(api.response, responses).filter(
        (line) => !line.endsWith('defined, not declared'),
      )
      assert.equal(others, [])
    })
  }

  const records = [
    readDefinitions(join(newest, 'metadata')),
    readDefinitions(join(older, 'metadata')),
  ]
  for (const record of metadataRecords) {
    test(`${record.name} is as Kafka defines it, in every version`, () => {
      const defined = records.flatMap((folder) => folder.get(record.name) ?? [])
      assert.is(defined[0]?.apiKey, record.key)
      assert.equal(differences(record, defined), [])
    })
  }

  test('every key that Kafka defines has its name', () => {
    for (const { apiKey, name } of folders[0]?.values() ?? []) {
      if (apiKey === undefined || !name.endsWith('Request')) continue
      assert.is(apiNames.get(apiKey), name.replace(/Request$/, ''))
    }
    for (const { key, name } of apis) assert.is(apiNames.get(key), name)
  })

  test('every kind of metadata record is declared', () => {
    const defined = [...(records[0]?.values() ?? [])].map(({ apiKey }) => apiKey)
    assert.equal(
      defined.sort((a = 0, b = 0) => a - b),
      metadataRecords.map(({ key }) => key),
    )
  })
} else {
  test.skip('schemas against Kafka', `${newest} and ${older} do not both exist`)
}

const declared = message({
  name: 'Sample',
  versions: [0, 2],
  flexible: 2,
  fields: {
    name: string({ nullableSince: 1, fallback: null }),
    code: int16({ since: 1, ignorable: true }),
    groups: array(struct({ epoch: int32({ fallback: -1 }), size: int32() }), { since: 2, tag: 0 }),
  },
})

/** The definition that `declared` follows, with fields replaced. */
function defined(changes: { [path: string]: object } = {}, top: object = {}): Definition {
  const field = (path: string, given: DefinedField): DefinedField => ({
    ...given,
    ...changes[path],
  })
  const epoch = field('epoch', { name: 'Epoch', type: 'int32', versions: '2+', default: '-1' })
  const size = field('size', { name: 'Size', type: 'int32', versions: '2+' })
  const name = {
    name: 'Name',
    type: 'string',
    versions: '0+',
    nullableVersions: '1+',
    default: 'null',
  }
  const code = { name: 'Code', type: 'int16', versions: '1+', ignorable: true }
  const groups = { name: 'Groups', type: '[]Group', versions: '2+', taggedVersions: '2+', tag: 0 }
  const fields = [
    field('name', name),
    field('code', code),
    field('groups', { ...groups, fields: [epoch, size] }),
  ]
  const versions = { validVersions: '0-2', flexibleVersions: '2+' }
  return { name: 'Sample', ...versions, fields, ...top }
}

test('the check accepts a schema that follows its definition', () => {
  assert.equal(differences(declared, [defined()]), [])
})

for (const [what, changes, top, expected] of [
  ['type', { code: { type: 'int8' } }, {}, 'v1: expected code: int8 = 0'],
  ['name', { code: { name: 'Kind' } }, {}, 'v1: expected kind: int16 = 0'],
  ['first version', { code: { versions: '2+' } }, {}, 'v1: declared code: int16 = 0'],
  ['last version', { code: { versions: '1' } }, {}, 'v2: declared code: int16 = 0'],
  [
    'nullability',
    { name: { nullableVersions: '0+' } },
    {},
    'v0: expected name: string nullable = null',
  ],
  ['default', { epoch: { default: '0' } }, {}, 'v2: expected groups.epoch: int32 = 0'],
  ['tag', { groups: { tag: 1 } }, {}, 'v2: expected groups: []struct tag 1 = empty'],
  [
    'tagged version',
    { groups: { taggedVersions: '3+' } },
    {},
    'v2: expected groups: []struct = empty',
  ],
  ['ignorable', { code: { ignorable: false } }, {}, 'code: ignorable is false'],
  ['flexible version', {}, { flexibleVersions: '1+' }, 'v1: expected flexible: true'],
  ['newest version', {}, { validVersions: '0-3' }, 'v3: defined, not declared'],
  ['unstable version', {}, { latestVersionUnstable: true }, 'v2: declared, not defined'],
  ['extra version', {}, { validVersions: '1-2' }, 'v0: declared, not defined'],
] as const) {
  test(`the check finds a different ${what}`, () => {
    const found = differences(declared, [defined(changes, top)])
    assert.ok(found.includes(`Sample ${expected}`), found.join('\n'))
  })
}

test('the check finds fields in another order', () => {
  const { fields } = defined()
  const swapped = { ...defined(), fields: [...fields].reverse() }
  assert.equal(differences(declared, [swapped]).filter((line) => line.includes('order')).length, 2)
})

test('of two definitions of a version the first decides', () => {
  const old = defined({ code: { type: 'int8' } })
  assert.equal(differences(declared, [defined({}, { validVersions: '1-2' }), old]), [])
  assert.ok(differences(declared, [old, defined()]).length > 0)
})
