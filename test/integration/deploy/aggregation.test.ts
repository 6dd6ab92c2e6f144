// Rights by the cluster's own roles: whoever has view, edit or admin in a namespace has selcap's
// there. Kubernetes' controller manager adds them up, and checks the types of the policies'
// expressions; it runs here with these two duties alone.
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { asFlags } from '../../support/kube/apiServer.ts'
import { startChild } from '../../support/kube/child.ts'
import { type Answered, useInstalled } from '../../support/kube/installManifests.ts'
import { mayDo } from '../../support/kube/rights.ts'
import { missingTools, toolPath } from '../../support/kube/tools.ts'
import { until } from '../../support/until.ts'

const isMissing = missingTools('node').some(({ name }) => name === 'kube-controller-manager')
const managerTest = (title: string, run: (t: ExecutionContext) => Promise<void>): void =>
  isMissing
    ? test.skip(`${title} (needs kube-controller-manager, built where root tests)`, run)
    : test.serial(title, run)
const server = useInstalled()
const running: AsyncDisposable[] = []

test.serial.before(async () => {
  if (isMissing) return
  const { directory, kubeconfig } = server().api
  const controllers =
    'clusterrole-aggregation-controller,validatingadmissionpolicy-status-controller'
  const flags = asFlags({ kubeconfig, controllers, 'leader-elect': 'false', 'secure-port': '0' })
  running.push(
    startChild('manager', [toolPath('kube-controller-manager'), ...flags], {
      logFile: join(directory, 'manager.log'),
    }),
  )
  for (const [user, role] of [
    ['viewer', 'view'],
    ['editor', 'edit'],
    ['owner', 'admin'],
  ] as const) {
    await server().api.ask(['create', 'namespace', 'shop'])
    await server().api.kubectl(
      'create',
      'rolebinding',
      user,
      '-n',
      'shop',
      `--clusterrole=${role}`,
      `--user=${user}`,
    )
  }
  const captures = { group: 'projectcalico.org', resource: 'packetcaptures', namespace: 'shop' }
  await until('the roles to be added up', async () => {
    const viewer = await mayDo(
      server(),
      { user: 'viewer', groups: [] },
      { ...captures, verb: 'get' },
    )
    const editor = await mayDo(
      server(),
      { user: 'editor', groups: [] },
      { ...captures, verb: 'create' },
    )
    return (
      viewer &&
      editor &&
      mayDo(
        server(),
        { user: 'owner', groups: [] },
        { ...captures, verb: 'get', subresource: 'files' },
      )
    )
  })
})
test.after.always(async () => {
  for (const child of running) await child[Symbol.asyncDispose]()
})

const path = (namespace: string): string =>
  `/apis/projectcalico.org/v3/namespaces/${namespace}/packetcaptures`
const create = (as: string, namespace: string): Promise<Answered> =>
  server().asAdmin({
    as,
    path: path(namespace),
    method: 'POST',
    body: {
      apiVersion: 'projectcalico.org/v3',
      kind: 'PacketCapture',
      metadata: { generateName: `${as}-` },
      spec: {},
    },
  })

managerTest(
  'a person with edit in a namespace creates captures there, and not elsewhere',
  async t => {
    t.is((await create('editor', 'shop')).code, 201)
    const { code, body } = await create('editor', 'default')
    t.is(code, 403)
    t.regex(body.message ?? '', /User "editor" cannot create resource "packetcaptures"/)
    t.is(
      (await server().asAdmin({ as: 'editor', path: '/apis/projectcalico.org/v3/packetcaptures' }))
        .code,
      403,
    )
  },
)

managerTest('a person with view in a namespace reads captures there, and creates none', async t => {
  t.is((await server().asAdmin({ as: 'viewer', path: path('shop') })).code, 200)
  t.is((await server().asAdmin({ as: 'viewer', path: path('default') })).code, 403)
  t.is((await create('viewer', 'shop')).code, 403)
})

for (const [user, verb, subresource, expected] of [
  ['viewer', 'get', 'files', false],
  ['editor', 'get', 'files', false],
  ['editor', 'get', 'stream', false],
  ['editor', 'patch', 'status', false],
  ['owner', 'get', 'files', true],
  ['owner', 'delete', 'files', true],
  ['owner', 'get', 'stream', true],
  ['owner', 'patch', 'status', false],
] as const) {
  managerTest(
    `the ${user} may ${expected ? '' : 'not '}${verb} packetcaptures/${subresource} of the namespace`,
    async t => {
      const attributes = {
        verb,
        group: 'projectcalico.org',
        resource: 'packetcaptures',
        subresource,
      }
      t.is(
        await mayDo(server(), { user, groups: [] }, { ...attributes, namespace: 'shop' }),
        expected,
      )
      t.false(await mayDo(server(), { user, groups: [] }, { ...attributes, namespace: 'default' }))
    },
  )
}

managerTest("the policies' expressions are of the right types", async t => {
  const names = [
    'selcap-report-from-own-node',
    'selcap-controller-deletes-by-ttl',
    'selcap-ttl-needs-delete',
  ]
  for (const name of names) {
    const look = async () =>
      JSON.parse(await server().api.kubectl('get', 'validatingadmissionpolicy', name, '-o', 'json'))
        .status
    await until(
      `${name} to be checked`,
      async () => (await look())?.observedGeneration !== undefined,
    )
    t.deepEqual((await look()).typeChecking, {})
  }
})
