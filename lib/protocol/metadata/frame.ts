/**
 * The value of a record in `__cluster_metadata-0`: a frame around one of the messages of
 * records.ts.
 *
 *   | frame version (1): varint | key: varint | version: varint | message |
 *
 * Source: apache/kafka: server-common/.../serialization/AbstractApiMessageSerde.java.
 */

import type { Chunks } from '../../base/bytes.ts'
import { encodeMessage, readMessage } from '../codec.ts'
import { Reader } from '../reader.ts'
import type { Encodable, Fields, MessageOf } from '../schema.ts'
import { Writer } from '../writer.ts'
import { metadataRecords, type RecordSchema } from './records.ts'

type Schema = (typeof metadataRecords)[number]

/** A record with its kind: `name` tells the type of `value`. */
export type MetadataRecord = {
  [N in Schema['name']]: {
    readonly name: N
    readonly version: number
    readonly value: MessageOf<Extract<Schema, { readonly name: N }>>
  }
}[Schema['name']]

/** Reads a framed record; DecodeError for another frame version and for kinds that are not known. */
export function decodeMetadataRecord(chunks: Chunks): MetadataRecord {
  const reader = new Reader(chunks)
  const frameVersion = reader.unsignedVarint()
  if (frameVersion !== 1) throw reader.malformed(`frame version ${frameVersion}, expected 1`, 1)
  const key = reader.unsignedVarint()
  const schema: RecordSchema | undefined = metadataRecords.find((known) => known.key === key)
  if (schema === undefined) throw reader.malformed(`a metadata record of unknown key ${key}`)
  const version = reader.unsignedVarint()
  const value = readMessage(schema, version, reader)
  return { name: schema.name, version, value } as MetadataRecord
}

/** The framed bytes of a record. */
export function encodeMetadataRecord<F extends Fields>(
  schema: RecordSchema<string, F>,
  version: number,
  value: Encodable<MessageOf<RecordSchema<string, F>>>,
): Uint8Array {
  const writer = new Writer()
  for (const part of [1, schema.key, version]) writer.unsignedVarint(part)
  writer.bytes(encodeMessage(schema, version, value))
  return Buffer.concat(writer.finish())
}
