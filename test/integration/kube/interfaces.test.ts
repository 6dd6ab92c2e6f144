// Agents on nodes whose pods' interfaces have names that say nothing: found by address, through the
// network namespaces under /var/run/netns, whatever plugin made them. And on a node whose data
// plane passes packets by the host's end.
import type { NodeReportStatus, ReportedCapture } from '../../../src/core/status/nodeReport.ts'
import { felix, felixDefinition } from '../../support/kube/felixConfiguration.ts'
import { packetCapture, type Resource, type SimulatedNode } from '../../support/kube/simulated.ts'
import { useSimulated } from '../../support/kube/useSimulated.ts'
import { until } from '../../support/until.ts'

const { cluster, clusterTest } = useSimulated()
const nodes = new Map<string, Promise<SimulatedNode>>()

function nodeWithAgent(name: string): Promise<SimulatedNode> {
  const node = nodes.get(name) ?? start(name)
  nodes.set(name, node)
  return node
}

const shop = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }

async function start(name: string): Promise<SimulatedNode> {
  await cluster().apply(shop)
  const node = await cluster().addNode(name)
  await node.startAgent()
  return node
}

async function row(node: string, capture: string): Promise<ReportedCapture | undefined> {
  const { code, out } = await cluster().api.ask(['get', 'nodecapturereport', node, '-o', 'json'])
  if (code !== 0) return undefined
  const { report } = JSON.parse(out) as Resource & { readonly report: NodeReportStatus }
  return report.captures?.find(({ name }) => name === capture)
}

/**
 * Waits until every tap that the capture is to have on the node is open, and knows its interface.
 */
async function captured(node: string, capture: string, taps = 1) {
  const isOpen = ({ state }: { readonly state: string }) => state === 'WaitingForTraffic'
  await until(
    `${taps} taps of ${capture}`,
    async () => ((await row(node, capture))?.file.endpoints.filter(isOpen).length ?? 0) === taps,
  )
  return (await row(node, capture))?.file.endpoints.map(
    ({ pod, interface: name, vantage }) => `${pod} ${name} ${vantage}`,
  )
}

const udp = [{ protocol: 'UDP' }]

clusterTest('a pod behind a veth of any name is found by its address', async t => {
  const node = await nodeWithAgent('node-1')
  const pods = [
    await node.addPod('shop', 'alone', { app: 'alone' }, { hostName: 'veth3f9c2a71' }),
    await node.addPod('shop', 'neighbour', { app: 'other' }, { hostName: 'veth00d1ce55' }),
  ]
  await cluster().apply(packetCapture('by-address', { selector: "app == 'alone'", filters: udp }))
  t.deepEqual(await captured('node-1', 'by-address'), ['alone veth3f9c2a71 HostVeth'])
  for (const pod of pods) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 4 })
  await until('the packets', () => node.records('shop', 'by-address') === 4)
  t.deepEqual(node.files('shop', 'by-address'), ['alone_veth3f9c2a71.pcap'])
})

clusterTest(
  'a pod on a bridge is captured at its own port: what others say to each other is not its',
  async t => {
    const node = await nodeWithAgent('node-1')
    const names = ['one', 'two', 'three']
    const pods = []
    for (const name of names)
      pods.push(
        await node.addPod('shop', name, { on: name }, { hostName: `vethb${name}`, bridge: 'cni0' }),
      )
    const [one, two, three] = pods
    if (!one || !two || !three) return t.fail()
    await cluster().apply(packetCapture('bridged', { selector: "on == 'one'", filters: udp }))
    t.deepEqual(await captured('node-1', 'bridged'), ['one vethbone HostVeth'])
    await two.sender.udp({ to: three.podAddress, port: 9, count: 50 })
    await one.sender.udp({ to: two.podAddress, port: 9, count: 3 })
    await two.sender.udp({ to: one.podAddress, port: 9, count: 2 })
    await until('its packets', () => node.records('shop', 'bridged') === 5)
    t.is(node.records('shop', 'bridged'), 5)
  },
)

clusterTest(
  'a pod with several addresses is found by any of them, and both families are captured',
  async t => {
    const node = await nodeWithAgent('node-1')
    const pod = await node.addPod(
      'shop',
      'dual',
      { app: 'dual' },
      { hostName: 'vethd0a1', hasIpv6: true },
    )
    t.true(pod.podAddresses[0]?.includes(':'), 'the first one is IPv6')
    await cluster().apply(packetCapture('dual', { selector: "app == 'dual'", filters: udp }))
    t.deepEqual(await captured('node-1', 'dual'), ['dual vethd0a1 HostVeth'])
    await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 2 })
    await pod.sender.udp({ to: pod.hostAddress6, port: 9, count: 3 })
    await until('the packets', () => node.records('shop', 'dual') === 5)
    t.is(node.files('shop', 'dual').length, 1)
  },
)

clusterTest(
  'vantage PodNetns looks from inside, HostVeth from outside, at the same pod',
  async t => {
    const node = await nodeWithAgent('node-1')
    const pod = await node.addPod('shop', 'sides', { app: 'sides' }, { hostName: 'veth51de5' })
    for (const vantage of ['PodNetns', 'HostVeth'])
      await cluster().apply(
        packetCapture(vantage.toLowerCase(), { selector: "app == 'sides'", filters: udp, vantage }),
      )
    t.deepEqual(await captured('node-1', 'podnetns'), ['sides eth0 PodNetns'])
    t.deepEqual(await captured('node-1', 'hostveth'), ['sides veth51de5 HostVeth'])
    await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 6 })
    await until('the packets', () =>
      ['podnetns', 'hostveth'].every(name => node.records('shop', name) === 6),
    )
    t.deepEqual(node.files('shop', 'podnetns'), ['sides_eth0.pcap'])
  },
)

clusterTest(
  'a pod that cannot be found yet says so, and is captured once its namespace is there',
  async t => {
    const node = await nodeWithAgent('node-1')
    const pod = await node.addPod(
      'shop',
      'late',
      { app: 'late' },
      { hostName: 'veth1a7e', isFound: false },
    )
    await cluster().apply(packetCapture('late', { selector: "app == 'late'", filters: udp }))
    await until('the complaint', async () =>
      (await row('node-1', 'late'))?.file.endpoints[0]?.message?.includes(pod.podAddress),
    )
    t.is((await row('node-1', 'late'))?.file.endpoints[0]?.state, 'Error')
    node.show(pod)
    t.deepEqual(await captured('node-1', 'late'), ['late veth1a7e HostVeth'])
    await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 2 })
    await until('the packets', () => node.records('shop', 'late') === 2)
  },
)

clusterTest('vantage Auto looks from inside when Calico runs on eBPF', async t => {
  await cluster().apply(shop, felixDefinition)
  await cluster().api.kubectl(
    'wait',
    '--for=condition=Established',
    'crd',
    'felixconfigurations.crd.projectcalico.org',
    '--timeout=30s',
  )
  await cluster().apply(felix('default', { bpfEnabled: true }))
  const node = await cluster().addNode('node-2')
  const pod = await node.addPod('shop', 'bpf', { app: 'bpf' })
  await cluster().apply(packetCapture('auto', { selector: "app == 'bpf'", filters: udp }))
  await node.startAgent()
  t.deepEqual(await captured('node-2', 'auto'), ['bpf eth0 PodNetns'])
  await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 3 })
  await until('the packets', () => node.records('shop', 'auto') === 3)
  t.deepEqual(
    node.files('shop', 'auto'),
    ['bpf_eth0.pcap'],
    'and never was anything opened at the other end',
  )
})
