import test from 'ava'
import {
  type NodeTargets,
  scopeOf,
  targetNodes,
} from '../../../../src/controller/quota/targetNodes.ts'
import type { Labels } from '../../../../src/model/labels.ts'
import type { Pod } from '../../../../src/model/pod.ts'
import { defaultSettings } from '../../../../src/model/settings.ts'
import type { OtherCapture } from '../../../../src/model/world.ts'

type PodChange = {
  readonly labels?: Labels
  readonly hostNetwork?: boolean
  readonly phase?: string
  readonly podIP?: string
}

function pod(
  namespace: string,
  name: string,
  nodeName: string | undefined,
  change: PodChange = {},
): Pod {
  const {
    labels = { app: 'web' },
    hostNetwork = false,
    phase = 'Running',
    podIP = '10.0.0.1',
  } = change
  return {
    metadata: { name, namespace, uid: name, labels },
    spec: { hostNetwork, ...(nodeName && { nodeName }) },
    status: { phase, podIP },
  }
}

const cluster: NodeTargets = {
  settings: { ...defaultSettings, captureJobNumLimit: 1 },
  nodes: new Map<string, Labels>([
    ['node-1', { zone: 'a' }],
    ['node-2', { zone: 'a' }],
    ['node-3', { zone: 'b' }],
  ]),
  namespaceLabels: new Map<string, Labels>([
    ['shop', { team: 'x' }],
    ['bank', { team: 'x' }],
    ['zoo', {}],
  ]),
  pods: [
    pod('shop', 'web-0', 'node-1'),
    pod('shop', 'web-1', 'node-1'),
    pod('shop', 'web-2', 'node-2'),
    pod('shop', 'db-0', 'node-3', { labels: { app: 'db' } }),
    pod('bank', 'vault-0', 'node-3'),
    pod('zoo', 'cage-0', 'node-4'), // its Node object is not there yet
    pod('shop', 'host-0', 'node-3', { hostNetwork: true }),
    pod('shop', 'done-0', 'node-3', { phase: 'Succeeded' }),
    pod('shop', 'new-0', 'node-3', { podIP: '' }),
    pod('shop', 'unplaced-0', undefined),
  ],
}

function capture(captureTarget: object): OtherCapture {
  const metadata = {
    name: 'a',
    namespace: 'shop',
    uid: 'u',
    generation: 1,
    creationTimestamp: '2026-01-02T03:04:05Z',
  }
  const captureConfiguration = { captureTarget, captureOption: { duration: '10s' } }
  return {
    apiVersion: 'retina.sh/v1alpha1',
    kind: 'Capture',
    metadata,
    spec: { captureConfiguration, outputConfiguration: { hostPath: 'x' } },
  }
}

const web = { podSelector: { matchLabels: { app: 'web' } } }
const rows: readonly (readonly [what: string, target: object, nodes: readonly string[]])[] = [
  [
    'pods by labels, each node once, without pods that cannot be captured',
    web,
    ['node-1', 'node-2'],
  ],
  ['all pods of the namespace', { podSelector: {} }, ['node-1', 'node-2', 'node-3']],
  ['pods by name', { podNames: ['web-2', 'nobody'] }, ['node-2']],
  [
    'pods of several namespaces',
    { ...web, namespaceSelector: { matchLabels: { team: 'x' } } },
    ['node-1', 'node-2', 'node-3'],
  ],
  [
    'pods of all namespaces',
    { ...web, namespaceSelector: {} },
    ['node-1', 'node-2', 'node-3', 'node-4'],
  ],
  ['nodes by labels', { nodeSelector: { matchLabels: { zone: 'a' } } }, ['node-1', 'node-2']],
  ['all nodes, with Node objects', { nodeSelector: {} }, ['node-1', 'node-2', 'node-3']],
  ['nobody', { podSelector: { matchLabels: { app: 'none' } } }, []],
  ['nothing that can be read', {}, []],
]
for (const [what, target, nodes] of rows) {
  test(`targetNodes() finds [${nodes}] for ${what}`, t =>
    t.deepEqual(targetNodes(capture(target), cluster), nodes))
}

test('scopeOf() tells what has to be asked for', t => {
  t.deepEqual(scopeOf(capture(web), cluster), { kind: 'Namespaces', names: ['shop'] })
  t.deepEqual(
    scopeOf(capture({ ...web, namespaceSelector: { matchLabels: { team: 'x' } } }), cluster),
    {
      kind: 'Namespaces',
      names: ['bank', 'shop'],
    },
  )
  t.deepEqual(scopeOf(capture({ nodeSelector: { matchLabels: { zone: 'b' } } }), cluster), {
    kind: 'Host',
  })
  t.deepEqual(scopeOf(capture({ nodeSelector: { matchLabels: { zone: 'c' } } }), cluster), {
    kind: 'Namespaces',
    names: [],
  })
})
