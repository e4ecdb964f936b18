/**
 * `npm run test:package`: the tarball as a user gets it. Packs the project, installs the tarball in
 * an empty project, and uses it: the commands, the library with its types, the demo. Needs a
 * registry for the packages with native code. Ends with `N passed, N failed, N skipped`.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { planted } from '../../lib/base/planted.ts'
import { output, run, start } from '../interop/process.ts'

const folder = mkdtempSync(join(tmpdir(), 'ottla-package-'))
const project = mkdtempSync(join(tmpdir(), 'ottla-user-'))
const ottla = join(project, 'node_modules/.bin/ottla')
let passed = 0
let failed = 0

async function check(what: string, body: () => Promise<void>): Promise<void> {
  try {
    await body()
    passed++
    console.log(`ok   ${what}`)
  } catch (error) {
    failed++
    console.log(`FAIL ${what}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function expectTrue(condition: boolean, what: string): void {
  if (!condition) throw new Error(what)
}

const program = `
import { Admin, Client, Consumer, KafkaError, Producer } from 'ottla'
import { startCluster, type TestCluster } from 'ottla/testing'

const client: Client = new Client({ brokers: [process.env['BROKERS'] ?? ''] })
const admin = new Admin(client)
await admin.createTopics([{ name: 'typed', partitions: 1 }])
const producer = new Producer(client, { acks: 'all' })
const sent = await producer.send({ topic: 'typed', key: 'k', value: 'from the package' })
await producer.close()
const consumer = new Consumer(client)
const error: KafkaError | null = null
console.log(sent.offset, error, typeof consumer.close)
await consumer.close()
await client.close()
const cluster: TestCluster = await startCluster({ topics: ['in-process:2'] })
const inside = new Client({ brokers: cluster.brokers })
const [topic] = await new Admin(inside).listTopics()
console.log(topic?.name, topic?.partitions.length, cluster.count('Metadata') > 0)
const schema = '{"properties":{"id":{"pattern":"^a+$","format":"email"}}}'
const configs = { 'ottla.value.schema': schema }
await new Admin(inside).createTopics([{ name: 'checked', partitions: 1, configs }])
const checked = new Producer(inside)
const refusal = await checked.send({ topic: 'checked', value: '{"id":"b"}' }).catch(String)
console.log(refusal)
await checked.close()
inside.close()
await cluster.stop()
`

await check('npm pack makes a tarball with the product and nothing else', async () => {
  await output(['npm', 'pack', '--pack-destination', folder], { timeoutMs: 120_000 })
  const [tarball = ''] = readdirSync(folder)
  const names = (await output(['tar', '-tzf', join(folder, tarball)])).trim().split('\n')
  for (const wanted of [
    'dist/ottla.mjs',
    'dist/index.mjs',
    'dist/ottla-thread.mjs',
    'dist/types/lib/index.d.ts',
    'man/ottla.1',
    'fixtures/demo/app.log',
    'LICENSE',
    'README.md',
  ]) {
    expectTrue(names.includes(`package/${wanted}`), `${wanted} is not in it`)
  }
  const strange = names.filter((name) =>
    /^package\/(test|lib|cli|commands|node_modules|fixtures\/(?!demo))/.test(name),
  )
  expectTrue(strange.length === 0, `it holds ${strange.slice(0, 3).join(', ')}`)
})

await check('it installs in an empty project, without scripts', async () => {
  const [tarball = ''] = readdirSync(folder)
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'user', version: '1.0.0', type: 'module', private: true }),
  )
  await output(
    ['npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', join(folder, tarball)],
    { cwd: project, timeoutMs: 300_000 },
  )
})

await check('no bug that the simulator plants is in it', () => {
  const dist = join(project, 'node_modules/ottla/dist')
  const files = readdirSync(dist, { recursive: true, encoding: 'utf8' })
  for (const name of files.filter((file) => file.endsWith('.mjs'))) {
    const text = readFileSync(join(dist, name), 'utf8')
    const found = Object.keys(planted).find((bug) => text.includes(bug))
    expectTrue(found === undefined, `${found} is in ${name}`)
  }
  return Promise.resolve()
})

await check('ottla --version and help work', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  expectTrue((await output([ottla, '--version'])).includes(version), 'another version')
  expectTrue((await output([ottla, 'help'])).includes('produce'), 'no produce in help')
})

await check('a large compacted log is cleaned in a thread', async () => {
  const settings = 'keys:1:cleanup.policy=compact,segment.bytes=1048576,min.cleanable.dirty.ratio=0'
  const { value, stop, log } = await start(
    [
      ottla,
      'broker',
      'start',
      '--listen',
      '127.0.0.1:0',
      '--data',
      join(project, 'compacted'),
    ].concat(['-c', 'log.cleaner.backoff.ms=500', '--topic', settings]),
    (line) => /^BROKERS=(.+)$/.exec(line)?.[1],
  )
  try {
    const input = Array.from({ length: 4000 }, (_, n) => `key ${n % 10}\t${'x'.repeat(1000)}\n`)
    await output([ottla, '-b', value, 'produce', 'keys', '-K', '\t'], { input: input.join('') })
    for (const untilMs = performance.now() + 60_000; performance.now() < untilMs; ) {
      // What was closed before the rest came is little, and cleaned without one.
      if (log().includes('isThreaded=true')) break
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expectTrue(/log\.cleaned .*isThreaded=true/.test(log()), log())
  } finally {
    await stop()
  }
})

await check('npx ottla broker start, produce, consume, and the typed library', async () => {
  const data = join(project, 'data')
  const { value: brokers, stop } = await start(
    [ottla, 'broker', 'start', '--listen', '127.0.0.1:0', '--data', data, '--topic', 'logs:1'],
    (line) => /^BROKERS=(.+)$/.exec(line)?.[1],
  )
  try {
    await output([ottla, '-b', brokers, 'produce', 'logs'], { input: 'one\ntwo\n' })
    const read = await output([ottla, '-b', brokers, 'consume', 'logs', '-e'])
    expectTrue(read === 'one\ntwo\n', `consumed ${JSON.stringify(read)}`)
    // What is loaded late must be whole in the bundle, too.
    const [config, declared] = [join(project, 'config.json'), join(project, 'topics.json')]
    writeFileSync(config, JSON.stringify({ brokers }))
    writeFileSync(declared, JSON.stringify([{ topic: 'declared', partitions: 2 }]))
    await output([ottla, '-b', brokers, 'topic', 'create', '--from', declared])
    const listed = await output([ottla, '-F', config, 'topic', 'list', '/^decl.+/'])
    expectTrue(listed.includes('declared'), `topics: ${listed}`)
    writeFileSync(join(project, 'use.mts'), program)
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          module: 'nodenext',
          target: 'es2022',
          strict: true,
          outDir: 'out',
          rootDir: '.',
          types: ['node'],
          typeRoots: [join(process.cwd(), 'node_modules/@types')],
        },
        files: ['use.mts'],
      }),
    )
    await output([
      process.execPath,
      'node_modules/typescript/lib/tsc.js',
      '-p',
      join(project, 'tsconfig.json'),
    ])
    const printed = await output([process.execPath, join(project, 'out/use.mjs')], {
      env: { BROKERS: brokers },
    })
    const lines = printed.trim().split('\n')
    expectTrue(lines[0]?.startsWith('0 ') === true, `no offset 0: ${printed}`)
    expectTrue(lines[1] === 'in-process 2 true', `no cluster in the process: ${printed}`)
    expectTrue(lines[2]?.includes('/id must match') === true, `no schemas: ${printed}`)
  } finally {
    const code = await stop()
    expectTrue(code === 0, `the broker ended with ${code}`)
  }
})

await check('npx ottla demo shows the main job in under 10 s and cleans up', async () => {
  const began = performance.now()
  const text = await output([ottla, 'demo'], { cwd: project, env: { TMPDIR: folder } })
  expectTrue(text.includes('BROKERS=') && text.includes('END'), text.slice(0, 300))
  expectTrue(performance.now() - began < 10_000, 'it took longer')
  expectTrue(
    !readdirSync(folder).some((name) => name.startsWith('ottla-demo')),
    'its directory is still there',
  )
})

await check('a wrong command ends with 2 and one clear line', async () => {
  const { code, stderr } = await run([ottla, 'topc', 'list'])
  expectTrue(code === 2 && stderr.includes('did you mean "topic"'), `${code}: ${stderr}`)
})

rmSync(folder, { recursive: true })
rmSync(project, { recursive: true })
console.log(`${passed} passed, ${failed} failed, 0 skipped`)
process.exitCode = failed > 0 ? 1 : 0
