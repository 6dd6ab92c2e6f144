// The samples of Retina's manual on three nodes, with real packets: as they stand (Retina refuses
// them today, and so does selcap, in its words), and with what is refused set right. Each archive
// holds exactly the packets that it should, on the nodes that it should.
import type { ExecutionContext } from 'ava'
import { parseAllDocuments } from 'yaml'
import { nodeNames, type RetinaStage, useRetina } from '../../../support/kube/retinaFixture.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { makeNamespace } from '../../../support/net/namespace.ts'
import { makeSender } from '../../../support/net/sender.ts'
import { ethernet, ipv4, numbered, tcp, udp } from '../../../support/pcap/frames.ts'
import { read } from '../../../support/repository.ts'

const { cluster, clusterTest } = useSimulated()
const onStage = useRetina(cluster)

type Configuration = { readonly captureOption: object; readonly captureTarget: object }
type Sample = {
  readonly metadata: { readonly name: string }
  readonly spec: { readonly captureConfiguration: Configuration }
}
const samples = parseAllDocuments(read('test/fixtures/retina-samples.yaml')).map(
  document => document.toJS() as Sample,
)
const duration = '40s'

const noTarget = 'neither NodeSelector, NamespaceSelector&PodSelector, nor PodNames is set'
const absolute = (path: string): string =>
  `invalid OutputConfiguration.HostPath: hostPath must be a relative subpath name, not an absolute path: "${path}"`

clusterTest('the samples as they stand are taken, and refused in Retina’s words', async t => {
  const stage = await onStage()
  const expected = [
    noTarget,
    noTarget,
    ...Array(3).fill(absolute('/tmp/captures')),
    absolute('/tmp/retina'),
  ] as string[]
  for (const [index, { spec }] of samples.entries()) await stage.apply(`written-${index}`, spec)
  for (const [index, message] of expected.entries())
    await stage.refused(`written-${index}`, message)
  t.deepEqual(
    nodeNames.flatMap(node => stage.archives(node)),
    [],
  )
  for (const index of samples.keys()) await stage.remove(`written-${index}`)
})

/** TCP or UDP to that port, from nowhere: whole frames, which nobody answers. */
function frame(number: number, protocol: 'tcp' | 'udp', toPort: number): Buffer {
  const body =
    protocol === 'tcp' ? tcp(numbered(number), { toPort }) : udp(numbered(number), { toPort })
  return ethernet({ type: 0x0800, body: ipv4({ protocol: protocol === 'tcp' ? 6 : 17, body }) })
}

const corrected = (index: number, target: object, hostPath: string): object => {
  const { captureConfiguration } = samples[index]?.spec ?? {
    captureConfiguration: { captureOption: {}, captureTarget: {} },
  }
  const { captureOption, captureTarget } = captureConfiguration
  return {
    captureConfiguration: {
      ...captureConfiguration,
      captureOption: { ...captureOption, duration },
      captureTarget: { ...captureTarget, ...target },
    },
    outputConfiguration: { hostPath },
  }
}

// The other nodes get what goes out of eth0 as well: the bridge knows nobody of that address.
async function sendHost(t: ExecutionContext, stage: RetinaStage): Promise<void> {
  const sender = await makeSender(t, stage.nodes['node-1'].namespace)
  await sender.frames('eth0', [
    frame(1, 'tcp', 443),
    frame(2, 'tcp', 80),
    frame(3, 'tcp', 8_080),
    frame(4, 'udp', 443),
  ])
  await sender.frames('eth1', [frame(5, 'tcp', 443), frame(6, 'udp', 53)])
}

clusterTest(
  'the samples, set right, capture what they say and where, and nothing else',
  async t => {
    const stage = await onStage()
    const elsewhere = await makeNamespace(t)
    await elsewhere.run('sh', '-c', 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6')
    const { namespace } = stage.nodes['node-1']
    await namespace.run('sh', '-c', 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6')
    await namespace.ip(
      `link add eth1 type veth peer name eth0 netns ${elsewhere.pid}`,
      'link set eth1 up',
    )
    await elsewhere.ip('link set eth0 up')
    await cluster().api.kubectl('label', 'namespace', 'shop', 'app=target-app')
    const node1 = { nodeSelector: { matchLabels: { 'kubernetes.io/hostname': 'node-1' } } }
    await stage.applyAll({
      pods: corrected(1, { podSelector: { matchLabels: { app: 'web' } } }, 'example-capture'),
      interfaces: corrected(2, {}, 'tmp/captures'),
      bpf: corrected(3, {}, 'tmp/captures'),
      display: corrected(4, {}, 'tmp/captures'),
      node: corrected(5, node1, 'tmp/retina'),
    })
    await stage.open('pods', ['node-1', 'node-2'])
    const onNode = ({
      files = [],
    }: {
      files?: readonly { node: string; endpoints: readonly { startedAt?: string }[] }[]
    }) =>
      files.length === 1 &&
      files[0]?.node === 'node-1' &&
      files[0].endpoints.length > 1 &&
      files[0].endpoints.every(row => row.startedAt)
    for (const name of ['interfaces', 'bpf', 'display', 'node'])
      await stage.until(name, 'open taps', onNode)

    await sendHost(t, stage)
    for (const [index, name] of ['web-0', 'vault-0', 'web-1', 'db-0'].entries())
      await stage.send(name, { first: 100 * (index + 1), count: 3 })
    for (const name of ['pods', 'interfaces', 'bpf', 'display', 'node']) {
      const { status } = await stage.complete(name)
      const nodes = name === 'pods' ? 2 : 1
      t.like(status, { succeeded: nodes, active: undefined, failed: undefined })
      t.is(status?.conditions[0]?.message, `All ${nodes} Capture jobs are completed`)
      t.true(status?.completionTime !== undefined && status.startTime !== undefined)
    }

    const pods = ['node-1', 'node-2'].map(node =>
      stage.packets(stage.archive(node as 'node-1', 'pods')),
    )
    t.deepEqual(
      pods.map(files => Object.keys(files)),
      [['.pcap'], ['.pcap']],
    )
    t.deepEqual(
      pods.map(files => files['.pcap']?.numbers),
      [
        [100, 101, 102],
        [300, 301, 302],
      ],
    ) // beside them ARP alone
    const interfaces = stage.packets(stage.archive('node-1', 'interfaces'))
    t.deepEqual(Object.keys(interfaces), ['-eth0.pcap', '-eth1.pcap'])
    t.deepEqual(interfaces['-eth0.pcap']?.numbers, [1, 2, 3, 4])
    t.deepEqual(interfaces['-eth1.pcap'], { numbers: [5, 6], others: 0 })
    const bpf = stage.packets(stage.archive('node-1', 'bpf'))
    t.deepEqual(bpf['-eth0.pcap'], { numbers: [1, 2], others: 0 })
    t.deepEqual(bpf['-eth1.pcap'], { numbers: [5], others: 0 })
    const display = stage.archive('node-1', 'display')
    t.deepEqual(stage.packets(display)['-eth0.pcap'], { numbers: [1], others: 0 })
    const text = stage.entries(display).find(name => name.endsWith('-eth0.txt')) ?? ''
    t.regex(stage.read(display, text).toString(), /IP \(tos [\s\S]*\.443: Flags[\s\S]*0x0000: /)
    const all = stage.packets(stage.archive('node-1', 'node'))
    t.deepEqual(all['-eth1.pcap'], { numbers: [5, 6], others: 0 })
    t.true(
      Object.keys(all).includes('-lo.pcap') &&
        Object.keys(all).includes(`-${stage.pods['vault-0']?.hostName}.pcap`),
    )
    t.deepEqual(
      stage.archives('node-2').map(path => path.replace(/-\d+UTC/, '')),
      ['example-capture/pods-node-2.tar.gz'],
    )
    t.deepEqual(stage.archives('node-3'), [])
    for (const name of ['pods', 'interfaces', 'bpf', 'display', 'node']) await stage.remove(name)
  },
)
