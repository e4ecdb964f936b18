/**
 * The registry: one line per command, imported only when it is run (or all, for help and man
 * pages). The order is the order of help.
 */

import type { Command } from './command.ts'

export interface Entry {
  readonly name: string
  /** Other names that work and stand in no help. */
  readonly aliases?: readonly string[]
  load(): Promise<Command>
}

const entries: readonly Entry[] = []

/** Every command, in the order of help. */
export function commandEntries(): readonly Entry[] {
  return entries
}
