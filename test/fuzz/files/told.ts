/**
 * What the broker's log says is lost, of which log and at which offsets. A loss counts as told only by
 * an event that speaks of it: that a log was mentioned for something else is no excuse.
 */

import type { Damage } from './damage.ts'
import type { Reports } from './start.ts'
import { root } from './tree.ts'

/** Events that say from where to where records are missing. */
const ranges: Readonly<Record<string, (fields: Fields) => readonly [from: number, to: number]>> = {
  'log.tail.cut': ({ endOffset = 0 }) => [endOffset, Number.POSITIVE_INFINITY],
  'log.end.short': ({ endOffset = 0 }) => [endOffset, Number.POSITIVE_INFINITY],
  'log.gap': ({ endOffset = 0, nextOffset = 0 }) => [endOffset, nextOffset],
  'log.start.missing': ({ logStartOffset = 0, firstOffset = 0 }) => [logStartOffset, firstOffset],
}

/** Events that say it of all records. */
const wholes = new Set([
  'log.damaged',
  'log.missing',
  'log.segments.missing',
  'log.read.damaged',
  'log.set-aside',
  'shard not loaded',
])

/** Events about what is there for all logs; they count when that was damaged. */
const general: readonly (readonly [event: string, path: RegExp])[] = [
  ['journal.damaged', /^\/data\/journal(\/|$)/],
  ['journal.tail.torn', /^\/data\/journal(\/|$)/],
  ['log.checkpoint.missing', /^\/data\/[^/]*checkpoint$/],
  ['log.checkpoint.unreadable', /^\/data\/[^/]*checkpoint$/],
  ['metadata.log.torn_tail_cut', /^\/data\/metadata(\/|$)/],
]

interface Fields {
  readonly directory?: string
  readonly log?: string
  readonly partition?: string
  readonly endOffset?: number
  readonly nextOffset?: number
  readonly logStartOffset?: number
  readonly firstOffset?: number
}

export class Told {
  readonly #all: boolean
  readonly #ranges = new Map<string, (readonly [from: number, to: number])[]>()

  constructor(reports: Reports, damages: readonly Damage[]) {
    const paths = damages.flatMap((one) => one.paths)
    const events = reports.lines.map((line) => {
      const [, event = '', text = '{}'] = /^\w+ (.*?) (\{.*)$/.exec(line) ?? []
      return { event, fields: JSON.parse(text) as Fields }
    })
    this.#all = general.some(
      ([name, path]) =>
        paths.some((one) => path.test(one)) && events.some(({ event }) => event === name),
    )
    for (const { event, fields } of events) {
      const name = fields.log ?? fields.partition ?? fields.directory?.slice(root.length + 1) ?? ''
      const range = wholes.has(event) ? ([0, Number.POSITIVE_INFINITY] as const) : null
      const found = range ?? ranges[event]?.(fields)
      if (found !== undefined) this.#ranges.set(name, [...(this.#ranges.get(name) ?? []), found])
    }
  }

  /** Whether anything that is missing in the log was told. */
  speaksOf(name: string): boolean {
    return this.#all || this.#ranges.has(name)
  }

  covers(name: string, offset: number): boolean {
    const told = this.#ranges.get(name) ?? []
    return this.#all || told.some(([from, to]) => offset >= from && offset < to)
  }
}
