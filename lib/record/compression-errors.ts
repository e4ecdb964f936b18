/** How every codec fails: with an error that names the codec and the values. */

import { createRequire } from 'node:module'
import { DecodeError, KafkaError } from '../base/errors.ts'

/**
 * The compressed bytes do not follow the codec's format. An error of a codec's library always has a
 * code; one without it is a fault of ours, and thrown as it is.
 */
export function corrupt(codec: string, reason: unknown): DecodeError {
  if (typeof reason === 'string') return new DecodeError(`corrupt ${codec} data: ${reason}`)
  if (!(reason instanceof Error && 'code' in reason)) throw reason
  return new DecodeError(`corrupt ${codec} data: ${reason.message}`, { cause: reason })
}

/** The compressed bytes would expand beyond the bound. */
export function tooLarge(codec: string, maxBytes: number, sizeBytes?: number): DecodeError {
  const size = sizeBytes === undefined ? `more than ${maxBytes}` : `${sizeBytes}`
  return new DecodeError(`${codec} data of ${size} bytes uncompressed, at most ${maxBytes} allowed`)
}

/**
 * A codec's native package. UNSUPPORTED_COMPRESSION_TYPE where it is not installed or has no binary
 * for this platform. By require: `import` would first parse the package for its exports.
 */
export function loadPackage(name: string): unknown {
  try {
    return createRequire(import.meta.url)(name)
  } catch (error) {
    throw new KafkaError(
      'UNSUPPORTED_COMPRESSION_TYPE',
      `${name} cannot be loaded here: install ottla again with its optional packages, or use gzip`,
      { cause: error },
    )
  }
}
