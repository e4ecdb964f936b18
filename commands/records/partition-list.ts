/** Lists of partitions as a person types them: `0`, `0,3-5`. */

import { BadValue } from '../values.ts'

/** More partitions than one topic has in practice; keeps `0-4000000000` from filling memory. */
const partitionMax = 1_000_000

/** The partitions of `text`, sorted, each once. Throws BadValue. */
export function parsePartitionList(text: string): readonly number[] {
  const partitions = new Set<number>()
  for (const item of text.split(',')) {
    const match = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(item)
    const first = Number(match?.[1] ?? Number.NaN)
    const last = Number(match?.[2] ?? first)
    if (!(first <= last && last <= partitionMax)) {
      throw new BadValue('partitions such as 2 or 0,3-5')
    }
    for (let partition = first; partition <= last; partition++) partitions.add(partition)
  }
  return [...partitions].sort((a, b) => a - b)
}

/** Partitions for a message: `0-2`, `0, 4-6`; `none` for an empty list. */
export function partitionRanges(partitions: readonly number[]): string {
  const sorted = [...partitions].sort((a, b) => a - b)
  const ranges: string[] = []
  for (let at = 0; at < sorted.length; ) {
    let end = at
    while (end + 1 < sorted.length && sorted[end + 1] === (sorted[end] ?? 0) + 1) end++
    ranges.push(end === at ? `${sorted[at]}` : `${sorted[at]}-${sorted[end]}`)
    at = end + 1
  }
  return ranges.length === 0 ? 'none' : ranges.join(', ')
}
