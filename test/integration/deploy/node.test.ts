// The agent's pod as the manifests have it, on a real node: what it may do, and that this is
// enough. Three capabilities, a seccomp filter and a root that cannot be written; pods that start
// later and whose interfaces have no name that could be derived, seen from both sides; no shell.
// (test/integration/kube/node/install.test.ts goes through a node's life.)
import { join } from 'node:path'
import type { PacketCaptureStatus } from '../../../src/model/status.ts'
import { busyboxPod } from '../../support/kube/node/config.ts'
import { installSelcap, systemNamespace } from '../../support/kube/node/install.ts'
import { useNode } from '../../support/kube/node/useNode.ts'
import { until } from '../../support/until.ts'

const { node, nodeTest } = useNode()
const agent = 'daemonset/selcap-agent'
const shop = ['-n', 'shop'] as const
const system = ['-n', systemNamespace] as const

async function statusOf(capture: string): Promise<PacketCaptureStatus> {
  return JSON.parse(await node().kubectl('get', 'pcap', capture, ...shop, '-o', 'json')).status
}

async function packetsIn(capture: string): Promise<string> {
  const [file] = (await statusOf(capture)).files
  return node().run(
    'tcpdump',
    '-nr',
    join(file?.directory ?? '', 'shop', capture, file?.fileNames[0] ?? 'none'),
  )
}

const pidOfAgent = async (): Promise<string> =>
  (await node().run('pgrep', '-f', 'selcap agent')).trim()

nodeTest(
  'the agent runs with three capabilities, a seccomp filter and a root that cannot be written',
  async t => {
    await installSelcap(node())
    const pid = await pidOfAgent()
    const status = await node().run('cat', `/proc/${pid}/status`)
    const field = (name: string): string =>
      new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? ''
    const [netAdmin, netRaw, sysAdmin] = [12n, 13n, 21n]
    const three = (1n << netAdmin) | (1n << netRaw) | (1n << sysAdmin)
    for (const set of ['CapEff', 'CapPrm', 'CapBnd']) t.is(BigInt(`0x${field(set)}`), three, set)
    t.is(field('NoNewPrivs'), '1')
    t.is(field('Seccomp'), '2')
    const mounts = (await node().run('cat', `/proc/${pid}/mountinfo`))
      .split('\n')
      .map(line => line.split(' '))
    t.regex(mounts.find(([, , , , at]) => at === '/')?.[5] ?? '', /^ro\b/)
  },
)

nodeTest(
  'a capture finds pods that started later, by address, from both sides, and its status comes together',
  async t => {
    await node().kubectl('create', 'namespace', 'shop')
    await node().apply(
      busyboxPod('shop', 'web', { app: 'web' }, 'echo hello >/www/index.html; httpd -f -h /www'),
    )
    await node().apply(busyboxPod('shop', 'client', { app: 'client' }))
    await node().kubectl('wait', ...shop, '--for=condition=Ready', 'pod', '--all', '--timeout=60s')
    const capture = (name: string, vantage: string) =>
      JSON.stringify({
        apiVersion: 'projectcalico.org/v3',
        kind: 'PacketCapture',
        metadata: { name, namespace: 'shop' },
        spec: { selector: 'app == "web"', vantage, filters: [{ protocol: 'TCP', ports: [80] }] },
      })
    await node().apply(`${capture('outside', 'Auto')}\n---\n${capture('inside', 'PodNetns')}`)
    const reach = (state: string) =>
      node().kubectl(
        'wait',
        ...shop,
        `--for=jsonpath={.status.state}=${state}`,
        'pcap/outside',
        'pcap/inside',
        '--timeout=50s',
      )
    await reach('WaitingForTraffic')
    for (const name of ['outside', 'inside'])
      await until(`the tap of ${name}`, async () => {
        const [file] = (await statusOf(name)).files
        return file?.endpoints[0]?.startedAt !== undefined
      })

    const address = await node().kubectl(
      'get',
      'pod',
      'web',
      ...shop,
      '-o',
      'jsonpath={.status.podIP}',
    )
    t.is(
      await node().kubectl('exec', ...shop, 'client', '--', 'wget', '-qO-', `http://${address}/`),
      'hello\n',
    )
    await reach('Capturing')
    for (const [name, vantage] of [
      ['outside', 'HostVeth'],
      ['inside', 'PodNetns'],
    ] as const) {
      const [file, another] = (await statusOf(name)).files
      t.like(file, { node: node().name, directory: '/var/log/calico/pcap', state: 'Capturing' })
      t.is(another, undefined)
      t.is(file?.endpoints[0]?.vantage, vantage)
      await until(
        `the end of the connection in ${name}`,
        async () => (await packetsIn(name)).split('Flags [F').length >= 3,
      )
      t.regex(await packetsIn(name), /HTTP: GET \/ HTTP\/1\.1/)
      t.regex(await packetsIn(name), /HTTP: HTTP\/1\.[01] 200 OK/)
    }
  },
)

nodeTest(
  "figures are read at the node's address, and selcap runs by `kubectl exec`, though there is no shell",
  async t => {
    const address = await node().kubectl(
      'get',
      'pods',
      ...system,
      '-l',
      'app.kubernetes.io/name=selcap-agent',
      '-o',
      'jsonpath={.items[0].status.podIP}',
    )
    const figures = await node().kubectl(
      'exec',
      ...shop,
      'client',
      '--',
      'wget',
      '-qO-',
      `http://${address}:9877/metrics`,
    )
    t.regex(figures, /^selcap_taps_open 2$/m)
    const inPod = ['exec', ...system, agent, '--']
    t.regex(await node().kubectl(...inPod, 'selcap', 'explain', 'all()'), /canonical: all\(\)/)
    t.not((await node().ask([...inPod, 'sh', '-c', 'true'])).code, 0)
  },
)

nodeTest(
  'deleting the DaemonSet ends the agent in order: whole files, and a last report that counts them',
  async t => {
    const pid = await pidOfAgent()
    const outside = join(
      '/var/log/calico/pcap/shop/outside',
      (await statusOf('outside')).files[0]?.fileNames[0] ?? 'none',
    )
    await node().kubectl('delete', agent, ...system, '--timeout=60s')
    await until('the agent to end', async () =>
      (await node().run('ls', '/proc')).split('\n').every(name => name !== pid),
    )
    const packets = (await node().run('tcpdump', '-nr', outside)).trim().split('\n').length
    await until(
      'the last report to be folded',
      async () => (await statusOf('outside')).packets === packets,
    )
    t.pass()
  },
)
