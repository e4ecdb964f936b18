/**
 * DescribeLogDirs (35): tells the log directories of a broker and the size of the replicas in them
 * (KIP-113).
 * v1 throttled after the reply (KIP-219); v2 flexible; v3 an error for the whole answer; v4 total
 * and usable bytes (KIP-827); v5 whether a directory takes no new replicas.
 */

import {
  api,
  array,
  bool,
  int16,
  int32,
  int64,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
} from '../schema.ts'

export const DescribeLogDirs = api({
  key: 35,
  name: 'DescribeLogDirs',
  versions: [0, 5],
  flexible: 2,
  request: {
    topics: array(struct({ topic: string(), partitions: array(int32()) }), { nullableSince: 0 }),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16({ since: 3, ignorable: true }),
    results: array(
      struct({
        errorCode: int16(),
        logDir: string(),
        topics: array(
          struct({
            name: string(),
            partitions: array(
              struct({
                partitionIndex: int32(),
                partitionSize: int64(),
                offsetLag: int64(),
                isFutureKey: bool(),
              }),
            ),
          }),
        ),
        totalBytes: int64({ since: 4, fallback: -1, ignorable: true }),
        usableBytes: int64({ since: 4, fallback: -1, ignorable: true }),
        isCordoned: bool({ since: 5, ignorable: true }),
      }),
    ),
  },
})

export type DescribeLogDirsRequest = RequestOf<typeof DescribeLogDirs>
export type DescribeLogDirsResponse = ResponseOf<typeof DescribeLogDirs>
