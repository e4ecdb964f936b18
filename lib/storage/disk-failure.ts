/** What an error of the disk means. */

import { KafkaError } from '../base/errors.ts'
import { hasErrorCode } from '../io/disk.ts'

/** Whether `error` comes from the system: ENOSPC, EIO, ...; neither Node's own (ERR_...) nor Kafka's. */
export function isNativeError(error: unknown): error is Error & { readonly code: string } {
  if (!(error instanceof Error) || !('code' in error)) return false
  return typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code)
}

/** Whether `error` says that the disk itself fails, and not that it is full or a limit was met. */
export function isDiskFailure(error: unknown): boolean {
  return !harmlessCodes.some((code) => hasErrorCode(error, code))
}

/** Whether `error` passes by itself: the disk is full, or no handle is left. */
export function isShortage(error: unknown): boolean {
  return shortages.some((code) => hasErrorCode(error, code))
}

const shortages = ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE']

const harmlessCodes = [...shortages, 'ENAMETOOLONG', 'EEXIST', 'ENOTEMPTY', 'ENOTDIR']

/** What was thrown, as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

export function messageOf(thrown: unknown): string {
  return asError(thrown).message
}

/** What clients are told of a log or directory that failed. */
export function storageError(name: string, cause: unknown): KafkaError {
  return new KafkaError('KAFKA_STORAGE_ERROR', `${name}: ${messageOf(cause)}`, { cause })
}
