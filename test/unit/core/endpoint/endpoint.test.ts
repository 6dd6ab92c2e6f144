import test from 'ava'
import { podToEndpoint, toEndpoint } from '../../../../src/core/endpoint/endpoint.ts'
import type { Pod } from '../../../../src/model/pod.ts'
import { defaultSettings } from '../../../../src/model/settings.ts'
import type { WorkloadEndpoint, World } from '../../../../src/model/world.ts'

const world: World = {
  node: 'node-0',
  settings: defaultSettings,
  captures: [],
  endpoints: [],
  isSynced: true,
  namespaceLabels: new Map([['shop', { team: 'a' }]]),
  serviceAccountLabels: new Map([['shop/robot', { tier: 'x' }]]),
  pods: [],
  nodeLabels: {},
  hostInterfaces: [],
  hostVeth: 'TwoSided',
}

function document(
  changes: Partial<WorkloadEndpoint['spec']> = {},
  labels: Record<string, string> = {},
): WorkloadEndpoint {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: { name: 'web-0', namespace: 'shop', uid: 'u1', labels },
    spec: changes,
  }
}

function pod(changes: { metadata?: object; spec?: object; status?: object } = {}): Pod {
  return {
    metadata: { name: 'web-0', namespace: 'shop', uid: 'u1', ...changes.metadata },
    spec: { nodeName: 'node-0', serviceAccountName: 'robot', ...changes.spec },
    status: { phase: 'Running', podIP: '10.0.0.7', ...changes.status },
  } as Pod
}

test('toEndpoint() takes pod, interface and addresses from the document', t => {
  const made = toEndpoint(
    document({
      pod: 'web-7',
      interfaceName: 'cali1',
      ipNetworks: ['10.0.0.7/32', 'fd00::7/128'],
      node: 'node-9',
    }),
    world,
  )
  t.like(made, {
    name: 'web-7',
    interfaceName: 'cali1',
    node: 'node-9',
    uid: 'u1',
    live: true,
    hostNetwork: false,
  })
  t.deepEqual(made.addresses, ['10.0.0.7', 'fd00::7'])
})

test('toEndpoint() says whether the document gives the interface, or it was derived', t => {
  t.is(toEndpoint(document({ pod: 'web-7', interfaceName: 'cali1' }), world).isInterfaceGiven, true)
  t.is(toEndpoint(document({ pod: 'web-7' }), world).isInterfaceGiven, undefined)
})

test('toEndpoint() derives name, node and interface when they are not given', t => {
  t.like(toEndpoint(document(), world), {
    name: 'web-0',
    node: 'node-0',
    interfaceName: 'calia4fc3c48bd8',
  })
})

test('toEndpoint() lets nobody pretend to be in another namespace, or to have inherited a label', t => {
  const { labels } = toEndpoint(
    document(
      { serviceAccountName: 'robot' },
      { app: 'web', 'projectcalico.org/namespace': 'other', 'pcns.team': 'z', 'pcsa.tier': 'z' },
    ),
    world,
  )
  t.deepEqual(Object.fromEntries(labels), {
    'pcsa.tier': 'x',
    'pcsa.projectcalico.org/name': 'robot',
    'pcns.team': 'a',
    'pcns.projectcalico.org/name': 'shop',
    app: 'web',
    'projectcalico.org/serviceaccount': 'robot',
    'projectcalico.org/namespace': 'shop',
    'projectcalico.org/orchestrator': 'k8s',
  })
})

type Row = readonly [
  what: string,
  changes: Parameters<typeof pod>[0],
  expected: { live: boolean; addresses: readonly string[] } | undefined,
]
const rows: readonly Row[] = [
  ['runs', {}, { live: true, addresses: ['10.0.0.7'] }],
  [
    'has several addresses',
    { status: { podIPs: [{ ip: '10.0.0.7' }, { ip: 'fd00::7' }] } },
    { live: true, addresses: ['10.0.0.7', 'fd00::7'] },
  ],
  ['has no node', { spec: { nodeName: undefined } }, undefined],
  ['has no address', { status: { podIP: '' } }, undefined],
  [
    'has its address in an annotation only',
    {
      status: { podIP: '' },
      metadata: { annotations: { 'cni.projectcalico.org/podIP': '10.1.1.1/32' } },
    },
    { live: true, addresses: ['10.1.1.1'] },
  ],
  [
    'has its addresses in annotations',
    {
      status: { podIP: '' },
      metadata: { annotations: { 'cni.projectcalico.org/podIPs': '10.1.1.1/32,fd00::1/128' } },
    },
    { live: true, addresses: ['10.1.1.1', 'fd00::1'] },
  ],
  [
    'has its address from the cloud',
    {
      status: { podIP: '' },
      metadata: { annotations: { 'vpc.amazonaws.com/pod-ips': '10.2.2.2' } },
    },
    { live: true, addresses: ['10.2.2.2'] },
  ],
  ['has failed', { status: { phase: 'Failed' } }, { live: false, addresses: [] }],
  ['has succeeded', { status: { phase: 'Succeeded' } }, { live: false, addresses: [] }],
  [
    'is being deleted',
    { metadata: { deletionTimestamp: 'x' } },
    { live: true, addresses: ['10.0.0.7'] },
  ],
  [
    'is being deleted and its address was released',
    { metadata: { deletionTimestamp: 'x', annotations: { 'cni.projectcalico.org/podIP': '' } } },
    { live: false, addresses: [] },
  ],
  [
    'has an empty annotation but is not being deleted',
    { metadata: { annotations: { 'cni.projectcalico.org/podIP': '' } } },
    { live: true, addresses: ['10.0.0.7'] },
  ],
]
for (const [what, changes, expected] of rows) {
  test(`podToEndpoint() follows upstream when the pod ${what}`, t => {
    const made = podToEndpoint(pod(changes), world)
    t.deepEqual(
      made && { live: made.live, addresses: made.addresses },
      expected as typeof expected & object,
    )
  })
}

test('podToEndpoint() marks a host-networked pod', t =>
  t.true(podToEndpoint(pod({ spec: { hostNetwork: true } }), world)?.hostNetwork))

const networkRows: readonly (readonly [text: string, networks: object | undefined])[] = [
  [
    '[{"name":"cbr0","interface":"eth0","default":true},{"name":"shop/fast","interface":"net1","mac":"0e:00:00:00:00:01"}]',
    [
      { name: 'cbr0', interfaceName: 'eth0' },
      { name: 'shop/fast', interfaceName: 'net1' },
    ],
  ],
  ['[{"name":"shop/dpdk","device-info":{}},null,7,{"name":1,"interface":2}]', undefined],
  ['{"name":"a/b","interface":"c"}', undefined],
  ['[', undefined],
]
for (const [text, networks] of networkRows)
  test(`podToEndpoint() reads the attached networks of ${text}`, t => {
    const annotations = { 'k8s.v1.cni.cncf.io/network-status': text }
    t.deepEqual(
      podToEndpoint(pod({ metadata: { annotations } }), world)?.networks as object,
      networks,
    )
  })
