/**
 * Whose directory is it? Decides from `meta.properties` whether a log dir may be used: ours with
 * the same node and cluster id, empty (then it is formatted), or a foreign one, which is refused
 * and left as it is.
 *
 *   | meta.properties        | rest of the directory         | result                              |
 *   |------------------------|-------------------------------|-------------------------------------|
 *   | none                   | nothing, or only our own odds | formatted                           |
 *   | none                   | anything else                 | refused: files of something else    |
 *   | unreadable             | any                           | refused                             |
 *   | ours, same ids         | any                           | used                                |
 *   | other node or cluster  | any                           | refused                             |
 *   | Kafka's                | any                           | refused without `adopt`; with it,   |
 *   |                        |                               | only after a clean stop of Kafka    |
 */

import { DecodeError } from '../base/errors.ts'
import { randomUuid } from '../base/uuid.ts'
import { type Disk, hasErrorCode, readFile, writeFileAtomic } from '../io/disk.ts'
import type { Env } from '../io/env.ts'
import {
  cleanerOffsetFile,
  cleanShutdownFile,
  decodeMetaProperties,
  encodeMetaProperties,
  highWatermarkFile,
  logStartFile,
  type MetaProperties,
  metaPropertiesFile,
  recoveryPointFile,
} from './checkpoint.ts'
import { directoryKind } from './segment-files.ts'

/** The data directory cannot be used as it is; the message says why and what to do. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError'
}

export interface Ownership {
  readonly nodeId: number
  /** Absent: the directory's, or a new one. */
  readonly clusterId?: string | undefined
  /** Take over a directory that Apache Kafka wrote. */
  readonly adopt: boolean
}

/** What may lie in a directory that was never formatted: left by ourselves, or by the file system. */
const harmless = new Set([
  '.lock',
  'broker.json',
  'lost+found',
  'metadata',
  `${metaPropertiesFile}.tmp`,
])

const ownFiles = new Set([
  metaPropertiesFile,
  cleanShutdownFile,
  recoveryPointFile,
  logStartFile,
  highWatermarkFile,
  cleanerOffsetFile,
])
const ownDirectories = new Set(['metadata', 'journal'])

/** Nothing of ours is followed elsewhere, and nothing in its place is removed. */
async function checkKinds({ disk }: Env, path: string): Promise<void> {
  for (const { name, kind } of await disk.list(path)) {
    const wanted = ownFiles.has(name) ? 'file' : ownDirectories.has(name) ? 'directory' : kind
    if (kind === wanted) continue
    const found = kind === 'other' ? 'a symbolic link or no file' : `a ${kind}`
    throw new DataDirectoryError(
      `${path}/${name} is ${found}, expected a ${wanted}. Put the ${wanted} back, or move away what is there`,
    )
  }
}

/** Before metadata is begun anew. DataDirectoryError when there are logs that it would not know. */
export async function checkWithoutLogs({ disk }: Env, path: string): Promise<void> {
  const entries = await disk.list(path)
  const logs = entries.filter(({ name }) => directoryKind(name).kind === 'log')
  if (logs.length === 0) return
  throw new DataDirectoryError(
    `${path} has ${logs.length} partitions but no metadata that knows them. Restore ${path}/metadata, or give another --data`,
  )
}

/** Checks the directory, and formats it when it is new. DataDirectoryError when it is not ours. */
export async function claimDirectory(
  env: Env,
  path: string,
  owner: Ownership,
): Promise<MetaProperties> {
  await checkKinds(env, path)
  const meta = await readMeta(env, path)
  if (meta === null) return format(env, path, owner)
  if (meta.nodeId !== owner.nodeId) {
    throw new DataDirectoryError(
      `${path} belongs to node ${meta.nodeId}, this is node ${owner.nodeId}. Give the right --data or node id`,
    )
  }
  if (owner.clusterId !== undefined && owner.clusterId !== meta.clusterId) {
    throw new DataDirectoryError(
      `${path} belongs to cluster ${meta.clusterId}, expected ${owner.clusterId}. Give the right --data`,
    )
  }
  if (!meta.isOurs) await checkAdoption(env, path, owner)
  return meta
}

async function readMeta({ disk }: Env, path: string): Promise<MetaProperties | null> {
  try {
    const bytes = await readFile(disk, `${path}/${metaPropertiesFile}`)
    return bytes === null ? null : decodeMetaProperties(bytes)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new DataDirectoryError(
      `${path}/${metaPropertiesFile} cannot be read: ${error.message}. Restore the file or give another --data`,
      { cause: error },
    )
  }
}

async function checkAdoption(env: Env, path: string, { adopt }: Ownership): Promise<void> {
  if (!adopt) {
    throw new DataDirectoryError(
      `${path} was written by Apache Kafka. Give --adopt to take it over, or another --data`,
    )
  }
  if ((await readFile(env.disk, `${path}/${cleanShutdownFile}`)) === null) {
    throw new DataDirectoryError(
      `${path} was not stopped cleanly: start and stop Apache Kafka on it once more, then --adopt`,
    )
  }
}

async function format(env: Env, path: string, owner: Ownership): Promise<MetaProperties> {
  const foreign = (await env.disk.list(path)).filter(({ name }) => !harmless.has(name))
  if (foreign.length > 0) {
    const names = foreign.slice(0, 3).map(({ name }) => name)
    throw new DataDirectoryError(
      `${path} holds ${foreign.length} other entries (${names.join(', ')}) and no ${metaPropertiesFile}. Give an empty directory as --data`,
    )
  }
  const random = (count: number) => env.random.bytes(count)
  const meta: MetaProperties = {
    version: 1,
    clusterId: owner.clusterId ?? randomUuid(random),
    nodeId: owner.nodeId,
    directoryId: randomUuid(random),
    isOurs: true,
  }
  await writeFileAtomic(env.disk, `${path}/${metaPropertiesFile}`, encodeMetaProperties(meta))
  await syncParents(env, path)
  return meta
}

/** The directory may be new, with some of its parents: their entries have to survive a power cut too. */
export async function syncParents(env: Env, path: string): Promise<void> {
  for (
    let at = path.lastIndexOf('/');
    at >= 0;
    at = at === 0 ? -1 : path.lastIndexOf('/', at - 1)
  ) {
    try {
      await env.disk.syncDir(path.slice(0, at) || '/')
    } catch (error) {
      // A parent that may be passed through and not be read was there before us.
      if (!hasErrorCode(error, 'EACCES') && !hasErrorCode(error, 'EPERM')) throw error
    }
  }
}

/** Apache Kafka's mark of a clean stop, durably: the next start trusts the checkpoints. */
export async function writeCleanMark(disk: Disk, path: string): Promise<void> {
  const mark = await disk.open(`${path}/${cleanShutdownFile}`, 'create')
  try {
    await mark.writeAt([Buffer.from('{"version":0,"brokerEpoch":-1}')], 0)
    await mark.sync()
  } finally {
    await mark.close()
  }
  await disk.syncDir(path)
}
