/**
 * What the files beside the logs say of them, for `log check`: whose the data directory is, up to where
 * each log was synced, and the journal: records that were acknowledged and that the segments may lack
 * until the next start appends them. Changes nothing, needs no lock.
 *
 * To be read before the segments: a broker that runs meanwhile writes to a segment first, then to the
 * journal, and checkpoints what it has synced. So what is found here, the segments have.
 */

import { DecodeError } from '../base/errors.ts'
import { type Offset, topicPartitionName } from '../base/types.ts'
import { uuidToBytes } from '../base/uuid.ts'
import { type Disk, readFile } from '../io/disk.ts'
import {
  cleanerOffsetFile,
  cleanShutdownFile,
  decodeMetaProperties,
  decodeOffsetCheckpoint,
  type MetaProperties,
  metaPropertiesFile,
  recoveryPointFile,
} from './checkpoint.ts'
import { generationOfName, journalDirectory } from './journal/journal-files.ts'
import { ForeignJournalError, type JournalContents, readJournal } from './journal/journal-reader.ts'
import type { JournalTail } from './journal/journal-tail.ts'

/** Something about a file that is not as it should be. */
export interface Finding {
  /** error: records are lost or unreadable. warning: repaired by the next start, or harmless. */
  readonly severity: 'error' | 'warning'
  /** Name of the file in its directory. */
  readonly file: string
  /** Byte in the file, where there is one to name. */
  readonly position: number | null
  readonly message: string
}

export interface InspectedDirectory {
  /** Whether this software made or adopted it: what it keeps beside the logs is then complete. */
  readonly isOurs: boolean
  /** By the log's name. */
  readonly recoveryPoints: ReadonlyMap<string, Offset>
  /** Logs that were compacted, by name; null when nobody knows. */
  readonly cleaned: ReadonlySet<string> | null
  readonly journal: InspectedJournal
  readonly findings: readonly Finding[]
}

export interface InspectedJournal {
  readonly fileCount: number
  readonly blockCount: number
  readonly sizeBytes: number
  /** By journalKeyName; none when the journal cannot be read or does not count. */
  readonly tails: ReadonlyMap<string, JournalTail>
}

const noJournal: InspectedJournal = { fileCount: 0, blockCount: 0, sizeBytes: 0, tails: new Map() }

/** A directory that is none of a broker's is given back with nothing in it. */
export function inspectDirectory(disk: Disk, path: string): Promise<InspectedDirectory> {
  return new DirectoryInspection(disk, path).run()
}

class DirectoryInspection {
  readonly #disk: Disk
  readonly #path: string
  readonly #findings: Finding[] = []

  constructor(disk: Disk, path: string) {
    this.#disk = disk
    this.#path = path
  }

  #report(severity: Finding['severity'], file: string, message: string): void {
    this.#findings.push({ severity, file, position: null, message })
  }

  async run(): Promise<InspectedDirectory> {
    const meta = await this.#meta()
    const isOurs = meta?.isOurs ?? false
    const recoveryPoints = (await this.#offsets(recoveryPointFile)) ?? new Map<string, Offset>()
    const cleanedOffsets = await this.#offsets(cleanerOffsetFile)
    const cleaned = cleanedOffsets && new Set(cleanedOffsets.keys())
    const names = (await this.#guarded('.', () => this.#names(this.#path))) ?? []
    const hasJournal = meta !== null && names.includes(journalDirectory)
    const journal = hasJournal ? await this.#journal(meta, names) : null
    for (const [name, offset] of isOurs ? recoveryPoints : []) {
      if (offset === 0 || names.includes(name)) continue
      const message = `names ${name}, synced up to offset ${offset}, which is not there: deleted just before a crash, or lost`
      this.#report('warning', recoveryPointFile, message)
    }
    const findings = this.#findings
    return { isOurs, recoveryPoints, cleaned, journal: journal ?? noJournal, findings }
  }

  async #names(path: string): Promise<string[]> {
    return (await this.#disk.list(path)).map(({ name }) => name)
  }

  /** What `read` gives; null, and a finding, when there is nothing that could be read. */
  async #guarded<T>(file: string, read: () => Promise<T>): Promise<T | null> {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof Error)) throw error
      if (!(error instanceof DecodeError) && !('code' in error)) throw error
      this.#report('error', file, `cannot be read: ${error.message}`)
      return null
    }
  }

  /** Null for a directory that is no broker's, or does not say whose it is. */
  #meta(): Promise<MetaProperties | null> {
    return this.#guarded(metaPropertiesFile, async () => {
      const bytes = await readFile(this.#disk, `${this.#path}/${metaPropertiesFile}`)
      return bytes === null ? null : decodeMetaProperties(bytes)
    })
  }

  #offsets(file: string): Promise<Map<string, Offset> | null> {
    return this.#guarded(file, async () => {
      const bytes = await readFile(this.#disk, `${this.#path}/${file}`)
      const entries = bytes === null ? [] : decodeOffsetCheckpoint(bytes)
      return new Map(entries.map((entry) => [topicPartitionName(entry), entry.offset]))
    })
  }

  async #journal(
    { directoryId }: MetaProperties,
    names: readonly string[],
  ): Promise<InspectedJournal | null> {
    return this.#guarded(journalDirectory, async () => {
      const { fileCount, sizeBytes } = await this.#sizeOfJournal()
      if (names.includes(cleanShutdownFile)) {
        const why = 'a clean stop came after it, so it does not count; the next start removes it'
        this.#report('warning', journalDirectory, why)
        return { ...noJournal, fileCount, sizeBytes }
      }
      const contents = await this.#contents(uuidToBytes(directoryId ?? '') ?? new Uint8Array(16))
      for (const { where, isOwned } of contents?.damage ?? []) {
        const whose = isOwned
          ? 'damaged; a log that lacks these records says so'
          : 'damaged, and whose records it had is not known'
        this.#report(isOwned ? 'warning' : 'error', journalDirectory, `${where}: ${whose}`)
      }
      for (const where of contents?.torn ?? []) {
        const message = `${where}: torn; it was never synced, unless what follows it became zeros`
        this.#report('warning', journalDirectory, message)
      }
      const { tails = noJournal.tails, blockCount = 0 } = contents ?? {}
      return { fileCount, sizeBytes, blockCount, tails }
    })
  }

  async #contents(directoryId: Uint8Array): Promise<JournalContents | null> {
    try {
      return await readJournal(this.#disk, this.#path, directoryId)
    } catch (error) {
      if (!(error instanceof ForeignJournalError)) throw error
      this.#report('error', journalDirectory, `${error.message}; a start refuses it`)
      return null
    }
  }

  async #sizeOfJournal(): Promise<{ fileCount: number; sizeBytes: number }> {
    const directory = `${this.#path}/${journalDirectory}`
    const sum = { fileCount: 0, sizeBytes: 0 }
    for (const name of await this.#names(directory)) {
      if (generationOfName(name) === null) continue
      const file = await this.#disk.open(`${directory}/${name}`, 'read')
      try {
        sum.sizeBytes += await file.size()
        sum.fileCount++
      } finally {
        await file.close()
      }
    }
    return sum
  }
}
