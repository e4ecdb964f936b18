/**
 * Many connections that produce: each sends the same request, a batch of 100 records of 100 bytes with
 * acks=1, and the next when it was answered. The request is encoded once, so that the load costs next
 * to nothing beside the broker.
 */

import { createConnection, type Socket } from 'node:net'
import { Produce } from '../../../lib/protocol/apis/produce.ts'
import { encodeRequest } from '../../../lib/protocol/codec.ts'
import { BatchBuilder } from '../../../lib/record/builder.ts'

const recordsPerRequest = 100
/** Requests on the way, of all connections together, when there are few of them. */
const leastInFlight = 16

export interface ConnectionLoad {
  send(records: number): Promise<void>
  close(): void
}

export async function connectionLoad({
  address,
  topic,
  connections,
}: {
  address: string
  topic: string
  connections: number
}): Promise<ConnectionLoad> {
  const [host = '', port = ''] = address.split(':')
  const frame = requestOf(topic)
  const sockets: Socket[] = []
  for (let index = 0; index < connections; index++) {
    sockets.push(await connected(host, Number(port)))
  }
  const inFlight = Math.max(1, Math.ceil(leastInFlight / connections))
  return {
    async send(records) {
      let left = Math.ceil(records / recordsPerRequest)
      const next = () => left-- > 0
      await Promise.all(sockets.map((socket) => drive(socket, { frame, inFlight, next })))
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Sends while `next` gives leave; resolves when all that was sent is answered. */
function drive(
  socket: Socket,
  { frame, inFlight, next }: { frame: Uint8Array; inFlight: number; next: () => boolean },
): Promise<void> {
  return new Promise((resolve, reject) => {
    let unanswered = 0
    let rest: Buffer = Buffer.alloc(0)
    const send = () => {
      if (!next()) return false
      unanswered++
      socket.write(frame)
      return true
    }
    const onData = (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        rest = rest.subarray(4 + rest.readInt32BE(0))
        unanswered--
        send()
      }
      if (unanswered > 0) return
      socket.off('data', onData)
      resolve()
    }
    socket.on('data', onData)
    socket.on('error', reject)
    for (let index = 0; index < inFlight && send(); index++);
    if (unanswered === 0) resolve()
  })
}

function connected(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port, noDelay: true })
    socket.on('connect', () => resolve(socket))
    socket.on('error', reject)
  })
}

function requestOf(topic: string): Uint8Array {
  const builder = new BatchBuilder({ codec: 'none' })
  const value = Buffer.alloc(90, 'x')
  for (let index = 0; index < recordsPerRequest; index++) builder.append(0, null, value, [])
  const chunks = encodeRequest(
    Produce,
    9,
    { correlationId: 1, clientId: 'bench' },
    {
      acks: 1,
      timeoutMs: 30_000,
      topicData: [{ name: topic, partitionData: [{ index: 0, records: [builder.build()] }] }],
    },
  )
  return Buffer.concat(chunks)
}
