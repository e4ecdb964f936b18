/** The program of a thread (lib/io/threads.ts): knows its tasks, and loads the one that was asked for. */

import type { Env } from '../lib/io/env.ts'
import { nodeEnv } from '../lib/io/node/env.ts'
import { standBack, threadPort } from '../lib/io/node/threads.ts'
import type { ThreadPort } from '../lib/io/threads.ts'

type Task = (env: Env, port: ThreadPort) => Promise<void>

const tasks: Readonly<Record<string, () => Promise<Task>>> = {
  'clean-log': async () =>
    (await import('../lib/storage/cleaner/cleaner-thread.ts')).cleanForOthers,
}

const { task, port, close } = threadPort()
const load = tasks[task]
if (load === undefined) throw new Error(`no task ${task}`)
standBack()
const run = await load()
await run(nodeEnv(), port)
close()
