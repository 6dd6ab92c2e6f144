// The samples of Calico's manual on three nodes, with real packets, as they are typed: kubectl
// apply of one, then of the other over it. Their files hold exactly the packets that they say, of
// pods of their own namespace, on these pods' nodes only.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { PacketCaptureStatus } from '../../../src/model/status.ts'
import type { PublishedCapture } from '../../../src/publish/statusDirectory.ts'
import type { SimulatedNode, SimulatedPod } from '../../support/kube/simulated.ts'
import { useSimulated } from '../../support/kube/useSimulated.ts'
import { readRecords } from '../../support/pcap/captureFile.ts'
import { ethernet, ipv4, numbered, numberOf, tcp, udp } from '../../support/pcap/frames.ts'
import { root } from '../../support/repository.ts'
import { remains, untilFound } from '../../support/until.ts'

const { cluster, clusterTest } = useSimulated()
const namespace = 'sample-namespace'
const sample = (name: string): string => join(root, 'test', 'fixtures', name)

type Stage = {
  readonly nodes: readonly SimulatedNode[]
  readonly pods: Readonly<Record<string, SimulatedPod>>
}
const kept: { stage?: Stage } = {}

/**
 * Two pods that the first sample means, one beside them, and one of another namespace with their
 * labels.
 */
async function onStage(): Promise<Stage> {
  if (kept.stage) return kept.stage
  for (const name of [namespace, 'other']) await cluster().api.kubectl('create', 'namespace', name)
  const [first, second, third] = await Promise.all(
    ['node-1', 'node-2', 'node-3'].map(name => cluster().addNode(name)),
  )
  if (!first || !second || !third) throw new Error('Cannot test: expected three nodes')
  const labels = { 'k8s-app': 'sample-app' }
  const pods = {
    'app-0': await first.addPod(namespace, 'app-0', labels),
    'app-1': await second.addPod(namespace, 'app-1', labels),
    'db-0': await third.addPod(namespace, 'db-0', { 'k8s-app': 'db' }),
    stranger: await third.addPod('other', 'stranger', labels),
  }
  const nodes = [first, second, third]
  for (const node of nodes) await node.startAgent()
  const file = await cluster().kubeconfigFor('selcap-controller', 'a')
  const controller = cluster().run('controller', undefined, [
    'controller',
    '--kubeconfig',
    file,
    '--metrics-port',
    '0',
  ])
  await controller.ready(() =>
    Promise.resolve(controller.tail(1_000).includes('selcap controller started')),
  )
  kept.stage = { nodes, pods }
  return kept.stage
}

async function until(
  what: string,
  isSo: (status: PacketCaptureStatus) => boolean,
): Promise<PacketCaptureStatus> {
  const get = () =>
    cluster().get<PublishedCapture>('packetcapture', 'sample-capture', '-n', namespace)
  const look = async () => {
    const { metadata, status } = await get()
    return status?.observedGeneration === metadata.generation && isSo(status) ? status : undefined
  }
  return untilFound(what, look, { everyMs: 150, found: get })
}

/**
 * By TCP to port 80, from there, to another port and by UDP; numbered from `first` on, four of each
 * pod.
 */
async function send({ pods }: Stage, first: number): Promise<void> {
  for (const [index, pod] of Object.values(pods).entries()) {
    const number = first + 10 * index
    const bodies = [
      [6, tcp(numbered(number), { toPort: 80 })],
      [6, tcp(numbered(number + 1), { fromPort: 80 })],
      [6, tcp(numbered(number + 2), { toPort: 81 })],
      [17, udp(numbered(number + 3), { toPort: 80 })],
    ] as const
    await pod.sender.frames(
      'eth0',
      bodies.map(([protocol, body]) => ethernet({ type: 0x0800, body: ipv4({ protocol, body }) })),
    )
  }
}

/** By node and file: the numbers of the packets. */
function held({ nodes }: Stage): Record<string, Record<string, (number | undefined)[]>> {
  const numbersIn = (node: SimulatedNode, name: string) =>
    readRecords(readFileSync(join(node.captures, namespace, 'sample-capture', name)), 'pcap').map(
      ({ bytes }) => numberOf(bytes),
    )
  const filesOf = (node: SimulatedNode) =>
    Object.fromEntries(
      node.files(namespace, 'sample-capture').map(name => [name, numbersIn(node, name)]),
    )
  return Object.fromEntries(nodes.map(node => [node.name, filesOf(node)]))
}

const fileOf = (pods: Stage['pods'], pod: string): string => `${pod}_${pods[pod]?.hostName}.pcap`
const isOn = (nodes: number, packets: number) => (status: PacketCaptureStatus) =>
  status.nodes === nodes &&
  status.packets === packets &&
  status.files.every(({ endpoints }) => endpoints.every(row => row.startedAt))

clusterTest(
  'the sample with filters holds TCP of port 80 of the pods it selects, and nothing else',
  async t => {
    const stage = await onStage()
    await cluster().api.kubectl('apply', '-f', sample('calico-filters.yaml'))
    await until('open taps', isOn(2, 0))
    await send(stage, 100)
    const { files } = await until('the packets', isOn(2, 4))
    t.deepEqual(held(stage), {
      'node-1': { [fileOf(stage.pods, 'app-0')]: [100, 101] },
      'node-2': { [fileOf(stage.pods, 'app-1')]: [110, 111] },
      'node-3': {},
    })
    t.deepEqual(
      files.map(({ node, fileNames, state }) => [node, fileNames, state]),
      [
        ['node-1', [fileOf(stage.pods, 'app-0')], 'Capturing'],
        ['node-2', [fileOf(stage.pods, 'app-1')], 'Capturing'],
      ],
    )
  },
)

clusterTest(
  'the sample with a window, over the first, is over: it takes nothing, and what was taken stays',
  async t => {
    const stage = await onStage()
    const before = held(stage)
    await cluster().api.kubectl('apply', '-f', sample('calico-window.yaml'))
    await until('the end', ({ state }) => state === 'Finished')
    await send(stage, 200)
    await remains('what was taken', 1_000, () => isDeepStrictEqual(held(stage), before))
    t.pass()
  },
)

clusterTest(
  'the sample with a window that is open takes all packets of all pods of its namespace',
  async t => {
    const stage = await onStage()
    await cluster().api.kubectl('delete', 'packetcapture', 'sample-capture', '-n', namespace)
    const [start, end] = [-60_000, 3_600_000].map(ms => new Date(Date.now() + ms).toISOString())
    const text = readFileSync(sample('calico-window.yaml'), 'utf8').replace(
      '2021-08-26T12:00:00Z',
      `${start}`,
    )
    const input = text.replace('2021-08-26T12:30:00Z', `${end}`)
    t.is((await cluster().api.ask(['apply', '-f', '-'], { input })).code, 0)
    await until('open taps', isOn(3, 0))
    await send(stage, 300)
    await until('the packets', isOn(3, 12))
    t.deepEqual(held(stage), {
      'node-1': { [fileOf(stage.pods, 'app-0')]: [300, 301, 302, 303] },
      'node-2': { [fileOf(stage.pods, 'app-1')]: [310, 311, 312, 313] },
      'node-3': { [fileOf(stage.pods, 'db-0')]: [320, 321, 322, 323] },
    })
  },
)
