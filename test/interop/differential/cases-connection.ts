/** Frames, headers, ApiVersions, and when the connection closes. */

import { joinChunks } from '../../../lib/base/bytes.ts'
import { ApiVersions, type ApiVersionsResponse } from '../../../lib/protocol/apis/api-versions.ts'
import { Metadata } from '../../../lib/protocol/apis/metadata.ts'
import { decodeResponse, encodeRequest } from '../../../lib/protocol/codec.ts'
import type { NoAnswer, Peer } from './peer.ts'
import { accept, rowsOf, type Section } from './row.ts'

const versions = rowsOf(ApiVersions)
const metadata = rowsOf(Metadata)

/** Whether a frame of these bytes is answered. */
async function outcome(peer: Peer, ...parts: readonly (Uint8Array | readonly number[])[]) {
  const body = Buffer.concat(parts.map((part) => Uint8Array.from(part)))
  const frame = Buffer.concat([Buffer.alloc(4), body])
  frame.writeInt32BE(body.length)
  const answer = await peer.exchange(frame)
  return typeof answer === 'string' ? answer : 'answered'
}

/** key, version, correlation id 7, client id 'c' */
const header = (key: number, version: number) => [0, key, 0, version, 0, 0, 0, 7, 0, 1, 99]

/** ApiVersions in v3's form, under any version number. */
async function askVersion(peer: Peer, version: number): Promise<ApiVersionsResponse | NoAnswer> {
  const body = { clientSoftwareName: 'diff', clientSoftwareVersion: '1' }
  const frame = Buffer.from(
    joinChunks(encodeRequest(ApiVersions, 3, { correlationId: 7, clientId: 'c' }, body)),
  )
  frame.writeInt16BE(version, 6)
  const answer = await peer.exchange(frame)
  return typeof answer === 'string' ? answer : decodeResponse(ApiVersions, 0, answer).body
}

const good = { clientSoftwareName: 'diff-1.0', clientSoftwareVersion: '1.2.3' }
const refusedName = (clientSoftwareName: string) =>
  versions.ask(
    `client name ${JSON.stringify(clientSoftwareName).slice(0, 20)}`,
    () => ({ ...good, clientSoftwareName }),
    { versions: [3, 4], accepted: [...ranges] },
  )

/** What Kafka reads although it is malformed. */
const lenient: ReadonlySet<string> = new Set(['bytes after the body', 'array of a negative size'])

const ranges = [
  accept('each broker tells of the APIs that it serves', /^\.apiKeys/),
  accept('no feature is finalized in ottla: groups and transactions are not there yet', /Features/),
]

export const connectionSection: Section = {
  name: 'connection',
  prepare: async () => {},
  rows: [
    versions.ask('plain', () => good, { accepted: ranges }),
    versions.ask('no client name', () => ({ clientSoftwareName: '', clientSoftwareVersion: '' }), {
      accepted: ranges,
    }),
    refusedName('-a'),
    refusedName('a-'),
    refusedName('a b'),
    refusedName('ä'),
    refusedName('a.b-c'),
    versions.ask('client version with a space', () => ({ ...good, clientSoftwareVersion: '1 2' }), {
      versions: [3, 4],
      accepted: ranges,
    }),
    versions.steps('null client id', (_, ask) => ask(good, null), { accepted: ranges }),
    versions.steps('empty client id', (_, ask) => ask(good, ''), { accepted: ranges }),
    versions.steps('version 5', ({ peer }) => askVersion(peer, 5), { versions: [0, 0] }),
    versions.steps('version 99', ({ peer }) => askVersion(peer, 99), { versions: [0, 0] }),
    versions.steps('version -1', ({ peer }) => askVersion(peer, -1), { versions: [0, 0] }),
    ...(
      [
        ['unknown API key', [[0, 200, 0, 0, 0, 0, 0, 7, 0, 1, 99]]],
        ['negative API key', [[0xff, 0xfe, 0, 0, 0, 0, 0, 7, 0, 1, 99]]],
        ['key 4, gone in 4.0', [header(4, 0)]],
        ['Metadata in a version above', [header(3, 14), [0, 0, 0]]],
        ['Fetch in a version below', [header(1, 3), Buffer.alloc(30)]],
        ['nothing after the API key', [[0, 3]]],
        ['empty frame', []],
        ['header without a body', [header(3, 1)]],
        ['body cut short', [header(3, 1), [0, 0, 0, 2, 0, 3, 97]]],
        ['bytes after the body', [header(3, 1), [0, 0, 0, 0, 1, 2, 3]]],
        ['array of a negative size', [header(3, 1), [0xff, 0xff, 0xff, 0xfe]]],
        ['array larger than the frame', [header(3, 1), [0x7f, 0xff, 0xff, 0xff]]],
        ['null for a topic name', [header(3, 1), [0, 0, 0, 1, 0xff, 0xff]]],
        ['client id longer than the frame', [[0, 3, 0, 1, 0, 0, 0, 7, 0x7f, 0, 99]]],
        ['client id of a negative size', [[0, 3, 0, 1, 0, 0, 0, 7, 0x80, 0, 99]]],
      ] as const
    ).map(([name, parts]) =>
      metadata.steps(name, ({ peer }) => outcome(peer, ...parts), {
        versions: [1, 1],
        accepted: lenient.has(name)
          ? [accept('ottla closes on a malformed body that Kafka reads somehow', /^$/)]
          : [],
      }),
    ),
    metadata.steps(
      'frame size -1',
      ({ peer }) => peer.exchange(Buffer.from([0xff, 0xff, 0xff, 0xff])),
      { versions: [0, 0] },
    ),
    metadata.steps(
      'frame size above 100 MiB',
      ({ peer }) => peer.exchange(Buffer.from([0x06, 0x40, 0x00, 0x01, 0])),
      { versions: [0, 0] },
    ),
  ],
}
