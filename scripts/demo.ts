// npm run demo: three endpoints in network namespaces of their own, real HTTP, DNS and TCP between
// them, one PacketCapture with a selector and a time window, and what a user sees of it: states,
// files, status, packets. It all happens in a network and mount namespace that ends with this
// process, for an ordinary user inside a user namespace; nothing of the machine is touched. --keep
// leaves it running until Ctrl-C.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { on, once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { makePod, type Pod } from '../test/support/net/pod.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const selcap = join(root, 'bin', 'selcap')
const isKept = process.argv.includes('--keep')
const endpoints = {
  web: { app: 'web', tier: 'frontend' },
  dns: { app: 'dns', tier: 'infra' },
  client: { app: 'client', tier: 'frontend' },
}
const cleanUps: (() => unknown)[] = []
const children: ChildProcess[] = []

if (process.env.SELCAP_DEMO_INSIDE === undefined) process.exitCode = enterNamespaces()
else await withCleanUp(demo)

// A process of its own in new namespaces; unshare says why where the system does not allow it.
function enterNamespaces(): number {
  const flags = process.getuid?.() === 0 ? ['-nm'] : ['-nmU', '--map-current-user', '--keep-caps'] // as root, tcpdump would want to become somebody else
  const inside = spawnSync('unshare', [...flags, process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, SELCAP_DEMO_INSIDE: 'yes' },
  })
  if (inside.status !== 0)
    process.stderr.write(
      `The demo ended early. Where user namespaces are not allowed, run it as root: sudo npm run demo\n`,
    )
  return inside.status ?? 1
}

async function withCleanUp(main: () => Promise<void>): Promise<void> {
  process.on('SIGINT', () => {}) // the children end by it; main goes on to its end
  try {
    await main()
  } finally {
    for (const child of children) child.kill('SIGTERM')
    for (const cleanUp of cleanUps.toReversed()) await cleanUp()
  }
}

async function demo(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-demo-'))
  cleanUps.push(() => rmSync(directory, { recursive: true, force: true }))
  const [manifests, captures, status] = ['manifests', 'captures', 'status'].map(name =>
    join(directory, name),
  ) as [string, string, string]
  for (const each of [manifests, captures, status]) mkdirSync(each)

  say('Three endpoints, each in its own network namespace: web, dns, client')
  const pods = await makeEndpoints()
  writeFileSync(
    join(manifests, 'endpoints.yaml'),
    Object.keys(endpoints)
      .map(name => stringify(endpointDocument(name, pods)))
      .join('---\n'),
  )

  say(`selcap standalone --manifests ${manifests} --captures ${captures} --status ${status}`)
  const engine = start(
    selcap,
    [
      'standalone',
      '--node',
      'node-0',
      '--manifests',
      manifests,
      '--captures',
      captures,
      '--status',
      status,
      '--metrics-port',
      '0',
    ],
    ['ignore', 'ignore', 'pipe'],
  )
  await started(engine)

  const capture = stringify(captureDocument(Date.now()))
  say(
    'A capture: frontend endpoints, HTTP and DNS, a window that opens in 2 s and closes 9 s later',
  )
  process.stdout.write(capture)
  writeFileSync(join(manifests, 'capture.yaml'), capture)

  say('selcap get packetcaptures --watch')
  const watch = start(
    selcap,
    ['get', 'packetcaptures', '-n', 'demo', '--watch', '--status', status],
    ['ignore', 'inherit', 'inherit'],
  )
  await setTimeout(4_000)
  startTraffic(pods)
  await finished(status)
  await setTimeout(500)
  watch.kill('SIGTERM')
  show({ captures, status })
  if (isKept) await keep({ manifests, captures, status })
}

async function makeEndpoints(): Promise<ReadonlyMap<string, Pod>> {
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1')
  execFileSync('ip', ['link', 'set', 'lo', 'up'])
  const pods = new Map<string, Pod>()
  for (const name of Object.keys(endpoints)) {
    const pod = await makePod(
      { teardown: cleanUp => void cleanUps.push(cleanUp) },
      { hostName: `cali-${name}` },
    )
    await pod.namespace.ip(`route add default via ${pod.hostAddress}`)
    pods.set(name, pod)
  }
  return pods
}

function endpointDocument(name: string, pods: ReadonlyMap<string, Pod>): unknown {
  const pod = pods.get(name)
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: {
      name: `node--0-k8s-${name}-eth0`,
      namespace: 'demo',
      labels: endpoints[name as keyof typeof endpoints],
    },
    spec: {
      node: 'node-0',
      orchestrator: 'k8s',
      pod: name,
      endpoint: 'eth0',
      interfaceName: pod?.hostName,
      ipNetworks: [`${pod?.podAddress}/32`],
    },
  }
}

function captureDocument(nowMs: number): unknown {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata: { name: 'frontend', namespace: 'demo' },
    spec: {
      selector: `tier == "frontend" && has(app)`,
      filters: [
        { protocol: 'TCP', ports: [80, '9000:9001'] },
        { protocol: 'UDP', ports: [53] },
      ],
      startTime: new Date(nowMs + 2_000).toISOString(),
      endTime: new Date(nowMs + 11_000).toISOString(),
      rotation: { maxSizeBytes: 60_000, maxFiles: 2 },
    },
  }
}

function startTraffic(pods: ReadonlyMap<string, Pod>): void {
  const traffic = join(root, 'scripts', 'demo', 'traffic.ts')
  const inside = (name: string, ...args: string[]) =>
    start(
      'nsenter',
      [`--net=${pods.get(name)?.namespace.path}`, process.execPath, traffic, ...args],
      ['ignore', 'inherit', 'ignore'],
    )
  inside('web', 'web')
  inside('dns', 'dns', pods.get('web')?.podAddress ?? '')
  inside('client', 'client', pods.get('dns')?.podAddress ?? '')
}

function start(
  command: string,
  args: readonly string[],
  stdio: ('ignore' | 'inherit' | 'pipe')[],
): ChildProcess {
  const child = spawn(command, args, { stdio })
  children.push(child)
  cleanUps.push(
    async () => child.exitCode === null && child.signalCode === null && once(child, 'exit'),
  )
  return child
}

// The window begins when the engine has started, which takes seconds on a busy machine. The
// engine's log is shown.
async function started({ stderr }: ChildProcess): Promise<void> {
  stderr?.pipe(process.stderr)
  for await (const text of on(stderr as Readable, 'data', { close: ['end'] }))
    if (`${text}`.includes('"selcap started"')) return
  throw new Error(
    'Cannot go on with the demo: selcap standalone ended at once, its message is above',
  )
}

// A missing status is no failure: the engine writes it within a moment.
async function finished(status: string): Promise<void> {
  const get = ['get', 'packetcaptures', 'frontend', '-n', 'demo', '-o', 'yaml', '--status', status]
  for (let tries = 0; tries < 300; tries++) {
    const { stdout } = spawnSync(selcap, get, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    if (stdout.includes('\n  state: Finished')) return
    await setTimeout(200)
  }
  throw new Error('Cannot finish the demo: the capture did not reach Finished within a minute')
}

function show({ captures, status }: { captures: string; status: string }): void {
  const files = join(captures, 'demo', 'frontend')
  say(`ls ${files}`)
  const names = readdirSync(files)
    .filter(name => !name.startsWith('.'))
    .toSorted()
  process.stdout.write(`${names.join('\n')}\n`)
  say('selcap get packetcaptures frontend -n demo -o yaml')
  process.stdout.write(
    run(
      selcap,
      'get',
      'packetcaptures',
      'frontend',
      '-n',
      'demo',
      '-o',
      'yaml',
      '--status',
      status,
    ),
  )
  const first = names[0] ?? ''
  say(`tcpdump -n -c 8 -r ${first}`)
  process.stdout.write(run('tcpdump', '-n', '-c', '8', '-r', join(files, first)))
}

async function keep({
  manifests,
  captures,
  status,
}: {
  manifests: string
  captures: string
  status: string
}): Promise<void> {
  say(
    `Kept. Manifests: ${manifests}, files: ${captures}, status: ${status}. Edit and look; Ctrl-C ends and cleans up`,
  )
  await once(process, 'SIGINT')
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}

function say(what: string): void {
  process.stdout.write(`\n▶ ${what}\n`)
}
