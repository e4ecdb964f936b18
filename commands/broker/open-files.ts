/** Whether the system gives a broker enough file handles, told before it starts. */

import { openFilesLeast } from '../../lib/broker/open-files.ts'
import { type CommandContext, CommandError, exitCodes } from '../command.ts'

/** Files and sockets that this process may have open. Throws CommandError 5 when no broker can live with that. */
export async function openFilesMax({ processes }: CommandContext): Promise<number> {
  const filesMax = await processes.filesMax()
  if (filesMax >= openFilesLeast) return filesMax
  throw new CommandError(
    exitCodes.unavailable,
    `this process may have ${filesMax} files and connections open, a broker needs ${openFilesLeast}`,
    'raise the limit in this shell: ulimit -n 4096',
  )
}
