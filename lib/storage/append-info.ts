/** What an append came to, before and after its bytes are written. */

import type { Offset } from '../base/types.ts'

export interface AppendInfo {
  readonly baseOffset: Offset
  readonly lastOffset: Offset
  /** -1 unless the topic has LogAppendTime. */
  readonly logAppendTimeMs: number
  readonly logStartOffset: Offset
  /** The batch was in the log already; the offsets are those of the first time. */
  readonly isDuplicate: boolean
  /** Resolves when the batch is written; KAFKA_STORAGE_ERROR when that failed. */
  readonly written: Promise<void>
}
