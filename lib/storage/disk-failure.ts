/** What an error of the disk means. */

import { hasErrorCode } from '../io/disk.ts'

/** Whether `error` says that the disk itself fails, and not that it is full or a limit was met. */
export function isDiskFailure(error: unknown): boolean {
  return !harmlessCodes.some((code) => hasErrorCode(error, code))
}

const harmlessCodes = [
  'ENOSPC',
  'EDQUOT',
  'EMFILE',
  'ENFILE',
  'ENAMETOOLONG',
  'EEXIST',
  'ENOTEMPTY',
  'ENOTDIR',
]

/** What was thrown, as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
