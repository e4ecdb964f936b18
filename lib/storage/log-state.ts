/** What a log starts with: the outcome of recovery, or of making a new one. */

import type { Offset, TopicId, TopicPartition } from '../base/types.ts'
import type { LeaderEpochCache } from './leader-epochs.ts'
import type { ProducerStates } from './producer-state.ts'
import type { Segment } from './segment.ts'

/** A log's state as it is opened. */
export interface LogState {
  readonly topicPartition: TopicPartition
  readonly topicId: TopicId | null
  readonly directory: string
  /** Oldest first, at least one; the last takes the appends. */
  readonly segments: Segment[]
  readonly logStartOffset: Offset
  readonly logEndOffset: Offset
  /** Up to here everything is synced. */
  readonly recoveryPoint: Offset
  readonly leaderEpochs: LeaderEpochCache
  /** Their file could not be written: no space. */
  readonly lacksEpochs?: boolean
  readonly producers: ProducerStates
  /** Indexes and producer state lie in their files as they are in memory. */
  readonly isSettled: boolean
  /** Its directory has files of journal-rest.ts, whose records are in the segments if it can be used. */
  readonly hasRest?: boolean
  /** Why the log cannot be used; null when it can. */
  readonly failure: Error | null
}
