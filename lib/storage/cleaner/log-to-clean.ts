/**
 * What a cleaning knows of a log: enough to read its closed segments and write them anew, without the
 * log itself, so that it can be done in a thread that does not have it.
 */

import type { Offset, ProducerId } from '../../base/types.ts'
import { hasErrorCode, readFile } from '../../io/disk.ts'
import type { Env } from '../../io/env.ts'
import type { Log } from '../log.ts'
import type { LogConfig } from '../log-config.ts'
import type { ProducerBatch, ProducerEntry } from '../producer-state.ts'
import type { Segment } from '../segment.ts'
import { fileSuffix } from '../segment-files.ts'
import { type TransactionIndexEntry, transactionIndexEntries } from '../transaction-index.ts'
import type { Cleanable } from './cleanable.ts'

export type CleaningConfig = Pick<
  LogConfig,
  | 'delete.retention.ms'
  | 'index.interval.bytes'
  | 'internal.segment.bytes'
  | 'segment.bytes'
  | 'segment.index.bytes'
>

/** The last batches of a producer: their headers stay, so that its sequences go on. */
export interface LastBatches extends Pick<ProducerEntry, 'producerEpoch'> {
  readonly batches: readonly Pick<ProducerBatch, 'lastOffset'>[]
}

export interface LogToClean {
  readonly name: string
  readonly directory: string
  readonly config: CleaningConfig
  /** Those that may be cleaned, oldest first. */
  readonly segments: readonly Segment[]
  /** What comes before was cleaned already, and is read again for what the rest replaces. */
  readonly firstDirtyOffset: Offset
  /** Where the last segment ends. */
  readonly endOffset: Offset
  /** Of the whole log: a transaction may end behind these segments. */
  readonly aborted: readonly TransactionIndexEntry[]
  readonly producers: { get(producerId: ProducerId): LastBatches | undefined }
}

/** Native errors; DecodeError for a transaction index that cannot be one. */
export async function logToClean(
  env: Env,
  cleanable: Cleanable,
): Promise<LogToClean & Pick<Log, 'producers'>> {
  const { log, firstDirtyOffset, firstUncleanableOffset: endOffset } = cleanable
  const aborted = await abortedTransactions(env, log.segments)
  const { name, directory, config, producers } = log
  const segments = log.segments.slice(0, -1).filter(({ baseOffset }) => baseOffset < endOffset)
  return { name, directory, config, producers, segments, firstDirtyOffset, endOffset, aborted }
}

/** What the transaction indexes of the segments name. */
async function abortedTransactions(
  env: Env,
  segments: readonly Segment[],
): Promise<TransactionIndexEntry[]> {
  const entries: TransactionIndexEntry[] = []
  for (const segment of segments) {
    try {
      const bytes = await readFile(env.disk, segment.path(fileSuffix.txnIndex))
      if (bytes !== null) entries.push(...transactionIndexEntries(bytes))
    } catch (error) {
      if (!hasErrorCode(error, 'ENOENT')) throw error
    }
  }
  return entries
}
