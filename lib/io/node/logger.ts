/**
 * The log of a running broker, on standard error: one line an event, by pino as JSON, or as
 * `time LEVEL event key=value ...` for people. Loaded only when a broker starts.
 */

import type { LogFields, Logger } from '../logger.ts'

export type LogLevel = 'error' | 'warn' | 'info' | 'debug'

const rank: Record<LogLevel, number> = { error: 0, warn: 1, info: 2, debug: 3 }

export async function nodeLogger({
  level,
  json,
}: {
  level: LogLevel
  json: boolean
}): Promise<Logger> {
  return json ? await jsonLogger(level) : textLogger(level)
}

async function jsonLogger(level: LogLevel): Promise<Logger> {
  const { default: pino } = await import('pino')
  const { stdTimeFunctions } = pino
  const sink = pino.destination({ dest: 2, sync: true })
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'event',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    sink,
  )
  const write = (name: LogLevel) => (event: string, fields?: LogFields) =>
    logger[name](plain(fields), event)
  return { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') }
}

function textLogger(level: LogLevel): Logger {
  const write = (name: LogLevel) => (event: string, fields?: LogFields) => {
    if (rank[name] > rank[level]) return
    const pairs = Object.entries(plain(fields)).map(([key, value]) => ` ${key}=${text(value)}`)
    process.stderr.write(
      `${new Date().toISOString()} ${name.toUpperCase().padEnd(5)} ${event}${pairs.join('')}\n`,
    )
  }
  return { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') }
}

/** Errors as their message, stack and cause: neither form prints them of itself. */
function plain(fields: LogFields = {}): Record<string, unknown> {
  const entries = Object.entries(fields).map(([key, value]) => [
    key,
    value instanceof Error ? errorText(value) : value,
  ])
  return Object.fromEntries(entries) as Record<string, unknown>
}

function errorText(error: Error): string {
  const cause = error.cause instanceof Error ? ` <- ${errorText(error.cause)}` : ''
  return `${error.stack ?? error.message}${cause}`
}

function text(value: unknown): string {
  const raw = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined')
  return /^[^\s"=]+$/.test(raw) ? raw : JSON.stringify(raw)
}
