// Every command that docs/debugging.md, docs/release.md and krew/README.md name is typed here as it
// stands there, or its script is found where it takes minutes or another program. A command without
// a check fails the first test.
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { readOptions } from '../../endure/options.ts'
import { files } from '../../repo/tree.ts'
import { blocksOf, commandsOf, spokenCommandsOf } from '../../support/markdown.ts'
import { networkTest } from '../../support/net/privilege.ts'
import { Place } from '../../support/processes/installedCopy.ts'
import { read, root } from '../../support/repository.ts'
import { until } from '../../support/until.ts'

type Check = (place: Place, command: string) => unknown

const debugging = read('docs/debugging.md')
const release = read('docs/release.md')
const krew = read('krew/README.md')
const ava = 'node_modules/.bin/node node_modules/ava/entrypoints/cli.js'
const standalone = 'bin/selcap standalone --manifests manifests --captures captures --status status'

const checks: Readonly<Record<string, Check>> = {
  'npm test -- test/unit/core/match.test.ts': isScript,
  [`${ava} test/unit/core/match.test.ts --match '*namespace*'`]: async (place, command) =>
    place.t.regex(
      await place.type(`cd '${root}' && env -i PATH="$PATH" HOME="$HOME" ${command} 2>&1`),
      /\n {2}\d+ tests passed\n/,
    ),
  'sudo npm run demo:cluster -- --keep': async (place, command) => {
    await isScript(place, command.replace('sudo ', ''))
    place.t.regex(read('scripts/demoCluster.ts'), /'--keep'/)
  },
  'npm run endure': isScript,
  'npm run endure -- --minutes 2 --seed 9 --only standalone --faults frozen,killed': async (
    place,
    command,
  ) => {
    await isScript(place, command)
    place.t.deepEqual(readOptions(command.split(' -- ')[1]?.split(' ') ?? []), {
      minutes: 2,
      seed: 9,
      targets: ['standalone'],
      faults: ['frozen', 'killed'],
      isPlanted: false,
    })
  },
  'npm run setup': isScript,
  'npm version --no-git-tag-version 0.2.0': async (place, command) => {
    const folder = join(place.path, 'release')
    mkdirSync(folder)
    for (const file of ['package.json', 'package-lock.json'])
      cpSync(join(root, file), join(folder, file))
    await place.type(`cd release && ${command}`)
    const versionOf = (file: string): string =>
      JSON.parse(readFileSync(join(folder, file), 'utf8')).version
    place.t.deepEqual(['package.json', 'package-lock.json'].map(versionOf), ['0.2.0', '0.2.0'])
  },
  'npm run chart': isScript, // test/integration/deploy/chart.test.ts compares what it makes
  'npm run check': isScript,
  'npm run bundle -- --address=https://releases.example.com/selcap/v0.2.0': async (
    place,
    command,
  ) => {
    await isScript(place, command)
    place.t.regex(read('scripts/bundle.mjs'), /'--address='/) // test/integration/deploy/bundle.test.ts runs it
  },
  // test/integration/deploy/executables.test.ts runs it
  'npm run bundle -- --executables --sign=./sign.sh --address=https://releases.example.com/selcap/v0.2.0':
    isScript,
}

/**
 * test/integration/deploy/bundle.test.ts runs the bundle, and does with its archive what krew does.
 */
const krewChecks: Readonly<Record<string, Check>> = {
  'npm run bundle': isScript,
  'kubectl krew install --manifest=dist/pcap.yaml --archive=dist/kubectl-pcap.tar.gz': (
    { t },
    command,
  ) => {
    for (const [, name = '-'] of command.matchAll(/dist\/(\S+)/g))
      t.true(read('scripts/bundle.mjs').includes(`'${name}'`), name)
  },
  'npm run bundle -- --address=https://releases.example.com/selcap/v0.1.0': isScript,
  'npm run bundle -- --executables': isScript, // test/integration/deploy/executables.test.ts
}

/** In this order, beside a process that captures. */
const running: Readonly<Record<string, Check>> = {
  'bin/selcap get packetcaptures web -n shop -o yaml --status status': async (place, command) =>
    place.t.regex(await place.type(command), /packets: \d+/),
  'GET /metrics': place => place.t.pass(), // test/integration/processes/readme.test.ts asks
  'cat /proc/net/packet': async (place, command) =>
    place.t.true((await place.type(command)).trim().split('\n').length > 1),
  'perf record -g -o perf.data -p PID -- sleep 5': async (place, command) => {
    if (!(await canRecord(place)))
      return place.t.log('perf cannot record here: its two commands were not typed')
    await place.type(command.replace('PID', String(process.pid)).replace('sleep 5', 'sleep 0.3'))
  },
  'perf report -i perf.data --stdio --no-children --sort dso,symbol': async (place, command) => {
    if (await canRecord(place)) place.t.regex(await place.type(`${command} 2>/dev/null`), /^# /m)
  },
}

const left = `FELIX_LOGLEVEL=warn ${standalone}`

async function canRecord(place: Place): Promise<boolean> {
  return (
    (
      await place.type('perf record -o probe.data -- true >/dev/null 2>&1 && echo yes || echo no')
    ).trim() === 'yes'
  )
}

test('every command of these documents has a check here, and no check is left over', t => {
  t.deepEqual(
    [...new Set([...commandsOf(krew), ...spokenCommandsOf(krew)])],
    Object.keys(krewChecks),
  )
  const options = /^--/ // of AVA and Node: explained, not typed
  const named = [debugging, release].flatMap(text => [
    ...commandsOf(text),
    ...spokenCommandsOf(text).filter(each => !options.test(each)),
  ])
  t.deepEqual(
    [...new Set(named)].toSorted(),
    [...Object.keys(checks), ...Object.keys(running), left].toSorted(),
  )
})

for (const [command, check] of Object.entries({ ...checks, ...krewChecks }))
  test(`docs tell to type: ${command}`, t => check(new Place(t), command) as undefined)

networkTest('the commands of docs/debugging.md show a process that captures', async t => {
  const place = new Place(t)
  await place.addNetwork()
  await place.type(
    'mkdir -p manifests captures status && cp examples/workload-endpoints.yaml examples/selector.yaml manifests/',
  )
  const log = join(place.path, 'log')
  const capturing = await place.leave(`sh -c 'echo started >&2; exec env ${left} 2>log'`, 'started') // one process, which can be ended
  await place.reaches('WaitingForTraffic')
  await place.send(3)
  await until('the packets', () => (place.status()?.status?.packets ?? 0) >= 3)
  t.is(readFileSync(log, 'utf8'), '', 'nothing is wrong, so nothing is logged')
  for (const [command, check] of Object.entries(running)) await check(place, command)
  t.is(await place.end(capturing), 0)
})

for (const { text } of blocksOf(debugging).filter(({ language }) => language === 'ts')) {
  test('the test in docs/debugging.md imports what is there', async t => {
    const imports = Array.from(
      text.matchAll(/^import \{ (.+) \} from '(.+)'$/gm),
      ([, names = '', path = '']) => ({ names, path }),
    )
    t.is(imports.length, 2)
    for (const { names, path } of imports) {
      const target = new URL(
        path,
        pathToFileURL(join(root, 'test/integration/kube/node/x.test.ts')),
      )
      t.true(existsSync(target), path)
      for (const name of names.split(', '))
        t.regex(readFileSync(target, 'utf8'), new RegExp(`^export .*\\b${name}\\b`, 'm'))
    }
  })
}

for (const [, name = '', path = ''] of debugging.matchAll(
  /^\| .+ \| `(\w+)` in `(test\/support\/.+?)` \|/gm,
))
  test(`docs/debugging.md names ${name} of ${path}`, t =>
    t.regex(read(path), new RegExp(`^export .*\\b${name}\\b`, 'm')))

function isScript({ t }: Place, command: string): void {
  const name = /^npm (?:run )?(\S+)/.exec(command)?.[1] ?? ''
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const named = scripts[name]?.match(/\bscripts\/\S+/g) ?? []
  t.true(
    named.length > 0 && named.every(file => files.includes(file)),
    `${command}: ${scripts[name]}`,
  )
}
