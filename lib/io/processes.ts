/** Other processes of this machine, as a parameter: for the commands that start, stop and ask brokers. */

export interface Processes {
  readonly pid: number
  /** The command line that starts this program again. */
  readonly self: readonly string[]
  /** The folder of the installed package, for the files it brings along. */
  readonly packageFolder: string
  /** Changes with each start of the machine, so that an old pid is not taken for a live process; '' where unknown. */
  bootId(): Promise<string>
  /** Files and sockets that this process may have open (`ulimit -n`); Infinity where there is no limit. */
  filesMax(): Promise<number>
  /** Tunes this process for a life of serving requests. Call it once, early; nothing depends on it. */
  prepareToServe(): void
  isAlive(pid: number): boolean
  /** False when there is no such process; throws EPERM when it belongs to another user. */
  signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): boolean
  /**
   * Runs a command line with our standard streams and resolves with its exit code (128 + n after
   * signal n). `signal` passes SIGTERM on. Throws ENOENT, EACCES when it cannot be started.
   */
  run(
    commandLine: readonly string[],
    options: {
      variables: Readonly<Record<string, string>>
      signal: AbortSignal
      /** A file as its standard input, instead of ours. */
      stdin?: string
    },
  ): Promise<number>
}
