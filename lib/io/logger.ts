/**
 * Structured log: event name first, constant text, values as fields. error = a human must act,
 * warn = degraded, info = lifecycle, debug = per request. Nothing is logged per record.
 */

export type LogFields = Readonly<Record<string, unknown>>

export interface Logger {
  error(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  debug(event: string, fields?: LogFields): void
}

/** Says nothing. */
export const silentLogger: Logger = {
  error() {},
  warn() {},
  info() {},
  debug() {},
}
