// The controller against a real API server, with real agents on two nodes: what users see of a
// capture.
import type { CaptureStateName } from '../../../../src/model/status.ts'
import type { PublishedCapture } from '../../../../src/publish/statusDirectory.ts'
import type { Child } from '../../../support/kube/child.ts'
import { healthOf } from '../../../support/kube/health.ts'
import { followFigures } from '../../../support/kube/metrics.ts'
import {
  packetCapture,
  type SimulatedNode,
  type SimulatedPod,
} from '../../../support/kube/simulated.ts'
import { systemNamespace } from '../../../support/kube/systemNamespace.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { blocksOf } from '../../../support/markdown.ts'
import { read } from '../../../support/repository.ts'
import { shared } from '../../../support/shared.ts'
import { until, untilFound } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()

type Stage = {
  readonly nodes: readonly SimulatedNode[]
  readonly pods: readonly SimulatedPod[]
  readonly agents: readonly Child[]
}
let stage: Stage | undefined
const controllers: Child[] = []

async function startController(name: string): Promise<Child> {
  const file = await cluster().kubeconfigFor('selcap-controller', name)
  const child = cluster().run(`controller-${name}-${controllers.length}`, undefined, [
    'controller',
    '--kubeconfig',
    file,
    '--metrics-port',
    '0',
  ])
  controllers.push(child)
  await child.ready(() => Promise.resolve(child.tail(1_000).includes('selcap controller started')))
  return child
}

const onStage = shared(async (): Promise<Stage> => {
  await cluster().api.kubectl('create', 'namespace', 'shop')
  const nodes = await Promise.all(['node-1', 'node-2'].map(name => cluster().addNode(name)))
  const pods = await Promise.all(
    nodes.map((node, index) => node.addPod('shop', `web-${index}`, { app: 'web' })),
  )
  const agents = await Promise.all(nodes.map(node => node.startAgent()))
  await startController('a')
  stage = { nodes, pods, agents }
  return stage
})

const get = (name: string) => cluster().get<PublishedCapture>('packetcapture', name, '-n', 'shop')

async function untilStatus(
  name: string,
  what: string,
  isSo: (capture: PublishedCapture) => boolean,
): Promise<PublishedCapture> {
  const look = async () => {
    const capture = await get(name)
    return isSo(capture) ? capture : undefined
  }
  const found = async () => (await get(name)).status
  return untilFound(what, look, { everyMs: 100, tails: controllers, found })
}

const events = async (name: string): Promise<string[]> => {
  const { items } = await cluster().get<{
    items: { reason: string; involvedObject: { name: string } }[]
  }>('events', '-n', 'shop')
  return items
    .filter(({ involvedObject }) => involvedObject.name === name)
    .map(({ reason }) => reason)
}

clusterTest(
  'a capture shows the files and figures of every node, in the columns of kubectl',
  async t => {
    const { pods } = await onStage()
    await cluster().apply(
      packetCapture('web', { selector: "app == 'web'", filters: [{ protocol: 'UDP' }] }),
    )
    await untilStatus(
      'web',
      'WaitingForTraffic',
      ({ status }) => status?.state === 'WaitingForTraffic' && status.nodes === 2,
    )
    for (const pod of pods) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 4 })
    const { status } = await untilStatus(
      'web',
      '8 packets',
      capture => capture.status?.packets === 8,
    )
    t.like(status, {
      state: 'Capturing',
      nodes: 2,
      endpoints: 2,
      dropped: 0,
      observedGeneration: 1,
    })
    t.deepEqual(
      status?.files.map(({ node, state, fileNames }) => [node, state, fileNames]),
      pods.map((pod, index) => [
        `node-${index + 1}`,
        'Capturing',
        [`web-${index}_${pod.hostName}.pcap`],
      ]),
    )
    const [head = '', row = ''] = (
      await cluster().api.kubectl('get', 'packetcaptures', '-n', 'shop')
    ).split('\n')
    t.deepEqual(head.split(/ {2,}/).slice(0, 7), [
      'NAME',
      'SELECTOR',
      'STATE',
      'NODES',
      'ENDPOINTS',
      'PACKETS',
      'DROPPED',
    ])
    t.deepEqual(row.split(/ {2,}/).slice(0, 7), [
      'web',
      "app == 'web'",
      'Capturing',
      '2',
      '2',
      '8',
      '0',
    ])
    t.deepEqual(await events('web'), ['Started'])
  },
)

clusterTest('kubectl wait knows the state and the conditions', async t => {
  await onStage()
  for (const what of ['jsonpath={.status.state}=Capturing', 'condition=Capturing']) {
    const said = await cluster().api.kubectl(
      'wait',
      `--for=${what}`,
      'packetcapture/web',
      '-n',
      'shop',
      '--timeout=5s',
    )
    t.regex(said, /condition met/)
  }
})

clusterTest('kstatus and Argo CD take a capture for healthy unless it is an error', async t => {
  const { nodes } = await onStage()
  const pod = await nodes[0]?.addPod('shop', 'health-0', { app: 'health' })
  const fromNow = (seconds: number) => new Date(Date.now() + seconds * 1_000).toISOString()
  const selector = "app == 'health'"
  const filters = [{ protocol: 'UDP' }]
  const captures: Record<string, readonly [spec: object, state: CaptureStateName]> = {
    tomorrow: [{ selector, startTime: fromNow(86_400), endTime: fromNow(90_000) }, 'Scheduled'],
    nightly: [
      {
        selector,
        schedule: {
          cron: `0 ${new Date(Date.now() + 43_200_000).getUTCHours()} * * *`,
          durationSeconds: 600,
        },
      },
      'Scheduled',
    ],
    idle: [{ selector, filters: [{ protocol: 'UDP', ports: [7] }] }, 'WaitingForTraffic'],
    running: [{ selector, filters }, 'Capturing'],
    over: [{ selector, filters, limits: { packets: 3 } }, 'Finished'],
    nobody: [{ selector: "app == 'none'" }, 'WaitingForTraffic'],
    broken: [{ selector: "app = 'none'" }, 'Error'],
  }
  const names = Object.keys(captures)
  await cluster().apply(...names.map(name => packetCapture(name, captures[name]?.[0] ?? {})))
  for (const name of ['running', 'over'])
    await untilStatus(name, 'open', ({ status }) => status?.nodes === 1)
  await pod?.sender.udp({ to: pod.hostAddress, port: 9, count: 5 })
  const objects: PublishedCapture[] = []
  for (const name of names)
    objects.push(
      await untilStatus(
        name,
        `the last state of ${name}`,
        ({ status }) =>
          status?.state === captures[name]?.[1] &&
          !status?.conditions.some(({ reason }) => reason === 'NotAnswered'),
      ),
    )
  const [script = ''] = blocksOf(read('docs/gitops.md'))
    .filter(({ language }) => language === 'lua')
    .map(({ text }) => text)
  const health = healthOf(objects, script)
  t.deepEqual(
    health.map(({ kstatus, argo }, index) => [names[index], kstatus, argo]),
    [
      ['tomorrow', 'Current', 'Suspended'],
      ['nightly', 'Current', 'Suspended'],
      ['idle', 'Current', 'Healthy'],
      ['running', 'Current', 'Healthy'],
      ['over', 'Current', 'Healthy'],
      ['nobody', 'Current', 'Healthy'],
      ['broken', 'Failed', 'Degraded'],
    ],
  )
  t.regex(health.at(-1)?.message ?? '', /spec\.selector/)
  const [unseen] = healthOf([{ ...objects[0], status: {} }], script)
  t.like(unseen, { argo: 'Progressing' })
  for (const name of names)
    await cluster().api.kubectl('delete', 'packetcapture', name, '-n', 'shop')
})

clusterTest(
  'a selector that does not parse is an Error that shows where, and an Event',
  async t => {
    await onStage()
    await cluster().apply(packetCapture('bad', { selector: "app == 'web' &&" }))
    const { status } = await untilStatus(
      'bad',
      'Error',
      capture => capture.status?.state === 'Error',
    )
    t.regex(status?.conditions.find(({ type }) => type === 'Ready')?.message ?? '', /\^/)
    t.is(status?.conditions.find(({ type }) => type === 'Ready')?.reason, 'Rejected')
    t.deepEqual(await events('bad'), ['Failed'])
  },
)

clusterTest(
  'an expression that does not compile is an Error in the words of the compiler',
  async t => {
    await onStage()
    await cluster().apply(packetCapture('filter', { expression: 'tcp and and' }))
    const { status } = await untilStatus(
      'filter',
      'Error',
      capture => capture.status?.state === 'Error',
    )
    t.regex(status?.conditions[0]?.message ?? '', /syntax error/)
  },
)

clusterTest('a capture that matches nobody, or only host-networked pods, says so', async t => {
  const { nodes } = await onStage()
  await nodes[0]?.addPod('shop', 'proxy', { app: 'proxy' }, { spec: { hostNetwork: true } })
  await cluster().apply(
    packetCapture('nobody', { selector: "app == 'nobody'" }),
    packetCapture('proxy', { selector: "app == 'proxy'" }),
  )
  const nobody = await untilStatus('nobody', 'a message', ({ status }) =>
    /^No pod/.test(status?.conditions[0]?.message ?? ''),
  )
  t.is(
    nobody.status?.conditions[0]?.message,
    'No pod in namespace "shop" matches the selector on any of 2 nodes',
  )
  t.is(nobody.status?.conditions[0]?.reason, 'NoEndpoint')
  const proxy = await untilStatus('proxy', 'a word of host networking', ({ status }) =>
    /host-networked/.test(status?.conditions[0]?.message ?? ''),
  )
  t.deepEqual(proxy.status?.files, [])
})

clusterTest(
  'a window is Scheduled, then captured, then Finished, and its ttl removes it with its files',
  async t => {
    const { nodes } = await onStage()
    const at = (ms: number) => new Date(Date.now() + ms).toISOString()
    const spec = { startTime: at(3_000), endTime: at(6_000), ttlSecondsAfterFinished: 8 }
    await cluster().apply(packetCapture('window', spec))
    await untilStatus('window', 'Scheduled', ({ status }) => status?.state === 'Scheduled')
    await untilStatus(
      'window',
      'WaitingForTraffic',
      ({ status }) => status?.state === 'WaitingForTraffic',
    )
    const { status } = await untilStatus(
      'window',
      'Finished',
      capture => capture.status?.state === 'Finished',
    )
    t.is(status?.files.length, 2)
    t.deepEqual((await events('window')).toSorted(), ['Finished', 'Started'])
    const get = () => cluster().api.ask(['get', 'packetcapture', 'window', '-n', 'shop'])
    await until('its ttl to remove it', async () => (await get()).code !== 0, { everyMs: 200 })
    await until('its files to go', () =>
      nodes.every(node => node.files('shop', 'window').length === 0),
    )
  },
)

clusterTest('/metrics of the controller tells what it did and what it sees', async t => {
  await onStage()
  const [controller] = controllers
  const { items } = await cluster().get<{ items: unknown[] }>('packetcaptures', '-A')
  const figures = controller && (await (await followFigures(cluster(), controller))())
  const value = (name: string) => figures?.get(`selcap_controller_${name}`) ?? Number.NaN
  t.deepEqual(['leads', 'captures', 'nodes_reporting', 'nodes_silent'].map(value), [
    1,
    items.length,
    2,
    0,
  ])
  const events = await cluster().get<{ items: { source: { component: string } }[] }>('events', '-A')
  const ours = events.items.filter(({ source }) => source.component === 'selcap-controller')
  t.is(value('events_total{result="written"}'), ours.length)
  t.is(value('removals_total{kind="capture"}'), 1) // the window, after its ttl
  t.true(value('status_writes_total{result="written"}') >= items.length)
  t.true(value('folds_total') >= value('status_writes_total{result="written"}'))
  t.true(value('turn_seconds_count') > 0)
})

clusterTest(
  'a second controller takes over from one that is killed, and no count goes backwards',
  async t => {
    const { pods } = await onStage()
    const second = await startController('b')
    const figures = await followFigures(cluster(), second)
    const leads = async () => (await figures()).get('selcap_controller_leads')
    t.is(await leads(), 0)
    await controllers[0]?.stop('SIGKILL')
    for (const pod of pods) await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 1 })
    await untilStatus('web', '10 packets', ({ status }) => status?.packets === 10)
    t.deepEqual(await events('web'), ['Started'])
    t.is(await leads(), 1)
  },
)

clusterTest('a controller that is stopped hands the lease over at once', async t => {
  await onStage()
  const third = await startController('c')
  const atMs = Date.now()
  await controllers[1]?.stop('SIGTERM')
  await third.ready(() => Promise.resolve(third.tail(1_000).includes('"leading"')))
  const { spec } = await cluster().get<{ spec: { leaseTransitions: number } }>(
    'lease',
    'selcap-controller',
    '-n',
    systemNamespace,
  )
  t.true(spec.leaseTransitions >= 2, `after ${Date.now() - atMs} ms`)
})

clusterTest('a node that is removed leaves the status, and its report goes', async t => {
  const { agents } = await onStage()
  await agents[1]?.stop('SIGTERM')
  await cluster().api.kubectl('delete', 'node', 'node-2')
  const { status } = await untilStatus('web', 'one node', capture => capture.status?.nodes === 1)
  t.is(status?.packets, 10)
  t.regex((await cluster().api.ask(['get', 'nodecapturereport', 'node-2'])).err, /not found/)
})
