/** `api-versions`: which requests brokers serve, in which versions. */

import { Admin } from '../lib/client/admin.ts'
import { CommandError, command, exitCodes, exitOfItems } from './command.ts'
import { failureOf } from './failures.ts'
import { integer } from './options.ts'

const columns = [
  { title: 'BROKER', key: 'broker', about: 'id', isNumber: true },
  { title: 'API', key: 'api', about: 'name of the request' },
  { title: 'KEY', key: 'key', about: 'its number', isNumber: true },
  { title: 'MIN', key: 'min', about: 'oldest version', isNumber: true },
  { title: 'MAX', key: 'max', about: 'newest version', isNumber: true },
]

export const apiVersions = command({
  name: 'api-versions',
  about: 'show which requests brokers serve',
  options: { broker: integer({ min: 0 })('only this broker', { completes: 'broker' }) },
  examples: [
    ['api-versions --broker 1', 'name, key, oldest and newest version'],
    ['api-versions --format tsv | cut -f1,2 | sort | uniq -c', 'what brokers have in common'],
  ],
  columns,
  exits: { 3: 'no such broker', 7: 'some brokers did not answer' },
  run: async (context, { broker }) => {
    const admin = new Admin(await context.client())
    const all = await admin.apiVersions()
    const asked = all.filter((one) => broker === undefined || one.broker.id === broker)
    if (asked.length === 0) {
      const ids = all.map((one) => one.broker.id).join(', ')
      throw new CommandError(exitCodes.notFound, `no broker ${broker ?? ''}; there are ${ids}`)
    }
    await context.out.snapshot({
      kind: 'api-versions',
      plural: 'apis',
      columns,
      rows: asked.flatMap((one) =>
        one.apis.map(({ name, key, min, max }) => ({
          broker: one.broker.id,
          api: name,
          key,
          min,
          max,
        })),
      ),
    })
    const exits = asked.map(({ broker: { id }, error }) => {
      if (error === null) return exitCodes.done
      const { exit, message } = failureOf(error)
      context.warn(`broker ${id}: ${message}`)
      return exit
    })
    return exitOfItems(exits)
  },
})
