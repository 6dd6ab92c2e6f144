// More than a pod's primary interface, as the engine takes them: a second veth, a macvlan, loopback,
// wildcards, and interfaces that come later and go.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { decideIntents } from '../../../../src/core/decide.ts'
import type { ActualEndpoint } from '../../../../src/model/actualState.ts'
import type { Endpoint } from '../../../../src/model/endpoint.ts'
import type { PacketCaptureSpec } from '../../../../src/model/packetCaptureSpec.ts'
import { defaultSettings } from '../../../../src/model/settings.ts'
import { tapId } from '../../../../src/model/tap.ts'
import { endpointOf } from '../../../support/model/taps.ts'
import { uniqueName } from '../../../support/net/namespace.ts'
import { makePod, type Pod } from '../../../support/net/pod.ts'
import { serialNetworkTest as networkTest } from '../../../support/net/privilege.ts'
import { ip } from '../../../support/net/run.ts'
import { makeSender } from '../../../support/net/sender.ts'
import { folder, holderIn } from '../../../support/net/tapManagerFixture.ts'
import { readRecords } from '../../../support/pcap/captureFile.ts'
import { numberOf } from '../../../support/pcap/frames.ts'
import { until } from '../../../support/until.ts'
import { capture, node } from '../../../support/worlds/documents.ts'
import { readIntent } from '../../../support/worlds/reader.ts'

/** A pod, and a node that captures it: `settled` runs turns, as the engine does, until it holds. */
async function scene(t: ExecutionContext) {
  const pod = await makePod(t)
  const sender = await makeSender(t, pod.namespace)
  const captureDir = folder(t)
  const netns = folder(t)
  await pod.namespace.bindTo(t, join(netns, 'cni-0'))
  const holder = await holderIn(t, captureDir, undefined, netns)
  let found = endpointOf('p', {
    isInterfaceGiven: false,
    interfaceName: 'none',
    addresses: [pod.podAddress],
  })
  const world = { node, settings: { ...defaultSettings, captureDir }, isSynced: true }
  const turn = async (spec: PacketCaptureSpec) => {
    const read = [readIntent(capture('web', spec))]
    const state = { ...holder.actualState(), filterErrors: new Map<string, string>() }
    const decision = decideIntents({ world, read, endpoints: [found] }, state, Date.now())
    await holder.apply(decision.actions)
    holder.startDue()
    await holder.watchPods(decision.lookAt)
  }
  const rowOf = (name: string): ActualEndpoint | undefined =>
    holder.actualState().captures.get('default/web')?.endpoints.get(`p/${name}`)
  const tapOf = (name: string) => holder.actualState().taps.get(tapId('default/web', `p/${name}`))
  const directory = join(captureDir, 'default', 'web')
  return {
    pod,
    sender,
    rowOf,
    tapOf,
    endpoint: { change: (change: Partial<Endpoint>) => (found = { ...found, ...change }) },
    settled: (spec: PacketCaptureSpec, what: string, isSo: () => boolean) =>
      until(what, async () => {
        await turn(spec)
        return isSo()
      }),
    files: () =>
      readdirSync(directory)
        .filter(name => !name.startsWith('.'))
        .toSorted(),
    numbers: (file: string) =>
      readRecords(readFileSync(join(directory, file)), 'pcap').map(({ bytes }) => numberOf(bytes)),
  }
}

/** A veth in the pod with an end in the other namespace, both up, neighbours known by ARP. */
async function addVeth(t: ExecutionContext, { namespace }: Pod, name: string) {
  const hostName = uniqueName()
  t.teardown(() => ip([`link delete dev ${hostName}`]).catch(() => '')) // the test may have removed it
  await ip([`link add name ${hostName} type veth peer name ${name} netns ${namespace.pid}`, `link set dev ${hostName} up`]) // biome-ignore format: one line
  await namespace.ip(`address add 198.51.100.2/30 dev ${name}`, `link set dev ${name} up`, `neighbour replace 198.51.100.1 lladdr 02:00:00:00:00:01 dev ${name} nud permanent`) // biome-ignore format: one line
  return hostName
}

const five = [0, 1, 2, 3, 4]

networkTest(
  'TapManager captures a second veth, a macvlan and loopback, each into files of its own',
  async t => {
    const { pod, sender, rowOf, tapOf, settled, files, numbers } = await scene(t)
    await addVeth(t, pod, 'net1')
    await pod.namespace.ip('link add link eth0 name net2 type macvlan mode bridge', 'address add 198.51.100.6/30 dev net2', 'link set dev net2 up', 'neighbour replace 198.51.100.5 lladdr 02:00:00:00:00:02 dev net2 nud permanent') // biome-ignore format: one line
    const spec = { expression: 'udp port 9', interfaces: ['lo', 'net1', 'net2'] }
    const names = ['lo', 'net1', 'net2']
    await settled(spec, 'three taps', () => names.every(name => tapOf(name)?.state === 'open'))
    const port = 9
    await sender.udp({ to: '198.51.100.1', port, count: 5 })
    await sender.udp({ to: '198.51.100.5', port, count: 5, first: 10 })
    await sender.udp({ to: '127.0.0.1', port, count: 5, first: 20 })
    await until('five packets of each', () => names.every(name => rowOf(name)?.packets === 5))
    t.deepEqual(files(), ['p_lo.pcap', 'p_net1.pcap', 'p_net2.pcap'])
    t.deepEqual(numbers('p_net1.pcap'), five)
    t.deepEqual(
      numbers('p_net2.pcap'),
      five.map(each => each + 10),
    )
    t.deepEqual(
      numbers('p_lo.pcap'),
      five.map(each => each + 20),
    )
    for (const name of names)
      t.like(rowOf(name), {
        name: 'p',
        podInterface: name,
        interfaceName: name,
        vantage: 'PodNetns',
      })
  },
)

networkTest(
  'TapManager opens what a wildcard takes when it comes, closes it when it goes, and has a gap when it is back',
  async t => {
    const { pod, sender, rowOf, tapOf, settled, files, numbers } = await scene(t)
    const spec = { expression: 'udp port 9', interfaces: ['eth0', 'net*'] }
    await settled(spec, 'eth0', () => tapOf('eth0')?.state === 'open')
    t.is(tapOf('net1'), undefined)
    const hostName = await addVeth(t, pod, 'net1')
    await settled(spec, 'net1', () => tapOf('net1')?.state === 'open')
    await sender.udp({ to: '198.51.100.1', port: 9, count: 5 })
    await until('five packets', () => rowOf('net1')?.packets === 5)
    await ip([`link delete dev ${hostName}`])
    await settled(spec, 'no tap', () => tapOf('net1') === undefined)
    t.true(rowOf('net1')?.endedAtMs !== undefined)
    t.deepEqual(rowOf('net1')?.gaps, [])
    await addVeth(t, pod, 'net1')
    await settled(spec, 'net1 again', () => tapOf('net1')?.state === 'open')
    await sender.udp({ to: '198.51.100.1', port: 9, count: 5, first: 5 })
    await until('ten packets', () => rowOf('net1')?.packets === 10)
    t.deepEqual(
      rowOf('net1')?.gaps.map(({ reason, toMs }) => [reason, toMs !== undefined]),
      [['there was no such interface in the pod', true]],
    )
    t.deepEqual(numbers('p_net1.pcap'), [...five, ...five.map(each => each + 5)])
    t.deepEqual(files(), ['p_eth0.pcap', 'p_net1.pcap'])
  },
)

networkTest(
  'TapManager waits for an interface that was named, and has an open gap while it is away',
  async t => {
    const { pod, rowOf, tapOf, settled } = await scene(t)
    const spec = { interfaces: ['net1'] }
    await settled(spec, 'a failure', () => tapOf('net1')?.state === 'failed')
    t.regex(tapOf('net1')?.message ?? '', /found no interface "net1" in its network namespace/)
    const hostName = await addVeth(t, pod, 'net1')
    await settled(spec, 'net1', () => tapOf('net1')?.state === 'open')
    await ip([`link delete dev ${hostName}`])
    await settled(spec, 'a gap', () => rowOf('net1')?.gaps[0]?.toMs === undefined && rowOf('net1')?.gaps.length === 1) // biome-ignore format: one line
    t.regex(tapOf('net1')?.message ?? '', /^Nothing is captured: interface net1 is gone/)
    await addVeth(t, pod, 'net1')
    const isGoingOn = () => tapOf('net1')?.message === undefined
    await settled(spec, 'the end of the gap', () => isGoingOn() && rowOf('net1')?.gaps.every(({ toMs }) => toMs !== undefined) === true) // biome-ignore format: one line
    t.is(tapOf('net1')?.state, 'open')
  },
)

networkTest(
  'TapManager finds a pod without an address by the end of its veth on the node',
  async t => {
    const { pod, endpoint, tapOf, settled } = await scene(t)
    endpoint.change({ addresses: [] })
    await settled({ interfaces: ['eth0'] }, 'a failure', () => tapOf('eth0')?.state === 'failed')
    t.regex(tapOf('eth0')?.message ?? '', /an address, but the endpoint has none/)
    endpoint.change({ interfaceName: pod.hostName })
    await settled({ interfaces: ['eth0'] }, 'eth0', () => tapOf('eth0')?.state === 'open')
  },
)

networkTest(
  'TapManager has the same interface at its other end on the node with vantage HostVeth, and says that loopback has none',
  async t => {
    const { pod, rowOf, tapOf, settled, files } = await scene(t)
    const spec = { interfaces: ['eth0', 'lo'], vantage: 'HostVeth' } as const
    await settled(spec, 'both', () => tapOf('eth0')?.state === 'open' && tapOf('lo')?.state === 'failed') // biome-ignore format: one line
    t.like(rowOf('eth0'), { interfaceName: pod.hostName, vantage: 'HostVeth' })
    t.regex(tapOf('lo')?.message ?? '', /"lo" has no other end on this node$/)
    t.deepEqual(files(), [`p_${pod.hostName}.pcap`])
  },
)
