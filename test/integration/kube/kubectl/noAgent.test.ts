// Pods on nodes without an agent: their capture, and every command that shows it, say so.
import { makeStage, type Stage, untilState } from '../../../support/kube/pluginFixture.ts'
import { addPodsWithoutAgent } from '../../../support/kube/podsWithoutAgent.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { shared } from '../../../support/shared.ts'

const { cluster, clusterTest } = useSimulated()

const nodes = {
  fargate: { 'kubernetes.io/os': 'linux', 'eks.amazonaws.com/compute-type': 'fargate' },
  windows: { 'kubernetes.io/os': 'windows' },
} as const
const all = { fargate: ['far-0', 'far-1'], windows: ['win-0'] } as const

/** Nodes that take no agent, with running pods. */
const onStage = shared(async (): Promise<Stage> => {
  const stage = await makeStage(cluster())
  await addPodsWithoutAgent(cluster(), 'shop', nodes, all)
  return stage
})

const withoutAgent = [
  { node: 'fargate', kind: 'Fargate', pods: ['far-0', 'far-1'] },
  { node: 'windows', kind: 'Windows', pods: ['win-0'] },
]
const message =
  'fargate: no agent runs on a Fargate node, so nothing is captured of far-0, far-1; ' +
  'windows: no agent runs on a Windows node, so nothing is captured of win-0'

clusterTest('a capture whose pods are on nodes without an agent says so, and why', async t => {
  const stage = await onStage()
  t.is((await stage.pcap('create', 'far', '-l', 'app == "far"')).code, 0)
  const only = `Every pod that matches is on a node without an agent: ${message}`
  const { status } = await untilState(
    stage,
    'far',
    capture => capture.status?.conditions.find(({ type }) => type === 'Ready')?.message === only,
  )
  t.deepEqual(status?.withoutAgent, withoutAgent)
  t.like(
    status?.conditions.find(({ type }) => type === 'Degraded'),
    { status: 'True', reason: 'NoAgent', message },
  )
  const events = await cluster().get<{ items: { reason: string; message: string }[] }>(
    ...['events', '-n', 'shop', '--field-selector', 'involvedObject.name=far'],
  )
  const [event] = events.items // of the node that was missed first
  t.is(event?.reason, 'Degraded')
  t.regex(event?.message ?? '', /^NoAgent: (fargate|windows): no agent runs on a/)
})

clusterTest('explain, describe and --wait leave out pods on a node without an agent', async t => {
  const stage = await onStage()
  const created = await stage.pcap(
    ...['create', 'mixed', '-l', 'app in {"far", "web"}', '--wait', '--timeout', '60s'],
  )
  t.is(created.code, 0, created.err)
  await untilState(stage, 'mixed', capture => capture.status?.withoutAgent?.length === 2)
  const explained = await stage.pcap('explain', 'mixed')
  t.regex(explained.out, /^2 of 5 pods are taken/m)
  t.regex(explained.out, /^no +far-0 +fargate +no agent runs on its node$/m)
  const described = await stage.pcap('describe', 'mixed')
  t.true(described.out.includes(`NoAgent: ${message}`), described.out)
  t.regex(described.out, /^Matches now: 2 of 5 pods$/m)
  t.regex(described.out, /^ {2}not win-0: no agent runs on its node$/m)
  // Whoever may list reports needs no capture to know it.
  const asked = await stage.asAdmin('explain', '-n', 'shop', '-l', 'app == "far"')
  t.regex(asked.out, /^0 of 5 pods are taken/m)
})

clusterTest(
  'pods that move to a node with an agent are captured, and nothing is said any more',
  async t => {
    const stage = await onStage()
    for (const name of [...all.fargate, ...all.windows])
      await cluster().api.kubectl(
        'delete',
        'pod',
        name,
        '-n',
        'shop',
        '--force',
        '--grace-period=0',
      )
    await stage.nodes[0]?.addPod('shop', 'far-2', { app: 'far' })
    const { status } = await untilState(
      stage,
      'far',
      capture => capture.status?.endpoints === 1 && capture.status.withoutAgent === undefined,
    )
    t.is(status?.conditions.find(({ type }) => type === 'Degraded')?.status, 'False')
  },
)
