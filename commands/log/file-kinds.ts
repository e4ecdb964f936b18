/**
 * The files of a broker's data directory, each as rows under columns: segments as records or
 * batches, indexes, producer snapshots, checkpoints. Files are read in pieces; nothing is changed.
 */

import { basename } from 'node:path'
import { DecodeError } from '../../lib/base/errors.ts'
import { type Disk, readFile } from '../../lib/io/disk.ts'
import {
  batchCrc,
  codecOf,
  isControl,
  isTransactional,
  lastOffsetOf,
} from '../../lib/record/batch.ts'
import { readRecords } from '../../lib/record/record.ts'
import { decodeOffsetCheckpoint } from '../../lib/storage/checkpoint.ts'
import {
  type InspectedBatch,
  offsetIndexEntries,
  timeIndexEntries,
} from '../../lib/storage/inspect.ts'
import { decodeLeaderEpochs } from '../../lib/storage/leader-epochs.ts'
import { decodeProducerSnapshot } from '../../lib/storage/producer-snapshot.ts'
import type { ProducerEntry } from '../../lib/storage/producer-state.ts'
import { scanBatches } from '../../lib/storage/scan.ts'
import { transactionIndexEntries } from '../../lib/storage/transaction-index.ts'
import type { Column, Row } from '../command.ts'

export interface FileRows {
  readonly columns: readonly Column[]
  /** Throws DecodeError where the file does not follow its format; the rows before that have come. */
  rows(disk: Disk, path: string): AsyncIterable<readonly Row[]>
}

const number = (title: string, key: string, about: string): Column => ({
  title,
  key,
  about,
  isNumber: true,
})
const text = (title: string, key: string, about: string): Column => ({ title, key, about })

export const recordColumns: readonly Column[] = [
  number('OFFSET', 'offset', 'of the record'),
  number('TIMESTAMP', 'timestamp', 'of the record, ms since 1970'),
  text('KEY', 'key', 'as text; 0x and hexadecimal digits when it is not UTF-8'),
  text('VALUE', 'value', 'likewise'),
  text('HEADERS', 'headers', 'name=value, in order'),
]

export const batchColumns: readonly Column[] = [
  number('BASE', 'baseOffset', 'offset of the first record'),
  number('LAST', 'lastOffset', 'offset of the last record'),
  number('COUNT', 'count', 'records in the batch'),
  number('POSITION', 'position', 'byte in the file'),
  number('SIZE', 'size', 'bytes'),
  text('CODEC', 'codec', 'how the records are compressed'),
  number('TIMESTAMP', 'maxTimestamp', 'the largest of the batch'),
  number('PRODUCER', 'producerId', '-1 without one'),
  number('EPOCH', 'producerEpoch', 'of the producer'),
  number('SEQUENCE', 'baseSequence', 'of the first record'),
  number('LEADER-EPOCH', 'leaderEpoch', 'of the leader that wrote it'),
  text('FLAGS', 'flags', 'transactional, control'),
  text('CRC', 'crc', 'ok or wrong'),
]

/** Rows gathered before they are handed on, and bytes of batches kept for them. */
const blockRows = 1000
const recordBytesMax = 256 * 1024 * 1024

/** How to read a file, by its name; null for a file of no known kind. */
export function fileRowsOf(path: string, showBatches: boolean): FileRows | null {
  const name = basename(path)
  if (name.endsWith('.log')) return showBatches ? batchRows : recordRows
  return fileKinds.find(([pattern]) => pattern.test(name))?.[1] ?? null
}

/** Batches of a segment, some at a time; each is a copy. */
async function* batchesOf(disk: Disk, path: string): AsyncIterable<readonly InspectedBatch[]> {
  const file = await disk.open(path, 'read')
  try {
    const to = await file.size()
    for (let from = 0; from < to; ) {
      const block: InspectedBatch[] = []
      const end = await scanBatches(file, { from, to }, (header, bytes, position) => {
        if (block.length === blockRows) return 'stop'
        const copy = Buffer.from(bytes)
        block.push({
          header,
          bytes: copy,
          position,
          computedCrc: batchCrc({ header, chunks: [copy] }),
        })
        return undefined
      })
      yield block
      if (end.kind === 'bad') throw new DecodeError(`byte ${end.position}: ${end.why}`)
      from = end.position
      if (end.kind === 'end') return
    }
  } finally {
    await file.close()
  }
}

const batchRows: FileRows = {
  columns: batchColumns,
  async *rows(disk, path) {
    for await (const batches of batchesOf(disk, path)) yield batches.map(batchRow)
  },
}

function batchRow({ header, position, computedCrc }: InspectedBatch): Row {
  const { attributes } = header
  return {
    baseOffset: header.baseOffset,
    lastOffset: lastOffsetOf(header),
    count: header.recordCount,
    position,
    size: header.sizeBytes,
    codec: codecOf(attributes),
    maxTimestamp: header.maxTimestamp,
    producerId: header.producerId,
    producerEpoch: header.producerEpoch,
    baseSequence: header.baseSequence,
    leaderEpoch: header.partitionLeaderEpoch,
    flags: [
      ...(isTransactional(attributes) ? ['transactional'] : []),
      ...(isControl(attributes) ? ['control'] : []),
    ],
    crc: computedCrc === header.crc ? 'ok' : 'wrong',
  }
}

const recordRows: FileRows = {
  columns: recordColumns,
  async *rows(disk, path) {
    for await (const batches of batchesOf(disk, path)) {
      for (const batch of batches) {
        if (batch.computedCrc !== batch.header.crc) {
          throw new DecodeError(
            `byte ${batch.position}: the batch at offset ${batch.header.baseOffset} fails its checksum`,
          )
        }
        yield readRecords(batch.bytes, { maxBytes: recordBytesMax }).map(
          ({ offset, timestamp, key, value, headers }) => ({
            offset,
            timestamp,
            key: bytesCell(key),
            value: bytesCell(value),
            headers: headers.map((header) => `${header.key}=${bytesCell(header.value) ?? ''}`),
          }),
        )
      }
    }
  },
}

function bytesCell(bytes: Uint8Array | null): string | null {
  if (bytes === null) return null
  const { buffer, byteOffset, length } = bytes
  const view = Buffer.from(buffer, byteOffset, length)
  const decoded = view.toString('utf8')
  return Buffer.from(decoded, 'utf8').equals(view) ? decoded : `0x${view.toString('hex')}`
}

/** A small file that is read whole. */
function wholeFile(
  columns: readonly Column[],
  decode: (bytes: Uint8Array, path: string) => readonly Row[],
): FileRows {
  return {
    columns,
    async *rows(disk, path) {
      yield decode((await readFile(disk, path)) ?? new Uint8Array(0), path)
    },
  }
}

function producerRow({ producerId, producerEpoch, batches, lastWriteMs }: ProducerEntry): Row {
  const last = batches.at(-1)
  return {
    producerId,
    producerEpoch,
    lastSequence: last?.lastSequence ?? null,
    lastOffset: last?.lastOffset ?? null,
    timestamp: lastWriteMs,
  }
}

/** Files of segments are named by their base offset. */
function baseOffsetOf(path: string): number {
  return Number.parseInt(basename(path), 10)
}

const fileKinds: readonly (readonly [name: RegExp, kind: FileRows])[] = [
  [
    /^\d{20}\.index$/,
    wholeFile(
      [
        number('OFFSET', 'offset', 'last of the batch'),
        number('POSITION', 'position', 'byte in the .log file'),
      ],
      (bytes, path) => offsetIndexEntries(baseOffsetOf(path), bytes).map((entry) => ({ ...entry })),
    ),
  ],
  [
    /^\d{20}\.timeindex$/,
    wholeFile(
      [
        number('TIMESTAMP', 'timestamp', 'largest so far'),
        number('OFFSET', 'offset', 'of its record'),
      ],
      (bytes, path) => timeIndexEntries(baseOffsetOf(path), bytes).map((entry) => ({ ...entry })),
    ),
  ],
  [
    /^\d{20}\.txnindex$/,
    wholeFile(
      [
        number('PRODUCER', 'producerId', 'of the aborted transaction'),
        number('FIRST', 'firstOffset', 'its first offset'),
        number('LAST', 'lastOffset', 'its last offset'),
        number('STABLE', 'lastStableOffset', 'when it was aborted'),
      ],
      (bytes) => transactionIndexEntries(bytes).map((entry) => ({ ...entry })),
    ),
  ],
  [
    /^\d{20}\.snapshot$/,
    wholeFile(
      [
        number('PRODUCER', 'producerId', 'id'),
        number('EPOCH', 'producerEpoch', 'its epoch'),
        number('SEQUENCE', 'lastSequence', 'of its last record'),
        number('OFFSET', 'lastOffset', 'of its last record'),
        number('TIMESTAMP', 'timestamp', 'of its last batch'),
      ],
      (bytes) => decodeProducerSnapshot(bytes).entries.map(producerRow),
    ),
  ],
  [
    /^leader-epoch-checkpoint$/,
    wholeFile(
      [
        number('EPOCH', 'epoch', 'of the leader'),
        number('START', 'startOffset', 'its first offset'),
      ],
      (bytes) => decodeLeaderEpochs(bytes).map((entry) => ({ ...entry })),
    ),
  ],
  [
    /-offset-checkpoint$/,
    wholeFile(
      [
        text('TOPIC', 'topic', 'name'),
        number('PARTITION', 'partition', 'number'),
        number('OFFSET', 'offset', 'checkpointed'),
      ],
      (bytes) => decodeOffsetCheckpoint(bytes).map((entry) => ({ ...entry })),
    ),
  ],
  [
    /^(partition\.metadata|meta\.properties)$/,
    wholeFile([text('LINE', 'line', 'of the file')], (bytes) =>
      Buffer.from(bytes)
        .toString('utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => ({ line })),
    ),
  ],
]
