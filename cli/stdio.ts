/**
 * The process's standard streams. A reader of standard output that goes away (EPIPE) is no error:
 * writes become nothing and `onClosed` tells once. There is no way to notice it without writing.
 */

import { CommandError, exitCodes } from '../commands/command.ts'
import { openStdin } from '../lib/io/node/input.ts'
import type { Sink } from './output.ts'

export function stdoutSink(onClosed: () => void): Sink {
  const stream = process.stdout
  let isClosed = false
  let failure: CommandError | null = null
  const onError = (error: Error) => {
    if (isClosed || failure !== null) return
    if ('code' in error && (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED')) {
      isClosed = true
      onClosed()
      return
    }
    const reason = 'code' in error ? String(error.code) : error.message
    failure = new CommandError(exitCodes.unavailable, `cannot write standard output: ${reason}`)
  }
  stream.on('error', onError)
  return {
    isTty: stream.isTTY,
    get isClosed() {
      return isClosed
    },
    write: (chunks) => {
      const last = chunks.length - 1
      if (isClosed || last < 0) return Promise.resolve()
      if (failure !== null) return Promise.reject(failure)
      return new Promise((resolve, reject) => {
        const done = (error?: Error | null) => {
          if (error) onError(error)
          if (failure === null) resolve()
          else reject(failure)
        }
        stream.cork()
        for (const [index, chunk] of chunks.entries()) {
          stream.write(chunk, index === last ? done : undefined)
        }
        stream.uncork()
      })
    },
  }
}

/** Standard input as it arrives. Closed or a directory: ends at once, or throws the system's error. */
export async function* stdinChunks(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const stream = openStdin()
  const stop = () => stream.destroy()
  signal.addEventListener('abort', stop, { once: true })
  try {
    if (!signal.aborted) yield* stream as AsyncIterable<Buffer>
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** A line on standard error; that nobody reads our complaints is no reason to fail. */
export function writeStderr(line: string): void {
  const stream = process.stderr
  if (stream.listenerCount('error') === 0) stream.on('error', () => {})
  stream.write(line.endsWith('\n') ? line : `${line}\n`)
}
