/**
 * Names of the files of a log, and of its directory.
 *
 *   <topic>-<partition>/                     a log; `<topic>-<partition>.<32 hex>-delete` once removed,
 *     00000000000000000042.log               `...-stray` when set aside
 *     00000000000000000042.index .timeindex .txnindex .snapshot
 *     leader-epoch-checkpoint  partition.metadata
 *
 * A number of 20 digits is the base offset of the segment (of a snapshot: the offset it was taken
 * at). Suffixes `.deleted`, `.cleaned`, `.swap` mark files on their way out or in.
 * Source: apache/kafka: storage/.../log/LogFileUtils.java, LocalLog.java.
 */

import type { Offset, TopicPartition } from '../base/types.ts'

export const fileSuffix = {
  log: '.log',
  index: '.index',
  timeIndex: '.timeindex',
  txnIndex: '.txnindex',
  snapshot: '.snapshot',
} as const
export type FileSuffix = (typeof fileSuffix)[keyof typeof fileSuffix]

/** What hangs behind the name of a file: '' in use, else on its way in or out. */
export type FileMark = '' | '.cleaned' | '.swap' | '.deleted'

export const leaderEpochFile = 'leader-epoch-checkpoint'
export const partitionMetadataFile = 'partition.metadata'

/** 42 -> `00000000000000000042.log`. */
export function segmentFileName(baseOffset: Offset, suffix: FileSuffix): string {
  return `${String(baseOffset).padStart(20, '0')}${suffix}`
}

export interface SegmentFileName {
  readonly baseOffset: Offset
  readonly suffix: FileSuffix
  /** What hangs behind: '' for a file in use, else `.deleted`, `.cleaned`, `.swap`. */
  readonly mark: string
}

/** The parts of a segment file's name; null for any other name. */
export function parseSegmentFileName(name: string): SegmentFileName | null {
  const match =
    /^(\d{20})(\.log|\.index|\.timeindex|\.txnindex|\.snapshot)(\.deleted|\.cleaned|\.swap)?$/.exec(
      name,
    )
  if (match === null) return null
  const baseOffset = Number(match[1])
  if (!Number.isSafeInteger(baseOffset)) return null
  return { baseOffset, suffix: match[2] as FileSuffix, mark: match[3] ?? '' }
}

export type DirectoryKind =
  | { readonly kind: 'log'; readonly topicPartition: TopicPartition }
  | { readonly kind: 'deleted' | 'stray' | 'future' | 'other' }

/** What a directory in a log dir is, by its name. */
export function directoryKind(name: string): DirectoryKind {
  const marked = /^.+\.[0-9a-f]{32}-(delete|stray|future)$/.exec(name)
  if (marked !== null) {
    const [, mark] = marked
    return { kind: mark === 'delete' ? 'deleted' : mark === 'stray' ? 'stray' : 'future' }
  }
  const match = /^([a-zA-Z0-9._-]{1,249})-(0|[1-9]\d{0,9})$/.exec(name)
  const topic = match?.[1]
  const partition = Number(match?.[2])
  if (topic === undefined || topic === '.' || topic === '..' || partition > 0x7fffffff) {
    return { kind: 'other' }
  }
  return { kind: 'log', topicPartition: { topic, partition } }
}

/** The name a log's directory takes when it is removed or set aside; at most 255 characters. */
export function markedDirectoryName(
  { topic, partition }: TopicPartition,
  uniqueBytes: Uint8Array,
  mark: 'delete' | 'stray',
): string {
  const suffix = `-${partition}.${Buffer.from(uniqueBytes).toString('hex')}-${mark}`
  return topic.slice(0, 255 - suffix.length) + suffix
}
