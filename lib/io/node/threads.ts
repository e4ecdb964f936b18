/**
 * Threads as Node's workers. Their program is ottla-thread.mjs, which the build puts beside the other bundles,
 * or above the chunks; where somebody bundled ottla without it there are no threads.
 */

import { existsSync, readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import type { Thread, ThreadPort, Threads } from '../threads.ts'

/** One takes some 30 ms and 10 MB. */
const workBytesMin = 1024 * 1024
/** A third of the share that the event loop gets where both want a processor. */
const niceness = 5
const places = ['./ottla-thread.mjs', '../ottla-thread.mjs', '../../ottla-thread.mjs']

let found: Threads | null | undefined

/** Null without the program of threads. */
export function nodeThreads(): Threads | null {
  if (found !== undefined) return found
  const program = findProgram()
  found =
    program === undefined ? null : { workBytesMin, start: (...task) => startThread(program, task) }
  return found
}

function findProgram(): URL | undefined {
  try {
    return places
      .map((place) => new URL(place, import.meta.url))
      .find((url) => existsSync(fileURLToPath(url)))
  } catch {
    // A bundler put something else there than the URL of a file.
    return undefined
  }
}

function startThread(program: URL, [task, input, onMessage]: Parameters<Threads['start']>): Thread {
  const worker = new Worker(program, { name: task, workerData: { task, input } })
  worker.on('message', onMessage)
  let failure: Error | null = null
  worker.on('error', (error: Error) => (failure = error))
  const ended = new Promise<Error | null>((resolve) => worker.on('exit', () => resolve(failure)))
  return {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
    post: (message) => worker.postMessage(message),
    ended,
    end: () => void worker.terminate(),
  }
}

/** Inside a thread: its task, and the way to the others. Closing lets the thread end. */
export function threadPort(): { task: string; port: ThreadPort; close: () => void } {
  const others = parentPort
  if (others === null) throw new Error('not in a thread')
  const { task, input } = workerData as { task: string; input: unknown }
  const port: ThreadPort = {
    input,
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
    post: (message) => others.postMessage(message),
    listen: (onMessage) => void others.on('message', onMessage),
  }
  return { task, port, close: () => others.close() }
}

/** Inside a thread: the event loop of the process comes first. Where the system lets a thread be told so. */
export function standBack(): void {
  if (process.platform !== 'linux') return
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1))
    setPriority(thread, niceness)
  } catch {
    // A container may forbid it, or have no /proc: then all are equal.
  }
}
