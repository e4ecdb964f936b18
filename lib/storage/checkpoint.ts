/**
 * The small text files of a log dir, all replaced atomically.
 *
 *   recovery-point-offset-checkpoint, log-start-offset-checkpoint, replication-offset-checkpoint,
 *   cleaner-offset-checkpoint:
 *       0 \n <number of lines> \n (<topic> <partition> <offset> \n)*
 *   partition.metadata:      version: 0 \n topic_id: <22 characters>
 *   meta.properties:         version=1, cluster.id, node.id, directory.id, one per line;
 *                            ottla.format=1 marks a directory as ours (Kafka ignores it)
 *   .kafka_cleanshutdown:    {"version":0,"brokerEpoch":n}
 *
 * Source: apache/kafka: storage/.../checkpoint/{OffsetCheckpointFile,PartitionMetadata,
 * CleanShutdownFileHandler}.java, metadata/.../properties/MetaProperties.java.
 */

import { utf8, utf8Text } from '../base/bytes.ts'
import { DecodeError } from '../base/errors.ts'
import {
  type Offset,
  type TopicId,
  type TopicPartition,
  topicPartitionName,
} from '../base/types.ts'
import { uuidToBytes } from '../base/uuid.ts'
import { readFile } from '../io/disk.ts'
import type { Env } from '../io/env.ts'

export const recoveryPointFile = 'recovery-point-offset-checkpoint'
export const logStartFile = 'log-start-offset-checkpoint'
export const highWatermarkFile = 'replication-offset-checkpoint'
export const cleanerOffsetFile = 'cleaner-offset-checkpoint'
export const cleanShutdownFile = '.kafka_cleanshutdown'
export const metaPropertiesFile = 'meta.properties'

/** A version line, a line count, the lines. */
export function encodeCheckpoint(lines: readonly string[]): Uint8Array {
  return utf8(`0\n${lines.length}\n${lines.map((line) => `${line}\n`).join('')}`)
}

/** DecodeError when version or count do not fit. Kafka creates such files empty: no lines. */
export function decodeCheckpoint(bytes: Uint8Array): string[] {
  if (bytes.length === 0) return []
  const [version, count, ...rest] = utf8Text(bytes).split('\n')
  if (version !== '0') throw new DecodeError(`checkpoint of version "${version}", expected 0`)
  const lines = rest.filter((line) => line !== '')
  if (String(lines.length) !== count) {
    throw new DecodeError(`checkpoint with ${lines.length} lines, its count says "${count}"`)
  }
  return lines
}

export interface OffsetCheckpointEntry extends TopicPartition {
  readonly offset: Offset
}

export function encodeOffsetCheckpoint(entries: Iterable<OffsetCheckpointEntry>): Uint8Array {
  const lines: string[] = []
  for (const { topic, partition, offset } of entries) lines.push(`${topic} ${partition} ${offset}`)
  return encodeCheckpoint(lines)
}

export function decodeOffsetCheckpoint(bytes: Uint8Array): OffsetCheckpointEntry[] {
  return decodeCheckpoint(bytes).map((line) => {
    const match = /^(\S+) (\d+) (\d+)$/.exec(line)
    const topic = match?.[1]
    const offset = Number(match?.[3])
    if (topic === undefined || !Number.isSafeInteger(offset)) {
      throw new DecodeError(`checkpoint line "${line}", expected "TOPIC PARTITION OFFSET"`)
    }
    return { topic, partition: Number(match?.[2]), offset }
  })
}

/** The offsets in a file by the log's name; none when there is no file, or it cannot be read. */
export async function readOffsetCheckpoint(
  env: Env,
  path: string,
  { isOurs }: { isOurs: boolean },
): Promise<Map<string, Offset>> {
  const offsets = new Map<string, Offset>()
  try {
    const bytes = await readFile(env.disk, path)
    if (bytes === null) return offsets
    if (bytes.length === 0 && isOurs) throw new DecodeError('it is empty')
    for (const entry of decodeOffsetCheckpoint(bytes)) {
      offsets.set(topicPartitionName(entry), entry.offset)
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    env.log.error('log.checkpoint.unreadable', { path, error: error.message })
    offsets.clear()
  }
  return offsets
}

export function encodePartitionMetadata(topicId: TopicId): Uint8Array {
  return utf8(`version: 0\ntopic_id: ${topicId}`)
}

export function decodePartitionMetadata(bytes: Uint8Array): TopicId {
  const text = utf8Text(bytes)
  const match = /^version: 0\ntopic_id: ([A-Za-z0-9_-]{22})\n?$/.exec(text)
  const topicId = match?.[1]
  if (topicId === undefined || uuidToBytes(topicId) === null) {
    throw new DecodeError(`partition.metadata reads "${text.slice(0, 100)}"`)
  }
  return topicId
}

export interface MetaProperties {
  readonly version: number
  readonly clusterId: string
  readonly nodeId: number
  readonly directoryId: string | null
  /** Whether this software made or adopted the directory. */
  readonly isOurs: boolean
}

export function encodeMetaProperties(meta: MetaProperties): Uint8Array {
  const lines = ['version=1', `cluster.id=${meta.clusterId}`, `node.id=${meta.nodeId}`]
  if (meta.directoryId !== null) lines.push(`directory.id=${meta.directoryId}`)
  if (meta.isOurs) lines.push('ottla.format=1')
  return utf8(`${lines.join('\n')}\n`)
}

/** Reads version 1 (KRaft). DecodeError for anything else. */
export function decodeMetaProperties(bytes: Uint8Array): MetaProperties {
  const values = new Map<string, string>()
  for (const line of utf8Text(bytes).split(/\r?\n/)) {
    const match = /^\s*([^#!\s=:][^=:]*?)\s*[=:]\s*(.*?)\s*$/.exec(line)
    if (match?.[1] !== undefined) values.set(match[1], match[2] ?? '')
  }
  const version = values.get('version') ?? '0'
  if (version !== '1') throw new DecodeError(`version ${version}, expected 1`)
  const clusterId = values.get('cluster.id') ?? ''
  const nodeId = values.get('node.id') ?? ''
  if (clusterId === '') throw new DecodeError('cluster.id is missing')
  if (!/^\d{1,10}$/.test(nodeId)) throw new DecodeError(`node.id reads "${nodeId}"`)
  const format = values.get('ottla.format')
  if (format !== undefined && format !== '1') {
    throw new DecodeError(`ottla.format is ${format}; this version knows 1`)
  }
  return {
    version: 1,
    clusterId,
    nodeId: Number(nodeId),
    directoryId: values.get('directory.id') ?? null,
    isOurs: format === '1',
  }
}
