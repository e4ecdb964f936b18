/** Resident memory of a broker: just started, and after all that the other rows sent through it. */

import { newTopic, type Row, secondsOf, type Tools } from './row.ts'

const row = (name: string, measure: Row['measure']): Row => ({
  name,
  unit: 'MB',
  better: 'less',
  measure,
})

export const idleMemory = row('resident memory, idle', async (target) => target.residentMegabytes())

export function loadedMemory({ linesFile, lineCount }: Tools): Row {
  const least = 10_000_000
  const loaded = new Set<string>()
  return row('resident memory, after 10 M records and more', async (target) => {
    for (let sent = 0; sent < least && !loaded.has(target.address); sent += lineCount) {
      const topic = await newTopic(target)
      await secondsOf(`kcat -P -q -b ${target.address} -t ${topic} -l ${linesFile}`)
    }
    loaded.add(target.address)
    return target.residentMegabytes()
  })
}
