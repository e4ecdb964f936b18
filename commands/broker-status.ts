/** `broker status`: whether a broker runs on a data directory, and where it listens. */

import { addressText } from '../lib/io/network.ts'
import { dataOption, dataPath, runningBroker } from './broker/place.ts'
import { type Column, CommandError, command, exitCodes } from './command.ts'
import { integer } from './options.ts'

const columns: readonly Column[] = [
  { title: 'NODE', key: 'nodeId', about: 'number of the broker', isNumber: true },
  { title: 'PID', key: 'pid', about: 'its process', isNumber: true },
  { title: 'LISTENERS', key: 'listeners', about: 'where clients reach it' },
  { title: 'DATA', key: 'data', about: 'its data directory' },
]

export const brokerStatus = command({
  name: 'broker status',
  about: 'tell whether a broker runs on a data directory',
  options: {
    data: dataOption,
    nodeId: integer({ min: 0, max: 0x7fffffff })('whose directory, when --data is not given', {
      fallback: '1',
    }),
  },
  examples: [['broker status', 'The broker that broker start without --data runs.']],
  columns,
  exits: { 0: 'it runs', 1: 'no broker runs there', 4: 'the note it left is unreadable' },
  isLocal: true,
  run: async (context, { data, nodeId }) => {
    const path = dataPath(context, data, nodeId)
    const note = await runningBroker(context, path)
    if (note === null) throw new CommandError(exitCodes.no, `no broker runs on ${path}`)
    const row = {
      nodeId: note.nodeId,
      pid: note.pid,
      listeners: note.listeners.map(addressText),
      data: path,
    }
    await context.out.snapshot({ kind: 'broker-status', plural: 'brokers', columns, rows: [row] })
    return exitCodes.done
  },
})
