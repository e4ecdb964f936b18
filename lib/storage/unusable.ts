/**
 * What lies in the place of a file of a log, and is none of its own: a symbolic link or a directory where an
 * index or a snapshot belongs, which are made anew; a file with a segment's name beside all the records.
 * It is moved out of the way, not removed: it may be somebody's.
 */

import { type Disk, hasErrorCode } from '../io/disk.ts'

export function isNoFile(error: unknown): boolean {
  return hasErrorCode(error, 'ELOOP') || hasErrorCode(error, 'EISDIR')
}

export function moveAway(disk: Disk, path: string): Promise<void> {
  return disk.rename(path, `${path}.unusable`)
}
