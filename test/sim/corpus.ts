/** Seeds that once failed, each with what it found. They run in every check (`npm run sim -- --corpus`). */

export interface CorpusSeed {
  readonly seed: number
  readonly seconds: number
  readonly why: string
}

export const corpus: readonly CorpusSeed[] = [
  {
    seed: 1,
    seconds: 60,
    why: 'the metadata log did not open after a failed sync, a new start and a power cut',
  },
  {
    seed: 9,
    seconds: 60,
    why: 'recovery used a segment that only the cached directory knew; a power cut took it',
  },
  {
    seed: 19,
    seconds: 60,
    why: 'recovery took for durable what a failed sync had left in the page cache',
  },
]
