/**
 * The headers in front of requests and responses.
 *
 *   request v1  | apiKey: int16 | apiVersion: int16 | correlationId: int32 | clientId: string |
 *   request v2  | the same, then tagged fields |    the client id stays a plain string
 *   response v0 | correlationId: int32 |
 *   response v1 | the same, then tagged fields |
 *
 * Request v2 and response v1 go with the flexible versions of a body, except that the response
 * of ApiVersions always has v0: its reader does not yet know what the broker speaks (KIP-511).
 * Source: apache/kafka: RequestHeader.json, ResponseHeader.json.
 */

import type { Reader } from './reader.ts'
import type { Api } from './schema.ts'
import type { Writer } from './writer.ts'

const apiVersionsKey = 18

/** A version above those known counts as flexible too: a newer client's ApiVersions must be answered. */
export function readRequestHeader(reader: Reader, apiByKey: (key: number) => Api | undefined) {
  const apiKey = reader.int16()
  const apiVersion = reader.int16()
  const correlationId = reader.int32()
  const size = reader.shortLength()
  const clientId = size < 0 ? null : reader.text(size)
  const api = apiByKey(apiKey)
  if (api !== undefined && isFlexible(api, apiVersion)) skipTagged(reader)
  return { apiKey, apiVersion, correlationId, clientId }
}

export function writeRequestHeader(
  writer: Writer,
  api: Api,
  header: { apiVersion: number; correlationId: number; clientId: string | null },
): void {
  writer.int16(api.key)
  writer.int16(header.apiVersion)
  writer.int32(header.correlationId)
  if (header.clientId === null) writer.int16(-1)
  else writer.text(header.clientId)
  if (isFlexible(api, header.apiVersion)) writer.unsignedVarint(0)
}

/** The correlation id. */
export function readResponseHeader(reader: Reader, api: Api, version: number): number {
  const correlationId = reader.int32()
  if (api.key !== apiVersionsKey && isFlexible(api, version)) skipTagged(reader)
  return correlationId
}

export function writeResponseHeader(
  writer: Writer,
  api: Api,
  header: { apiVersion: number; correlationId: number },
): void {
  writer.int32(header.correlationId)
  if (api.key !== apiVersionsKey && isFlexible(api, header.apiVersion)) writer.unsignedVarint(0)
}

function isFlexible({ flexible }: Api, version: number): boolean {
  return flexible !== null && version >= flexible
}

/** No tagged field of a header is known. */
function skipTagged(reader: Reader): void {
  for (let missing = reader.taggedCount(); missing > 0; missing--) {
    reader.unsignedVarint()
    reader.skip(reader.unsignedVarint())
  }
}
