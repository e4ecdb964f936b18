/**
 * Whatever was thrown -> exit code and what to tell people. This file has the one table from errors
 * of the protocol to exit codes.
 */

import type { ErrorName } from '../lib/base/errors.ts'
import { CommandError, type ExitCode, exitCodes } from './command.ts'

/** A failure as it is shown. */
export interface Failure {
  readonly exit: ExitCode
  /** Of the protocol (UNKNOWN_TOPIC_OR_PARTITION), or ours: USAGE, UNAVAILABLE, BUG, ... */
  readonly name: string
  readonly message: string
  readonly hint: string
  readonly details: Readonly<Record<string, string | number | null>>
}

const exitByErrorName: Partial<Record<ErrorName, ExitCode>> = {
  UNKNOWN_TOPIC_OR_PARTITION: exitCodes.notFound,
  UNKNOWN_TOPIC_ID: exitCodes.notFound,
  GROUP_ID_NOT_FOUND: exitCodes.notFound,
  RESOURCE_NOT_FOUND: exitCodes.notFound,
  BROKER_ID_NOT_REGISTERED: exitCodes.notFound,
  TRANSACTIONAL_ID_NOT_FOUND: exitCodes.notFound,
  CORRUPT_MESSAGE: exitCodes.invalidData,
  MESSAGE_TOO_LARGE: exitCodes.invalidData,
  RECORD_LIST_TOO_LARGE: exitCodes.invalidData,
  INVALID_RECORD: exitCodes.invalidData,
  INVALID_TIMESTAMP: exitCodes.invalidData,
  UNKNOWN_SERVER_ERROR: exitCodes.unavailable,
  BROKER_NOT_AVAILABLE: exitCodes.unavailable,
}

/** 3 no such thing, 4 the data, 5 not at the moment (what a retry may cure), 6 the broker says no. */
export function exitOfKafkaError(error: { name: string; isRetriable: boolean }): ExitCode {
  // A lookup by any text: absent is the answer for names that are not in the table.
  const known = (exitByErrorName as Readonly<Record<string, ExitCode | undefined>>)[error.name]
  return known ?? (error.isRetriable ? exitCodes.unavailable : exitCodes.refused)
}

const names: Readonly<Record<number, string>> = {
  [exitCodes.no]: 'NO',
  [exitCodes.usage]: 'USAGE',
  [exitCodes.notFound]: 'NOT_FOUND',
  [exitCodes.invalidData]: 'INVALID_DATA',
  [exitCodes.unavailable]: 'UNAVAILABLE',
  [exitCodes.refused]: 'REFUSED',
  [exitCodes.someFailed]: 'SOME_FAILED',
  [exitCodes.bug]: 'BUG',
}

/** Classes are told apart by shape, so that neither the client nor the protocol is loaded for it. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof CommandError) {
    const { exit, message, hint, details } = thrown
    const { name = names[exit] ?? 'FAILED', ...rest } = details
    return { exit, name: String(name), message, hint, details: rest }
  }
  if (isKafkaError(thrown)) {
    const exit = exitOfKafkaError(thrown)
    return { exit, name: thrown.name, message: thrown.message, hint: '', details: {} }
  }
  if (thrown instanceof Error && thrown.name === 'UnavailableError') {
    const hint = /refused/.test(thrown.message) ? '; is a broker running? ottla broker start' : ''
    return unavailable(`${thrown.message}${hint}`)
  }
  if (thrown instanceof Error && thrown.name === 'DecodeError') {
    return unavailable(`the answer is not one of a Kafka broker: ${thrown.message}`)
  }
  if (thrown instanceof Error && 'code' in thrown && 'syscall' in thrown) {
    const path = 'path' in thrown ? ` ${String(thrown.path)}` : ''
    return unavailable(`${String(thrown.syscall)}${path}: ${String(thrown.code)}`)
  }
  return bug(thrown)
}

function unavailable(message: string): Failure {
  return { exit: exitCodes.unavailable, name: 'UNAVAILABLE', message, hint: '', details: {} }
}

function isKafkaError(thrown: unknown): thrown is Error & { code: number; isRetriable: boolean } {
  return (
    thrown instanceof Error &&
    'code' in thrown &&
    typeof thrown.code === 'number' &&
    'isRetriable' in thrown
  )
}

function bug(thrown: unknown): Failure {
  const stack = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  return {
    exit: exitCodes.bug,
    name: 'BUG',
    message: `this is a bug in ottla: ${thrown instanceof Error ? thrown.message : stack}`,
    hint: `please report it with what you ran and these lines:\n${stack}`,
    details: {},
  }
}
