/**
 * Threads, for work that would hold up the event loop. A task runs in an isolate of its own, with a clock,
 * a disk and chance of its own: its input is copied to it, and both sides talk in messages, which are
 * copied, too. Only a disk that every thread sees alike offers them (disk.ts): a simulated machine has
 * one thread, and does the same work in it.
 */

export interface Threads {
  /** What a thread costs to make: work on fewer bytes is sooner done without. */
  readonly workBytesMin: number
  /** Begins a task. `onMessage` is called for each thing that the task posts. */
  start(task: string, input: unknown, onMessage: (message: unknown) => void): Thread
}

export interface Thread {
  post(message: unknown): void
  /** Resolves when the thread is gone, with the error that ended it, if any. */
  readonly ended: Promise<Error | null>
  /** Ends it, whatever it does. */
  end(): void
}

/** The thread's side. */
export interface ThreadPort {
  readonly input: unknown
  post(message: unknown): void
  /** Called for each message from now on; those that came before wait. */
  listen(onMessage: (message: unknown) => void): void
}
