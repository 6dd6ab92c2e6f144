// The policies: who may write which report, what the controller may delete, and who may set a ttl.
// Each with real tokens.
import test from 'ava'
import {
  account,
  reportOf,
  systemNamespace,
  useInstalled,
} from '../../support/kube/installManifests.ts'
import { until } from '../../support/until.ts'

const server = useInstalled()
const captures = (namespace: string): string =>
  `/apis/projectcalico.org/v3/namespaces/${namespace}/packetcaptures`
const reports = '/apis/selcap.dev/v1alpha1/nodecapturereports'

const capture = (name: string, spec: object): object => ({
  apiVersion: 'projectcalico.org/v3',
  kind: 'PacketCapture',
  metadata: { name },
  spec,
})

test.serial('an agent creates and changes the report of its own node, and reads it', async t => {
  const token = await server().boundToken('selcap-agent', 'node-a')
  t.is((await server().writeReport(token, 'node-a')).code, 201)
  t.is(
    (await server().writeReport(token, 'node-a', reportOf('node-a', { truncated: true }))).code,
    200,
  )
  t.is((await server().as(token, { path: `${reports}/node-a` })).code, 200)
})

test.serial("an agent may not create another node's report", async t => {
  const token = await server().boundToken('selcap-agent', 'node-a')
  const { code, body } = await server().writeReport(token, 'node-b')
  t.is(code, 403)
  t.regex(
    body.message ?? '',
    /the report of node 'node-b' is written by the agent on that node only; this token is bound to node 'node-a'/,
  )
})

test.serial("an agent may not change another node's report, by apply, patch or update", async t => {
  const [a, b] = await Promise.all(
    ['node-a', 'node-b'].map(node => server().boundToken('selcap-agent', node)),
  )
  t.is((await server().writeReport(b ?? '', 'node-b')).code, 201)
  const path = `${reports}/node-b`
  const found = (await server().as(b ?? '', { path })).body
  const changed = {
    ...found,
    report: reportOf('node-b', { certificateFingerprint: 'f'.repeat(64) }),
  }
  const patch = { report: { certificateFingerprint: 'f'.repeat(64) } }
  t.is((await server().writeReport(a ?? '', 'node-b', reportOf('node-b', { port: 1 }))).code, 403)
  t.is((await server().as(a ?? '', { path, method: 'PUT', body: changed })).code, 403)
  t.is(
    (
      await server().as(a ?? '', {
        path,
        method: 'PATCH',
        body: patch,
        type: 'application/merge-patch+json',
      })
    ).code,
    403,
  )
  t.deepEqual((await server().as(b ?? '', { path })).body, found)
})

test.serial('an agent may not delete reports, its own neither', async t => {
  const token = await server().boundToken('selcap-agent', 'node-a')
  t.is((await server().as(token, { path: `${reports}/node-a`, method: 'DELETE' })).code, 403)
})

test.serial("an agent's token that is bound to no pod writes no report", async t => {
  const token = (
    await server().api.kubectl('create', 'token', 'selcap-agent', '-n', systemNamespace)
  ).trim()
  const { code, body } = await server().writeReport(
    token,
    'node-a',
    reportOf('node-a', { port: 1 }),
  )
  t.is(code, 403)
  t.regex(body.message ?? '', /this token is bound to no node/)
})

test.serial(
  'the administrator may not write a report either, but may remove what the garbage collector would',
  async t => {
    t.is(
      (await server().writeReport(server().api.token, 'node-a', reportOf('node-a', { port: 1 })))
        .code,
      403,
    )
    const patch = { metadata: { finalizers: ['selcap.dev/test'] } }
    const ask = { path: `${reports}/node-a`, method: 'PATCH', type: 'application/merge-patch+json' }
    t.is((await server().asAdmin({ ...ask, body: patch })).code, 200)
    t.is((await server().asAdmin({ ...ask, body: { metadata: { finalizers: null } } })).code, 200)
  },
)

test.serial("a report's rows speak of its own node only", async t => {
  const token = await server().boundToken('selcap-agent', 'node-a')
  const row = (node: string) => ({
    api: 'PacketCapture',
    namespace: 'shop',
    name: 'web',
    uid: '1',
    file: { node, state: 'Capturing' },
  })
  t.is(
    (await server().writeReport(token, 'node-a', reportOf('node-a', { captures: [row('node-a')] })))
      .code,
    200,
  )
  const { code, body } = await server().writeReport(
    token,
    'node-a',
    reportOf('node-a', { captures: [row('node-a'), row('node-b')] }),
  )
  t.is(code, 422)
  t.regex(body.message ?? '', /a node reports its own files only/)
})

test.serial('the controller deletes a capture with a ttl, and no other', async t => {
  const token = await server().boundToken('selcap-controller', 'node-a')
  for (const [name, spec] of [
    ['passing', { ttlSecondsAfterFinished: 0 }],
    ['staying', {}],
  ] as const) {
    t.is(
      (
        await server().asAdmin({
          path: captures('default'),
          method: 'POST',
          body: capture(name, spec),
        })
      ).code,
      201,
    )
  }
  t.is(
    (await server().as(token, { path: `${captures('default')}/passing`, method: 'DELETE' })).code,
    200,
  )
  const { code, body } = await server().as(token, {
    path: `${captures('default')}/staying`,
    method: 'DELETE',
  })
  t.is(code, 403)
  t.regex(body.message ?? '', /the controller deletes only captures with ttlSecondsAfterFinished/)
  t.is(
    (await server().asAdmin({ path: `${captures('default')}/staying`, method: 'DELETE' })).code,
    200,
  )
})

test.serial("the controller writes a capture's status, and nothing of its spec", async t => {
  const token = await server().boundToken('selcap-controller', 'node-a')
  await server().asAdmin({
    path: captures('default'),
    method: 'POST',
    body: capture('mine', { selector: 'has(app)' }),
  })
  const path = `${captures('default')}/mine`
  const body = { spec: { selector: 'all()' }, status: { state: 'Scheduled' } }
  const type = 'application/merge-patch+json'
  t.is((await server().as(token, { path, method: 'PATCH', type, body })).code, 403)
  const written = await server().as(token, { path: `${path}/status`, method: 'PATCH', type, body })
  t.is(written.code, 200)
  t.like(written.body, { spec: { selector: 'has(app)' }, status: { state: 'Scheduled' } })
})

test.serial('a ttl takes the right to delete the capture, on create and on change', async t => {
  const rules = [
    {
      apiGroups: ['projectcalico.org'],
      resources: ['packetcaptures'],
      verbs: ['get', 'create', 'patch'],
    },
  ]
  const metadata = { name: 'maker', namespace: 'default' }
  const subjects = ['maker', 'remover'].map(name => ({
    kind: 'User',
    name,
    apiGroup: 'rbac.authorization.k8s.io',
  }))
  const rbac = 'rbac.authorization.k8s.io/v1'
  const binding = (name: string, roleRef: object, to: readonly object[]) => ({
    apiVersion: rbac,
    kind: 'RoleBinding',
    metadata: { name, namespace: 'default' },
    roleRef,
    subjects: to,
  })
  await server().apply(
    { apiVersion: rbac, kind: 'Role', metadata, rules },
    binding(
      'maker',
      { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'maker' },
      subjects,
    ),
    binding(
      'remover',
      { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'selcap-edit' },
      subjects.slice(1),
    ),
  )
  const create = (as: string, name: string, spec: object) =>
    server().asAdmin({ as, path: captures('default'), method: 'POST', body: capture(name, spec) })
  const change = (as: string, spec: object) =>
    server().asAdmin({
      as,
      path: `${captures('default')}/plain`,
      method: 'PATCH',
      type: 'application/merge-patch+json',
      body: { spec },
    })

  await until(
    'the bindings',
    async () =>
      (await create('remover', 'kept-for-a-day', { ttlSecondsAfterFinished: 86_400 })).code === 201,
  )
  t.is((await create('maker', 'plain', {})).code, 201)
  const { code, body } = await create('maker', 'passing', { ttlSecondsAfterFinished: 0 })
  t.is(code, 403)
  t.regex(body.message ?? '', /setting it takes the right to delete the capture/)
  t.is((await change('maker', { ttlSecondsAfterFinished: 0 })).code, 403)
  t.is((await change('remover', { ttlSecondsAfterFinished: 60 })).code, 200)
  t.is((await change('maker', { selector: 'has(app)' })).code, 200) // the ttl stays as it was
  t.is((await change('maker', { ttlSecondsAfterFinished: 0 })).code, 403)
})

test.serial('nobody forges the node: a name in the request is not a name in the token', async t => {
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${systemNamespace}`]
  const { code } = await server().writeReport(server().api.token, 'node-c', undefined, {
    as: account('selcap-agent'),
    groups,
  })
  t.is(code, 403)
})
