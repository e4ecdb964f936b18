/** Bytes that a broker must survive, each with what the sender is to see. */

import { randomBytes } from 'node:crypto'
import { ApiVersions } from '../../../lib/protocol/apis/api-versions.ts'
import { CreateTopics } from '../../../lib/protocol/apis/create-topics.ts'
import { Fetch } from '../../../lib/protocol/apis/fetch.ts'
import { Metadata } from '../../../lib/protocol/apis/metadata.ts'
import { Produce } from '../../../lib/protocol/apis/produce.ts'
import { encodeRequest } from '../../../lib/protocol/codec.ts'
import type { Api, Encodable, RequestOf } from '../../../lib/protocol/schema.ts'
import { batchAt, batchCrc } from '../../../lib/record/batch.ts'
import { BatchBuilder } from '../../../lib/record/builder.ts'
import { type Codec, codecs, compress } from '../../../lib/record/compression.ts'

export interface Attack {
  readonly what: string
  readonly bytes: Uint8Array
  /** open: more could follow, so the broker waits. any: whatever the bytes happen to mean. */
  readonly expected: 'closed' | 'open' | 'answered' | 'any'
}

const limit = 100 * 1024 * 1024
const header = { correlationId: 7, clientId: 'hostile' }

/** A request, with its size. */
export function request<A extends Api>(
  api: A,
  version: number,
  body: Encodable<RequestOf<A>>,
  correlationId = header.correlationId,
): Buffer {
  return Buffer.concat(encodeRequest(api, version, { ...header, correlationId }, body))
}

function int32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) bytes.writeInt32BE(value, 4 * index)
  return bytes
}

/** Size, key, version, correlation id, client id, then whatever. */
function frame(key: number, version: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(10)
  head.writeInt16BE(key)
  head.writeInt16BE(version, 2)
  head.writeInt32BE(7, 4)
  head.writeInt16BE(-1, 8)
  return Buffer.concat([int32(head.length + body.length), head, body])
}

/** The same with the empty tag list of the newer header. */
const flexible = (key: number, version: number, body: Uint8Array) =>
  frame(key, version, Buffer.concat([Buffer.from([0]), body]))

const bytes = (...values: number[]) => Buffer.from(values)
const longVarint = bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)
const hugeVarint = bytes(0xff, 0xff, 0xff, 0xff, 0x07)
const zeros = Buffer.alloc(64)

const closed = (what: string, sent: Uint8Array): Attack => ({
  what,
  bytes: sent,
  expected: 'closed',
})

export const attacks: readonly Attack[] = [
  closed('HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')),
  closed(
    'a TLS hello',
    Buffer.concat([bytes(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3), randomBytes(505)]),
  ),
  closed('an SSH banner', Buffer.from('SSH-2.0-OpenSSH_9.2p1\r\n')),
  closed('length -1', int32(-1)),
  closed('length -2147483648', int32(-(2 ** 31))),
  closed('length 2147483647', int32(2 ** 31 - 1)),
  closed('length limit + 1', int32(limit + 1)),
  closed('length 0', int32(0)),
  closed('many empty frames', Buffer.alloc(65_536)),
  closed('length 1', bytes(0, 0, 0, 1, 0)),
  closed('half a header', bytes(0, 0, 0, 5, 0, 3, 0, 1, 0)),
  { what: 'length limit, and nothing', bytes: int32(limit), expected: 'open' },
  { what: 'half a length', bytes: bytes(0, 0), expected: 'open' },
  { what: 'half a frame', bytes: Buffer.concat([int32(100), zeros]), expected: 'open' },
  closed('random bytes', Buffer.concat([bytes(0x7f), randomBytes(4096)])),
  closed('a frame of random bytes', Buffer.concat([int32(4096), randomBytes(4096)])),
  closed('an unknown API', frame(999, 0, zeros)),
  closed('API -1', frame(-1, 0, zeros)),
  closed('an API of a cluster that is not served', frame(4, 0, zeros)),
  closed('version 999', frame(Metadata.key, 999, zeros)),
  closed('version -1', frame(Metadata.key, -1, zeros)),
  { what: 'ApiVersions 99', bytes: frame(ApiVersions.key, 99, zeros), expected: 'answered' },
  closed(
    'the old header with a new version',
    frame(Metadata.key, 12, bytes(0x7f, 0xff, 0xff, 0xff)),
  ),
  {
    what: 'the new header with an old version',
    bytes: flexible(Metadata.key, 1, int32(1, 2)),
    expected: 'any',
  },
  closed(
    'a client id longer than the frame',
    Buffer.concat([int32(10), bytes(0, 3, 0, 1, 0, 0, 0, 7, 0x7f, 0xff)]),
  ),
  closed(
    'client id of length -2',
    Buffer.concat([int32(10), bytes(0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xfe)]),
  ),
  closed('2147483647 topics', frame(Metadata.key, 1, int32(2 ** 31 - 1))),
  closed('-2147483648 topics', frame(Metadata.key, 1, int32(-(2 ** 31)))),
  closed(
    '2147483647 topics to produce to',
    frame(Produce.key, 3, Buffer.concat([bytes(0xff, 0xff, 0xff, 0xff), int32(1000, 2 ** 31 - 1)])),
  ),
  closed(
    '2147483647 topics to fetch',
    frame(Fetch.key, 4, Buffer.concat([int32(-1, 100, 1, 1000), bytes(0), int32(2 ** 31 - 1)])),
  ),
  closed('2147483647 topics to make', frame(CreateTopics.key, 0, int32(2 ** 31 - 1))),
  closed(
    '4294967295 topics, compact',
    flexible(Metadata.key, 12, Buffer.concat([hugeVarint, zeros])),
  ),
  closed('a varint of 12 bytes', flexible(Metadata.key, 12, longVarint)),
  closed('a varint of 12 bytes in the header', frame(Metadata.key, 12, longVarint)),
  closed('2147483647 tags', frame(Metadata.key, 12, hugeVarint)),
  closed(
    'a tag of 2147483647 bytes',
    frame(Metadata.key, 12, Buffer.concat([bytes(1, 5), hugeVarint])),
  ),
  closed('records of 2147483647 bytes', produceOfSize(2 ** 31 - 1)),
  closed('records of -2 bytes', produceOfSize(-2)),
]

function produceOfSize(size: number): Buffer {
  const topic = Buffer.concat([bytes(0, 1), Buffer.from('t')])
  const body = [bytes(0xff, 0xff, 0xff, 0xff), int32(1000, 1), topic, int32(1, 0, size)]
  return frame(Produce.key, 3, Buffer.concat(body))
}

/**
 * Batches that are whole frames, to be refused with an error code. Not so where only what is `inside`
 * is bad: the broker passes records on as they are, and a reader finds out.
 */
export function badBatches(): [what: string, batch: Uint8Array, where?: 'inside'][] {
  const edit = (change: (batch: Buffer) => void, { repairs = true } = {}) => {
    const builder = new BatchBuilder({ codec: 'none' })
    builder.append(Date.now(), Buffer.from('key'), Buffer.from('value'), [])
    builder.append(Date.now(), null, Buffer.from('value'), [])
    const batch = Buffer.from(builder.build({}))
    change(batch)
    if (repairs) batch.writeUInt32BE(batchCrc(batchAt(batch)), 17)
    return batch
  }
  return [
    ['a wrong CRC', edit((batch) => batch.writeUInt8(1, batch.length - 1), { repairs: false })],
    ['magic 3', edit((batch) => batch.writeUInt8(3, 16), { repairs: false })],
    ['a count of 2147483647', edit((batch) => batch.writeInt32BE(2 ** 31 - 1, 57))],
    ['a count of -1', edit((batch) => batch.writeInt32BE(-1, 57))],
    ['a last offset of 2147483647', edit((batch) => batch.writeInt32BE(2 ** 31 - 1, 23))],
    ['a control batch', edit((batch) => batch.writeInt16BE(0x20, 21))],
    ['a codec that is none', edit((batch) => batch.writeInt16BE(7, 21))],
    ['gzip that is none', edit((batch) => batch.writeInt16BE(1, 21)), 'inside'],
    ['lz4 that is none', edit((batch) => batch.writeInt16BE(3, 21)), 'inside'],
    ['a record of 2147483647 bytes', edit((batch) => void hugeVarint.copy(batch, 61)), 'inside'],
    [
      'a batch longer than its records',
      edit((batch) => batch.writeInt32BE(2 ** 31 - 1, 8), { repairs: false }),
    ],
    ['a batch of 1 byte', edit((batch) => batch.writeInt32BE(1, 8), { repairs: false })],
    ['a decompression bomb', bomb('gzip'), 'inside'],
  ]
}

/** 160 MiB of zeros in much less (snappy 8 MB, lz4 640 KB, gzip 160 KB, zstd 10 KB), which say that they are one record. */
export function bomb(codec: Codec): Buffer {
  const packed = compress(codec, Buffer.alloc(160 * 1024 * 1024))
  const builder = new BatchBuilder({ codec: 'none' })
  builder.append(Date.now(), null, Buffer.from('x'), [])
  const head = Buffer.from(builder.build({})).subarray(0, 61)
  const batch = Buffer.concat([head, packed])
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt16BE(codecs.indexOf(codec), 21)
  batch.writeUInt32BE(batchCrc(batchAt(batch)), 17)
  return batch
}

export function produceRequest(topic: string, batch: Uint8Array, correlationId: number): Buffer {
  const partitionData = [{ index: 0, records: [batch] }]
  return request(
    Produce,
    9,
    { acks: -1, timeoutMs: 5000, topicData: [{ name: topic, partitionData }] },
    correlationId,
  )
}

export function fetchRequest(topic: string, correlationId: number): Buffer {
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1024 * 1024 }]
  return request(
    Fetch,
    11,
    {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 50 * 1024 * 1024,
      topics: [{ topic, partitions }],
    },
    correlationId,
  )
}
