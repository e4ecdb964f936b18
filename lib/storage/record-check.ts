/**
 * What a topic with `ottla.key.schema` or `ottla.value.schema` asks of each record, beyond what
 * every log checks. Called by Log.append for a batch that is new and otherwise good: a batch that is
 * sent again is not checked again, since the schema may have changed meanwhile.
 *
 * A value is a JSON text in UTF-8; null deletes, and always passes. A key is a JSON text, or else
 * the text that it is: `user-1` and `"user-1"` are both that string, and 42 may be the number or the
 * string. No key is null. All records of a batch are refused when one does not fit, as Kafka does
 * with invalid records; the answer names those that are at fault.
 *
 * Bounds: bytes of the batch when decompressed, bytes of a value, steps of a record and of a batch.
 */

import { DecodeError } from '../base/errors.ts'
import { type SchemaValidator, StepsExceededError } from '../config/schema-validator.ts'
import { isControl, type RecordBatch } from '../record/batch.ts'
import { RecordCursor } from '../record/record.ts'
import {
  decompressedBytesMax,
  InvalidRecordsError,
  type RecordError,
  recordErrorsMax,
} from './batch-validation.ts'

/** Throws INVALID_RECORD, with the records that are at fault. `where` names the partition. */
export type RecordCheck = (batch: RecordBatch, where: string) => void

export interface RecordSchemas {
  readonly key: SchemaValidator | null
  readonly value: SchemaValidator | null
}

/** A key or value larger than this is refused: parsed, it takes some ten times as much. */
const textBytesMax = 16 * 1024 * 1024
/** What a batch may cost: a quarter of a second or so. */
const batchStepsMax = 20_000_000
/** What a record may cost, whatever its size, and more for each of its bytes. */
const recordStepsMax = 1_000_000
const stepsPerByte = 16

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** null when nothing is to be checked. */
export function recordCheckOf(schemas: RecordSchemas): RecordCheck | null {
  if (schemas.key === null && schemas.value === null) return null
  return (batch, where) => {
    if (isControl(batch.header.attributes)) return
    const offenders = offendersOf(batch, schemas)
    if (offenders.count === 0) return
    const [first] = offenders.named
    const { recordCount } = batch.header
    throw new InvalidRecordsError(
      'INVALID_RECORD',
      `${offenders.count} of ${recordCount} records do not fit the schema of ${where}; record ${first?.batchIndex}: ${first?.message}`,
      offenders.named,
    )
  }
}

/** Refuses every batch, since the schema that it would have to fit cannot be used here. */
export function refuseAll(reason: string): RecordCheck {
  return (_, where) => {
    throw new InvalidRecordsError('INVALID_RECORD', `${where} takes no records: ${reason}`, [])
  }
}

interface Offenders {
  count: number
  readonly named: RecordError[]
}

function offendersOf(batch: RecordBatch, schemas: RecordSchemas): Offenders {
  const offenders: Offenders = { count: 0, named: [] }
  let leftSteps = batchStepsMax
  let index = 0
  try {
    const cursor = new RecordCursor(batch, { maxBytes: decompressedBytesMax })
    for (; cursor.next(); index++) {
      const steps = Math.min(leftSteps, stepsFor(cursor))
      const { message, spent } = problemOf(cursor, schemas, steps)
      leftSteps -= spent
      if (message === null) continue
      offenders.count++
      if (offenders.named.length < recordErrorsMax) {
        offenders.named.push({ batchIndex: index, message })
      }
      // Nothing is left for those behind it.
      if (leftSteps <= 0) break
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    const message = `the records cannot be read: ${error.message}`
    throw new InvalidRecordsError('INVALID_RECORD', message, [])
  }
  return offenders
}

function stepsFor({ keySize, valueSize }: RecordCursor): number {
  return recordStepsMax + stepsPerByte * (Math.max(keySize, 0) + Math.max(valueSize, 0))
}

function problemOf(
  cursor: RecordCursor,
  { key, value }: RecordSchemas,
  steps: number,
): { message: string | null; spent: number } {
  let left = steps
  let message: string | null = null
  if (value !== null && cursor.valueSize >= 0) {
    value.meter.left = left
    message = guarded('value', () => valueProblem(cursor, value))
    left = value.meter.left
  }
  if (key !== null && message === null) {
    key.meter.left = left
    message = guarded('key', () => keyProblem(cursor, key))
    left = key.meter.left
  }
  return { message, spent: steps - left }
}

/** What is wrong with a part, or that it asks for too much to be looked at. */
function guarded(part: string, check: () => string | null): string | null {
  try {
    const problem = check()
    return problem === null ? null : `${part}: ${problem}`
  } catch (error) {
    if (error instanceof StepsExceededError) return `${part}: takes too long to be checked`
    // The stack is full: the schema refers to itself, and the value goes deeper than that.
    if (error instanceof RangeError) return `${part}: nested too deeply to be checked`
    throw error
  }
}

function valueProblem(cursor: RecordCursor, schema: SchemaValidator): string | null {
  const { bytes, valuePosition, valueSize } = cursor
  const text = textAt(bytes, valuePosition, valueSize)
  if (typeof text !== 'string') return text.problem
  const parsed = parse(text)
  return 'problem' in parsed ? parsed.problem : schema.check(parsed.json)
}

function keyProblem(cursor: RecordCursor, schema: SchemaValidator): string | null {
  const { bytes, keyPosition, keySize } = cursor
  if (keySize < 0) {
    const problem = schema.check(null)
    return problem === null ? null : `there is none, and it ${problem}`
  }
  const text = textAt(bytes, keyPosition, keySize)
  if (typeof text !== 'string') return text.problem
  const parsed = parse(text)
  if ('problem' in parsed) return schema.check(text)
  const problem = schema.check(parsed.json)
  if (problem === null || typeof parsed.json === 'string') return problem
  return schema.check(text) === null ? null : problem
}

function textAt(bytes: Buffer, position: number, size: number): string | { problem: string } {
  if (size > textBytesMax) {
    return { problem: `${size} bytes, at most ${textBytesMax} can be checked` }
  }
  try {
    return utf8.decode(bytes.subarray(position, position + size))
  } catch {
    return { problem: 'not UTF-8' }
  }
}

function parse(text: string): { json: unknown } | { problem: string } {
  try {
    const json: unknown = JSON.parse(text)
    return { json }
  } catch (error) {
    if (error instanceof RangeError) throw error
    return { problem: `not JSON: ${error instanceof Error ? error.message.slice(0, 200) : ''}` }
  }
}
