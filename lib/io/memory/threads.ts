/**
 * Threads of a machine that has only one: a task runs between the turns of the same event loop, but
 * shares nothing with who started it, since all that is posted is copied.
 */

import { deferred } from '../../base/deferred.ts'
import type { Env } from '../env.ts'
import type { Thread, ThreadPort, Threads } from '../threads.ts'

export type Task = (env: Env, port: ThreadPort) => Promise<void>

/** Its tasks run on the Env that `env` gives at their start. */
export class MemoryThreads implements Threads {
  readonly workBytesMin = 0
  readonly #env: () => Env
  readonly #tasks: Readonly<Record<string, Task>>

  constructor(env: () => Env, tasks: Readonly<Record<string, Task>>) {
    this.#env = env
    this.#tasks = tasks
  }

  start(task: string, input: unknown, onMessage: (message: unknown) => void): Thread {
    const ended = deferred<Error | null>()
    let isEnded = false
    let listener: ((message: unknown) => void) | null = null
    const early: unknown[] = []
    const port: ThreadPort = {
      input: structuredClone(input),
      post: (message) => deliver(message, onMessage),
      listen(toTask) {
        listener = toTask
        for (const message of early.splice(0)) toTask(message)
      },
    }
    const deliver = (message: unknown, to: (message: unknown) => void) => {
      const copy: unknown = structuredClone(message)
      queueMicrotask(() => {
        if (!isEnded) to(copy)
      })
    }
    const end = (error: Error | null) => {
      isEnded = true
      ended.resolve(error)
    }
    const run = this.#tasks[task]
    if (run === undefined) queueMicrotask(() => end(new Error(`no task ${task}`)))
    // What it posted last is still to be delivered.
    else run(this.#env(), port).then(() => queueMicrotask(() => end(null)), end)
    return {
      post: (message) =>
        deliver(message, (copy) => {
          if (listener === null) early.push(copy)
          else listener(copy)
        }),
      ended: ended.promise,
      end: () => end(null),
    }
  }
}
