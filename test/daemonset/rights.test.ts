// What each account may do and, above all, may not: every verb on every resource is asked of the API server. A right that is
// not in these lists is one too many.
import test from 'ava'
import { systemNamespace, useInstalled } from './install.ts'
import { accountOf, mayDo, rightsOf } from './rights.ts'

const server = useInstalled()
const agent = accountOf('selcap-agent', systemNamespace)
const controller = accountOf('selcap-controller', systemNamespace)

const each = (verbs: string, ...resources: readonly string[]): string[] =>
  resources.flatMap(resource => verbs.split(' ').map(verb => `${verb} ${resource}`))
const sorted = (...rights: readonly (readonly string[])[]): string[] => rights.flat().toSorted()

// What Kubernetes lets everybody do: ask about themselves.
const everybody = each(
  'create',
  'authentication.k8s.io/selfsubjectreviews',
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
)

const agentRights = sorted(
  each('get list watch', 'projectcalico.org/packetcaptures', '/pods', '/namespaces', '/serviceaccounts'),
  each('get', '/nodes'),
  each('get create update patch', 'selcap.dev/nodecapturereports'),
)
const controllerRights = sorted(
  each('get list watch delete', 'projectcalico.org/packetcaptures', 'selcap.dev/nodecapturereports'),
  each('get update patch', 'projectcalico.org/packetcaptures/status'),
  each('get list watch', '/nodes'),
  each('create patch', '/events', 'events.k8s.io/events'),
)
const lease = each('get create update patch', 'coordination.k8s.io/leases')

for (const [who, subject, namespace, expected] of [
  ['the agent', agent, undefined, agentRights],
  ['the agent', agent, systemNamespace, agentRights],
  ['the controller', controller, undefined, controllerRights],
  ['the controller', controller, 'default', controllerRights],
  ['the controller', controller, systemNamespace, sorted(controllerRights, lease)],
  ['the default account', accountOf('default', systemNamespace), systemNamespace, []],
] as const) {
  test.serial(`${who} may do exactly what is listed ${namespace === undefined ? 'on the whole cluster' : `in ${namespace}`}`, async t => {
    t.deepEqual(await rightsOf(server(), subject, namespace), sorted(expected, everybody))
  })
}

for (const group of ['crd.projectcalico.org', 'projectcalico.org']) {
  test.serial(`the agent may read FelixConfigurations of ${group}, and not write them`, async t => {
    const ask = (verb: string) => mayDo(server(), agent, { verb, group, resource: 'felixconfigurations', name: 'default' })
    t.deepEqual(await Promise.all(['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'].map(ask)), [
      ...[true, true, true],
      ...[false, false, false, false],
    ])
  })
}

test.serial('the controller may get the APIService of projectcalico.org/v3, and no other', async t => {
  const ask = (name: string) => mayDo(server(), controller, { verb: 'get', group: 'apiregistration.k8s.io', resource: 'apiservices', name })
  t.true(await ask('v3.projectcalico.org'))
  t.false(await ask('v1.apps'))
})

const person = (groups: readonly string[] = []) => ({ user: 'alice', groups: ['system:authenticated', ...groups] })
const captures = 'projectcalico.org/packetcaptures'
for (const [role, expected] of [
  ['selcap-view', each('get list watch', captures)],
  ['selcap-edit', each('get list watch create update patch delete deletecollection', captures)],
  ['selcap-files', [...each('get delete', `${captures}/files`), ...each('get', `${captures}/stream`)]],
] as const) {
  test.serial(`${role}, bound in one namespace, gives exactly its rights there and none elsewhere`, async t => {
    const namespace = `of-${role}`
    const group = `people-of-${role}`
    await server().api.kubectl('create', 'namespace', namespace)
    await server().api.kubectl('create', 'rolebinding', role, '-n', namespace, `--clusterrole=${role}`, `--group=${group}`)
    t.deepEqual(await rightsOf(server(), person([group]), namespace), sorted(expected, everybody))
    t.deepEqual(await rightsOf(server(), person([group]), 'default'), sorted(everybody))
  })
}
