// Agents of three nodes against a real API server: who captures what, what they report, and what
// they do while the server is away. Real processes, real packets, each with the rights of its
// manifests.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeReportStatus } from '../../../src/core/status/nodeReport.ts'
import type { Child } from '../../support/kube/child.ts'
import {
  packetCapture,
  type Resource,
  type SimulatedNode,
  type SimulatedPod,
} from '../../support/kube/simulated.ts'
import { useSimulated } from '../../support/kube/useSimulated.ts'
import { shared } from '../../support/shared.ts'
import { remains, until } from '../../support/until.ts'

const { cluster, clusterTest } = useSimulated()

type Stage = {
  readonly nodes: readonly SimulatedNode[]
  readonly pods: readonly SimulatedPod[]
  readonly agents: readonly Child[]
}
let stage: Stage | undefined

const onStage = shared(async (): Promise<Stage> => {
  await cluster().api.kubectl('create', 'namespace', 'shop')
  const nodes = await Promise.all(
    ['node-1', 'node-2', 'node-3'].map(name => cluster().addNode(name)),
  )
  const pods = await Promise.all(
    nodes.map((node, index) =>
      node.addPod('shop', `web-${index}`, { app: index < 2 ? 'web' : 'other' }),
    ),
  )
  const agents = await Promise.all(nodes.map(node => node.startAgent()))
  stage = { nodes, pods, agents }
  return stage
})

async function report(node: string): Promise<NodeReportStatus | undefined> {
  const { code, out } = await cluster().api.ask(['get', 'nodecapturereport', node, '-o', 'json'])
  return code === 0
    ? (JSON.parse(out) as Resource & { readonly report: NodeReportStatus }).report
    : undefined
}

async function row(node: string, capture: string) {
  return (await report(node))?.captures.find(({ name }) => name === capture)
}

const untilAsync = (what: string, isSo: () => Promise<boolean>): Promise<void> =>
  until(what, isSo, { everyMs: 100, tails: stage?.agents ?? [] })

clusterTest('agents capture the pods of their own node that match, and report it', async t => {
  const { nodes, pods } = await onStage()
  await cluster().apply(
    packetCapture('web', { selector: "app == 'web'", filters: [{ protocol: 'UDP' }] }),
  )
  for (const node of ['node-1', 'node-2'])
    await untilAsync(
      `a row of ${node}`,
      async () => (await row(node, 'web'))?.file.state === 'WaitingForTraffic',
    )
  for (const [index, pod] of pods.entries())
    await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 3 + index })
  await until(
    'the packets',
    () => nodes[0]?.records('shop', 'web') === 3 && nodes[1]?.records('shop', 'web') === 4,
  )
  await untilAsync(
    'Capturing',
    async () => (await row('node-1', 'web'))?.file.state === 'Capturing',
  )
  t.deepEqual(nodes[0]?.files('shop', 'web'), [`web-0_${pods[0]?.hostName}.pcap`])
  t.deepEqual(nodes[2]?.files('shop', 'web'), [])
  t.is(await row('node-3', 'web'), undefined)
  t.like(await report('node-3'), { agentVersion: '0.1.0', truncated: false, captures: [] })
})

clusterTest(
  'a label that changes starts and ends the capture of a pod, its files stay',
  async t => {
    const { nodes, pods } = await onStage()
    await cluster().api.kubectl('label', 'pod', 'web-2', '-n', 'shop', 'app=web', '--overwrite')
    await untilAsync(
      'the start',
      async () => (await row('node-3', 'web'))?.file.state === 'WaitingForTraffic',
    )
    await pods[2]?.sender.udp({ to: pods[2].hostAddress, port: 9, count: 2 })
    await until('2 packets', () => nodes[2]?.records('shop', 'web') === 2)
    await cluster().api.kubectl('label', 'pod', 'web-2', '-n', 'shop', 'app=other', '--overwrite')
    await untilAsync(
      'the end',
      async () => (await row('node-3', 'web'))?.file.endpoints[0]?.endedAt !== undefined,
    )
    t.is(nodes[2]?.records('shop', 'web'), 2)
  },
)

clusterTest(
  'while the API server is away captures and windows go on, and the report comes when it is back',
  async t => {
    const { nodes, pods } = await onStage()
    const startMs = Date.now() + 8_000
    const endMs = startMs + 4_000
    const at = (ms: number) => new Date(startMs + ms).toISOString()
    await cluster().apply(
      packetCapture('window', {
        filters: [{ protocol: 'UDP' }],
        startTime: at(0),
        endTime: new Date(endMs).toISOString(),
      }),
    )
    await untilAsync(
      'Scheduled',
      async () => (await row('node-1', 'window'))?.file.state === 'Scheduled',
    )
    await cluster().api.interrupt('SIGKILL')
    await pods[0]?.sender.udp({ to: pods[0].hostAddress, port: 9, count: 5 })
    await until('5 more packets', () => nodes[0]?.records('shop', 'web') === 8)
    await until('the window to be prepared', () => nodes[0]?.files('shop', 'window').length === 1)
    await until('the window to begin', () => Date.now() > startMs)
    await pods[0]?.sender.udp({ to: pods[0].hostAddress, port: 9, count: 1 })
    await until('a packet of the window', () => nodes[0]?.records('shop', 'window') === 1)
    await until('the window to end', () => Date.now() > endMs)
    await pods[0]?.sender.udp({ to: pods[0].hostAddress, port: 9, count: 1 })
    await cluster().api.resume()
    await untilAsync(
      'Finished',
      async () => (await row('node-1', 'window'))?.file.state === 'Finished',
    )
    t.is(nodes[0]?.records('shop', 'window'), 1)
  },
)

clusterTest(
  'a capture that is deleted goes with its files and its row, and nothing else does',
  async t => {
    const { nodes } = await onStage()
    await cluster().api.kubectl('delete', 'packetcapture', 'window', '-n', 'shop')
    await untilAsync('the files to go', async () =>
      nodes.every(node => node.files('shop', 'window').length === 0),
    )
    await untilAsync('the row to go', async () => (await row('node-1', 'window')) === undefined)
    t.is(nodes[0]?.records('shop', 'web'), 10)
  },
)

clusterTest(
  'selectors see the labels of namespaces and service accounts, also when these change',
  async t => {
    const { nodes } = await onStage()
    await cluster().api.kubectl('label', 'namespace', 'shop', 'team=blue')
    await cluster().apply(packetCapture('team', { selector: "pcns.team == 'blue'" }))
    await untilAsync('the start', async () =>
      nodes.every(node => node.files('shop', 'team').length === 1),
    )
    await cluster().api.kubectl('label', 'namespace', 'shop', 'team=red', '--overwrite')
    await untilAsync(
      'the end',
      async () => (await row('node-2', 'team'))?.file.endpoints[0]?.endedAt !== undefined,
    )
    t.pass()
  },
)

clusterTest('an agent that is killed goes on where it was, with the gap told', async t => {
  const { nodes, pods, agents } = await onStage()
  await agents[1]?.stop('SIGKILL')
  await nodes[1]?.startAgent()
  await untilAsync(
    'the gap',
    async () => ((await row('node-2', 'web'))?.file.endpoints[0]?.gaps.length ?? 0) === 1,
  )
  await pods[1]?.sender.udp({ to: pods[1].hostAddress, port: 9, count: 2 })
  await until('2 more packets', () => nodes[1]?.records('shop', 'web') === 6)
  await untilAsync('the count', async () => (await row('node-2', 'web'))?.file.packets === 6)
  t.is((await row('node-2', 'web'))?.file.endpoints[0]?.gaps[0]?.reason, 'the agent was restarted')
})

clusterTest(
  'an agent that starts while the API server is away deletes nothing, and goes on when it is back',
  async t => {
    const { nodes, pods, agents } = await onStage()
    const node = nodes[0]
    const files = node?.files('shop', 'web')
    await cluster().api.interrupt('SIGKILL')
    await agents[0]?.stop('SIGKILL')
    const agent = await node?.startAgent()
    await until('a complaint', () => agent?.tail(1_000).includes('cannot follow') === true)
    t.deepEqual(node?.files('shop', 'web'), files)
    await cluster().api.resume()
    const told = async () => (await row('node-1', 'web'))?.file.endpoints[0]?.gaps.length
    await untilAsync('the gap', async () => (await told()) === 1)
    await pods[0]?.sender.udp({ to: pods[0].hostAddress, port: 9, count: 3 })
    await until('3 more packets', () => node?.records('shop', 'web') === 13)
    t.deepEqual(node?.files('shop', 'web'), files)
  },
)

clusterTest('an agent that has nothing to say writes nothing but a sign of life', async t => {
  const { nodes } = await onStage()
  const row3 = async () => (await row('node-3', 'web'))?.file.packets
  await until('the last counters', async () => (await row3()) === nodes[2]?.records('shop', 'web'))
  const writes = async () =>
    (await cluster().get<{ metadata: { generation: number } }>('nodecapturereport', 'node-3'))
      .metadata.generation
  const before = await writes()
  // A sign of life comes once a minute.
  await remains('one write at most', 25_000, async () => (await writes()) - before <= 1, {
    everyMs: 1_000,
  })
  t.pass()
})

clusterTest(
  'a pod that is made again under its name has one gap: the time without a pod',
  async t => {
    const { nodes } = await onStage()
    const [, , node] = nodes
    if (!node) throw new Error('Cannot test: the stage has no third node')
    const endpointOf = async () => (await row(node.name, 'again'))?.file.endpoints[0]
    const untilState = (state: string) =>
      untilAsync(`the state ${state}`, async () => (await endpointOf())?.state === state)
    const selector = "app == 'again'"
    await cluster().apply(
      packetCapture('again', { selector, filters: [{ protocol: 'UDP', ports: [7] }] }),
    )
    const first = await node.addPod('shop', 'again', { app: 'again' })
    await untilState('WaitingForTraffic')
    // The interface goes first, as a kubelet does it.
    await node.namespace.ip(`link delete dev ${first.hostName}`)
    rmSync(join(node.netns, 'cni-again'))
    await cluster().api.kubectl(
      'delete',
      'pod',
      'again',
      '-n',
      'shop',
      '--force',
      '--grace-period=0',
    )
    await untilState('Finished')
    const over = await endpointOf()
    t.deepEqual(over?.gaps, [])
    await node.addPod('shop', 'again', { app: 'again' })
    await untilState('WaitingForTraffic')
    const again = await endpointOf()
    t.not(again?.uid, over?.uid)
    t.deepEqual(
      again?.gaps.map(({ from, reason }) => [from, reason]),
      [[over?.endedAt, 'no pod of that name ran on this node']],
    )
    t.true(Date.parse(again?.gaps[0]?.to ?? '') >= Date.parse(over?.endedAt ?? ''))
  },
)
