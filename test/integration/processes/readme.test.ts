// Every command that README.md, docs/operations.md and CONTRIBUTING.md name is typed here as it
// stands there, and its result is checked. A command without a check below fails the first test.
import type { ChildProcess } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import { blocksOf, commandsOf, spokenCommandsOf, withoutSection } from '../../support/markdown.ts'
import { networkTest } from '../../support/net/privilege.ts'
import { interfaceName, Place } from '../../support/processes/installedCopy.ts'
import { read, root } from '../../support/repository.ts'
import { until } from '../../support/until.ts'

type Check = (place: Place, command: string) => Promise<unknown>

// 'In a cluster': test/integration/kube/node/readme.test.ts.
const readme = ['In a cluster', 'Which tool for what'].reduce(withoutSection, read('README.md'))
// That one types the first too; the others: test/integration/kube/controller/pvcUploads.test.ts,
// test/integration/deploy/report.test.ts.
const manual = ['The programs', 'Uploads', "Retina's captures"].reduce(
  withoutSection,
  read('docs/operations.md'),
)
const contributing = read('CONTRIBUTING.md')
const left = new WeakMap<Place, ChildProcess>()

/** Run in the order of README.md, each in the place the one before has left. */
const readmeChecks: Readonly<Record<string, Check>> = {
  'npm run demo': isScript,
  'npm test': isScript,
  'mkdir -p manifests captures status': async (place, command) => {
    await place.type(command)
    for (const name of ['manifests', 'captures', 'status'])
      place.t.true(existsSync(join(place.path, name)))
  },
  'cp examples/workload-endpoints.yaml examples/selector.yaml manifests/': async (
    place,
    command,
  ) => {
    await place.type(command)
    place.t.is(
      await place.type('cat manifests/*'),
      read('examples/selector.yaml') + read('examples/workload-endpoints.yaml'),
    )
  },
  'bin/selcap validate manifests/selector.yaml': async (place, command) =>
    place.t.regex(
      await place.type(command),
      /^PacketCapture shop\/web: good\n {2}selector: +app == "web"\n/,
    ),
  'bin/selcap explain \'app == "checkout" && tier in {"web", "api"}\' --label app=checkout --label tier=db':
    async (place, command) =>
      place.t.regex(
        await place.type(command),
        /\nmatch: +false\ndecided: +tier in \{"api", "web"\} is false \(label tier is "db"\)\n$/,
      ),
  'sudo bin/selcap standalone --manifests manifests --captures captures --status status': async (
    place,
    command,
  ) => {
    left.set(place, await place.leave(command, 'selcap started'))
    await place.reaches('WaitingForTraffic')
    await place.send(25)
    await place.reaches('Capturing')
    await until('the counts', () => (place.status()?.status?.packets ?? 0) >= 25)
  },
  'bin/selcap get packetcaptures -A --status status': async (place, command) => {
    const [header, row, ...rest] = (await place.type(command)).trim().split('\n')
    place.t.regex(
      header ?? '',
      /^NAMESPACE +NAME +SELECTOR +STATE +NODES +ENDPOINTS +PACKETS +DROPPED +AGE$/,
    )
    place.t.regex(row ?? '', /^shop +web +app == "web" +Capturing +1 +1 +\d+ +0 +\S+$/)
    place.t.deepEqual(rest, [])
  },
  'bin/selcap get packetcaptures web -n shop -o yaml --status status': async (place, command) => {
    const { status } = parse(await place.type(command)) as NonNullable<ReturnType<Place['status']>>
    place.t.is(status?.state, 'Capturing')
    place.t.deepEqual(status?.files[0]?.fileNames, [`web-0_${interfaceName}.pcap`])
  },
  'tcpdump -n -r captures/shop/web/web-0_cali1234567890a.pcap': async (place, command) =>
    place.t.is((await place.type(command)).match(/UDP, length 1000$/gm)?.length, 25),
}

const spokenInReadme: Readonly<Record<string, Check>> = {
  'npm run demo -- --keep': async (place, command) => {
    await isScript(place, command)
    place.t.regex(read('scripts/demo.ts'), /'--keep'/)
  },
  'sudo npm run demo:cluster': (place, command) => isScript(place, command.replace('sudo ', '')),
}

const spokenInManual: Readonly<Record<string, Check>> = {
  '--config': async place => {
    writeFileSync(join(place.path, 'node.yaml'), 'captureMaxSizeBytes: 5000\nmetricsPort: 9878\n')
    left.set(place, await place.leave(`${standalone} --config node.yaml`, 'selcap started'))
    await place.reaches('WaitingForTraffic')
    await place.send(25)
    await until(
      'the rotated files',
      () => (place.status()?.status?.files[0]?.fileNames.length ?? 0) === 1 + 2,
    )
  },
  '--settings': async (place, option) =>
    place.t.regex(await place.type('bin/selcap agent --help'), new RegExp(`${option} <dir>`)), // test/unit/config/configMap.test.ts
  'GET /metrics': async place =>
    place.t.regex(
      await get(place, 9878, '/metrics'),
      /^selcap_packets_total\{namespace="shop",capture="web"\} \d+$/m,
    ),
  'GET /readyz': async place => place.t.is(await get(place, 9878, '/readyz'), 'ok\n'),
  'GET /healthz': async place => place.t.is(await get(place, 9878, '/healthz'), 'ok\n'),
  'ip link': async (place, command) => {
    const listed = await place.type(command)
    place.t.true(listed.includes(place.status()?.status?.files[0]?.endpoints[0]?.interface ?? '-'))
  },
  'ip link set NAME up': async (place, command) => {
    await place.type(`ip link set ${interfaceName} down`)
    await says(place, /is down/)
    await place.type(command.replace('NAME', interfaceName))
    await until(
      'the end of the gap',
      () => place.status()?.status?.files[0]?.endpoints[0]?.gaps[0]?.to !== undefined,
    )
    await endLeft(place)
  },
  '--driver libpcap': async (place, option) => {
    left.set(place, await place.leave(`${standalone} ${option}`, '"driver":"libpcap"'))
    const before = place.status()?.status?.packets ?? 0
    await until(
      'the tap',
      () => place.status()?.status?.files[0]?.endpoints[0]?.endedAt === undefined,
    )
    await place.send(5)
    await until('the packets', () => (place.status()?.status?.packets ?? 0) >= before + 5)
    await endLeft(place)
  },
  setcap: async place => {
    const unable = `setpriv --bounding-set -net_raw --inh-caps -net_raw ${standalone}`
    left.set(place, await place.leave(unable, 'selcap started'))
    const [, program] = await says(place, /setcap cap_net_raw\S*ep (\S+)$/)
    place.t.true(existsSync(program ?? '-'), program)
    await endLeft(place)
  },
  "tcpdump -d 'EXPRESSION'": async (place, command) => {
    const said = await place.type(`! ${command.replace('EXPRESSION', 'udp and and')} 2>&1`)
    place.t.regex(said, /syntax error/)
    writeFileSync(
      join(place.path, 'manifests', 'selector.yaml'),
      read('examples/selector.yaml').replace(/$/, '  expression: udp and and\n'),
    )
    left.set(place, await place.leave(standalone, 'selcap started'))
    await says(place, /syntax error/)
    await endLeft(place)
  },
  'bin/selcap explain': async (place, command) =>
    place.t.regex(
      await place.type(`${command} 'has(app)' --label app=x`),
      /^canonical: +has\(app\)\n[\s\S]*\nmatch: +true\n/,
    ),
  'selcap explain': (place, command) => place.type(`bin/${command} 'all()'`),
}

const standalone = 'bin/selcap standalone --manifests manifests --captures captures --status status'

const spokenInContributing: Readonly<Record<string, Check>> = {
  'npm run setup': isScript,
  'npm run test:unit': isScript,
  'npm run test:integration': isScript,
  'npm test': isScript,
  'npm run test:sanitize': isScript,
  'npm run fuzz': isScript,
  'npm run endure -- --minutes 10': isScript,
  'npm run bench': isScript,
  'npm run coverage': isScript,
  'npm test -- test/unit/config/readSettings.test.ts': async (place, command) => {
    await isScript(place, command)
    place.t.true(existsSync(join(root, command.split(' -- ')[1] ?? '-')))
  },
  'npm run check': isScript,
  'npm run format': isScript,
  'npm run demo': isScript,
}

test('every command of README.md, docs/operations.md and CONTRIBUTING.md has a check here, and no check is left over', t => {
  t.deepEqual(commandsOf(readme), Object.keys(readmeChecks))
  t.deepEqual(spokenCommandsOf(readme), Object.keys(spokenInReadme))
  t.deepEqual(
    [...commandsOf(manual), ...spokenCommandsOf(manual)].toSorted(),
    Object.keys(spokenInManual).toSorted(),
  )
  t.deepEqual(commandsOf(contributing).slice(1), Object.keys(spokenInContributing)) // the first clones
})

test('the blocks of README.md, docs/operations.md and CONTRIBUTING.md say what they are', t => {
  for (const block of [readme, manual, contributing].flatMap(blocksOf))
    t.true(['sh', 'yaml'].includes(block.language), block.text)
})

test('commandsOf() and spokenCommandsOf() find what is to be typed', t => {
  const text =
    'Type `npm run x` or `--y`, see `a.ts`:\n```sh\n# so\na b   # c\nd \\\n  e\n```\n```yaml\nf: `ip link`\n```\n'
  t.deepEqual(commandsOf(text), ['a b', 'd e'])
  t.deepEqual(spokenCommandsOf(text), ['npm run x', '--y'])
})

test('the manifests in README.md and docs/packetcapture.md are valid', async t => {
  const place = new Place(t)
  const manifests = [readme, read('docs/packetcapture.md')]
    .flatMap(blocksOf)
    .filter(({ language }) => language === 'yaml')
  t.is(manifests.length, 4)
  for (const { text } of manifests) {
    writeFileSync(join(place.path, 'manifest.yaml'), text)
    t.regex(await place.type('bin/selcap validate manifest.yaml'), /^PacketCapture \S+: good\n/)
  }
})

for (const [command, check] of Object.entries({ ...spokenInReadme, ...spokenInContributing }))
  test(`"${command}" is there to be run`, t => check(new Place(t), command))

test('the commands of README.md up to the engine do what it says', async t => {
  const place = new Place(t)
  const commands = commandsOf(readme)
  for (const command of commands.slice(0, commands.findIndex(each => each.startsWith('sudo ')))) await readmeChecks[command]?.(place, command) // biome-ignore format: one line
})

networkTest('the commands of README.md do what it says, one after another', async t => {
  const place = new Place(t)
  await place.addNetwork()
  for (const command of commandsOf(readme)) await readmeChecks[command]?.(place, command)
  t.is(await endLeft(place), 0)
})

networkTest('the commands that docs/operations.md speaks of do what it says', async t => {
  const place = new Place(t)
  await place.addNetwork()
  await place.type(
    'mkdir -p manifests captures status && cp examples/workload-endpoints.yaml examples/selector.yaml manifests/',
  )
  for (const [command, check] of Object.entries(spokenInManual)) await check(place, command)
})

async function isScript({ t }: Place, command: string): Promise<void> {
  const name = /^npm (?:run )?(\S+)/.exec(command)?.[1] ?? ''
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const files = scripts[name]?.match(/\bscripts\/\S+/g) ?? []
  t.true(
    files.length > 0 && files.every(file => existsSync(join(root, file))),
    `${command}: ${scripts[name]}`,
  )
}

/** Waits until the capture's message does. */
async function says(place: Place, pattern: RegExp): Promise<readonly string[]> {
  const look = () => pattern.exec(place.status()?.status?.files[0]?.message ?? '')
  await until(`a message like ${pattern}`, () => look() !== null)
  return look() ?? []
}

async function endLeft(place: Place): Promise<number | null | undefined> {
  const process = left.get(place)
  return process && place.end(process)
}

function get(place: Place, port: number, path: string): Promise<string> {
  const script = `process.stdout.write(await (await fetch('http://127.0.0.1:${port}${path}')).text())`
  return place.type(`'${process.execPath}' --input-type=module --eval "${script}"`)
}
