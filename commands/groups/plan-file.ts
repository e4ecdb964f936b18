/**
 * A plan of `group reset` that is fed back, edited or not: its own JSON (one object, a list of
 * partitions, or a partition per line), or the CSV that Kafka's tool exports,
 * `topic,partition,offset` or `group,topic,partition,offset`.
 */

import type { Offset, TopicPartition } from '../../lib/base/types.ts'
import { type CommandContext, CommandError, exitCodes } from '../command.ts'

export interface PlannedOffset extends TopicPartition {
  readonly offset: Offset
}

const sizeMax = 64 * 1024 * 1024

/** Throws CommandError 2 when it cannot be read, 4 when it is no plan. */
export async function readPlan(
  context: CommandContext,
  file: string,
  group: string,
): Promise<PlannedOffset[]> {
  const text = await readAll(context, file)
  const name = file === '-' ? 'standard input' : file
  const isJson = /^\s*[[{]/.test(text)
  const plan = isJson ? fromJson(text, name) : fromCsv(text, { name, group })
  const seen = new Set<string>()
  for (const { topic, partition } of plan) {
    const key = `${topic}[${partition}]`
    if (seen.has(key)) throw invalid(name, `${key} stands there twice`)
    seen.add(key)
  }
  return plan
}

async function readAll(context: CommandContext, file: string): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of file === '-' ? context.stdin() : context.read(context.path(file))) {
      size += chunk.length
      if (size > sizeMax) throw invalid(file, `more than ${sizeMax} bytes`)
      // The chunk's bytes may be used again for the next one.
      chunks.push(Uint8Array.from(chunk))
    }
  } catch (error) {
    if (error instanceof CommandError || !(error instanceof Error)) throw error
    throw new CommandError(exitCodes.usage, `cannot read ${file}: ${error.message}`)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function fromJson(text: string, name: string): PlannedOffset[] {
  const rows = rowsOf(text, name)
  return rows.flatMap((row, index): PlannedOffset[] => {
    const at = `/partitions/${index}`
    if (typeof row !== 'object' || row === null) throw invalid(name, `${at} must be an object`)
    const { topic, partition, new: planned, offset = planned } = row as Record<string, unknown>
    if (typeof topic !== 'string' || topic === '') {
      throw invalid(name, `${at}/topic must be a text that is not empty`)
    }
    // A partition that the plan leaves alone.
    if (offset === null) return []
    if (!isCount(partition)) throw invalid(name, `${at}/partition must be a whole number from 0`)
    if (!isCount(offset)) throw invalid(name, `${at}/new must be a whole number from 0, or null`)
    return [{ topic, partition, offset }]
  })
}

function rowsOf(text: string, name: string): readonly unknown[] {
  const value = parseText(text, name)
  if (Array.isArray(value)) return value
  if (typeof value !== 'object' || value === null || !('partitions' in value)) return [value]
  if (!Array.isArray(value.partitions)) throw invalid(name, '/partitions must be a list')
  return value.partitions
}

/** One JSON value, or a list of one per line. */
function parseText(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const lines = text.split('\n').filter((line) => line.trim() !== '')
    if (lines.length > 1 && isJson(lines[0] ?? '')) {
      return lines.map((line, index) => parseLine(line, { name, number: index + 1 }))
    }
    throw invalid(name, error instanceof Error ? error.message : String(error))
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function parseLine(line: string, { name, number }: { name: string; number: number }): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw invalid(name, `line ${number}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function fromCsv(text: string, { name, group }: { name: string; group: string }): PlannedOffset[] {
  const plan: PlannedOffset[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue
    const cells = line.split(',').map((cell) => cell.trim().replace(/^"(.*)"$/s, '$1'))
    const [offset, partition, topic = '', owner] = [...cells].reverse()
    const isNumber = /^\d+$/.test(partition ?? '') && /^\d+$/.test(offset ?? '')
    if (!isNumber || topic === '' || cells.length > 4) {
      throw invalid(name, `line ${index + 1}: want topic,partition,offset`)
    }
    if (owner !== undefined && owner !== group) continue
    plan.push({ topic, partition: Number(partition), offset: Number(offset) })
  }
  return plan
}

function invalid(name: string, why: string): CommandError {
  return new CommandError(exitCodes.invalidData, `${name}: ${why}`)
}
