/**
 * Where reading starts and ends, as `--offset` says it:
 *
 *   POINT            start | beginning | end | committed | N | +N | -N | @TIME
 *   RANGE            POINT | POINT: | :POINT | POINT:POINT     (the end is exclusive)
 *   list             PARTITION=RANGE,PARTITION=RANGE,...       (the others are not read)
 *   kcat's           s@TIME | e@TIME                           (both may be given)
 *
 * +N counts from the start of a partition, -N from its end; as the end of a range +N counts from
 * the range's own start. After a time the end may also be a time without `@`, or a duration counted
 * from the start of the range (`@2026-11-20T10:00:00Z:1h`); `-1h` counts from now. Times contain
 * colons themselves: the range is cut at the first colon that leaves two valid halves.
 */

import { BadValue, parseDuration, parseTime, type Time } from '../values.ts'

export type OffsetPoint =
  | { readonly kind: 'start' }
  | { readonly kind: 'end' }
  /** As a start only: where a consumer group goes on. */
  | { readonly kind: 'committed' }
  | { readonly kind: 'offset'; readonly offset: number }
  /** From the start of the partition, or (as an end) from the start of the range. */
  | { readonly kind: 'forward'; readonly count: number }
  /** From the end of the partition. */
  | { readonly kind: 'back'; readonly count: number }
  | { readonly kind: 'time'; readonly time: Time }
  /** As an end only: that long after the time at which the range starts. */
  | { readonly kind: 'duration'; readonly ms: number }

export interface OffsetRange {
  readonly from: OffsetPoint
  /** Exclusive; null = follow. */
  readonly to: OffsetPoint | null
}

export interface OffsetSpec {
  /** For the partitions without an own entry; null = only the listed ones are read. */
  readonly range: OffsetRange | null
  readonly partitions: ReadonlyMap<number, OffsetRange>
}

const want = 'start, end, committed, N, +N, -N, @TIME or FROM:TO, for example @-24h'

/** What all --offset options together say. Throws BadValue. */
export function parseOffsetSpec(texts: readonly string[]): OffsetSpec {
  const partitions = new Map<number, OffsetRange>()
  let range: OffsetRange | null = null
  for (const text of texts) {
    for (const part of text.split(',')) {
      const entry = /^(\d+)=(.*)$/.exec(part)
      if (entry !== null) {
        const partition = Number(entry[1])
        if (partitions.has(partition)) throw new BadValue(`${partition}= only once`)
        partitions.set(partition, parseRange(entry[2] ?? ''))
      } else {
        range = joinRanges(range, parseRange(part))
      }
    }
  }
  if (range === null && partitions.size === 0) range = fromStart
  return { range, partitions }
}

const start: OffsetPoint = { kind: 'start' }
const fromStart: OffsetRange = { from: start, to: null }

/** kcat's `s@A` and `e@B` come as two halves; anything else may stand only once. */
function joinRanges(before: OffsetRange | null, next: OffsetRange): OffsetRange {
  if (before === null) return next
  const isHalf = before.from.kind === 'time' && before.to === null
  if (isHalf && next.from === start && next.to?.kind === 'time') {
    return { from: before.from, to: next.to }
  }
  const isEnd = before.from === start && before.to?.kind === 'time'
  if (isEnd && next.from.kind === 'time' && next.to === null) {
    return { from: next.from, to: before.to }
  }
  throw new BadValue('one range, or one for each partition as in 0=10,1=20')
}

function parseRange(text: string): OffsetRange {
  const kcat = /^([se])@(.+)$/.exec(text)
  if (kcat !== null) {
    const point: OffsetPoint = { kind: 'time', time: timeOf(kcat[2] ?? '') }
    return kcat[1] === 's' ? { from: point, to: null } : { from: start, to: point }
  }
  const whole = parsePoint(text)
  if (whole !== null) return { from: whole, to: null }
  for (let at = text.indexOf(':'); at !== -1; at = text.indexOf(':', at + 1)) {
    const from = at === 0 ? start : parsePoint(text.slice(0, at))
    if (from === null) continue
    const rest = text.slice(at + 1)
    if (rest === '' && at > 0) return { from, to: null }
    const to = parseEnd(rest, from)
    if (to !== null) return checkedRange(from, to)
  }
  throw new BadValue(want)
}

function checkedRange(from: OffsetPoint, to: OffsetPoint): OffsetRange {
  if (to.kind === 'committed') throw new BadValue('an end other than committed')
  if (from.kind === 'offset' && to.kind === 'offset' && to.offset < from.offset) {
    throw new BadValue(`an end that is not before its start, not ${from.offset}:${to.offset}`)
  }
  return { from, to }
}

const names: Readonly<Record<string, OffsetPoint>> = {
  start,
  beginning: start,
  earliest: start,
  end: { kind: 'end' },
  latest: { kind: 'end' },
  committed: { kind: 'committed' },
  stored: { kind: 'committed' },
}

function parsePoint(text: string): OffsetPoint | null {
  const named = names[text]
  if (named !== undefined) return named
  if (text.startsWith('@')) {
    const time = maybe(() => parseTime(text))
    return time === null ? null : { kind: 'time', time }
  }
  const [, sign, digits] = /^([+-]?)(\d+)$/.exec(text) ?? []
  if (digits === undefined) return null
  const value = Number(digits)
  if (!Number.isSafeInteger(value)) return null
  if (sign === '+') return { kind: 'forward', count: value }
  if (sign === '-') return { kind: 'back', count: value }
  return { kind: 'offset', offset: value }
}

function parseEnd(text: string, from: OffsetPoint): OffsetPoint | null {
  if (from.kind === 'time' && !text.startsWith('@') && names[text] === undefined) {
    const ms = maybe(() => parseDuration(text))
    if (ms !== null) return { kind: 'duration', ms }
    const time = maybe(() => parseTime(text))
    if (time !== null) return { kind: 'time', time }
  }
  return parsePoint(text)
}

function timeOf(text: string): Time {
  const time = maybe(() => parseTime(text))
  if (time === null) throw new BadValue(want)
  return time
}

/** null where `parse` finds no value of its kind. */
function maybe<T>(parse: () => T): T | null {
  try {
    return parse()
  } catch (error) {
    if (error instanceof BadValue) return null
    throw error
  }
}
