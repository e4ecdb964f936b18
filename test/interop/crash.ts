/**
 * Crashes of real processes: `node build/test/interop/crash.mjs [--rounds N] [--starts N] [--cleanings N] [--port N]`. A
 * broker is killed N times in a row in the middle of produce, then stopped a few times, on one port and one data
 * directory, while producers (the library, `ottla produce`, kcat) and a consumer go on; between the
 * rounds its files get what a crash may leave behind. Whatever was acknowledged must be there, in
 * order, once, for ever. Both durabilities; then kills during start-up, and while segments are cleaned.
 * Ends with `N passed, N failed, N skipped`.
 */

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { killCleanings } from './crash/cleaning.ts'
import {
  appendGarbage,
  appendHalfBatch,
  appendZeros,
  cutJournalled,
  cutUnacknowledged,
  damageIndexes,
  garbageAfterMetadata,
  halfFrameAfterMetadata,
} from './crash/damage.ts'
import { TopicMaker } from './crash/topic-maker.ts'
import {
  type Contents,
  checkWriter,
  Follower,
  lastAcknowledged,
  readContents,
} from './crash/verify.ts'
import { CommandWriter, KcatWriter, LibraryWriter, type Writer } from './crash/writers.ts'
import { isInstalled, output } from './process.ts'
import {
  type BrokerProcess,
  freePort,
  ottla,
  spawnBroker,
  startBroker,
} from './support/broker-process.ts'
import { Checks, expectThat, numberFlag, pause, same, until } from './support/checks.ts'

const rounds = numberFlag('--rounds', 20)
const startKills = numberFlag('--starts', 20)
const cleaningKills = numberFlag('--cleanings', 30)
/** The first port to try: nobody else may take it while the broker is down. */
const portFrom = numberFlag('--port', 19_320)
const topic = 'crash'
const partitionCount = 8
/** Rounds between two readings of everything, which take longer and longer. */
const verifyEvery = 10
const checks = new Checks()
const hasKcat = await isInstalled('kcat')
if (!hasKcat) checks.skip('kcat as a producer', 'kcat is missing; Debian: apt-get install kcat')

type Durability = 'fsync' | 'replicated'

/** One broker, its directory, and everybody who works with it. */
interface Campaign {
  readonly data: string
  readonly port: number
  readonly durability: Durability
  readonly writers: readonly Writer[]
  readonly exact: LibraryWriter
  readonly startTimesMs: number[]
  broker: BrokerProcess
}

const partitionOf = (partition: number) => `${topic}-${partition}`

function start({ data, port, durability }: Pick<Campaign, 'data' | 'port' | 'durability'>) {
  const args = [
    '-c',
    `ottla.durability=${durability}`,
    '--topic',
    `${topic}:${partitionCount}:segment.bytes=1048576`,
  ]
  return startBroker({ data, port, args })
}

type Ending = (campaign: Campaign, round: number) => Promise<string>

const stopped: Ending = async ({ broker, data }) => {
  const code = await broker.stop('SIGTERM')
  same(code, 0, 'exit code')
  expectThat(existsSync(join(data, '.kafka_cleanshutdown')), 'no clean mark')
  return 'stopped'
}

/** How a round kills the broker, and what it does to its files. */
const kills: readonly Ending[] = [
  async ({ broker }) => {
    await broker.stop('SIGKILL')
    return 'killed'
  },
  async ({ broker, data }, round) => {
    await broker.stop('SIGKILL')
    return `killed, ${appendGarbage(data, partitionOf(round % partitionCount))}, ${garbageAfterMetadata(data)}`
  },
  async ({ broker, data }) => {
    await broker.stop('SIGKILL')
    const what = await cutJournalled(data, topic, partitionCount)
    return `killed, ${what ?? 'nothing of the journal to cut'}`
  },
  async ({ broker, data }) => {
    const code = await broker.stop('SIGTERM')
    same(code, 0, 'exit code')
    expectThat(existsSync(join(data, '.kafka_cleanshutdown')), 'no clean mark')
    return 'stopped'
  },
  async ({ broker, data, exact }) => {
    // Stopped between write and answer, sooner or later; what it answered before is with us by then.
    let cut: string | null = null
    for (let attempt = 0; attempt < 100 && cut === null; attempt++) {
      broker.child.kill('SIGSTOP')
      await pause(30)
      const last = exact.offsets.get(lastAcknowledged(exact)) ?? -1
      cut = cutUnacknowledged(data, partitionOf(exact.partition), last)
      if (cut === null) broker.child.kill('SIGCONT')
      await pause(attempt % 7)
    }
    await broker.stop('SIGKILL')
    return `killed, ${cut ?? 'nothing to cut'}`
  },
  async ({ broker, data }, round) => {
    await broker.stop('SIGKILL')
    const partition = partitionOf(round % partitionCount)
    return `killed, ${appendHalfBatch(data, partition)}, ${halfFrameAfterMetadata(data)}`
  },
  async ({ broker, data }, round) => {
    await broker.stop('SIGKILL')
    return `killed, ${appendZeros(data, partitionOf(round % partitionCount))}`
  },
  async ({ broker, data }, round) => {
    await broker.stop('SIGKILL')
    return `killed, ${damageIndexes(data, partitionOf(round % partitionCount))}`
  },
]

/** Everything the writers were told, against what is stored now. */
async function verify({ broker, writers }: Campaign): Promise<Contents> {
  const told = writers.map(lastAcknowledged)
  const contents = await readContents(broker.address, topic)
  for (const [index, writer] of writers.entries()) checkWriter(writer, told[index] ?? -1, contents)
  return contents
}

/** Who is told at once gets something through to the broker that was started again. */
async function goOn({ writers }: Campaign): Promise<void> {
  const prompt = writers.filter((writer) => writer instanceof LibraryWriter)
  const before = prompt.map(({ offsets }) => offsets.size)
  await until(
    () => prompt.every(({ offsets }, index) => offsets.size > (before[index] ?? 0)),
    'the producers go on',
  )
}

async function runRound(campaign: Campaign, round: number): Promise<string> {
  const before = campaign.writers.map(({ offsets }) => offsets.size)
  await pause(250 + ((round * 379) % 900))
  const ending = (round < rounds ? kills[round % kills.length] : stopped) ?? stopped
  const what = await ending(campaign, round)
  campaign.broker = await start(campaign)
  campaign.startTimesMs.push(campaign.broker.startMs)
  if (round % verifyEvery === verifyEvery - 1 || round < kills.length) await verify(campaign)
  else await goOn(campaign)
  const acknowledged = campaign.writers.reduce(
    (sum, { offsets }, at) => sum + offsets.size - (before[at] ?? 0),
    0,
  )
  return `${what}; start ${Math.round(campaign.broker.startMs)} ms; ${acknowledged} acknowledged`
}

async function runCampaign(durability: Durability): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'ottla-crash-'))
  const port = await freePort(portFrom, portFrom + 19)
  const broker = await start({ data, port, durability })
  const { address } = broker
  const place = (name: string, partition: number) => ({ name, address, topic, partition })
  const exact = new LibraryWriter(place('library', 0))
  const writers: Writer[] = [
    exact,
    new CommandWriter(place('ottla', 2)),
    new LibraryWriter(place('other', 3)),
  ]
  // So many busy partitions that the journal serves them.
  for (let partition = 4; partition < partitionCount; partition++) {
    writers.push(new LibraryWriter(place(`beside-${partition}`, partition)))
  }
  if (hasKcat)
    writers.push(new KcatWriter(place('kcat', 1)), new KcatWriter(place('kcat-beside', 3)))
  const follower = new Follower(address, topic, partitionCount)
  const topics = new TopicMaker(address)
  const campaign: Campaign = { data, port, durability, writers, exact, startTimesMs: [], broker }
  // The kills in a row; then stops, of a directory that has seen them all.
  for (let round = 0; round < rounds + Math.ceil(rounds / 10); round++)
    await checks.run(`${durability}: round ${round}`, () => runRound(campaign, round))
  await finish(campaign, follower, topics)
  rmSync(data, { recursive: true, force: true })
}

async function finish(campaign: Campaign, follower: Follower, topics: TopicMaker): Promise<void> {
  const { durability, writers, data } = campaign
  await checks.run(`${durability}: metadata changes outlived it all`, async () => {
    await topics.end()
    await topics.check(campaign.broker.address)
    return `${topics.changes} changes`
  })
  let quitters = 0
  for (const writer of writers)
    await checks.run(`${durability}: ${writer.name} delivered everything`, async () => {
      try {
        await writer.end()
      } catch (error) {
        // kcat ends when its broker stays away for a while, whatever it still has to send.
        if (!/All broker connections are down/.test(String(error))) throw error
        quitters++
        return 'or rather, it gave up while the broker was down'
      }
      return `${writer.written} records`
    })
  let contents: Contents = []
  await checks.run(`${durability}: everything is stored, in order, once`, async () => {
    contents = await verify(campaign)
    const count = contents.reduce((sum, { length }) => sum + length, 0)
    const written = writers.reduce((sum, { written: own }) => sum + own, 0)
    if (quitters === 0) same(count, written, 'records')
    expectThat(count <= written, `${count} records of ${written} written`)
    return `${count} records`
  })
  await checks.run(`${durability}: a consumer saw each offset once, and as it is`, () =>
    follower.finish(contents),
  )
  await checks.run(`${durability}: log check finds nothing after a clean stop`, async () => {
    same(await campaign.broker.stop(), 0, 'exit code')
    await logCheck(data)
  })
  const times = [...campaign.startTimesMs].sort((a, b) => a - b).map(Math.round)
  console.log(
    `     start after a crash: median ${times[times.length >> 1]} ms, longest ${times.at(-1)} ms`,
  )
}

async function logCheck(data: string): Promise<void> {
  const report = JSON.parse(await output([...ottla, 'log', 'check', data, '--json'])) as {
    logs: { log: string; errors: number; warnings: number; findings: unknown[] }[]
  }
  expectThat(report.logs.length >= partitionCount, `${report.logs.length} logs`)
  const findings = report.logs.flatMap(({ log, findings }) =>
    findings.length > 0 ? [{ log, findings }] : [],
  )
  same(findings, [], 'findings')
}

/** Kills during start-up after a clean stop, twice in a row: its mark must not be believed then. */
async function killStarts(): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'ottla-crash-start-'))
  const place = {
    data,
    port: await freePort(portFrom, portFrom + 19),
    durability: 'fsync' as const,
  }
  let broker = await start(place)
  const writer = new LibraryWriter({
    name: 'library',
    address: broker.address,
    topic,
    partition: 0,
  })
  // Many logs take a while to load.
  await output([...ottla, '-b', broker.address, 'topic', 'create', 'many', '-p', '300'])
  await pause(1500)
  await writer.end()
  await broker.stop()
  let startMs = Number.POSITIVE_INFINITY
  for (let probe = 0; probe < 3; probe++) {
    broker = await start(place)
    startMs = Math.min(startMs, broker.startMs)
    await broker.stop()
  }
  const mark = join(data, '.kafka_cleanshutdown')
  for (let point = 1; point <= startKills; point++) {
    await checks.run(`killed at ${point}/${startKills} of a start`, async () => {
      const first = await killStart(place, () => pause((startMs * point) / startKills))
      // Most of a start is before the logs are loaded: here it is while they are.
      const second = await killStart(place, async () => {
        await until(() => !existsSync(mark), 'the clean mark goes')
        await pause(point % 10)
      })
      appendHalfBatch(data, partitionOf(0))
      broker = await start(place)
      const contents = await readContents(broker.address, topic)
      checkWriter(writer, lastAcknowledged(writer), contents)
      same(contents[0]?.length, writer.written, 'records')
      same(await broker.stop(), 0, 'exit code')
      return `${Math.round((startMs * point) / startKills)} ms: ${first}; then ${second}`
    })
  }
  rmSync(data, { recursive: true, force: true })
}

/** Starts a broker and kills it when `when` says; tells how far it was. */
async function killStart(
  { data, port }: { data: string; port: number },
  when: () => Promise<void>,
): Promise<string> {
  const { child, ended, log } = spawnBroker({ data, port })
  await when()
  child.kill('SIGKILL')
  await ended
  if (log().includes('broker started')) return 'it was up'
  return existsSync(join(data, '.kafka_cleanshutdown')) ? 'mark there' : 'mark gone'
}

const durabilities = rounds > 0 ? (['fsync', 'replicated'] as const) : []
for (const durability of durabilities) await runCampaign(durability)
if (startKills > 0) await killStarts()
for (const args of cleaningKills > 0 ? [[], ['--test-disk=lossy']] : []) {
  await killCleanings(checks, { kills: cleaningKills, port: portFrom, args })
}
checks.end()
// A campaign that failed may have left a producer that retries.
process.exit()
