/**
 * Where a broker of this machine keeps its data, and the note it leaves there while it runs:
 *
 *   <data>/broker.json  {"v":1,"pid":4711,"bootId":"...","nodeId":1,"listeners":[{"name","host","port"}]}
 *
 * Whether it still runs is told by the lock on the directory, which the system frees when the
 * process dies: the note alone may be left over from a crash.
 */

import { join } from 'node:path'
import { hasErrorCode, LockedError, readFile } from '../../lib/io/disk.ts'
import { type CommandContext, CommandError, exitCodes } from '../command.ts'
import { file } from '../options.ts'

export interface BrokerNote {
  readonly v: number
  readonly pid: number
  readonly bootId: string
  readonly nodeId: number
  readonly listeners: readonly { name: string; host: string; port: number }[]
}

/** `--data`, as every command round a broker has it. */
export const dataOption = file('directory of the data (~/.local/share/ottla/node-<id>)', {
  word: 'DIR',
  completes: 'file',
})

/** The directory given, or the one of this node under XDG_DATA_HOME. */
export function dataPath(
  context: CommandContext,
  given: string | undefined,
  nodeId: number,
): string {
  if (given !== undefined) return context.path(given)
  const home = context.variable('XDG_DATA_HOME') ?? join(homeOf(context), '.local/share')
  return join(context.path(home), 'ottla', `node-${nodeId}`)
}

function homeOf(context: CommandContext): string {
  const home = context.variable('HOME') ?? context.variable('USERPROFILE')
  if (home !== undefined) return home
  throw new CommandError(exitCodes.usage, 'no HOME to keep the data under', 'say where: --data DIR')
}

/** The note of the broker that runs on `path`; null when none does. Throws CommandError 4 for an unreadable one. */
export async function runningBroker(
  context: CommandContext,
  path: string,
): Promise<BrokerNote | null> {
  const { disk } = context.env
  const notePath = join(path, 'broker.json')
  const bytes = await readFile(disk, notePath)
  if (bytes === null || !(await isLocked(context, path))) return null
  try {
    const note = JSON.parse(Buffer.from(bytes).toString()) as BrokerNote
    if (note.v === 1 && Number.isSafeInteger(note.pid) && Array.isArray(note.listeners)) return note
  } catch (error) {
    throw new CommandError(exitCodes.invalidData, `${notePath} is no JSON`, unreadableHint, {
      cause: error,
    })
  }
  throw new CommandError(
    exitCodes.invalidData,
    `${notePath} is not a note of a broker`,
    unreadableHint,
  )
}

const unreadableHint = 'a broker holds this directory: stop it by its process id'

/** Whether a broker holds the directory: free only when it has written everything. */
export async function isLocked({ env }: CommandContext, path: string): Promise<boolean> {
  try {
    await (await env.disk.lock(path)).release()
    return false
  } catch (error) {
    if (error instanceof LockedError) return true
    if (hasErrorCode(error, 'ENOENT')) return false
    throw error
  }
}
