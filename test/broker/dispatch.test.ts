import { AssertionError } from '../../lib/base/assert.ts'
import type { Chunks } from '../../lib/base/bytes.ts'
import { errorCode, KafkaError } from '../../lib/base/errors.ts'
import type { BrokerContext } from '../../lib/broker/context.ts'
import { Dispatcher } from '../../lib/broker/dispatch.ts'
import { type Handler, handle } from '../../lib/broker/handler.ts'
import { handlers } from '../../lib/broker/handlers/index.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import { DescribeCluster } from '../../lib/protocol/apis/describe-cluster.ts'
import { apis } from '../../lib/protocol/apis/index.ts'
import { ListOffsets } from '../../lib/protocol/apis/list-offsets.ts'
import { decodeResponse, encodeRequest } from '../../lib/protocol/codec.ts'
import type { Api, Encodable, RequestOf } from '../../lib/protocol/schema.ts'
import type { Session } from '../../lib/wire/server-connection.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('dispatch')

const session: Session = {
  id: 1,
  listenerName: 'PLAINTEXT',
  remote: { host: '127.0.0.1', port: 1 },
  clientSoftwareName: '',
  clientSoftwareVersion: '',
  isClosed: false,
  onClosed: new Set(),
}

function world(...list: Handler[]) {
  const logged: string[] = []
  const fatal: Error[] = []
  const log = {
    error: (event: string) => void logged.push(event),
    warn() {},
    info() {},
    debug() {},
  }
  // Only what dispatch itself touches.
  const broker = { env: memoryEnv({ log }) } as unknown as BrokerContext
  const dispatcher = new Dispatcher(broker, list, { onFatal: (error) => void fatal.push(error) })
  return { dispatcher, logged, fatal }
}

function frameOf<A extends Api>(
  api: A,
  version: number,
  body: Encodable<RequestOf<A>> = {} as never,
): Chunks {
  const [first, ...rest] = encodeRequest(api, version, { correlationId: 9, clientId: null }, body)
  return [(first ?? new Uint8Array(0)).subarray(4), ...rest]
}

async function replyOf(dispatcher: Dispatcher, frame: Chunks) {
  const reply = await dispatcher.handle(frame, session)
  const [first, ...rest] = reply?.chunks ?? []
  return [(first ?? new Uint8Array(0)).subarray(4), ...rest]
}

for (const [what, thrown, code] of [
  ['an unexpected error', new Error('oops'), errorCode('UNKNOWN_SERVER_ERROR')],
  ['something that is no error', 'oops', errorCode('UNKNOWN_SERVER_ERROR')],
  ['a KafkaError', new KafkaError('INVALID_REQUEST', 'why'), errorCode('INVALID_REQUEST')],
] as const) {
  for (const when of ['at once', 'later'] as const) {
    test(`${what}, ${when}, becomes the top-level error code`, async () => {
      const handler = handle(DescribeCluster, () => {
        if (when === 'at once' && thrown instanceof Error) throw thrown
        return Promise.reject(thrown)
      })
      const { dispatcher, logged } = world(handler)
      const frame = await replyOf(dispatcher, frameOf(DescribeCluster, 1))
      const { correlationId, body } = decodeResponse(DescribeCluster, 1, frame)
      assert.equal([correlationId, body.errorCode], [9, code])
      assert.is(body.errorMessage, thrown instanceof KafkaError ? 'why' : null)
      assert.is(logged.length, thrown instanceof KafkaError ? 0 : 1)
    })
  }
}

test('without a top-level error code the connection closes', async () => {
  const handler = handle(ListOffsets, () => Promise.reject(new Error('oops')))
  const { dispatcher, logged } = world(handler)
  const error = await rejection(
    Promise.resolve(dispatcher.handle(frameOf(ListOffsets, 5), session)),
  )
  assert.is(error.message, 'oops')
  assert.is(logged.length, 1)
})

test('an assertion ends the process', async () => {
  const handler = handle(DescribeCluster, () => Promise.reject(new AssertionError('1 is 2')))
  const { dispatcher, fatal } = world(handler)
  await replyOf(dispatcher, frameOf(DescribeCluster, 0))
  assert.is(fatal.length, 1)
})

test('an answer that cannot be encoded closes the connection and gives buffers back', async () => {
  let released = 0
  const handler = handle(ListOffsets, (_broker, _request, context) => {
    context.afterSent(() => void released++)
    return { topics: [{ name: 'x'.repeat(40_000), partitions: [] }] }
  })
  const { dispatcher, logged } = world(handler)
  assert.throws(() => dispatcher.handle(frameOf(ListOffsets, 1), session))
  assert.equal([released, logged.length], [1, 1])
})

test('afterSent runs once, whatever becomes of the reply', async () => {
  let released = 0
  const handler = handle(DescribeCluster, (_broker, _request, context) => {
    context.afterSent(() => void released++)
    return {}
  })
  const { dispatcher } = world(handler)
  const reply = await dispatcher.handle(frameOf(DescribeCluster, 0), session)
  assert.is(released, 0)
  reply?.afterSent?.()
  reply?.afterSent?.()
  assert.is(released, 1)
})

test('every handler serves a range that its schema has, each key once', () => {
  const keys = new Set<number>()
  for (const { api, served } of handlers) {
    assert.not.ok(keys.has(api.key), `${api.name} twice`)
    keys.add(api.key)
    assert.ok(apis.includes(api), api.name)
    assert.ok(served[0] >= api.versions[0], api.name)
    assert.is(served[1], api.versions[1], `${api.name} stops short of Kafka's`)
  }
})
