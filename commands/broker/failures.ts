/** Why a broker did not start, as a person and a script need it. */

import { KafkaError } from '../../lib/base/errors.ts'
import { SettingError } from '../../lib/base/setting.ts'
import { hasErrorCode, LockedError } from '../../lib/io/disk.ts'
import { type Address, addressText } from '../../lib/io/network.ts'
import { DamageError } from '../../lib/metadata/embedded/frame.ts'
import { DataDirectoryError } from '../../lib/storage/data-directory.ts'
import { CommandError, exitCodes } from '../command.ts'

/** The error as a CommandError where it is one of the expected ones; any other as it is. */
export function brokerFailure(
  error: unknown,
  { listen, path }: { listen: Address; path: string },
): unknown {
  const failure = (exit: number, message: string, hint: string) =>
    new CommandError(exit, message, hint, { cause: error })
  if (error instanceof LockedError) {
    return failure(
      exitCodes.unavailable,
      error.message,
      `stop it first: ottla broker stop --data ${path}`,
    )
  }
  if (error instanceof DataDirectoryError || error instanceof DamageError) {
    return failure(exitCodes.invalidData, error.message, '')
  }
  if (hasErrorCode(error, 'EADDRINUSE')) {
    return failure(
      exitCodes.unavailable,
      `${addressText(listen)} is in use by another program`,
      'listen elsewhere: --listen 127.0.0.1:0 takes any free port',
    )
  }
  if (hasErrorCode(error, 'EADDRNOTAVAIL') || hasErrorCode(error, 'ENOTFOUND')) {
    return failure(
      exitCodes.usage,
      `${addressText(listen)} is no address of this machine`,
      'listen on 127.0.0.1',
    )
  }
  if (hasErrorCode(error, 'EACCES') && error instanceof Error && error.message.includes('listen')) {
    return failure(
      exitCodes.unavailable,
      `${addressText(listen)}: not allowed to listen there`,
      'take a port above 1023',
    )
  }
  for (const [code, why] of unusable) {
    if (hasErrorCode(error, code))
      return failure(exitCodes.invalidData, `${path} ${why}`, 'keep the data elsewhere: --data DIR')
  }
  if (error instanceof SettingError || error instanceof KafkaError)
    return failure(exitCodes.usage, error.message, '')
  return error
}

const unusable: readonly (readonly [code: string, why: string])[] = [
  ['EACCES', 'cannot be read or written by this user'],
  ['EPERM', 'cannot be read or written by this user'],
  ['EROFS', 'is on a read-only file system'],
  ['ENOTDIR', 'is not a directory'],
  ['EEXIST', 'is not a directory'],
  ['ENOSPC', 'is on a full disk'],
]
