/**
 * Reads the metadata that Apache Kafka (KRaft) left in a data directory: the newest snapshot, and
 * the log after it. Both are record batches whose values are framed metadata records:
 *
 *   <data>/meta.properties
 *   <data>/__cluster_metadata-0/<end offset, 20 digits>-<epoch, 10 digits>.checkpoint
 *   <data>/__cluster_metadata-0/<base offset, 20 digits>.log
 *
 * A snapshot holds what all records before its end offset add up to. Nothing is written. A directory
 * that was stopped cleanly holds nothing uncommitted when its node was alone; with several nodes its
 * last records may not have been committed, so such a directory is not to be adopted.
 * Source: KIP-630, KIP-631; apache/kafka: .../raft/snapshot/Snapshots.java.
 */

import { joinChunks, utf8Text } from '../../base/bytes.ts'
import { DecodeError } from '../../base/errors.ts'
import type { Offset, ProducerId } from '../../base/types.ts'
import { parseProperties } from '../../config/properties.ts'
import { readFile } from '../../io/disk.ts'
import type { Env } from '../../io/env.ts'
import { decodeMetadataRecord } from '../../protocol/metadata/frame.ts'
import { batchAt, batchCrc, headerSize, isControl, lastOffsetOf } from '../../record/batch.ts'
import { readRecords } from '../../record/record.ts'
import { KafkaMetadataState, type KafkaTopic } from './state.ts'

export type { KafkaPartition, KafkaTopic } from './state.ts'

export interface KafkaMetadata {
  readonly clusterId: string
  readonly nodeId: number
  /** Sorted by name. */
  readonly topics: readonly KafkaTopic[]
  /** Dynamic settings by broker id; '' = of all brokers. */
  readonly brokerConfigs: ReadonlyMap<string, Readonly<Record<string, string>>>
  readonly nextProducerId: ProducerId
}

const fileBytesMax = 2 ** 30
const batchBytesMax = 64 * 1024 * 1024

/** Throws DecodeError when a file is not what Kafka writes or a part is missing. */
export async function readKafkaMetadata(env: Env, dataPath: string): Promise<KafkaMetadata> {
  const properties = await readMetaProperties(env, `${dataPath}/meta.properties`)
  const path = `${dataPath}/__cluster_metadata-0`
  const names = (await env.disk.list(path))
    .filter(({ kind }) => kind === 'file')
    .map(({ name }) => name)
  const state = new KafkaMetadataState()
  const endOffset = await readSnapshot(env, path, { names, state })
  await readLog(env, path, { names, state, fromOffset: endOffset })
  return {
    ...properties,
    topics: state.topics(),
    brokerConfigs: state.brokerConfigs(),
    nextProducerId: state.nextProducerId,
  }
}

async function readMetaProperties(
  env: Env,
  path: string,
): Promise<{ clusterId: string; nodeId: number }> {
  const bytes = await readFile(env.disk, path)
  const found = parseProperties(utf8Text(bytes ?? new Uint8Array(0)))
  const clusterId = found['cluster.id']
  const nodeId = Number(found['node.id'] ?? found['broker.id'] ?? Number.NaN)
  if (clusterId === undefined || !Number.isInteger(nodeId)) {
    throw new DecodeError(`${path} does not name a cluster and a node as KRaft does`)
  }
  return { clusterId, nodeId }
}

/** Applies the newest snapshot; resolves with the offset from which the log goes on. */
async function readSnapshot(
  env: Env,
  path: string,
  { names, state }: { names: readonly string[]; state: KafkaMetadataState },
): Promise<Offset> {
  const newest = names
    .filter((name) => /^\d{20}-\d{10}\.checkpoint$/.test(name))
    .sort()
    .at(-1)
  if (newest === undefined) return 0
  const bytes = await readFile(env.disk, `${path}/${newest}`, fileBytesMax)
  const source = { path: `${path}/${newest}`, bytes: bytes ?? new Uint8Array(0) }
  for (const batch of batchesOf(source)) applyBatch(state, batch, { ...source, fromOffset: 0 })
  return Number(newest.slice(0, 20))
}

async function readLog(
  env: Env,
  path: string,
  options: { names: readonly string[]; state: KafkaMetadataState; fromOffset: Offset },
): Promise<void> {
  const { names, state, fromOffset } = options
  let nextOffset = -1
  for (const name of names.filter((one) => /^\d{20}\.log$/.test(one)).sort()) {
    const bytes = await readFile(env.disk, `${path}/${name}`, fileBytesMax)
    const source = { path: `${path}/${name}`, bytes: bytes ?? new Uint8Array(0) }
    for (const batch of batchesOf(source)) {
      const { baseOffset } = batch.header
      const isFirst = nextOffset === -1
      if (isFirst ? baseOffset > fromOffset : baseOffset !== nextOffset) {
        const expected = isFirst ? fromOffset : nextOffset
        throw new DecodeError(
          `${source.path} goes on at offset ${baseOffset}, expected ${expected}: a part is missing`,
        )
      }
      nextOffset = lastOffsetOf(batch.header) + 1
      if (nextOffset > fromOffset) applyBatch(state, batch, { ...source, fromOffset })
    }
  }
}

interface Source {
  readonly path: string
  readonly bytes: Uint8Array
}

type Batch = ReturnType<typeof batchAt>

/** All batches of a file, each with its checksum checked. Zeros at the end are space kept in reserve. */
function* batchesOf({ path, bytes }: Source): Generator<Batch> {
  for (let position = 0; position < bytes.length; ) {
    if (isZero(bytes, position)) return
    const batch = readBatch({ path, bytes }, position)
    yield batch
    position += batch.header.sizeBytes
  }
}

function readBatch({ path, bytes }: Source, position: number): Batch {
  try {
    const batch = batchAt(bytes, position)
    if (batchCrc(batch) === batch.header.crc) return batch
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause
    throw new DecodeError(`${path}, byte ${position}: ${cause.message}`, { cause })
  }
  throw new DecodeError(`${path}, byte ${position}: the checksum of a batch is wrong`)
}

function isZero(bytes: Uint8Array, position: number): boolean {
  // A header cannot begin with so many zeros: its size and magic lie among them.
  const head = bytes.subarray(position, position + headerSize)
  return head.every((byte) => byte === 0) && bytes.subarray(position).every((byte) => byte === 0)
}

function applyBatch(
  state: KafkaMetadataState,
  batch: Batch,
  { path, fromOffset }: { path: string; fromOffset: Offset },
): void {
  // Control batches are the quorum's own: elections, voters, the frame of a snapshot.
  if (isControl(batch.header.attributes)) return
  for (const record of readRecords(joinChunks(batch.chunks), { maxBytes: batchBytesMax })) {
    if (record.offset < fromOffset || record.value === null) continue
    try {
      state.apply(decodeMetadataRecord([record.value]))
    } catch (cause) {
      if (!(cause instanceof DecodeError)) throw cause
      throw new DecodeError(`${path}, record ${record.offset}: ${cause.message}`, { cause })
    }
  }
}
