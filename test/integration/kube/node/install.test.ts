// The whole of it on a real node: `kubectl apply -k daemonset/base`, real pods talking HTTP, a
// PacketCapture, and what is captured compared packet by packet with tcpdump on the same veth; then
// everything that happens to a node in its life.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { PublishedCapture } from '../../../../src/publish/statusDirectory.ts'
import { busyboxPod } from '../../../support/kube/node/config.ts'
import { installSelcap, systemNamespace } from '../../../support/kube/node/install.ts'
import { useNode } from '../../../support/kube/node/useNode.ts'
import { until, untilFound } from '../../../support/until.ts'

const { node, nodeTest } = useNode()
const captureDir = '/var/log/calico/pcap'
const serve = 'echo hello >/www/index.html; httpd -f -h /www'

const get = async (name: string, namespace = 'shop'): Promise<PublishedCapture> =>
  JSON.parse(await node().kubectl('get', 'packetcapture', name, '-n', namespace, '-o', 'json'))

type Status = NonNullable<PublishedCapture['status']>

async function untilStatus(
  what: string,
  name: string,
  isSo: (status: Status) => boolean,
  place = 'shop',
): Promise<Status> {
  const look = async () => {
    const { status } = await get(name, place)
    return status && isSo(status) ? status : undefined
  }
  const found = async () => ({ status: (await get(name, place)).status, logs: await logs() })
  return untilFound(what, look, { everyMs: 200, found })
}

const logs = () =>
  node().kubectl('logs', '-n', systemNamespace, 'daemonset/selcap-agent', '--tail=20').catch(String)
const addressOf = (pod: string) =>
  node().kubectl('get', 'pod', pod, '-n', 'shop', '-o', 'jsonpath={.status.podIP}')
const fetchPage = async () =>
  node().kubectl(
    'exec',
    '-n',
    'shop',
    'client',
    '--',
    'wget',
    '-qO-',
    `http://${await addressOf('web-0')}/`,
  )
const ready = () =>
  node().kubectl('wait', '-n', 'shop', '--for=condition=Ready', 'pod', '--all', '--timeout=60s')

/** What tcpdump says of every packet. */
async function read(file: string): Promise<{ seconds: number; text: string }[]> {
  const lines = (await node().run('tcpdump', '-nn', '-tt', '-r', file)).trim().split('\n')
  return lines.map(line => ({
    seconds: Number.parseFloat(line),
    text: line.slice(line.indexOf(' ')),
  }))
}

const records = async (name: string): Promise<number> => {
  const said = await node().run(
    'bash',
    '-c',
    `for f in ${captureDir}/shop/${name}/*.pcap; do tcpdump -nn -r $f 2>/dev/null; done`,
  )
  return said
    .trim()
    .split('\n')
    .filter(line => line !== '').length
}

nodeTest('kubectl apply -k daemonset/base brings up an agent and two controllers', async t => {
  await installSelcap(node())
  t.regex(await node().kubectl('get', 'nodecapturereport', node().name), /node-1/)
  await node().kubectl('create', 'namespace', 'shop')
  await node().apply(busyboxPod('shop', 'web-0', { app: 'web' }, serve))
  await node().apply(busyboxPod('shop', 'client', { app: 'client' }))
  await ready()
})

nodeTest('a capture holds the same packets as tcpdump on the same veth', async t => {
  await node().apply(
    capture('web', { selector: "app == 'web'", filters: [{ protocol: 'TCP', ports: [80] }] }),
  )
  const { files } = await untilStatus(
    'an interface',
    'web',
    status => status.files[0]?.endpoints[0]?.interface !== undefined,
  )
  const [row] = files[0]?.endpoints ?? []
  t.regex(row?.interface ?? '', /^veth/)
  const [nsenter = '', ...rest] = [
    ...node().within,
    'tcpdump',
    '-U',
    '-i',
    row?.interface ?? '',
    '-w',
    '/run/reference.pcap',
    '--immediate-mode',
    'tcp port 80',
  ]
  const tcpdump = spawn(nsenter, rest, { stdio: ['ignore', 'ignore', 'pipe'] })
  const said: string[] = []
  tcpdump.stderr.on('data', chunk => said.push(String(chunk)))
  await until('tcpdump to listen', () => said.join('').includes('listening on'))
  for (let round = 0; round < 5; round++) t.is(await fetchPage(), 'hello\n')
  await untilStatus('the packets', 'web', ({ packets }) => packets >= 50)
  const [file = ''] = (await get('web')).status?.files[0]?.fileNames ?? []
  const both = async () =>
    [await read(join(captureDir, 'shop', 'web', file)), await read('/run/reference.pcap')] as const
  const isSame = async () => {
    const [ours, theirs] = await both()
    return ours.length === theirs.length
  }
  await until('both to have the last packet', isSame, { everyMs: 200, found: both })
  await node().run('pkill', '--full', '--signal', 'INT', 'w /run/reference.pcap')
  const [ours, theirs] = await both()
  t.deepEqual(
    ours.map(({ text }) => text),
    theirs.map(({ text }) => text),
  )
  // Each socket takes the time when a packet reaches it: one after the other.
  t.true(
    ours.every(({ seconds }, index) => Math.abs(seconds - (theirs[index]?.seconds ?? 0)) < 0.001),
  )
})

nodeTest(
  'a pod that is deleted and made again goes on being captured, with the gap told',
  async t => {
    const { packets } = await untilStatus('its packets', 'web', status => status.packets > 0)
    await node().kubectl('delete', 'pod', 'web-0', '-n', 'shop', '--wait=true', '--timeout=60s')
    await node().apply(busyboxPod('shop', 'web-0', { app: 'web' }, serve))
    await ready()
    const status = await untilStatus('the new interface', 'web', ({ files }) => {
      const [row] = files[0]?.endpoints ?? []
      return row?.endedAt === undefined && (row?.gaps.length ?? 0) > 0
    })
    t.is(status.files[0]?.endpoints.length, 1)
    await fetchPage()
    await untilStatus('more packets', 'web', now => now.packets >= packets + 10)
    t.pass()
  },
)

nodeTest("a container that is restarted keeps its pod's capture undisturbed", async t => {
  const before = (await get('web')).status?.files[0]?.endpoints[0]
  const restarts = async () =>
    Number(
      await node().kubectl(
        'get',
        'pod',
        'web-0',
        '-n',
        'shop',
        '-o',
        'jsonpath={.status.containerStatuses[0].restartCount}',
      ),
    )
  const restartsBefore = await restarts()
  // The container's first process: from inside, no signal ends it.
  await node().run('pkill', '--full', '--signal', 'KILL', '^httpd -f -h /www')
  const isAnother = async (): Promise<boolean> => (await restarts()) > restartsBefore
  await until('the container to be another', isAnother, { everyMs: 200 })
  await ready()
  const { packets = 0 } = (await get('web')).status ?? {}
  await fetchPage()
  const status = await untilStatus('more packets', 'web', now => now.packets >= packets + 10)
  t.deepEqual(status.files[0]?.endpoints[0]?.gaps, before?.gaps)
  t.is(status.files[0]?.endpoints[0]?.startedAt, before?.startedAt)
})

nodeTest('a DaemonSet that is rolled goes on in the same files, with the gap told', async t => {
  const before = await get('web')
  await node().kubectl('rollout', 'restart', 'daemonset/selcap-agent', '-n', systemNamespace)
  await node().kubectl(
    'rollout',
    'status',
    'daemonset/selcap-agent',
    '-n',
    systemNamespace,
    '--timeout=90s',
  )
  const gaps = before.status?.files[0]?.endpoints[0]?.gaps.length ?? 0
  const status = await untilStatus(
    'the gap',
    'web',
    ({ files }) => (files[0]?.endpoints[0]?.gaps.length ?? 0) > gaps,
  )
  t.is(status.files[0]?.endpoints[0]?.gaps.at(-1)?.reason, 'the agent was restarted')
  t.true(status.packets >= (before.status?.packets ?? 0))
  await fetchPage()
  await untilStatus(
    'more packets',
    'web',
    ({ packets }) => packets >= (before.status?.packets ?? 0) + 10,
  )
})

nodeTest('a kubelet that is restarted disturbs nothing', async t => {
  const before = await get('web')
  await node().restart('kubelet')
  await until(
    'the kubelet to know its pods',
    async () => (await node().ask(['exec', '-n', 'shop', 'client', '--', 'true'])).code === 0,
  )
  await fetchPage()
  const status = await untilStatus(
    'more packets',
    'web',
    ({ packets }) => packets >= (before.status?.packets ?? 0) + 10,
  )
  t.deepEqual(status.files[0]?.endpoints[0]?.gaps, before.status?.files[0]?.endpoints[0]?.gaps)
  t.is(await records('web'), status.packets)
})

nodeTest('a window opens and closes by the clock', async t => {
  const at = (ms: number) => new Date(Date.now() + ms).toISOString()
  await node().apply(
    capture('window', { selector: "app == 'web'", startTime: at(4_000), endTime: at(8_000) }),
  )
  await untilStatus('Scheduled', 'window', ({ state }) => state === 'Scheduled')
  await fetchPage()
  await untilStatus(
    'the opening',
    'window',
    ({ state }) => state === 'WaitingForTraffic' || state === 'Capturing',
  )
  await fetchPage()
  const status = await untilStatus('Finished', 'window', ({ state }) => state === 'Finished')
  await fetchPage()
  t.true(status.packets > 0)
  t.is(await records('window'), status.packets)
})

nodeTest("the samples of Calico's documentation apply as they are", async t => {
  await node().kubectl('create', 'namespace', 'sample-namespace')
  for (const text of samples)
    t.like(await node().ask(['apply', '-f', '-'], { input: text }), { code: 0, err: '' })
  const status = await untilStatus(
    'Finished',
    'sample-capture',
    ({ state }) => state === 'Finished',
    'sample-namespace',
  )
  t.regex(status.conditions[0]?.message ?? '', /window ended at 2021-08-26T12:30:00/)
})

nodeTest('every alias of the resource is understood, and explain helps', async t => {
  for (const alias of aliases)
    t.regex(await node().kubectl('get', alias, '-n', 'shop'), /^NAME/m, alias)
  t.regex(await node().kubectl('explain', 'packetcapture.spec.selector'), /==/)
  t.regex(await node().kubectl('get', 'pcap', '-n', 'shop', '-o', 'wide'), /MESSAGE/)
})

nodeTest('deleting a capture removes its files from the node, and no other', async t => {
  await node().kubectl('delete', 'packetcapture', 'window', '-n', 'shop')
  const folders = () => node().run('ls', `${captureDir}/shop`)
  await until('its files to go', async () => !(await folders()).includes('window'))
  t.is((await folders()).trim(), 'web')
})

function capture(name: string, spec: object): string {
  return JSON.stringify({
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata: { name, namespace: 'shop' },
    spec,
  })
}

const aliases = [
  'packetcapture',
  'packetcaptures',
  'PacketCapture',
  'packetcapture.projectcalico.org',
  'packetcaptures.projectcalico.org',
  'packetcapture.p',
  'packetcaptures.p',
  'pcap',
]

const sample = (spec: string): string => `apiVersion: projectcalico.org/v3
kind: PacketCapture
metadata:
  name: sample-capture
  namespace: sample-namespace
spec:
${spec}`

const samples = [
  sample(`  selector: k8s-app == "sample-app"
  filters:
    - protocol: TCP
      ports:
        - 80
`),
  sample(`  selector: all()
  startTime: '2021-08-26T12:00:00Z'
  endTime: '2021-08-26T12:30:00Z'
`),
]
