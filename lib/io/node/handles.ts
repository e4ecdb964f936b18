/** Handles of files, of which a process has a limited number. */

import { hasErrorCode } from '../disk.ts'

const handleWaitMs = 5000
const handlePollMs = 5

/**
 * Runs `open` again while the process has no handle left (EMFILE): many logs may want a small file
 * for a moment at the same time. Rejects with that error after `handleWaitMs`.
 */
export async function whenHandles<T>(open: () => T | Promise<T>): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += handlePollMs) {
    try {
      return await open()
    } catch (error) {
      const isShort = hasErrorCode(error, 'EMFILE') || hasErrorCode(error, 'ENFILE')
      if (!isShort || waitedMs >= handleWaitMs) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, handlePollMs))
  }
}
