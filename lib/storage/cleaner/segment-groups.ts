/**
 * Which neighbouring segments become one: as many as fit into segment.bytes by their sizes before
 * the cleaning, so that a log that shrinks does not end as thousands of small files.
 * Source: apache/kafka: Cleaner.groupSegmentsBySize.
 */

import type { Offset } from '../../base/types.ts'
import { segmentBytesOf } from '../log-config.ts'
import { timeEntrySize } from '../time-index.ts'
import type { CleaningConfig } from './log-to-clean.ts'

/** What grouping looks at. */
export interface Sized {
  readonly baseOffset: Offset
  readonly sizeBytes: number
}

const relativeOffsetMax = 0x7fffffff

/** `segments` in groups, in order; `endOffset` is where the last one ends. */
export function groupSegments<T extends Sized>(
  segments: readonly T[],
  endOffset: Offset,
  config: CleaningConfig,
): T[][] {
  // An index has at most one entry for so many bytes of log: the group's index stays in its bounds too.
  const entriesMax = Math.floor(config['segment.index.bytes'] / timeEntrySize) - 1
  const indexedBytes = entriesMax * Math.max(config['index.interval.bytes'], 1)
  const bytesMax = Math.min(segmentBytesOf(config), indexedBytes)
  const groups: T[][] = []
  let bytes = 0
  for (const [index, segment] of segments.entries()) {
    const group = groups.at(-1)
    const first = group?.[0]
    const lastOffset = (segments[index + 1]?.baseOffset ?? endOffset) - 1
    const fits =
      first !== undefined &&
      bytes + segment.sizeBytes <= bytesMax &&
      (segment.sizeBytes === 0 || lastOffset - first.baseOffset <= relativeOffsetMax)
    if (fits) group?.push(segment)
    else {
      groups.push([segment])
      bytes = 0
    }
    bytes += segment.sizeBytes
  }
  return groups
}
