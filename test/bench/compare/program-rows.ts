/** Programs beside programs, with one broker of ours: `ottla` in pipes beside kcat, and beside `node -e 0`. */

import { ottla } from '../../interop/support/broker-process.ts'
import { newTopic, type Row, secondsOf, type Tools } from './row.ts'
import type { Target } from './target.ts'

/** Command lines of one program; the two that are compared share an order. */
export interface Program {
  readonly name: string
  produce(topic: string): string
  consume(topic: string): string
}

export function programs(target: Target, { lineCount }: Tools): Program[] {
  const broker = `-b ${target.address}`
  return [
    {
      name: 'ottla',
      produce: (topic) => `${ottla.join(' ')} produce ${topic} -q ${broker}`,
      consume: (topic) => `${ottla.join(' ')} consume ${topic} -o 0:${lineCount} ${broker}`,
    },
    {
      name: 'kcat',
      produce: (topic) => `kcat -P -q ${broker} -t ${topic}`,
      consume: (topic) => `kcat -C -q ${broker} -t ${topic} -o 0 -c ${lineCount}`,
    },
  ]
}

export function pipeRows(target: Target, { linesFile, lineCount }: Tools): Row<Program>[] {
  let filled: string | undefined
  const unit = 'M lines/s'
  const millions = lineCount / 1e6
  return [
    {
      name: 'a pipe into produce, lines of 100 B',
      unit,
      better: 'more',
      measure: async (program) =>
        millions /
        (await secondsOf(`cat ${linesFile} | ${program.produce(await newTopic(target))}`)),
    },
    {
      name: 'consume into a pipe, lines of 100 B',
      unit,
      better: 'more',
      async measure(program) {
        if (filled === undefined) {
          filled = await newTopic(target, { isKept: true })
          await secondsOf(`kcat -P -q -b ${target.address} -t ${filled} -l ${linesFile}`)
        }
        return millions / (await secondsOf(`${program.consume(filled)} | cat >/dev/null`))
      },
    },
  ]
}

/** A command, and Node's own start beside it. */
export interface Command {
  readonly name: string
  line(words: string): string
}

export function commands(target: Target): Command[] {
  return [
    { name: 'ottla', line: (words) => `${ottla.join(' ')} ${words} -b ${target.address}` },
    { name: 'node -e 0', line: () => `${process.execPath} -e 0` },
  ]
}

/** Each the mean of ten in a row. */
export const commandRows: Row<Command>[] = ['--version', 'topic list'].map((words) => ({
  name: `ottla ${words}`,
  unit: 'ms',
  better: 'less',
  measure: async (command) =>
    (await secondsOf(`for n in 1 2 3 4 5 6 7 8 9 10; do ${command.line(words)} >/dev/null; done`)) *
    100,
}))
