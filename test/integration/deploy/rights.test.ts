// What each account may do and, above all, may not: every verb on every resource is asked of the
// API server. A right that is not in these lists is one too many.
import test from 'ava'
import { systemNamespace, useInstalled } from '../../support/kube/installManifests.ts'
import { accountOf, mayDo, rightsOf, verbs } from '../../support/kube/rights.ts'
import { until } from '../../support/until.ts'

const server = useInstalled()
const agent = accountOf('selcap-agent', systemNamespace)
const controller = accountOf('selcap-controller', systemNamespace)
const gateway = accountOf('selcap-gateway', systemNamespace)
const somebody = accountOf('default', 'default')

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
  each(
    'get list watch',
    'projectcalico.org/packetcaptures',
    '/pods',
    '/namespaces',
    '/serviceaccounts',
  ),
  each('get', '/nodes'),
  each('get create update patch', 'selcap.dev/nodecapturereports'),
  each('create', 'authentication.k8s.io/tokenreviews'),
)
const controllerRights = sorted(
  each(
    'get list watch delete',
    'projectcalico.org/packetcaptures',
    'selcap.dev/nodecapturereports',
  ),
  each('patch', 'projectcalico.org/packetcaptures/status'),
  each('get list watch', '/nodes'),
  each('list', '/pods', '/namespaces', '/serviceaccounts'), // of nodes without an agent
  each('create', '/events'),
  each('get', '/secrets'), // of outputs, by name: it cannot list them
)
const gatewayRights = sorted(
  each('get list watch', 'projectcalico.org/packetcaptures', 'selcap.dev/nodecapturereports'),
  each(
    'create',
    'authentication.k8s.io/tokenreviews',
    'authorization.k8s.io/subjectaccessreviews',
    '/events',
  ),
)
const lease = each('create', 'coordination.k8s.io/leases')

for (const [who, subject, namespace, expected] of [
  ['the agent', agent, undefined, agentRights],
  ['the agent', agent, systemNamespace, agentRights],
  ['the controller', controller, undefined, controllerRights],
  ['the controller', controller, 'default', controllerRights],
  ['the controller', controller, systemNamespace, sorted(controllerRights, lease)],
  ['the gateway', gateway, undefined, gatewayRights],
  ['the gateway', gateway, systemNamespace, gatewayRights],
  ['the default account', accountOf('default', systemNamespace), systemNamespace, []],
] as const) {
  test.serial(
    `${who} may do exactly what is listed ${namespace === undefined ? 'on the whole cluster' : `in ${namespace}`}`,
    async t => {
      t.deepEqual(await rightsOf(server(), subject, namespace), sorted(expected, everybody))
    },
  )
}

// Rights on one object by name, of which the lists above know nothing.
const named = [
  ['the agent', agent, 'crd.projectcalico.org', 'felixconfigurations', 'default', ['get']],
  ['the agent', agent, 'projectcalico.org', 'felixconfigurations', 'default', ['get']],
  ['the agent', agent, 'projectcalico.org', 'felixconfigurations', 'node.node-a', []],
  [
    'the controller',
    controller,
    'apiregistration.k8s.io',
    'apiservices',
    'v3.projectcalico.org',
    ['get'],
  ],
  ['the controller', controller, 'apiregistration.k8s.io', 'apiservices', 'v1.apps', []],
  [
    'the controller',
    controller,
    'apiextensions.k8s.io',
    'customresourcedefinitions',
    'packetcaptureapis.operator.tigera.io',
    ['get'],
  ],
  [
    'the controller',
    controller,
    'apiextensions.k8s.io',
    'customresourcedefinitions',
    'licensekeys.crd.projectcalico.org',
    ['get'],
  ],
  [
    'the controller',
    controller,
    'apiextensions.k8s.io',
    'customresourcedefinitions',
    'packetcaptures.projectcalico.org',
    [],
  ],
  [
    'the controller',
    controller,
    'coordination.k8s.io',
    'leases',
    'selcap-controller',
    ['get', 'create', 'update'],
  ],
  ['the controller', controller, 'coordination.k8s.io', 'leases', 'another', ['create']],
  ['the controller', controller, '', 'serviceaccounts/token', 'selcap-controller', ['create']],
  ['the controller', controller, '', 'serviceaccounts/token', 'selcap-gateway', []],
  ['the gateway', gateway, '', 'secrets', 'selcap-gateway-tls', []],
  ['the gateway', gateway, '', 'serviceaccounts/token', 'selcap-gateway', ['create']],
  ['the gateway', gateway, '', 'serviceaccounts/token', 'selcap-controller', []],
  [
    'somebody with an account',
    somebody,
    '',
    'services/proxy',
    'https:selcap-gateway:https',
    ['get', 'delete'],
  ],
  [
    'somebody with an account',
    somebody,
    '',
    'services/proxy',
    'https:selcap-gateway:443',
    ['get', 'delete'],
  ],
  ['somebody with an account', somebody, '', 'services/proxy', 'https:selcap-metrics:metrics', []],
] as const
for (const [who, subject, group, path, name, expected] of named) {
  const [resource = '', subresource] = path.split('/')
  test.serial(
    `${who} may ${expected.join(', ') || 'do nothing to'} ${name} of ${path}.${group}`,
    async t => {
      const asked = verbs.map(async verb => ({
        verb,
        isAllowed: await mayDo(server(), subject, {
          verb,
          group,
          resource,
          name,
          namespace: systemNamespace,
          ...(subresource !== undefined && { subresource }),
        }),
      }))
      t.deepEqual(
        (await Promise.all(asked)).flatMap(({ verb, isAllowed }) => (isAllowed ? [verb] : [])),
        [...expected],
      )
    },
  )
}

test.serial('no account may read the API server through paths that are no resources', async t => {
  for (const { user, groups } of [agent, controller, gateway]) {
    for (const path of ['/metrics', '/logs', '/debug/pprof/']) {
      const spec = { user, groups, nonResourceAttributes: { path, verb: 'get' } }
      const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec }
      const answer = await server().asAdmin({
        path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        method: 'POST',
        body,
      })
      t.like(answer, { code: 201, body: { status: { allowed: false } } })
    }
  }
})

const person = (groups: readonly string[] = []) => ({
  user: 'alice',
  groups: ['system:authenticated', ...groups],
})
const captures = 'projectcalico.org/packetcaptures'
for (const [role, expected] of [
  ['selcap-view', each('get list watch', captures)],
  ['selcap-edit', each('get list watch create update patch delete deletecollection', captures)],
  [
    'selcap-files',
    [...each('get delete', `${captures}/files`), ...each('get', `${captures}/stream`)],
  ],
] as const) {
  test.serial(
    `${role}, bound in one namespace, gives exactly its rights there and none elsewhere`,
    async t => {
      const namespace = `of-${role}`
      const group = `people-of-${role}`
      await server().api.kubectl('create', 'namespace', namespace)
      await server().api.kubectl(
        'create',
        'rolebinding',
        role,
        '-n',
        namespace,
        `--clusterrole=${role}`,
        `--group=${group}`,
      )
      const [verb = '', resource = '', subresource] = (expected[0] ?? '')
        .split(/[ /]/)
        .filter(word => word !== 'projectcalico.org')
      const first = {
        verb,
        group: 'projectcalico.org',
        resource,
        namespace,
        ...(subresource !== undefined && { subresource }),
      }
      await until('the binding', () => mayDo(server(), person([group]), first))
      t.deepEqual(await rightsOf(server(), person([group]), namespace), sorted(expected, everybody))
      t.deepEqual(await rightsOf(server(), person([group]), 'default'), sorted(everybody))
    },
  )
}
