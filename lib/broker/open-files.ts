/**
 * How the handles that the system gives a process (`ulimit -n`) are shared out: segment files, which
 * are closed and opened again as needed, and connections, which are refused beyond their share. What is
 * spare goes to listeners, the metadata, and the small files that are open for a moment.
 */

export interface OpenFileShares {
  readonly segmentFiles: number
  readonly connections: number
}

/** With fewer a broker does not start. */
export const openFilesLeast = 128
const spareFiles = 64
/** More segments than this are hardly in use at a time; each open one costs a kilobyte or two. */
const segmentFilesMax = 5000

export function shareOpenFiles(filesMax: number): OpenFileShares {
  const shared = Math.max(filesMax - spareFiles, 2)
  const segmentFiles = Math.min(segmentFilesMax, Math.floor(shared / 2))
  return { segmentFiles, connections: shared - segmentFiles }
}
