/**
 * Bugs to be planted: mistakes that logs have made before, each behind a name, so that the simulator
 * can show that it finds them (test/sim/planted.ts switches them on, one at a time). All are false, and
 * in the product each `planted.name` is the constant false before the bundler looks at it (build.mjs):
 * nothing of them is in the bundle.
 */

export const planted = {
  /** The high watermark follows the written end: acknowledged before the sync. */
  ackBeforeSync: false,
  /** A sync that failed is tried again, and succeeds. */
  syncRetried: false,
  /** The directory is not synced after a roll. */
  rollUnsynced: false,
  /** Damage below the recovery point is cut like a torn tail. */
  rotTruncated: false,
  /** Recovery begins at the last segment, wherever the recovery point is. */
  recoveryTooLate: false,
  /** Producer state is taken from the newest snapshot alone. */
  snapshotStale: false,
  /** Four batches are remembered of a producer that may have five under way. */
  sequenceWindowOfFour: false,
  /** Retention forgets the producers with the segments. */
  producersLostByRetention: false,
  /** Small files are renamed into place before their bytes are synced. */
  checkpointUnsynced: false,
  /** The clean mark stays while the logs are used: a crash is taken for a clean stop. */
  cleanMarkBelieved: false,
  /** A start takes logs for durable whose directories only the page cache knows. */
  logDirectoryUnsynced: false,
  /** Recovery takes pages for durable that a failed sync left in the cache. */
  failedPagesBelieved: false,
  /** The metadata log takes what a failed sync left in the cache for durable. */
  metadataTailBelieved: false,
  /** Readers get records that are not durable yet. */
  readBeyondHighWatermark: false,
  /** DeleteRecords answers before the new start is on disk. */
  logStartUnsaved: false,
  /** A change of the metadata is told before it is on disk. */
  metadataAnsweredEarly: false,
  /** A commit of offsets is answered before it is durable. */
  commitAnsweredEarly: false,
  /** A file of the journal is used again before the segments have what it holds. */
  journalRecycledEarly: false,
  /** The cleaner's new segment takes its place before its bytes are synced. */
  cleanerBytesUnsynced: false,
  /** The steps of the cleaner's swap are not made durable one by one. */
  cleanerSwapUnsynced: false,
}

export type PlantedBug = keyof typeof planted
