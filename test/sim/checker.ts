/**
 * The independent checker: knows nothing of brokers and disks, only what clients did and were told, and
 * what one last reader found after everything. Jepsen's kinds of error, with their names.
 *
 *   lost-write            acknowledged, and not there
 *   duplicate             of an idempotent producer, there twice
 *   inconsistent-offsets  two records at one offset
 *   nonmonotonic-poll     a reader went back without being told to
 *   poll-skip             a reader left something out that was there
 *   unseen                acknowledged, and a reader that came to the end has not seen it
 *
 * In a compacted log a record may be gone, and passed over, once a later one of its key is there.
 */

import type { Offset } from '../../lib/base/types.ts'

export interface Finding {
  readonly kind: string
  readonly text: string
}

interface Acknowledged {
  readonly name: string
  readonly offset: Offset
}

/** A reader's way: what it got, and where it was told that the log begins elsewhere. */
export type Step =
  | { readonly kind: 'read'; readonly offset: Offset; readonly name: string }
  | { readonly kind: 'begin' }
  | { readonly kind: 'jump'; readonly to: Offset }

/** What happened to one partition, in the order of its happening. */
export class History {
  readonly partition: string
  readonly acknowledged: Acknowledged[] = []
  /** By the reader's name. */
  readonly readers = new Map<string, Step[]>()
  /** What lay there at the end, from the log's start on. */
  final: { readonly start: Offset; readonly names: ReadonlyMap<Offset, string> } | null = null
  /** The key of a record, by its name, in a compacted log; null: the log is not compacted. */
  readonly keyOf: ((name: string) => string | null) | null

  constructor(partition: string, keyOf: History['keyOf'] = null) {
    this.partition = partition
    this.keyOf = keyOf
  }

  step(reader: string, step: Step): void {
    const steps = this.readers.get(reader)
    if (steps === undefined) this.readers.set(reader, [step])
    else steps.push(step)
  }
}

/** All that is wrong with a history. `isOnce`: whether a record may be there once only. */
export function check(history: History, isOnce: (name: string) => boolean): Finding[] {
  const findings: Finding[] = []
  const found = (kind: string, text: string) =>
    void findings.push({ kind, text: `${history.partition}: ${text}` })
  checkOffsets(history, found)
  const mayPass = history.keyOf !== null
  for (const [reader, steps] of history.readers) checkReader({ reader, steps, mayPass }, found)
  if (history.final !== null) {
    checkFinal(history, found)
    checkOnce(history.final, { isOnce, found })
  }
  return findings
}

type Found = (kind: string, text: string) => void

/** One record per offset, whoever says so. */
function checkOffsets({ acknowledged, readers, final }: History, found: Found): void {
  const at = new Map<Offset, string>()
  const say = (offset: Offset, name: string, who: string) => {
    const before = at.get(offset)
    if (before === undefined) at.set(offset, name)
    else if (before !== name)
      found('inconsistent-offsets', `${who} has ${name} at offset ${offset}, where ${before} was`)
  }
  for (const { offset, name } of acknowledged) say(offset, name, 'a producer')
  for (const [reader, steps] of readers) {
    for (const step of steps) if (step.kind === 'read') say(step.offset, step.name, reader)
  }
  for (const [offset, name] of final?.names ?? []) say(offset, name, 'the last reader')
}

function checkReader(
  { reader, steps, mayPass }: { reader: string; steps: readonly Step[]; mayPass: boolean },
  found: Found,
): void {
  let expected: Offset = 0
  let jump: Offset = -1
  for (const step of steps) {
    if (step.kind === 'begin') expected = 0
    else if (step.kind === 'jump') jump = step.to
    else {
      const { offset } = step
      if (offset < expected)
        found('nonmonotonic-poll', `${reader}: ${offset} after ${expected - 1}`)
      if (offset > expected && offset !== jump && !mayPass)
        found('poll-skip', `${reader}: ${offset} after ${expected - 1}`)
      expected = offset + 1
    }
  }
}

function checkFinal(history: History, found: Found): void {
  const { acknowledged, final, readers } = history
  if (final === null) return
  const { start, names } = final
  const isSuperseded = supersededIn(history, names)
  for (const { offset, name } of acknowledged) {
    if (offset < start) continue
    const there = names.get(offset)
    if (there === undefined && isSuperseded(offset, name)) continue
    if (there !== name) found('lost-write', `${name} at offset ${offset}: ${there ?? 'nothing'}`)
  }
  for (const [reader, steps] of readers) {
    const seen = new Set(steps.map((step) => (step.kind === 'read' ? step.offset : -1)))
    const end = Math.max(...seen) + 1
    for (const { offset, name } of acknowledged) {
      if (offset < start || offset >= end || seen.has(offset)) continue
      if (wasPassed(steps, offset) || isSuperseded(offset, name)) continue
      found('unseen', `${reader} read up to ${end} and never ${name} at offset ${offset}`)
    }
  }
}

/** Whether a later record of the same key is there. */
function supersededIn({ keyOf }: History, names: ReadonlyMap<Offset, string>) {
  const latest = new Map<string, Offset>()
  for (const [offset, name] of names) {
    const key = keyOf?.(name) ?? null
    if (key !== null) latest.set(key, Math.max(latest.get(key) ?? -1, offset))
  }
  return (offset: Offset, name: string) => (latest.get(keyOf?.(name) ?? '') ?? -1) > offset
}

/** The log began behind it when the reader came there. */
function wasPassed(steps: readonly Step[], offset: Offset): boolean {
  return steps.some((step) => step.kind === 'jump' && step.to > offset)
}

function checkOnce(
  { names }: NonNullable<History['final']>,
  { isOnce, found }: { isOnce: (name: string) => boolean; found: Found },
): void {
  const at = new Map<string, Offset>()
  for (const [offset, name] of names) {
    const before = at.get(name)
    at.set(name, offset)
    if (before === undefined || !isOnce(name)) continue
    found('duplicate', `${name} at offsets ${before} and ${offset}`)
  }
}
