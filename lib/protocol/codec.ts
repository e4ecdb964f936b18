/**
 * Turns messages into bytes and back, in every version, from their schema (schema.ts). For each
 * message and version the schema is composed once into closures over what that version has
 * (decoder.ts, encoder.ts); they are kept and called from then on.
 *
 *   frame   | size: int32 | header (header.ts) | body |
 *   struct  | fields in order | flexible versions: tagged fields |
 *   tagged  | count: varint | per field: tag: varint, size: varint, payload |
 *
 * Every malformed input is a DecodeError. A value that a version cannot carry is a KafkaError
 * UNSUPPORTED_VERSION; any other value that does not fit its type is a mistake of ours.
 * Source: KIP-482; apache/kafka: generator/.../MessageDataGenerator.java.
 */

import { assert } from '../base/assert.ts'
import type { Chunks } from '../base/bytes.ts'
import { DecodeError } from '../base/errors.ts'
import { type Read, structReader } from './decoder.ts'
import { structWriter, type Write } from './encoder.ts'
import {
  readRequestHeader,
  readResponseHeader,
  writeRequestHeader,
  writeResponseHeader,
} from './header.ts'
import { Reader } from './reader.ts'
import type { Api, Encodable, Fields, Message, MessageOf, RequestOf, ResponseOf } from './schema.ts'
import { Writer } from './writer.ts'

export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
}

/** Of the lists of a request, all together: 100 MiB of them would be gigabytes of objects. */
export const requestElementsMax = 50_000

/** The frame of a request, its size included; record chunks are not copied. */
export function encodeRequest<A extends Api>(
  api: A,
  version: number,
  header: { readonly correlationId: number; readonly clientId: string | null },
  body: Encodable<RequestOf<A>>,
): Uint8Array[] {
  const writer = new Writer()
  writer.int32(0)
  writeRequestHeader(writer, api, {
    apiVersion: version,
    correlationId: header.correlationId,
    clientId: header.clientId,
  })
  codecOf(api.request, version).write(writer, body)
  return writer.finishFrame()
}

/** The frame of a response, its size included; record chunks are not copied. */
export function encodeResponse<A extends Api>(
  api: A,
  version: number,
  correlationId: number,
  body: Encodable<ResponseOf<A>>,
): Uint8Array[] {
  const writer = new Writer()
  writer.int32(0)
  writeResponseHeader(writer, api, { apiVersion: version, correlationId })
  codecOf(api.response, version).write(writer, body)
  return writer.finishFrame()
}

/**
 * The header of a request frame (without its size), and a reader that stands at the body. The
 * registry says from which version on the header is flexible; the header of a key that it does not
 * know is read as plain.
 */
export function decodeRequestHeader(
  chunks: Chunks,
  apiByKey: (key: number) => Api | undefined,
): RequestHeader & { readonly reader: Reader } {
  const reader = new Reader(chunks, { elementsMax: requestElementsMax })
  const { apiKey, apiVersion, correlationId, clientId } = readRequestHeader(reader, apiByKey)
  return { apiKey, apiVersion, correlationId, clientId, reader }
}

/** The body of a request, which ends where the frame ends. */
export function decodeRequest<A extends Api>(
  api: A,
  version: number,
  reader: Reader,
): RequestOf<A> {
  return readWhole(api.request, version, reader) as RequestOf<A>
}

/** A response frame, without its size. */
export function decodeResponse<A extends Api>(
  api: A,
  version: number,
  chunks: Chunks,
): { readonly correlationId: number; readonly body: ResponseOf<A> } {
  const reader = new Reader(chunks)
  const correlationId = readResponseHeader(reader, api, version)
  return { correlationId, body: readWhole(api.response, version, reader) as ResponseOf<A> }
}

/** A message by itself, contiguous, in memory of its own. */
export function encodeMessage<F extends Fields>(
  message: Message<F>,
  version: number,
  value: Encodable<MessageOf<Message<F>>>,
): Uint8Array {
  const writer = new Writer()
  codecOf(message, version).write(writer, value)
  return Buffer.concat(writer.finish())
}

/** A message by itself; nothing may follow it. */
export function decodeMessage<F extends Fields>(
  message: Message<F>,
  version: number,
  bytes: Uint8Array,
): MessageOf<Message<F>> {
  return readMessage(message, version, new Reader([bytes]))
}

/** The message at which the reader stands; nothing may follow it. */
export function readMessage<F extends Fields>(
  message: Message<F>,
  version: number,
  reader: Reader,
): MessageOf<Message<F>> {
  return readWhole(message, version, reader) as MessageOf<Message<F>>
}

/** The message at which the reader stands, whatever follows it: for formats that later versions lengthen. */
export function readMessageStart<F extends Fields>(
  message: Message<F>,
  version: number,
  reader: Reader,
): MessageOf<Message<F>> {
  return codecOf(message, version).read(reader) as MessageOf<Message<F>>
}

function readWhole(message: Message, version: number, reader: Reader): unknown {
  const [min, max] = message.versions
  if (version < min || version > max) {
    throw new DecodeError(`${message.name} v${version}: versions ${min} to ${max} are known`)
  }
  const value = codecOf(message, version).read(reader)
  if (reader.remaining > 0) {
    throw reader.malformed(`${reader.remaining} bytes after the end of ${message.name} v${version}`)
  }
  return value
}

interface Codec {
  readonly read: Read
  readonly write: Write
}

/** The closures of each message, by version, composed at first use. */
const codecs = new WeakMap<Message, Codec[]>()

function codecOf(message: Message, version: number): Codec {
  let versions = codecs.get(message)
  if (versions === undefined) codecs.set(message, (versions = []))
  return (versions[version] ??= compose(message, version))
}

function compose({ name, versions, flexible, fields }: Message, version: number): Codec {
  const [min, max] = versions
  assert(version >= min && version <= max, `${name} has no version ${version}`)
  const isFlexible = flexible !== null && version >= flexible
  const context = { message: name, version, isFlexible }
  return { read: structReader(fields, context), write: structWriter(fields, context) }
}
