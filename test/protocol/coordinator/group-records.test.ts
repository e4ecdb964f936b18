import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DecodeError } from '../../../lib/base/errors.ts'
import { GroupMetadata } from '../../../lib/protocol/coordinator/classic-group-records.ts'
import {
  decodeGroupRecord,
  encodeGroupRecord,
  groupRecordKinds,
} from '../../../lib/protocol/coordinator/group-records.ts'
import { OffsetCommit } from '../../../lib/protocol/coordinator/offset-records.ts'
import type { RecordKind } from '../../../lib/protocol/coordinator/record-kind.ts'
import { assert, suite } from '../../support/suite.ts'
import { differences, readDefinitions } from '../support/definitions.ts'

const test = suite('group records')

// A hash of 64 bits, which is declared as a float64: it is only compared (consumer-group-records.ts).
const folder = join(process.cwd(), '../shared/kafka-messages-4.3.1/group-coordinator')

if (existsSync(folder)) {
  const definitions = readDefinitions(folder)
  for (const kind of groupRecordKinds) {
    for (const message of [kind.key, kind.value]) {
      test(`${message.name} is as Kafka defines it, in every version`, () => {
        const defined = definitions.get(message.name)
        assert.ok(defined, `${message.name} is not defined`)
        assert.is(defined?.apiKey, kind.id)
        const found = differences(message, defined ? [defined] : [])
        assert.equal(
          found.filter((line) => !line.includes('metadataHash')),
          [],
        )
      })
    }
  }

  test('every kind of classic and consumer groups is declared', () => {
    const ids = [...definitions.values()]
      .filter(({ name }) => name.endsWith('Key') && !/^(Share|Streams)/.test(name))
      .map(({ apiKey = -1 }) => apiKey)
    assert.equal(
      ids.sort((a, b) => a - b),
      groupRecordKinds.map(({ id }) => id),
    )
  })
} else {
  test.skip('group records against Kafka', `${folder} does not exist`)
}

test('an offset is the bytes that Kafka writes', () => {
  const { key, value } = encodeGroupRecord(
    OffsetCommit,
    { group: 'g', topic: 't', partition: 3 },
    { offset: 5, leaderEpoch: 2, metadata: 'm', commitTimestamp: 7 },
  )
  assert.is(hex(key), ['0001', '000167', '000174', '00000003'].join(''))
  const offset = '0000000000000005'
  assert.is(hex(value), `0004${offset}00000002026d000000000000000700`)
})

test('a group is written in version 3, which older tools read', () => {
  const { value } = encodeGroupRecord(
    GroupMetadata,
    { group: 'g' },
    { protocolType: 'consumer', protocol: null, leader: null },
  )
  assert.is(hex(value).slice(0, 4), '0003')
})

// What Apache Kafka 4.3.1 wrote for a console consumer with group.protocol=consumer: key and value.
const group = '00026367'
const memberId = '001650756c6339437441535a2d35544d783147566d586277'
const topicId = '1fff3d6002bc4709ab0c5bde778d9747'
const kafkas = [
  [
    `0005${group}${memberId}`,
    '0000000011636f6e736f6c652d636f6e73756d65720b2f3132372e302e302e3102027401000493e00001000100',
  ],
  [`0003${group}`, '000000000002010008b8a7f33348c933a2'],
  [`0003${group}`, '00000000000300'],
  [`0007${group}${memberId}`, `000002${topicId}040000000000000001000000020000`],
  [`0006${group}`, '000000000002010008000001a1fec6527e'],
  [
    `0008${group}${memberId}`,
    `0000000000020000000000` +
      `02${topicId}0400000000000000010000000201000d040000000200000002000000020100`,
  ],
  [`0001${group}00017400000002`, `000400000000000000010000000001000001a1fec65379010010${topicId}`],
  [`0008${group}${memberId}`, null],
] as const

for (const [key, value] of kafkas) {
  test(`a record of kind ${key.slice(0, 4)} is written again as Kafka wrote it`, () => {
    const bytes = Buffer.from(key, 'hex')
    const decoded = decodeGroupRecord({
      key: bytes,
      value: value === null ? null : Buffer.from(value, 'hex'),
    })
    const kind: RecordKind | undefined = groupRecordKinds.find(({ name }) => name === decoded?.kind)
    assert.ok(kind && decoded)
    if (kind === undefined || decoded === null) return
    const written = encodeGroupRecord(kind, decoded.key, decoded.value)
    assert.equal([hex(written.key), hex(written.value)], [key, value ?? ''])
  })
}

test('records come back as they were written', () => {
  const record = decodeGroupRecord(
    encodeGroupRecord(OffsetCommit, { group: 'g', topic: 't' }, { offset: 5, metadata: 'm' }),
  )
  assert.is(record?.kind, 'OffsetCommit')
  assert.equal(record?.key, { group: 'g', topic: 't', partition: 0 })
  assert.is(record?.kind === 'OffsetCommit' ? record.value?.offset : null, 5)
})

test('a record without a value takes back', () => {
  const record = decodeGroupRecord(encodeGroupRecord(GroupMetadata, { group: 'g' }, null))
  assert.equal(record, { kind: 'GroupMetadata', key: { group: 'g' }, value: null })
})

test('kinds that are not known are null', () => {
  assert.is(decodeGroupRecord({ key: Buffer.from('00630001', 'hex'), value: null }), null)
})

for (const [what, key, value] of [
  ['no key', '', null],
  ['a key cut short', '00010001', null],
  ['bytes after the key', '0002000167ff', null],
  ['a value without its version', '0002000167', ''],
  ['a value of a newer version', '0002000167', '0009'],
] as const) {
  test(`${what} is refused`, () => {
    const bytes = value === null ? null : Buffer.from(value, 'hex')
    assert.throws(
      () => decodeGroupRecord({ key: Buffer.from(key, 'hex'), value: bytes }),
      (error: unknown) => error instanceof DecodeError,
    )
  })
}

function hex(bytes: Uint8Array | null): string {
  return Buffer.from(bytes ?? []).toString('hex')
}
