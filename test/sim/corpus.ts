/**
 * Seeds that once failed, each with what it found. They run in every check (`npm run sim -- --corpus`).
 * What a seed leads to changes with the plans that it draws, so each find also has a test of its own,
 * named after it.
 */

export interface CorpusSeed {
  readonly seed: number
  readonly seconds: number
  readonly why: string
}

export const corpus: readonly CorpusSeed[] = [
  {
    seed: 1,
    seconds: 60,
    why: 'the metadata log did not open after a failed sync and a power cut',
  },
  { seed: 9, seconds: 20, why: 'a log that had space again was cut twice' },
  { seed: 19, seconds: 60, why: 'recovery took what a failed sync left in the cache for durable' },
  { seed: 33, seconds: 20, why: 'a start that failed left the mark of a clean stop' },
  { seed: 58, seconds: 60, why: 'a log with an unreadable topic id was set aside' },
  { seed: 83, seconds: 20, why: 'two members of a group owned a partition' },
  { seed: 104, seconds: 20, why: 'a producer was remembered with fewer than five batches' },
  { seed: 143, seconds: 20, why: 'epochs were cut at a log start that a crash took back' },
  {
    seed: 157,
    seconds: 20,
    why: 'files that only the cached directory knew went with a power cut',
  },
  { seed: 211, seconds: 20, why: 'a new data directory went with a power cut' },
  {
    seed: 70004,
    seconds: 60,
    why: 'a batch before the snapshot whose segment retention had taken was not known again',
  },
  {
    seed: 90198,
    seconds: 60,
    why: 'deleted records came back: a log start that a full disk refused was acknowledged later',
  },
]
