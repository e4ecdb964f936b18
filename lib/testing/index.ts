/**
 * What `import { ... } from 'ottla/testing'` gives: a cluster inside the test's own process, in
 * milliseconds, on a port of its own, whose answers can be delayed, refused and lost.
 *
 *   const cluster = await startCluster({ topics: ['orders:3'] })
 *   const kafka = new Kafka({ brokers: cluster.brokers })
 *   cluster.on('Produce', () => ({ error: 'NOT_LEADER_OR_FOLLOWER' }), { times: 1 })
 *   ...
 *   await cluster.stop()
 */

export type { ErrorName } from '../base/errors.ts'
export type { HookAction, HookedRequest, HookOptions, RequestHook } from './request-hooks.ts'
export { type ClusterOptions, startCluster, type TestCluster } from './start-cluster.ts'
