// Attempts to reach, from a namespace of one's own, packets of another namespace or of the node, by
// each field of a PacketCapture and of Retina's Capture that a namespaced user may write. What
// Retina's may ask for beyond that is the API server's to refuse
// (test/integration/deploy/retina.test.ts); a PacketCaptureConfig is made by administrators alone
// (test/integration/deploy/packetCaptureConfig.test.ts).
import test from 'ava'
import { evaluate } from '../../src/engine/evaluate.ts'
import type { CaptureDocument, OtherCapture, World } from '../../src/model/world.ts'
import { capture, endpoint, noonMs, world } from '../support/worlds/documents.ts'
import { emptyNode } from '../support/worlds/node.ts'

const places: Partial<World> = {
  hostInterfaces: ['eth0', 'lo', 'calibank-0', 'caliweb-0'],
  nodeLabels: { 'kubernetes.io/os': 'linux', app: 'web' },
  namespaceLabels: new Map([
    ['shop', { team: 'shop', 'kubernetes.io/metadata.name': 'shop' }],
    ['bank', { team: 'bank', 'kubernetes.io/metadata.name': 'bank' }],
  ]),
}
const endpoints = [
  endpoint('web-0', { app: 'web' }, { namespace: 'shop' }),
  endpoint(
    'bank-0',
    { app: 'web', 'projectcalico.org/namespace': 'shop', 'pcns.team': 'shop' },
    { namespace: 'bank' },
  ),
  endpoint('shop.web-0', { app: 'web' }, { namespace: 'bank' }),
  endpoint('vault-0', { app: 'vault' }, { namespace: 'bank', interfaceName: 'calivault' }),
]

/** Of all taps that would be opened: namespace and interface. */
function tapped(document: CaptureDocument): string[] {
  const { actions } = evaluate(
    world([], endpoints, { ...places, captures: [document] }),
    emptyNode,
    noonMs,
  )
  return actions.flatMap(action =>
    action.kind === 'open'
      ? [`${action.spec.endpoint.namespace}/${action.spec.interfaceName}`]
      : [],
  )
}

const own = 'shop/caliweb-0'
const specs: readonly (readonly [what: string, spec: object])[] = [
  ['everything', {}],
  ['an empty selector', { selector: '' }],
  ['everybody by name', { selector: 'all()' }],
  ['what it is not', { selector: 'app != "nothing"' }],
  ["another namespace's label", { selector: 'projectcalico.org/namespace == "bank"' }],
  ['labels of a namespace', { selector: 'pcns.team == "bank" || has(pcns.team)' }],
  ['either namespace', { selector: 'projectcalico.org/namespace in {"shop", "bank"}' }],
  [
    'a pod by a name that looks like one of its own',
    { selector: 'app == "web" || app == "vault"' },
  ],
  ["another pod's address", { expression: 'host 10.0.0.1 or host 10.0.0.2' }],
  [
    'a filter that closes its bracket',
    { filters: [{ protocol: 'TCP' }], expression: 'tcp) or (ip' },
  ],
  ['every protocol', { filters: [{ protocol: 1 }, { protocol: 'UDP' }, {}] }],
  ["the node's side", { vantage: 'HostVeth' }],
  ["the pod's side", { vantage: 'PodNetns' }],
  [
    'fields of other APIs',
    {
      interfaces: ['eth0'],
      nodeSelector: {},
      targetIPs: ['0.0.0.0/0'],
      captureConfiguration: { captureTarget: { nodeSelector: {} } },
    },
  ],
  ['a namespace in its spec', { namespace: 'bank', selector: 'all()' }],
]
for (const [what, spec] of specs) {
  test(`a PacketCapture of ${what} takes no pod of another namespace, and no interface of the node`, t => {
    for (const place of tapped(capture('mine', spec, { namespace: 'shop' }))) t.is(place, own)
    t.pass()
  })
}

test('a PacketCapture of everything takes the pod of its own namespace: the attempts above could have shown more', t => {
  t.deepEqual(tapped(capture('mine', {}, { namespace: 'shop' })), [own])
})

const retina = (
  captureTarget: object,
  captureOption: object = {},
  more: object = {},
): OtherCapture => ({
  apiVersion: 'retina.sh/v1alpha1',
  kind: 'Capture',
  metadata: {
    name: 'mine',
    namespace: 'shop',
    uid: 'r',
    generation: 1,
    creationTimestamp: new Date(noonMs).toISOString(),
  },
  spec: {
    captureConfiguration: {
      captureTarget,
      captureOption: { duration: '60s', ...captureOption },
      ...more,
    },
    outputConfiguration: { hostPath: 'mine' },
  },
})
const captures: readonly (readonly [what: string, document: OtherCapture])[] = [
  ['all pods', retina({ podSelector: {} })],
  [
    'pods by a label of others',
    retina({ podSelector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] } }),
  ],
  [
    'a pod of another namespace by its name',
    retina({ podNames: ['bank-0', 'bank.bank-0', 'bank/bank-0', 'vault-0'] }),
  ],
  [
    'interfaces of the node',
    retina({ podSelector: {} }, { interfaces: ['eth0', 'calivault', 'any'] }),
  ],
  [
    "another pod's address",
    retina({ podSelector: {} }, { sourceIPs: ['10.0.0.1'], destinationIPs: ['10.0.0.2'] }),
  ],
  ['a filter that closes its bracket', retina({ podSelector: {} }, { pcapFilter: 'tcp) or (ip' })],
  [
    'addresses to include',
    retina({ podSelector: {} }, {}, { filters: { include: ['10.0.0.1', '*:80'], exclude: [] } }),
  ],
]
for (const [what, document] of captures) {
  test(`a Capture of ${what} takes no pod of another namespace, and no interface of the node`, t => {
    for (const place of tapped(document)) t.is(place, own)
    t.pass()
  })
}

test('a Capture takes the pod of its own namespace, and with a nodeSelector the interfaces: the attempts above could have shown more', t => {
  t.deepEqual(tapped(retina({ podSelector: {} })), [own])
  t.deepEqual(tapped(retina({ nodeSelector: {} })).toSorted(), [
    '/calibank-0',
    '/caliweb-0',
    '/eth0',
    '/lo',
  ])
})
