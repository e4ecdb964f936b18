/**
 * The two files of the embedded store, in `<data>/metadata/`.
 *
 *   log       frames: { kind: log, base } | { transactions: [[revision, operations], ...] } ... | { closed }
 *   snapshot  one frame: { kind: snapshot, revision, keys }
 *
 * - A group of transactions is one frame, one write and one sync.
 * - When the log has grown, a snapshot of everything replaces it: snapshot (temp, sync, rename,
 *   sync of the directory), then an empty log in the same way. A crash between the two leaves a log
 *   whose transactions the snapshot has already: they are skipped.
 * - `base` is the revision at which a log begins: a snapshot older than it, or none, is damage.
 * - `closed` comes last at an orderly stop, so that damage of the frame before it is told apart
 *   from a torn write.
 * - What was read at the start is written once more: after a kill it may be in the page cache only, and
 *   after a sync that failed it stays there, counted as clean. With `closed` at its end only that is.
 *   The same holds of the directory, when the files were replaced.
 * - Damage refuses to open. The broker then does not start and touches no log: metadata that
 *   "does not list" a partition must never be the reason to delete it.
 */

import { planted } from '../../base/planted.ts'
import { type Disk, type DiskFile, hasErrorCode, readFile, writeFileAtomic } from '../../io/disk.ts'
import type { Logger } from '../../io/logger.ts'
import { DamageError, encodeFrame, type Frame, type FrameScan, scanFrames } from './frame.ts'
import { type LoggedKey, type LoggedTransaction, StoreState } from './state.ts'

interface LogHeader {
  readonly kind: 'log'
  readonly v: 1
  readonly base: number
}

interface Snapshot {
  readonly kind: 'snapshot'
  readonly v: 1
  readonly revision: number
  readonly keys: readonly LoggedKey[]
}

/** The log is replaced at 8 MiB, and everything is held in memory: a larger file has a hole in it. */
const fileBytesMax = 256 * 1024 * 1024

export class Journal {
  readonly #disk: Disk
  readonly #path: string
  #file: DiskFile
  #endPosition: number

  private constructor(disk: Disk, path: string, log: { file: DiskFile; endPosition: number }) {
    this.#disk = disk
    this.#path = path
    this.#file = log.file
    this.#endPosition = log.endPosition
  }

  get sizeBytes(): number {
    return this.#endPosition
  }

  /** Reads what is there, or begins anew in an empty directory. Throws DamageError. */
  static async open(
    disk: Disk,
    path: string,
    log: Logger,
  ): Promise<{ journal: Journal; state: StoreState }> {
    const snapshot = await readSnapshot(disk, `${path}/snapshot`)
    let bytes = await readOrRefuse(disk, `${path}/log`)
    if (bytes === null) {
      if (snapshot !== null) {
        throw new DamageError(
          `${path}/log is missing beside its snapshot; restore the file from a backup`,
        )
      }
      await disk.mkdir(path)
      bytes = await createLog(disk, path, 0)
    }
    const state = new StoreState(snapshot?.revision, snapshot?.keys)
    const scan = scanFrames(`${path}/log`, bytes)
    replay({ path, state, frames: scan.frames, hasSnapshot: snapshot !== null })
    const file = await disk.open(`${path}/log`, 'write')
    const { endPosition } = scan
    if (endPosition < bytes.length) {
      await file.truncate(endPosition)
      log.warn('metadata.log.torn_tail_cut', {
        path: `${path}/log`,
        position: endPosition,
        bytes: bytes.length - endPosition,
        revision: state.revision,
      })
    }
    const from = planted.metadataTailBelieved ? endPosition : unsureFrom(scan)
    await file.writeAt([bytes.subarray(from, endPosition)], from)
    await file.sync()
    await disk.syncDir(path)
    return { journal: new Journal(disk, path, { file, endPosition }), state }
  }

  /**
   * One write, one sync. After a failure the journal is not to be used again, but for NoSpaceError: then
   * the same may be appended once more.
   */
  async append(transactions: readonly LoggedTransaction[]): Promise<void> {
    const revision = transactions.at(-1)?.[0] ?? 0
    await this.#write({ revision, payload: { transactions } })
  }

  async #write(frame: Frame): Promise<void> {
    const bytes = encodeFrame(frame)
    await orNoSpace(() => this.#file.writeAt([bytes], this.#endPosition))
    await this.#file.sync()
    this.#endPosition += bytes.length
  }

  /** Replaces everything by `state`, which makes it durable. Fails as `append`. */
  rewrite(state: StoreState): Promise<void> {
    // Both files are made under other names: nothing of a try that failed is built upon.
    return orNoSpace(() => this.#rewrite(state))
  }

  async #rewrite(state: StoreState): Promise<void> {
    const { revision } = state
    const payload: Snapshot = { kind: 'snapshot', v: 1, revision, keys: state.toLogged() }
    await writeFileAtomic(this.#disk, `${this.#path}/snapshot`, encodeFrame({ revision, payload }))
    const bytes = await createLog(this.#disk, this.#path, revision)
    const file = await this.#disk.open(`${this.#path}/log`, 'write')
    const old = this.#file
    this.#file = file
    this.#endPosition = bytes.length
    await old.close()
  }

  async close(revision: number): Promise<void> {
    await this.#write({ revision, payload: { closed: true } })
    await this.#file.close()
  }

  /** Lets go of the file after a failure; nothing is written. */
  async abandon(): Promise<void> {
    await this.#file.close()
  }
}

/** The disk is full, and nothing was written that counts: it can be tried again. */
export class NoSpaceError extends Error {
  override readonly name = 'NoSpaceError'
}

async function orNoSpace(write: () => Promise<void>): Promise<void> {
  try {
    await write()
  } catch (error) {
    if (!hasErrorCode(error, 'ENOSPC') && !hasErrorCode(error, 'EDQUOT')) throw error
    throw new NoSpaceError(error instanceof Error ? error.message : '', { cause: error })
  }
}

async function createLog(disk: Disk, path: string, base: number): Promise<Uint8Array> {
  const header: LogHeader = { kind: 'log', v: 1, base }
  const bytes = encodeFrame({ revision: base, payload: header })
  await writeFileAtomic(disk, `${path}/log`, bytes)
  await disk.syncDir(path.slice(0, path.lastIndexOf('/')) || '/')
  return bytes
}

/** A link, a directory, a file of no possible size: nothing to begin with. */
async function readOrRefuse(disk: Disk, path: string): Promise<Uint8Array | null> {
  try {
    return await readFile(disk, path, fileBytesMax)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new DamageError(`${path} cannot be read (${why}); restore the file from a backup`, {
      cause: error,
    })
  }
}

/** From where on what is in the file may not be on the medium. */
function unsureFrom({ frames, lastPosition }: FrameScan): number {
  const last = frames.at(-1)?.payload
  return isRecord(last) && last['closed'] === true ? lastPosition : 0
}

async function readSnapshot(disk: Disk, path: string): Promise<Snapshot | null> {
  const bytes = await readOrRefuse(disk, path)
  if (bytes === null) return null
  const { frames, endPosition } = scanFrames(path, bytes)
  const [frame] = frames
  if (!frame || frames.length !== 1 || endPosition !== bytes.length) {
    throw new DamageError(`${path} is damaged; restore the file from a backup`)
  }
  const { payload } = frame
  if (!isRecord(payload) || payload['kind'] !== 'snapshot' || payload['v'] !== 1) {
    throw new DamageError(
      `${path}: got ${JSON.stringify(payload).slice(0, 60)}, expected a snapshot of version 1; restore the file from a backup`,
    )
  }
  return payload as unknown as Snapshot
}

function replay(options: {
  path: string
  state: StoreState
  frames: readonly Frame[]
  hasSnapshot: boolean
}): void {
  const { path, state, frames, hasSnapshot } = options
  const header = frames[0]?.payload
  if (!isRecord(header) || header['kind'] !== 'log' || header['v'] !== 1) {
    throw new DamageError(
      `${path}/log does not begin with the header of a log of version 1; restore the file from a backup`,
    )
  }
  const base = Number(header['base'])
  if (base > state.revision) {
    const found = hasSnapshot ? `its snapshot is at ${state.revision}` : 'there is no snapshot'
    throw new DamageError(
      `${path}/log begins at revision ${base}, but ${found}; restore both files from a backup`,
    )
  }
  for (const { payload } of frames) {
    if (!isRecord(payload) || !Array.isArray(payload['transactions'])) continue
    for (const transaction of payload['transactions'] as LoggedTransaction[]) {
      const [revision] = transaction
      if (revision <= state.revision) continue
      if (revision !== state.revision + 1) {
        throw new DamageError(
          `${path}/log goes from revision ${state.revision} to ${revision}: a part is missing; restore both files from a backup`,
        )
      }
      state.apply(transaction)
    }
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
