/** One partition of a consumer's assignment: where it reads, and how it fares. */

import type { LeaderEpoch, Offset, TopicId } from '../base/types.ts'

export class FetchPartition {
  readonly topic: string
  readonly partition: number
  /** Exclusive; infinite when it follows. */
  readonly to: Offset
  /** The next offset to ask a broker for. */
  fetchOffset: Offset
  /** The next offset that the reader has not been given. */
  position: Offset
  /** Of the last batch that was fetched; -1 before the first. */
  lastEpoch: LeaderEpoch = -1
  /** The leader epoch under which `fetchOffset` is known to be on the leader's log. */
  validEpoch: LeaderEpoch = -1
  topicId: TopicId | null = null
  isBusy = false
  /** Not before this monotonic time. */
  retryAtMs = 0
  failures = 0
  /** Monotonic time since which its topic is unknown; null while it is known. */
  unknownSinceMs: number | null = null
  /** Why nothing more comes of it. */
  failure: Error | null = null
  highWatermark: Offset = -1
  logStartOffset: Offset = -1
  lastStableOffset: Offset = -1

  constructor(fields: { topic: string; partition: number; from: Offset; to: Offset }) {
    this.topic = fields.topic
    this.partition = fields.partition
    this.to = fields.to
    this.fetchOffset = fields.from
    this.position = fields.from
  }

  /** Whether everything wanted has been fetched. */
  get isFetched(): boolean {
    return this.fetchOffset >= this.to
  }

  /** Whether the reader has everything. */
  get isFinished(): boolean {
    return this.position >= this.to
  }

  /** Something went wrong: tries again after `pauseMs`. */
  retryAfter(nowMs: number, pauseMs: number): void {
    this.retryAtMs = nowMs + pauseMs
  }

  /** Goes on elsewhere in the log. */
  jump(offset: Offset): void {
    this.fetchOffset = offset
    this.lastEpoch = -1
  }
}
