/** `cluster info`: the brokers of the cluster and which one is the controller. */

import { command, exitCodes } from './command.ts'

const columns = [
  { title: 'BROKER', key: 'broker', about: 'id', isNumber: true },
  { title: 'HOST', key: 'host', about: 'as the cluster advertises it' },
  { title: 'PORT', key: 'port', about: 'as the cluster advertises it', isNumber: true },
  { title: 'RACK', key: 'rack', about: 'where it stands; - when not set' },
  { title: 'ROLE', key: 'role', about: 'controller or broker' },
]

export const clusterInfo = command({
  name: 'cluster info',
  about: 'list the brokers of the cluster',
  options: {},
  examples: [
    ['cluster info', 'brokers with their addresses'],
    ['cluster info --json | jq -r .clusterId', 'the id of the cluster'],
  ],
  columns,
  run: async (context) => {
    const client = await context.client()
    const { clusterId, controllerId, brokers } = await client.metadata({ topics: [] })
    const rows = [...brokers]
      .sort((left, right) => left.id - right.id)
      .map(({ id, host, port, rack }) => ({
        broker: id,
        host,
        port,
        rack,
        role: id === controllerId ? 'controller' : 'broker',
      }))
    await context.out.snapshot({
      kind: 'cluster-info',
      plural: 'brokers',
      columns,
      rows,
      extra: { clusterId, controller: controllerId < 0 ? null : controllerId },
      lead: [`cluster ${clusterId ?? '-'}`],
    })
    return exitCodes.done
  },
})
