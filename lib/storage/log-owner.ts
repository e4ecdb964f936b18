/**
 * Which topic a log on disk belongs to: `partition.metadata`. A log that cannot say stays where it is,
 * offline: under its name a new topic may have come, and its records may be all there is of the old one.
 */

import { DecodeError } from '../base/errors.ts'
import type { TopicId } from '../base/types.ts'
import { readFile } from '../io/disk.ts'
import type { Env } from '../io/env.ts'
import { decodePartitionMetadata } from './checkpoint.ts'
import { asError } from './disk-failure.ts'
import { DamagedLogError } from './recovery.ts'
import { partitionMetadataFile } from './segment-files.ts'

export interface Owner {
  readonly topicId: TopicId | null
  /** Why the log cannot be used; null when it can. */
  readonly failure: Error | null
}

export async function readOwner(env: Env, directory: string): Promise<Owner> {
  const path = `${directory}/${partitionMetadataFile}`
  try {
    const bytes = await readFile(env.disk, path)
    if (bytes === null) throw new DecodeError('there is no such file')
    return { topicId: decodePartitionMetadata(bytes), failure: null }
  } catch (error) {
    const failure = new DamagedLogError(
      `${path} cannot be read (${asError(error).message}), and says which topic the log belongs to. Restore it, with the id that "topic describe" shows`,
    )
    env.log.error('log.damaged', { directory, error: failure.message })
    return { topicId: null, failure }
  }
}
