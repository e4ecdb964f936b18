/**
 * Server-side assignors by name: who of a consumer group is to own which partition.
 * Source: KIP-848.
 */

import type { Assignor } from './assignor-spec.ts'
import { assignByRange } from './assignors-range.ts'
import { assignUnevenly } from './assignors-uneven.ts'
import { assignUniformly } from './assignors-uniform.ts'

export const assignors: ReadonlyMap<string, Assignor> = new Map<string, Assignor>([
  /** Equal shares, and as few moves as possible. */
  ['uniform', (group) => (group.isHomogeneous ? assignUniformly(group) : assignUnevenly(group))],
  /** Consecutive partitions, the same ones of each topic with as many partitions. */
  ['range', assignByRange],
])
