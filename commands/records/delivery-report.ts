/**
 * `produce --report`: a line on standard output for each record that was delivered or failed, in
 * the order in which batches are settled.
 *
 *   json     {"topic":"orders","partition":0,"offset":42,"line":1}   with "error" where it failed
 *   FORMAT   %t topic, %p partition, %o offset (-1 = failed or not told), %i line; then a line feed
 */

import { type DeliveryReport, errorOfRecord } from '../../lib/client/produce-batch.ts'
import { BadValue } from '../values.ts'
import type { ByteWriter } from './byte-writer.ts'
import { parseFormat } from './format-parser.ts'

/** Writes the lines of a batch. */
export type ReportWriter = (out: ByteWriter, report: DeliveryReport) => void

/** The writer that --report asks for; null for `none`. Throws BadValue. */
export function parseReport(text: string): ReportWriter | null {
  if (text === 'none') return null
  return text === 'json' ? writeJson : formatReport(text)
}

const writeJson: ReportWriter = (out, report) => {
  const { topic, partition, baseOffset, tags, error, recordErrors } = report
  const head = `{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":`
  const ofBatch = tailOf(error)
  for (const [index, line] of tags.entries()) {
    const isNamed = error !== null && recordErrors.length > 0
    const tail = isNamed ? tailOf(errorOfRecord({ ...report, error }, index)) : ofBatch
    out.utf8(head)
    out.integer(error !== null || baseOffset < 0 ? -1 : baseOffset + index)
    out.ascii(',"line":')
    out.integer(line)
    out.utf8(tail)
  }
}

function tailOf(error: Error | null): string {
  return error === null ? '}\n' : `,"error":${JSON.stringify(`${error.name}: ${error.message}`)}}\n`
}

function formatReport(format: string): ReportWriter {
  const parts = parseFormat(format)
  for (const part of parts) {
    if ('literal' in part) continue
    if (!'tpoi'.includes(part.letter) || part.letter === '' || part.modifier !== null) {
      throw new BadValue(`none, json, or a format of %t %p %o %i, not %${part.letter}`)
    }
  }
  return (out, { topic, partition, baseOffset, tags, error }) => {
    for (const [index, line] of tags.entries()) {
      const offset = error !== null || baseOffset < 0 ? -1 : baseOffset + index
      for (const part of parts) {
        if ('literal' in part) out.bytes(part.literal)
        else if (part.letter === 't') out.utf8(topic)
        else out.integer(part.letter === 'p' ? partition : part.letter === 'o' ? offset : line)
      }
      out.byte(10)
    }
  }
}
