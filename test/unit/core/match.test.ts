// Whom a selector may see: live endpoints of its own namespace on this node, host-networked ones
// counted only.
import test from 'ava'
import { candidatesOf, matchEndpoints } from '../../../src/core/match.ts'
import type { Intent } from '../../../src/model/capture.ts'
import type { Endpoint } from '../../../src/model/endpoint.ts'
import { capture } from '../../support/worlds/documents.ts'
import { readIntent } from '../../support/worlds/reader.ts'

function pod(name: string, change: Partial<Endpoint> = {}): Endpoint {
  const labels = new Map([['app', 'web']])
  return {
    namespace: 'default',
    name,
    uid: name,
    node: 'node-0',
    interfaceName: `cali${name}`,
    addresses: [],
    labels,
    live: true,
    hostNetwork: false,
    ...change,
  }
}

function intent(selector = 'app == "web"', namespace = 'default'): Intent {
  return readIntent(capture('web', { selector }, { namespace }))
}

type Counts = readonly [inNamespace: number, elsewhere: number, hostNetwork: number]

const rows: readonly (readonly [
  name: string,
  endpoints: readonly Endpoint[],
  matched: readonly string[],
  counts: Counts,
])[] = [
  ['there are none', [], [], [0, 0, 0]],
  ['they match, in any order', [pod('b'), pod('a')], ['a', 'b'], [2, 0, 0]],
  ['labels differ', [pod('a'), pod('b', { labels: new Map([['app', 'db']]) })], ['a'], [2, 0, 0]],
  ['one is in another namespace', [pod('a'), pod('b', { namespace: 'other' })], ['a'], [1, 0, 0]],
  ['one is on another node', [pod('a'), pod('b', { node: 'node-1' })], ['a'], [1, 1, 0]],
  ['one has finished', [pod('a'), pod('b', { live: false })], ['a'], [1, 0, 0]],
  ['one is host-networked', [pod('a'), pod('b', { hostNetwork: true })], ['a'], [1, 0, 1]],
  [
    'a finished and a live one share a name',
    [pod('a', { uid: '1', live: false }), pod('a', { uid: '2' })],
    ['a'],
    [1, 0, 0],
  ],
  ['two on two nodes share a name', [pod('a', { node: 'node-1' }), pod('a')], ['a'], [1, 0, 0]],
]

for (const [name, endpoints, matched, [inNamespace, elsewhere, hostNetwork]] of rows) {
  for (const [order, given] of [
    ['as written', endpoints],
    ['backwards', endpoints.toReversed()],
  ] as const) {
    test(`matchEndpoints() finds [${matched}] when ${name}, ${order}`, t => {
      const found = matchEndpoints(intent(), candidatesOf(given, 'node-0'), 'node-0')
      const { pods, ...counts } = found
      t.deepEqual(pods, found.matched)
      t.deepEqual(
        { ...counts, matched: found.matched.map(endpoint => endpoint.name) },
        { matched: [...matched], inNamespace, elsewhere, hostNetwork },
      )
    })
  }
}

test('candidatesOf() takes the same endpoint of several under one name whatever their order', t => {
  const twins = [
    pod('a', { uid: '2', interfaceName: 'cali2' }),
    pod('a', { uid: '1', interfaceName: 'cali1' }),
    pod('a', { uid: '3', interfaceName: undefined, live: false }),
  ]
  for (const given of [twins, twins.toReversed(), [...twins.slice(1), ...twins.slice(0, 1)]])
    t.deepEqual(
      candidatesOf(given, 'node-0')
        .get('default')
        ?.map(({ endpoint }) => endpoint.uid),
      ['1'],
    )
})

test('matchEndpoints() never sees another namespace, whatever the selector', t => {
  const candidates = candidatesOf([pod('a', { namespace: 'other' })], 'node-0')
  t.deepEqual(matchEndpoints(intent('all()'), candidates, 'node-0').matched, [])
  t.is(matchEndpoints(intent('all()', 'other'), candidates, 'node-0').matched.length, 1)
})

const all = [
  pod('a'),
  pod('a', { namespace: 'other' }),
  pod('b', { namespace: 'third' }),
  pod('eth0', { namespace: '' }),
  pod('lo', { namespace: '' }),
]

for (const [what, scope, matched] of [
  ['two namespaces', { kind: 'Namespaces', names: ['other', 'third'] }, ['other.a', 'third.b']],
  [
    "its own and another's, whose name comes first",
    { kind: 'Namespaces', names: ['default', 'other'] },
    ['a', 'other.a'],
  ],
  ['no namespace', { kind: 'Namespaces', names: [] }, []],
  ['the host', { kind: 'Host' }, ['eth0', 'lo']],
  [
    'one interface of the host, and one that is not there',
    { kind: 'Host', interfaces: ['eth0', 'eth9'] },
    ['eth0'],
  ],
] as const) {
  test(`matchEndpoints() of a capture of ${what} finds [${matched}]`, t => {
    const found = matchEndpoints({ ...intent(), scope }, candidatesOf(all, 'node-0'), 'node-0')
    t.deepEqual(
      found.matched.map(({ name }) => name),
      [...matched],
    )
  })
}

test('matchEndpoints() asks of each endpoint by namespace and name', t => {
  const scope = { kind: 'Namespaces', names: ['default', 'other'] } as const
  const matches: Intent['matches'] = (_, { namespace, name }) =>
    namespace === 'other' && name === 'a'
  const found = matchEndpoints(
    { ...intent(), scope, matches },
    candidatesOf(all, 'node-0'),
    'node-0',
  )
  t.deepEqual(
    found.matched.map(({ name }) => name),
    ['other.a'],
  )
})
