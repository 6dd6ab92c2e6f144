// The overlay retina against a real API server: who may capture whom with Retina's Capture. Each
// attempt to widen a capture to another namespace, to the nodes or to somebody's Secret is a test,
// made in the name of a user who may not.
import { join } from 'node:path'
import test from 'ava'
import {
  type Answered,
  account,
  systemNamespace,
  useInstalled,
} from '../../support/kube/installManifests.ts'
import { bind, type Person, people, rbac } from '../../support/kube/users.ts'
import { root } from '../../support/repository.ts'
import { until } from '../../support/until.ts'

const server = useInstalled('daemonset/overlays/retina')
const captures = (namespace: string): string =>
  `/apis/retina.sh/v1alpha1/namespaces/${namespace}/captures`
const name = 'kubernetes.io/metadata.name'
const mergePatch = 'application/merge-patch+json'

const spec = (captureTarget: object, outputConfiguration: object = { hostPath: 'x' }): object => ({
  captureConfiguration: { captureTarget, captureOption: { duration: '1s' } },
  outputConfiguration,
})
const own = spec({ podSelector: {} })
const inNamespaces = (namespaceSelector: object): object =>
  spec({ podSelector: {}, namespaceSelector })

function create(as: Person, wanted: object, namespace = 'shop'): Promise<Answered> {
  const body = {
    apiVersion: 'retina.sh/v1alpha1',
    kind: 'Capture',
    metadata: { generateName: 'try-' },
    spec: wanted,
  }
  return server().asAdmin({ as, path: captures(namespace), method: 'POST', body })
}

test.serial.before(async () => {
  const namespaces = ['shop', 'bank', 'zoo'].map(each => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: each, labels: { team: each } },
  }))
  await server().apply(
    ...namespaces,
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'keys', namespace: 'shop' },
      stringData: { 's3-access-key-id': 'x' },
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata: { name: 'reader', namespace: 'shop' },
      rules: [{ apiGroups: [''], resources: ['secrets'], resourceNames: ['keys'], verbs: ['get'] }],
    },
    ...people.map(person => bind(person, 'selcap-retina-edit', 'shop')),
    bind('banker', 'selcap-retina-edit', 'bank'),
    bind('keeper', 'reader', 'shop', 'Role'),
    bind('keeper', 'selcap-retina-files', 'shop'),
    bind('clerk', 'reader', 'shop', 'Role'),
    bind('operator', 'selcap-retina-edit'),
    bind('host', 'selcap-retina-host'),
    bind('local-host', 'selcap-retina-host', 'shop'),
  )
  await until('the bindings', async () => (await create('operator', own, 'zoo')).code === 201)
  await until(
    'the policies',
    async () => (await create('seller', spec({ nodeSelector: {} }))).code === 403,
  )
  await until(
    'the policy of Secrets',
    async () =>
      (await create('seller', spec({ podSelector: {} }, { blobUpload: 'keys' }))).code === 403,
  )
})

const allowed: readonly (readonly [Person, string, object])[] = [
  ['seller', 'pods of the own namespace', own],
  ['seller', 'pods by name', spec({ podNames: ['web'] })],
  ['seller', 'the own namespace by its name', inNamespaces({ matchLabels: { [name]: 'shop' } })],
  [
    'banker',
    'two namespaces that are theirs',
    inNamespaces({ matchExpressions: [{ key: name, operator: 'In', values: ['shop', 'bank'] }] }),
  ],
  [
    'banker',
    'one of theirs, and only with a label',
    inNamespaces({ matchLabels: { [name]: 'bank', team: 'bank' } }),
  ],
  ['operator', 'every namespace', inNamespaces({})],
  ['operator', 'namespaces by any label', inNamespaces({ matchLabels: { team: 'zoo' } })],
  [
    'operator',
    'many namespaces',
    inNamespaces({
      matchExpressions: [
        {
          key: name,
          operator: 'In',
          values: Array.from({ length: 20 }, (_, index) => `n-${index}`),
        },
      ],
    }),
  ],
  ['host', 'nodes', spec({ nodeSelector: { matchLabels: { 'kubernetes.io/os': 'linux' } } })],
  [
    'keeper',
    'a Secret that they may get',
    spec({ podSelector: {} }, { s3Upload: { bucket: 'b', secretName: 'keys' } }),
  ],
  ['keeper', 'the same for a blob', spec({ podSelector: {} }, { blobUpload: 'keys' })],
  ['keeper', 'into a claim', spec({ podSelector: {} }, { persistentVolumeClaim: 'disk' })],
]
for (const [person, what, wanted] of allowed) {
  test.serial(`${person} may capture ${what}`, async t => {
    const { code, body } = await create(person, wanted)
    t.is(code, 201, body.message)
  })
}

const shopOf = (more: object) => inNamespaces({ matchLabels: { [name]: 'shop' }, ...more })
const forbidden: readonly (readonly [Person, string, object, RegExp])[] = [
  ['seller', 'every namespace', inNamespaces({}), /names no namespaces/],
  [
    'seller',
    'namespaces by a label that anybody may have',
    inNamespaces({ matchLabels: { team: 'shop' } }),
    /names no namespaces/,
  ],
  [
    'seller',
    'another namespace by its name',
    inNamespaces({ matchLabels: { [name]: 'bank' } }),
    /create captures in namespace bank/,
  ],
  [
    'seller',
    'another among the own',
    inNamespaces({ matchExpressions: [{ key: name, operator: 'In', values: ['shop', 'zoo'] }] }),
    /namespace zoo/,
  ],
  [
    'banker',
    'a third namespace',
    inNamespaces({
      matchExpressions: [{ key: name, operator: 'In', values: ['shop', 'bank', 'zoo'] }],
    }),
    /namespace zoo/,
  ],
  [
    'seller',
    'all but one namespace',
    inNamespaces({ matchExpressions: [{ key: name, operator: 'NotIn', values: ['bank'] }] }),
    /names no namespaces/,
  ],
  [
    'seller',
    'every namespace that has a name',
    inNamespaces({ matchExpressions: [{ key: name, operator: 'Exists' }] }),
    /names no namespaces/,
  ],
  [
    'seller',
    'more namespaces than can be asked about',
    inNamespaces({
      matchExpressions: [{ key: name, operator: 'In', values: Array(9).fill('shop') }],
    }),
    /more than 8/,
  ],
  [
    'seller',
    'another by an In behind the own',
    shopOf({
      matchLabels: {},
      matchExpressions: [{ key: name, operator: 'In', values: ['bank'] }],
    }),
    /namespace bank/,
  ],
  [
    'seller',
    'a namespaceSelector beside pods by name',
    spec({ podNames: ['web'], namespaceSelector: { matchLabels: { [name]: 'bank' } } }),
    /namespace bank/,
  ],
  ['seller', 'nodes', spec({ nodeSelector: {} }), /captures\/host/],
  ['seller', 'nodes beside pods', spec({ nodeSelector: {}, podSelector: {} }), /captures\/host/],
  ['operator', 'nodes, by the right to all captures', spec({ nodeSelector: {} }), /captures\/host/],
  [
    'local-host',
    'nodes, by the right to them in one namespace',
    spec({ nodeSelector: {} }),
    /captures\/host/,
  ],
  [
    'seller',
    'a Secret',
    spec({ podSelector: {} }, { s3Upload: { bucket: 'b', secretName: 'keys' } }),
    /get secret shop\/keys/,
  ],
  [
    'seller',
    'a Secret for a blob',
    spec({ podSelector: {} }, { blobUpload: 'keys' }),
    /get secret shop\/keys/,
  ],
  [
    'clerk',
    'with a Secret that they may get, but not the files',
    spec({ podSelector: {} }, { blobUpload: 'keys' }),
    /captures\/files/,
  ],
  [
    'clerk',
    'into a claim without the right to the files',
    spec({ podSelector: {} }, { persistentVolumeClaim: 'disk' }),
    /captures\/files/,
  ],
  [
    'keeper',
    'another Secret beside theirs',
    spec(
      { podSelector: {} },
      { blobUpload: 'keys', s3Upload: { bucket: 'b', secretName: 'other' } },
    ),
    /shop\/other/,
  ],
]
for (const [person, what, wanted, words] of forbidden) {
  test.serial(`${person} may not capture ${what}`, async t => {
    const { code, body } = await create(person, wanted)
    t.is(code, 403, body.message)
    t.regex(body.message ?? '', words)
  })
}

test.serial('nobody captures in a namespace where they may not create captures', async t => {
  t.is((await create('seller', own, 'bank')).code, 403)
})

for (const [index, [person, what, wanted, words]] of forbidden.entries()) {
  test.serial(
    `${person} may not make of a harmless capture one of ${what}, by patch or update`,
    async t => {
      const path = `${captures('shop')}/harmless-${index}`
      const body = {
        apiVersion: 'retina.sh/v1alpha1',
        kind: 'Capture',
        metadata: { name: `harmless-${index}` },
        spec: own,
      }
      const made = await server().asAdmin({
        as: person,
        path: captures('shop'),
        method: 'POST',
        body,
      })
      t.is(made.code, 201)
      const patched = await server().asAdmin({
        as: person,
        path,
        method: 'PATCH',
        type: mergePatch,
        body: { spec: wanted },
      })
      t.is(patched.code, 403, patched.body.message)
      t.regex(patched.body.message ?? '', words)
      const updated = await server().asAdmin({
        as: person,
        path,
        method: 'PUT',
        body: { ...made.body, spec: wanted },
      })
      t.is(updated.code, 403, updated.body.message)
    },
  )
}

test.serial(
  'who may not make a capture may not change it to their liking, but may put labels on it',
  async t => {
    const { body } = await create('host', spec({ nodeSelector: {} }))
    const path = `${captures('shop')}/${(body.metadata as { name: string }).name}`
    const change = (patch: object) =>
      server().asAdmin({ as: 'seller', path, method: 'PATCH', type: mergePatch, body: patch })
    t.is((await change({ metadata: { labels: { seen: 'yes' } } })).code, 200)
    t.is(
      (await change({ spec: { captureConfiguration: { captureOption: { duration: '1h' } } } }))
        .code,
      403,
    )
    t.is((await change({ spec: { outputConfiguration: { hostPath: 'mine' } } })).code, 403)
  },
)

test.serial(
  'a Secret that was named by somebody who may stays where the rest is edited, and goes nowhere else',
  async t => {
    const s3Upload = { bucket: 'b', secretName: 'keys' }
    const { body } = await create(
      'keeper',
      spec({ podSelector: {} }, { s3Upload, blobUpload: 'keys' }),
    )
    const path = `${captures('shop')}/${(body.metadata as { name: string }).name}`
    const change = (outputConfiguration: object) =>
      server().asAdmin({
        as: 'seller',
        path,
        method: 'PATCH',
        type: mergePatch,
        body: { spec: { outputConfiguration } },
      })
    t.is((await change({ hostPath: 'beside' })).code, 200)
    t.is((await change({ s3Upload: { endpoint: 'https://elsewhere.test' } })).code, 403)
    t.is((await change({ s3Upload: { secretName: 'other' } })).code, 403)
    t.is((await change({ blobUpload: 'other' })).code, 403)
    t.is((await change({ s3Upload: null })).code, 200)
  },
)

test.serial('the controller holds and tells, and changes nothing that was asked for', async t => {
  const token = await server().boundToken('selcap-controller', 'node-a')
  const { body } = await create('seller', own)
  const path = `${captures('shop')}/${(body.metadata as { name: string }).name}`
  const change = (patch: object, at = path) =>
    server().as(token, { path: at, method: 'PATCH', type: mergePatch, body: patch })
  t.is((await change({ metadata: { finalizers: ['kappio.io/capture-cleanup'] } })).code, 200)
  t.is((await change({ spec: inNamespaces({}) })).code, 403)
  t.is(
    (await change({ spec: { captureConfiguration: { captureOption: { duration: '9h' } } } })).code,
    403,
  )
  t.is((await change({ status: { active: 1 } }, `${path}/status`)).code, 200)
  t.is((await server().as(token, { path, method: 'DELETE' })).code, 403)
  t.is((await change({ metadata: { finalizers: null } })).code, 200)
})

test.serial('agents and gateway read captures and change none', async t => {
  for (const part of ['selcap-agent', 'selcap-gateway']) {
    const token = await server().boundToken(part, 'node-a')
    t.is((await server().as(token, { path: captures('shop') })).code, 200)
    const { code } = await server().as(token, {
      path: `${captures('shop')}/harmless-0`,
      method: 'PATCH',
      type: mergePatch,
      body: { metadata: { labels: { a: 'b' } } },
    })
    t.is(code, 403, account(part))
  }
})

test.serial('kubectl apply warns of the deprecated filter', async t => {
  const [first] = [own as { captureConfiguration: object }]
  const document = {
    apiVersion: 'retina.sh/v1alpha1',
    kind: 'Capture',
    metadata: { name: 'old', namespace: 'shop' },
    spec: {
      ...own,
      captureConfiguration: { ...first?.captureConfiguration, tcpdumpFilter: 'tcp port 80' },
    },
  }
  const { code, err } = await server().api.ask(['apply', '-f', '-'], {
    input: JSON.stringify(document),
  })
  t.is(code, 0)
  t.regex(err, /Warning: .*tcpdumpFilter is deprecated, use captureOption\.pcapFilter/)
})

test.serial(
  'the overlay applies twice, without a warning or a difference, and tells agents where archives go',
  async t => {
    const overlay = join(root, 'daemonset/overlays/retina')
    t.like(
      await server().api.ask(['apply', '-k', overlay, '--dry-run=server', '--validate=strict']),
      { code: 0, err: '' },
    )
    t.deepEqual(await server().api.ask(['diff', '-k', overlay]), { code: 0, out: '', err: '' })
    const { spec: pod } = JSON.parse(
      await server().api.kubectl(
        'get',
        'daemonset',
        'selcap-agent',
        '-n',
        systemNamespace,
        '-o',
        'json',
      ),
    ).spec.template
    t.true(pod.containers[0].command.includes('--apis=retina'))
    t.deepEqual(pod.containers[0].securityContext.capabilities.add, [
      'NET_RAW',
      'NET_ADMIN',
      'SYS_ADMIN',
      'SETUID',
      'SETGID',
    ])
    t.true(
      pod.containers[0].volumeMounts.some(
        (mount: { mountPath: string }) => mount.mountPath === '/var/log/retina/captures',
      ),
    )
  },
)
