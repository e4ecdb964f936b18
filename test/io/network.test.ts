import { deferred } from '../../lib/base/deferred.ts'
import { hasErrorCode } from '../../lib/io/disk.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import type { Network, Stream } from '../../lib/io/network.ts'
import { nodeNetwork } from '../../lib/io/node/network.ts'
import { assert, rejection, suite } from '../support/suite.ts'

const test = suite('network')
const local = { host: '127.0.0.1', port: 0 }
const bytes = (text: string) => Buffer.from(text)

/** A listener that echoes, and a stream to it. */
async function echo(network: Network, onStream?: (stream: Stream) => void) {
  const listener = await network.listen(local, (stream) => {
    if (onStream) onStream(stream)
    else
      stream.handle({
        onData: (chunk) => stream.write([chunk]),
        onEnd: () => stream.end(),
        onClose: () => {},
      })
  })
  const stream = await network.connect(listener.address, { timeoutMs: 1000 })
  return { listener, stream }
}

for (const [name, make] of [
  ['node', () => nodeNetwork],
  ['memory', () => memoryEnv().network],
] as const) {
  test(`${name}: bytes come back in order, and the end is told`, async () => {
    const { listener, stream } = await echo(make())
    const closed = deferred<string>()
    let got = ''
    stream.handle({
      onData: (chunk) => (got += Buffer.from(chunk)),
      onEnd: () => stream.end(),
      onClose: () => closed.resolve(got),
    })
    const flushed = deferred()
    stream.write([bytes('one '), bytes('two ')])
    stream.write([bytes('three')], () => flushed.resolve())
    await flushed.promise
    stream.end()
    assert.is(await closed.promise, 'one two three')
    await listener.close()
  })

  test(`${name}: port 0 becomes a real port, and a taken one is refused`, async () => {
    const network = make()
    const { listener, stream } = await echo(network)
    assert.ok(listener.address.port > 0)
    assert.ok(
      hasErrorCode(await rejection(network.listen(listener.address, () => {})), 'EADDRINUSE'),
    )
    stream.destroy()
    await listener.close()
    assert.ok(
      hasErrorCode(
        await rejection(network.connect(listener.address, { timeoutMs: 1000 })),
        'ECONNREFUSED',
      ),
    )
  })

  test(`${name}: a reader that pauses makes the writer's pendingBytes grow, and drain follows`, async () => {
    let far: Stream | undefined
    const farReady = deferred()
    let received = 0
    const { listener, stream } = await echo(make(), (accepted) => {
      far = accepted
      accepted.handle({ onData: (chunk) => (received += chunk.length), onClose: () => {} })
      accepted.pause()
      farReady.resolve()
    })
    const drained = deferred()
    stream.handle({ onData: () => {}, onDrain: () => drained.resolve(), onClose: () => {} })
    await farReady.promise
    const size = 32 * 1024 * 1024
    stream.write([Buffer.alloc(size)])
    assert.ok(stream.pendingBytes > 0)
    far?.resume()
    await drained.promise
    assert.is(stream.pendingBytes, 0)
    stream.end()
    await listener.close()
    assert.ok(received > 0)
  })

  test(`${name}: a write to a destroyed stream still calls back`, async () => {
    const { listener, stream } = await echo(make())
    const closed = deferred()
    stream.handle({ onData: () => {}, onClose: () => closed.resolve() })
    stream.destroy()
    const flushed = deferred()
    stream.write([bytes('x')], () => flushed.resolve())
    await flushed.promise
    await closed.promise
    await listener.close()
  })
}

test('node: a peer that does not answer in time is ETIMEDOUT or unreachable, by name', async () => {
  const error = await rejection(
    nodeNetwork.connect({ host: '127.0.0.1', port: 1 }, { timeoutMs: 200 }),
  )
  assert.ok(hasErrorCode(error, 'ECONNREFUSED') || hasErrorCode(error, 'ETIMEDOUT'))
})

test('memory: bytes arrive in pieces as small as asked, and a cut is a reset', async () => {
  const env = memoryEnv()
  env.network.pieceBytes = 1
  const pieces: number[] = []
  const { stream } = await echo(env.network, (far) =>
    far.handle({ onData: (chunk) => pieces.push(chunk.length), onClose: () => {} }),
  )
  const closed = deferred<Error | undefined>()
  stream.handle({ onData: () => {}, onClose: (error) => closed.resolve(error) })
  stream.write([bytes('abc')])
  await env.clock.settle()
  assert.equal(pieces, [1, 1, 1])
  env.network.cut()
  assert.ok(hasErrorCode(await closed.promise, 'ECONNRESET'))
})
