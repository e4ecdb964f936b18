/** From nothing on the disk to the first acknowledged record, formatting included. */

import { output } from '../../interop/process.ts'
import type { Row } from './row.ts'
import type { Target } from './target.ts'

/** Starts a broker of its own, in an empty folder. */
export interface Starter {
  readonly name: string
  start(): Promise<Target>
}

export const startRows: Row<Starter>[] = [
  {
    name: 'nothing to first acknowledged record',
    unit: 'ms',
    better: 'less',
    async measure({ start }) {
      const begin = performance.now()
      const target = await start()
      const arguments_ = ['-P', '-q', '-b', target.address, '-t', 'first', '-X', 'acks=all']
      await output(['kcat', ...arguments_], { input: 'one\n' })
      const elapsedMs = performance.now() - begin
      await target.close()
      return elapsedMs
    },
  },
]
