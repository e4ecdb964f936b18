import type { Chunks } from '../../lib/base/bytes.ts'
import { joinChunks } from '../../lib/base/bytes.ts'
import { type Deferred, deferred } from '../../lib/base/deferred.ts'
import { DecodeError } from '../../lib/base/errors.ts'
import { silentLogger } from '../../lib/io/logger.ts'
import { memoryEnv } from '../../lib/io/memory/env.ts'
import type { Stream } from '../../lib/io/network.ts'
import { Acceptor, type AcceptorLimits } from '../../lib/wire/acceptor.ts'
import { RequestBudget } from '../../lib/wire/request-budget.ts'
import type { Reply, RequestHandler } from '../../lib/wire/server-connection.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('acceptor')

function frame(text: string | Uint8Array): Buffer {
  const body = Buffer.from(text)
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  return Buffer.concat([size, body])
}

/**
 * Requests are texts. `!x` is answered at once, `?x` when the test says so, `-x` never replies,
 * `#x` throws; a capital second letter may overlap with others.
 */
class Script implements RequestHandler {
  readonly started: string[] = []
  readonly parked = new Map<string, Deferred<Reply | null>>()
  readonly sent: string[] = []
  replyBytes = 0

  overlaps(bytes: Chunks): boolean {
    return /^.[A-Z]/.test(textOf(bytes))
  }

  handle(bytes: Chunks): Reply | null | Promise<Reply | null> {
    const text = textOf(bytes)
    this.started.push(text.slice(0, 20))
    if (text.startsWith('#')) throw new DecodeError(`bad ${text}`)
    if (text.startsWith('-')) return null
    if (text.startsWith('!')) return this.reply(text)
    const end = deferred<Reply | null>()
    this.parked.set(text, end)
    return end.promise
  }

  reply(text: string): Reply {
    const size = this.replyBytes || text.length
    const chunks = [frame(text.padEnd(size, '.').slice(0, size))]
    return { chunks, afterSent: () => void this.sent.push(text) }
  }

  finish(text: string): void {
    this.parked.get(text)?.resolve(this.reply(text))
  }
}

function textOf(bytes: Chunks): string {
  return Buffer.from(joinChunks(bytes)).toString()
}

interface World {
  readonly env: ReturnType<typeof memoryEnv>
  readonly script: Script
  readonly acceptor: Acceptor
  connect(): Promise<Peer>
}

interface Peer {
  readonly stream: Stream
  readonly writes: string[]
  isClosed(): boolean
  received(): string
  replies(): string[]
}

async function world(
  limits: Partial<AcceptorLimits> = {},
  { budget = new RequestBudget(), isOpen = true, log = silentLogger } = {},
): Promise<World> {
  const env = memoryEnv()
  const script = new Script()
  const { clock, network } = env
  const acceptor = new Acceptor({ clock, network, log, handler: script, limits, budget })
  const { port } = await acceptor.listen('PLAIN', { host: '127.0.0.1', port: 0 })
  if (isOpen) acceptor.open()
  return {
    env,
    script,
    acceptor,
    async connect() {
      const stream = await network.connect({ host: '127.0.0.1', port })
      const writes: string[] = []
      let closed = false
      stream.handle({
        onData: (chunk) => void writes.push(Buffer.from(chunk).toString('latin1')),
        onClose: () => (closed = true),
      })
      await clock.settle()
      const received = () => writes.join('')
      return { stream, writes, isClosed: () => closed, received, replies: () => texts(received()) }
    },
  }
}

function texts(received: string): string[] {
  const bytes = Buffer.from(received, 'latin1')
  const found: string[] = []
  for (let at = 0; at + 4 <= bytes.length; ) {
    const size = bytes.readInt32BE(at)
    found.push(bytes.subarray(at + 4, at + 4 + size).toString())
    at += 4 + size
  }
  return found
}

test('replies come in the order of the requests, whatever order they are ready in', async () => {
  const { env, script, connect } = await world()
  const peer = await connect()
  peer.stream.write(['?A1', '?A2', '!A3', '?A4'].map(frame))
  await env.clock.settle()
  assert.equal(script.started, ['?A1', '?A2', '!A3', '?A4'])
  script.finish('?A4')
  script.finish('?A2')
  await env.clock.settle()
  assert.equal(peer.replies(), [])
  script.finish('?A1')
  await env.clock.settle()
  assert.equal(peer.replies(), ['?A1', '?A2', '!A3', '?A4'])
})

test('replies that are ready in one turn leave in one write', async () => {
  const { env, connect } = await world()
  const peer = await connect()
  peer.stream.write(['!A1', '!A2', '!b3'].map(frame))
  await env.clock.settle()
  assert.is(peer.writes.length, 1)
  assert.equal(peer.replies(), ['!A1', '!A2', '!b3'])
})

test('a request that may not overlap runs alone, and holds up those behind it', async () => {
  const { env, script, connect } = await world()
  const peer = await connect()
  peer.stream.write(['?A1', '?b2', '!A3'].map(frame))
  await env.clock.settle()
  assert.equal(script.started, ['?A1'])
  script.finish('?A1')
  await env.clock.settle()
  assert.equal(script.started, ['?A1', '?b2'])
  script.finish('?b2')
  await env.clock.settle()
  assert.equal(peer.replies(), ['?A1', '?b2', '!A3'])
})

test('a request without a reply leaves no gap', async () => {
  const { env, connect } = await world()
  const peer = await connect()
  peer.stream.write(['-A1', '!A2', '-b3', '!b4'].map(frame))
  await env.clock.settle()
  assert.equal(peer.replies(), ['!A2', '!b4'])
})

test('frames may be cut at any byte', async () => {
  for (const pieceBytes of [1, 2, 3, 5, 7, 64]) {
    const { env, connect } = await world()
    env.network.pieceBytes = pieceBytes
    const peer = await connect()
    peer.stream.write(['!A1', '!b22', '!C333'].map(frame))
    await env.clock.settle()
    assert.equal(peer.replies(), ['!A1', '!b22', '!C333'])
  }
})

test('what is malformed closes its own connection and no other', async () => {
  const { env, acceptor, connect } = await world()
  const good = await connect()
  const negative = Buffer.from([0xff, 0xff, 0xff, 0xff])
  const huge = Buffer.from([0x7f, 0xff, 0xff, 0xff])
  for (const bytes of [negative, huge, frame('#A1'), Buffer.from('GET / HTTP/1.1\r\n\r\n')]) {
    const bad = await connect()
    bad.stream.write([bytes])
    await env.clock.settle()
    assert.ok(bad.isClosed(), `${bytes.toString('hex')} should have closed the connection`)
    good.stream.write([frame('!A1')])
    await env.clock.settle()
  }
  assert.is(good.replies().length, 4)
  assert.is(acceptor.connectionCount, 1)
  assert.is(acceptor.budget.heldBytes, 0)
})

test('a rejected request closes the connection', async () => {
  const { env, script, connect } = await world()
  const peer = await connect()
  peer.stream.write([frame('?A1')])
  await env.clock.settle()
  script.parked.get('?A1')?.reject(new Error('broken'))
  await env.clock.settle()
  assert.ok(peer.isClosed())
})

test('a slow reader gets no further requests started, and its memory stays bounded', async () => {
  const { env, script, acceptor, connect } = await world({ unsentBytesMax: 1000 })
  script.replyBytes = 600
  const peer = await connect()
  peer.stream.pause()
  peer.stream.write(Array.from({ length: 50 }, (_, index) => frame(`!b${index}`)))
  await env.clock.settle()
  assert.is(script.started.length, 2)
  assert.ok(acceptor.replyBytes <= 1300, `${acceptor.replyBytes} reply bytes`)
  peer.stream.resume()
  await env.clock.settle()
  assert.is(peer.replies().length, 50)
  assert.is(acceptor.replyBytes, 0)
  assert.is(script.sent.length, 50)
})

test('a slow reader of small replies is stopped by their number', async () => {
  const { env, script, acceptor, connect } = await world({ unsentRepliesMax: 10 })
  const peer = await connect()
  peer.stream.pause()
  peer.stream.write(Array.from({ length: 50 }, (_, index) => frame(`!b${index}`)))
  await env.clock.settle()
  assert.is(script.started.length, 10)
  peer.stream.resume()
  await env.clock.settle()
  assert.is(peer.replies().length, 50)
  assert.is(acceptor.replyBytes, 0)
})

test('a large reply leaves in slices', async () => {
  const { env, script, connect } = await world({ unsentBytesMax: 1000 })
  script.replyBytes = 3500
  const peer = await connect()
  peer.stream.write([frame('!b1')])
  await env.clock.settle()
  assert.equal(
    peer.writes.map((piece) => piece.length),
    [1000, 1000, 1000, 504],
  )
})

test('a reader that takes nothing for a minute is dropped, and its buffers are given back', async () => {
  const { env, script, acceptor, connect } = await world()
  const peer = await connect()
  peer.stream.pause()
  peer.stream.write([frame('!b1')])
  await env.clock.settle()
  await env.clock.advance(59_000)
  assert.is(acceptor.connectionCount, 1)
  await env.clock.advance(3000)
  assert.is(acceptor.connectionCount, 0)
  await env.clock.settle()
  assert.equal(script.sent, ['!b1'])
  assert.is(acceptor.replyBytes, 0)
})

test('an idle connection is closed, a busy one is not', async () => {
  const { env, script, acceptor, connect } = await world({ idleMsMax: 10_000 })
  await connect()
  const busy = await connect()
  busy.stream.write([frame('?b1')])
  await env.clock.advance(12_000)
  assert.is(acceptor.connectionCount, 1)
  script.finish('?b1')
  await env.clock.settle()
  assert.equal(busy.replies(), ['?b1'])
})

test('a frame that trickles in is given up after its deadline', async () => {
  const { env, acceptor, connect } = await world({ frameMsMax: 30_000 })
  const slow = await connect()
  const bytes = frame('!b12345678901234567890123456789012345')
  for (let index = 0; index < 36; index++) {
    slow.stream.write([bytes.subarray(index, index + 1)])
    await env.clock.advance(1000)
  }
  assert.ok(slow.isClosed())
  assert.is(acceptor.budget.heldBytes, 0)
})

test('reading stops at the pipelining bound and goes on', async () => {
  const { env, script, connect } = await world({ pipelinedMax: 4 })
  env.network.pieceBytes = 8
  const peer = await connect()
  for (let index = 0; index < 20; index++) peer.stream.write([frame(`?A${index}`)])
  await env.clock.settle()
  assert.ok(script.started.length <= 5, `${script.started.length} requests started`)
  for (let index = 0; index < 20; index++) {
    script.finish(`?A${index}`)
    await env.clock.settle()
  }
  assert.is(peer.replies().length, 20)
})

test('bytes in work over all connections are bounded; whoever waits goes on later', async () => {
  const budget = new RequestBudget({ heldBytesMax: 100_000, runningBytesMax: 1000 })
  const { env, script, connect } = await world({}, { budget })
  const first = await connect()
  const second = await connect()
  first.stream.write([frame(`?A${'x'.repeat(1200)}`)])
  await env.clock.settle()
  second.stream.write([frame('!A2')])
  await env.clock.settle()
  second.stream.write([frame('!A3')])
  await env.clock.settle()
  const startedWhileFull = script.started.length
  script.finish(`?A${'x'.repeat(1200)}`)
  await env.clock.settle()
  assert.ok(startedWhileFull < 3, `${startedWhileFull} started`)
  assert.equal(second.replies(), ['!A2', '!A3'])
  assert.is(budget.heldBytes, 0)
  assert.is(budget.runningBytes, 0)
})

test('a large request that waits for others keeps nobody from being served', async () => {
  const budget = new RequestBudget({ heldBytesMax: 100_000, runningBytesMax: 1000 })
  const { env, script, connect } = await world({}, { budget })
  const [first, second] = [await connect(), await connect()]
  first.stream.write([frame(`?b${'x'.repeat(50_000)}`)])
  await env.clock.settle()
  assert.is(budget.runningBytes, 0)
  for (const text of ['!A2', '!b3', '!A4']) {
    second.stream.write([frame(text)])
    await env.clock.settle()
  }
  assert.equal(second.replies(), ['!A2', '!b3', '!A4'])
  script.finish(`?b${'x'.repeat(50_000)}`)
  await env.clock.settle()
  assert.is(first.replies().length, 1)
  assert.equal([budget.heldBytes, budget.parkedBytes], [0, 0])
})

test('requests that wait share a bound: the largest goes, with its connection', async () => {
  const budget = new RequestBudget({ parkedBytesMax: 10_000 })
  const { env, script, acceptor, connect } = await world({}, { budget })
  const [large, small, last] = [await connect(), await connect(), await connect()]
  large.stream.write([frame(`?b${'x'.repeat(6000)}`)])
  small.stream.write([frame(`?c${'x'.repeat(3000)}`)])
  await env.clock.settle()
  last.stream.write([frame(`?d${'x'.repeat(5000)}`)])
  await env.clock.settle()
  assert.equal(
    [large, small, last].map((peer) => peer.isClosed()),
    [true, false, false],
  )
  // Its handler ends all the same, some time.
  for (const text of ['b', 'c', 'd']) {
    const [key = ''] = [...script.parked.keys()].filter((each) => each.startsWith(`?${text}`))
    script.finish(key)
    await env.clock.settle()
  }
  assert.equal([budget.heldBytes, budget.parkedBytes, budget.runningBytes], [0, 0, 0])
  assert.is(acceptor.connectionCount, 2)
  assert.is(small.replies().length + last.replies().length, 2)
})

test('half frames that use up the budget are let through one by one', async () => {
  const budget = new RequestBudget({ heldBytesMax: 1000, runningBytesMax: 1000 })
  const { env, connect } = await world({}, { budget })
  const peers = [await connect(), await connect(), await connect(), await connect()]
  const bytes = frame(`!A${'x'.repeat(700)}`)
  for (const peer of peers) peer.stream.write([bytes.subarray(0, 500)])
  await env.clock.settle()
  for (const peer of peers) peer.stream.write([bytes.subarray(500)])
  await env.clock.settle()
  for (const peer of peers) assert.is(peer.replies().length, 1)
  assert.is(budget.heldBytes, 0)
})

test('a connection that goes away gives its bytes back', async () => {
  const { env, script, acceptor, connect } = await world()
  const peer = await connect()
  peer.stream.write([frame('?A1'), frame('?b2'), frame('!A3').subarray(0, 5)])
  await env.clock.settle()
  peer.stream.destroy()
  await env.clock.settle()
  assert.is(acceptor.connectionCount, 0)
  script.finish('?A1')
  await env.clock.settle()
  assert.is(acceptor.budget.heldBytes, 0)
  assert.equal(script.sent, ['?A1'])
})

test('too many connections are refused, the old ones go on', async () => {
  const { env, connect } = await world({ connectionsMax: 2 })
  const first = await connect()
  await connect()
  const third = await connect()
  assert.ok(third.isClosed())
  first.stream.write([frame('!A1')])
  await env.clock.settle()
  assert.equal(first.replies(), ['!A1'])
})

test('connections of one address have a bound, those of this machine have not', async () => {
  const { env, acceptor, connect } = await world({ connectionsPerAddressMax: 2 })
  const fromHost = async (host: string) => {
    env.network.localHost = host
    const peer = await connect()
    await env.clock.settle()
    return peer
  }
  const first = await fromHost('10.0.0.1')
  await fromHost('10.0.0.1')
  assert.is((await fromHost('10.0.0.1')).isClosed(), true)
  assert.is((await fromHost('10.0.0.2')).isClosed(), false)
  for (let count = 0; count < 5; count++) assert.is((await fromHost('127.0.0.1')).isClosed(), false)
  first.stream.destroy()
  await env.clock.settle()
  assert.is((await fromHost('10.0.0.1')).isClosed(), false)
  assert.is(acceptor.connectionCount, 8)
})

test('requests wait until the acceptor is open', async () => {
  const { env, script, acceptor, connect } = await world({}, { isOpen: false })
  const peer = await connect()
  peer.stream.write([frame('!A1')])
  await env.clock.settle()
  assert.equal(script.started, [])
  acceptor.open()
  await env.clock.settle()
  assert.equal(peer.replies(), ['!A1'])
})

test('closing finishes what is in work and takes nothing new', async () => {
  const { env, script, acceptor, connect } = await world()
  const peer = await connect()
  const idle = await connect()
  peer.stream.write([frame('?A1'), frame('?b2')])
  await env.clock.settle()
  const closing = acceptor.close(10_000)
  await env.clock.settle()
  assert.ok(idle.isClosed())
  script.finish('?A1')
  await env.clock.settle()
  await closing
  assert.equal(peer.replies(), ['?A1'])
  assert.equal(script.started, ['?A1'])
  assert.is(acceptor.connectionCount, 0)
})

test('closing gives up on what does not finish', async () => {
  const { env, acceptor, connect } = await world()
  const peer = await connect()
  peer.stream.write([frame('?A1')])
  await env.clock.settle()
  const closing = acceptor.close(10_000)
  await env.clock.advance(10_000)
  await closing
  assert.is(acceptor.connectionCount, 0)
})

test('closing does not wait for a reader that takes no replies', async () => {
  const { env, script, acceptor, connect } = await world()
  const peer = await connect()
  peer.stream.pause()
  peer.stream.write([frame('!b1')])
  await env.clock.settle()
  const closing = acceptor.close(10_000)
  await env.clock.advance(3000)
  await closing
  assert.is(acceptor.connectionCount, 0)
  assert.equal(script.sent, ['!b1'])
})

test('a peer that ends its side still gets its replies', async () => {
  const { env, script, connect } = await world()
  const peer = await connect()
  peer.stream.write([frame('?A1')])
  peer.stream.end()
  await env.clock.settle()
  script.finish('?A1')
  await env.clock.settle()
  assert.equal(peer.replies(), ['?A1'])
  assert.ok(peer.isClosed())
})

test('garbage on the port does not fill the log', async () => {
  const logged: string[] = []
  const say = (event: string, fields = {}) => void logged.push(`${event} ${JSON.stringify(fields)}`)
  const log = { error: say, warn: say, info: say, debug: say }
  const { env, connect } = await world({}, { log })
  for (let index = 0; index < 50; index++) {
    const bad = await connect()
    bad.stream.write([Buffer.from('GET / HTTP/1.1\r\n\r\n')])
    await env.clock.settle()
  }
  assert.is(logged.length, 10)
  await env.clock.advance(1000)
  const late = await connect()
  late.stream.write([Buffer.from('ffffffff', 'hex')])
  await env.clock.settle()
  assert.is(logged.length, 12)
  assert.match(logged[10] ?? '', /left out.*40/)
})
