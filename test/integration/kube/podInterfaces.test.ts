// More than a pod's primary interface, by an agent against a real API server: what its report says,
// and which files there are.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeReportStatus } from '../../../src/core/status/nodeReport.ts'
import { packetCapture } from '../../support/kube/simulated.ts'
import { useSimulated } from '../../support/kube/useSimulated.ts'
import { until } from '../../support/until.ts'

const { cluster, clusterTest } = useSimulated()

clusterTest(
  'an agent has a row and files for each interface of a pod: by name, by wildcard, and by the network that Multus says it attached',
  async t => {
    await cluster().api.kubectl('create', 'namespace', 'shop')
    const node = await cluster().addNode('node-1')
    const pod = await node.addPod('shop', 'web-0', { app: 'web' })
    await pod.namespace.ip('link set lo up', 'link add link eth0 name net1 type macvlan mode bridge', 'link set net1 up') // biome-ignore format: one line
    const status = [{ name: 'storage/fast', interface: 'net1' }]
    const annotation = `k8s.v1.cni.cncf.io/network-status=${JSON.stringify(status)}`
    await cluster().api.kubectl('annotate', 'pod', '-n', 'shop', 'web-0', annotation)
    const agent = await node.startAgent()
    const rows = async (capture: string) => {
      const { code, out } = await cluster().api.ask(['get', 'nodecapturereport', 'node-1', '-o', 'json']) // biome-ignore format: one line
      if (code !== 0) return []
      const { report } = JSON.parse(out) as { readonly report: NodeReportStatus }
      return report.captures.find(({ name }) => name === capture)?.file.endpoints ?? []
    }
    const wait = (what: string, isSo: () => Promise<boolean>) => until(what, isSo, { everyMs: 200, tails: [agent] }) // biome-ignore format: one line
    const names = async (capture: string) => (await rows(capture)).map(row => row.interface).join()
    await cluster().apply(
      packetCapture('all', { interfaces: ['*'], expression: 'udp port 9' }),
      packetCapture('fast', { interfaces: ['storage/fast'] }),
    )
    await wait('rows of all', async () => (await names('all')) === 'eth0,lo,net1')
    await wait('a row of fast', async () => (await names('fast')) === 'net1')
    await pod.sender.udp({ to: '127.0.0.1', port: 9, count: 4 })
    await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 2 })
    await wait('the packets', async () => (await rows('all')).map(row => row.packets).join() === '2,4,0') // biome-ignore format: one line
    t.deepEqual(
      (await rows('all')).map(({ pod: name, vantage }) => [name, vantage]),
      [0, 1, 2].map(() => ['web-0', 'PodNetns']),
    )
    const files = (capture: string) => readdirSync(join(node.captures, 'shop', capture)).filter(name => !name.startsWith('.')).toSorted() // biome-ignore format: one line
    t.deepEqual(files('all'), ['web-0_eth0.pcap', 'web-0_lo.pcap', 'web-0_net1.pcap'])
    t.deepEqual(files('fast'), ['web-0_net1.pcap'])
    await pod.namespace.ip(
      'link add link eth0 name net2 type macvlan mode bridge',
      'link set net2 up',
    )
    await wait('a row of net2', async () => (await names('all')) === 'eth0,lo,net1,net2')
  },
)
