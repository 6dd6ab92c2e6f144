// Counting against a real API server: what is asked for, how often, and what follows from it.
import test from 'ava'
import type { NodeObservation } from '../../../../src/api/reconcilerTypes.ts'
import { annotationsWith } from '../../../../src/api/retina/passAnnotation.ts'
import { parseRetinaCapture } from '../../../../src/api/retina/spec.ts'
import { Quotas } from '../../../../src/controller/quota/quotas.ts'
import type { Kube } from '../../../../src/kube/request.ts'
import { defaultSettings } from '../../../../src/model/settings.ts'
import type { ObjectMeta, OtherCapture } from '../../../../src/model/world.ts'
import { useServer } from '../../../support/kube/useServer.ts'
import { endpoint, row } from '../../../support/model/observations.ts'

const server = useServer()
const signal = AbortSignal.timeout(600_000)
const createdAt = '2026-01-02T03:04:05Z'

async function addPod(
  namespace: string,
  name: string,
  nodeName: string,
  labels: object,
): Promise<void> {
  const { api } = server()
  const document = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: { nodeName, containers: [{ name: 'm', image: 'i' }] },
  }
  await api.ask(['apply', '-f', '-'], { input: JSON.stringify(document) })
  const status = JSON.stringify({
    status: { phase: 'Running', podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }] },
  })
  await api.kubectl(
    'patch',
    'pod',
    name,
    '-n',
    namespace,
    '--subresource=status',
    '--type=merge',
    '-p',
    status,
  )
}

test.serial.before(async () => {
  const { api } = server()
  for (const name of ['bank', 'zoo']) await api.kubectl('create', 'namespace', name)
  await api.kubectl('label', 'namespace', 'shop', 'bank', 'team=x')
  for (const namespace of ['shop', 'bank', 'zoo']) {
    const account = {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace },
    }
    await api.ask(['apply', '-f', '-'], { input: JSON.stringify(account) })
  }
  await addPod('shop', 'web-0', 'node-1', { app: 'web' })
  await addPod('shop', 'web-1', 'node-2', { app: 'web' })
  await addPod('bank', 'vault-0', 'node-3', { app: 'web' })
  await addPod('zoo', 'cage-0', 'node-4', { app: 'web' })
})

function capture(captureTarget: object, more: Partial<ObjectMeta> = {}) {
  const names = {
    name: 'a',
    namespace: 'shop',
    uid: 'u',
    generation: 1,
    creationTimestamp: createdAt,
    resourceVersion: '1',
  }
  const captureConfiguration = { captureTarget, captureOption: { duration: '10s' } }
  const spec = { captureConfiguration, outputConfiguration: { hostPath: 'a' } }
  return {
    apiVersion: 'retina.sh/v1alpha1',
    kind: 'Capture',
    metadata: { ...names, ...more },
    spec,
  } satisfies OtherCapture
}

const waitsOn = (node: string, observedGeneration = 1): NodeObservation => {
  const { startedAt: _, ...waiting } = endpoint('p', 'Scheduled')
  return { row: row(node, 'Scheduled', { observedGeneration, file: { endpoints: [waiting] } }) }
}

/** Quotas by a clock of the test's, and what was asked of the API server. */
function counting(limit: number, kube: Kube = server().kube) {
  const now = { ms: Date.parse(createdAt) + 1_000 }
  const asked: string[] = []
  const settings = { ...defaultSettings, captureJobNumLimit: limit }
  const counted: Kube = request => {
    asked.push(request.path)
    return kube(request)
  }
  const clock = { now: () => now.ms, sleepUntil: () => Promise.resolve() }
  const quotas = new Quotas({ kube: counted, clock, settings: () => settings })
  const nodes = ['node-1', 'node-2', 'node-3', 'node-4'].map(name => ({
    metadata: { name, uid: name, resourceVersion: '1', labels: { name } },
  }))
  const look = (document: ReturnType<typeof capture>, rows: readonly NodeObservation[] = []) => {
    const read = parseRetinaCapture(document, {
      settings,
      nodeLabels: {},
      namespaceLabels: new Map(),
    })
    return quotas.sync({ capture: document, read, rows, nodes }, signal)
  }
  return { look, asked, now, quotas }
}

const web = { podSelector: { matchLabels: { app: 'web' } } }
const pods = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`

test.serial('without a limit nobody is asked for anything', async t => {
  const { look, asked } = counting(0)
  t.deepEqual(await look(capture(web)), { wakeAtMs: Number.POSITIVE_INFINITY })
  t.deepEqual(asked, [])
})

const targets: readonly (readonly [
  what: string,
  target: object,
  nodes: readonly string[],
  asked: readonly string[],
])[] = [
  ['pods of its own namespace', web, ['node-1', 'node-2'], [pods('shop')]],
  ['pods by name', { podNames: ['web-1'] }, ['node-2'], [pods('shop')]],
  [
    'pods of some namespaces',
    { ...web, namespaceSelector: { matchLabels: { team: 'x' } } },
    ['node-1', 'node-2', 'node-3'],
    ['/api/v1/namespaces', pods('bank'), pods('shop')],
  ],
  [
    'nodes',
    {
      nodeSelector: {
        matchExpressions: [{ key: 'name', operator: 'In', values: ['node-2', 'node-4'] }],
      },
    },
    ['node-2', 'node-4'],
    [],
  ],
]
for (const [what, target, nodes, paths] of targets) {
  test.serial(`${what} are counted by asking for ${paths.join(', ') || 'nothing'}`, async t => {
    const { look, asked, now } = counting(4)
    const { state, annotations } = await look(capture(target, { annotations: { mine: 'too' } }))
    t.deepEqual(state, { through: new Set(nodes) })
    t.deepEqual(
      annotations,
      annotationsWith({ mine: 'too' }, { uid: 'u', generation: 1, sinceMs: now.ms, nodes }),
    )
    t.deepEqual(asked, paths)
    const over = await counting(nodes.length - 1).look(capture(target))
    t.deepEqual(
      over.state,
      nodes.length === 1
        ? undefined
        : {
            through: new Set(),
            exceeded: { count: nodes.length, limit: nodes.length - 1, leftOut: [] },
          },
    )
    t.is(over.annotations, undefined)
  })
}

test.serial(
  'what was counted holds until the nodes that wait, the spec or the limit are others; then no more often than once a second',
  async t => {
    const { look, asked, now } = counting(1)
    const countsAt = async (
      document: ReturnType<typeof capture>,
      rows: readonly NodeObservation[],
      afterMs: number,
    ) => {
      now.ms += afterMs
      const { state, wakeAtMs } = await look(document, rows)
      return [asked.length, state?.exceeded?.count, wakeAtMs - now.ms]
    }
    t.deepEqual(await countsAt(capture(web), [], 0), [1, 2, 300_000])
    t.deepEqual(await countsAt(capture(web), [], 100_000), [1, 2, 200_000])
    t.deepEqual(await countsAt(capture(web), [], 200_000), [2, 2, 300_000])
    t.deepEqual(await countsAt(capture(web), [waitsOn('node-1')], 300), [2, 2, 700])
    t.deepEqual(await countsAt(capture(web), [waitsOn('node-1')], 700), [3, 2, 300_000])
    t.deepEqual(await countsAt(capture(web, { generation: 2 }), [waitsOn('node-1')], 400), [
      3,
      undefined,
      600,
    ]) // not by the old count
    t.deepEqual(
      await countsAt(capture(web, { generation: 2 }), [waitsOn('node-1')], 600),
      [4, 2, 300_000],
    )
    t.deepEqual(
      await countsAt(capture(web, { generation: 2 }), [waitsOn('node-9', 2)], 1_000),
      [5, 3, 300_000],
    ) // it says so itself
  },
)

test.serial(
  'one that was let through is counted no more; nodes that come later get the places that are left',
  async t => {
    const { look, asked } = counting(2)
    const pass = { uid: 'u', generation: 1, sinceMs: 5, nodes: ['node-1'] }
    const passed = capture(web, { annotations: annotationsWith({}, pass) })
    t.deepEqual(await look(passed), {
      state: { through: new Set(['node-1']) },
      wakeAtMs: Number.POSITIVE_INFINITY,
    })
    const stale = { ...waitsOn('node-8', 0) } // of an earlier spec
    const silent = { ...waitsOn('node-7'), silentSinceMs: 1 }
    const { state, annotations } = await look(passed, [
      waitsOn('node-3'),
      stale,
      silent,
      waitsOn('node-2'),
    ])
    t.deepEqual(state, {
      through: new Set(['node-1', 'node-2']),
      exceeded: { count: 3, limit: 2, leftOut: ['node-3'] },
    })
    t.deepEqual(annotations, annotationsWith({}, { ...pass, nodes: ['node-1', 'node-2'] }))
    t.deepEqual(asked, [])
  },
)

test.serial('nobody is let through while it cannot be counted, and the reason is told', async t => {
  const elsewhere: Kube = request =>
    server().kube({ ...request, path: request.path.replace('/pods', '/nothing') })
  const { look, asked, now } = counting(4, elsewhere)
  const { state, annotations, wakeAtMs } = await look(capture(web))
  t.is(annotations, undefined)
  t.is(state?.through.size, 0)
  t.regex(
    state?.failure ?? '',
    /^Cannot count the nodes that the capture needs: Cannot read .*: the API server answered 404/,
  )
  t.is(wakeAtMs, now.ms + 10_000)
  now.ms += 10_000
  await look(capture(web))
  t.is(asked.length, 2)
})

test.serial('retain() forgets what was counted for others', async t => {
  const { look, asked, quotas } = counting(1)
  await look(capture(web))
  quotas.retain(new Set(['u']))
  await look(capture(web))
  t.is(asked.length, 1)
  quotas.retain(new Set())
  await look(capture(web))
  t.is(asked.length, 2)
})
