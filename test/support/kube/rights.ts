// Everything an account may do, found by asking: each verb on each resource that the API server
// serves (subresources too), by SubjectAccessReview. Out: rights as "verb group/resource", sorted;
// the core group is "".
import type { Installed } from './installManifests.ts'

export type Subject = { readonly user: string; readonly groups: readonly string[] }
export type Attributes = {
  readonly verb: string
  readonly group?: string
  readonly resource: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
}

export const verbs = [
  'get',
  'list',
  'watch',
  'create',
  'update',
  'patch',
  'delete',
  'deletecollection',
] as const
// Verbs that are asked of one resource only, and resources that no discovery tells.
const special: readonly Attributes[] = [
  ...['users', 'groups', 'serviceaccounts'].map(resource => ({ verb: 'impersonate', resource })),
  ...['bind', 'escalate'].flatMap(verb =>
    ['roles', 'clusterroles'].map(resource => ({
      verb,
      group: 'rbac.authorization.k8s.io',
      resource,
    })),
  ),
  ...['files', 'stream'].flatMap(subresource =>
    ['projectcalico.org', 'selcap.dev'].flatMap(group =>
      verbs.map(verb => ({ verb, group, resource: 'packetcaptures', subresource })),
    ),
  ),
]

type List = {
  readonly groupVersion: string
  readonly resources: readonly { readonly name: string; readonly namespaced: boolean }[]
}

export const accountOf = (name: string, namespace: string): Subject => ({
  user: `system:serviceaccount:${namespace}:${name}`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
})

export async function mayDo(
  server: Installed,
  { user, groups }: Subject,
  resourceAttributes: Attributes,
): Promise<boolean> {
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: { user, groups, resourceAttributes },
  }
  const answer = await server.asAdmin({
    path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    method: 'POST',
    body,
  })
  const { allowed } = (answer.body.status ?? {}) as { readonly allowed?: boolean }
  if (answer.code !== 201 || allowed === undefined)
    throw new Error(`Cannot ask for ${user}'s rights: ${answer.body.message}`)
  return allowed
}

/** All that the account may do in a namespace, or on the cluster (no namespace: on everything). */
export async function rightsOf(
  server: Installed,
  subject: Subject,
  namespace?: string,
): Promise<string[]> {
  const asked = (await everything(server)).map(attributes => ({
    ...attributes,
    ...(namespace !== undefined && { namespace }),
  }))
  const found: string[] = []
  const waiting = asked.values() // shared by the workers: each takes the next
  const worker = async () => {
    for (const attributes of waiting)
      if (await mayDo(server, subject, attributes)) found.push(nameOf(attributes))
  }
  await Promise.all(Array.from({ length: 16 }, worker))
  return found.toSorted()
}

function nameOf({ verb, group = '', resource, subresource }: Attributes): string {
  return `${verb} ${group}/${resource}${subresource === undefined ? '' : `/${subresource}`}`
}

async function everything(server: Installed): Promise<readonly Attributes[]> {
  const paths = ['/api/v1', ...(await groupPaths(server))]
  const lists = await Promise.all(
    paths.map(async path => (await server.asAdmin({ path })).body as unknown as List),
  )
  const served = lists.flatMap(({ groupVersion, resources }) =>
    resources.flatMap(({ name }) => {
      const [resource = '', subresource] = name.split('/')
      const group = groupVersion.includes('/') ? (groupVersion.split('/')[0] ?? '') : ''
      return verbs.map(
        (verb): Attributes => ({
          verb,
          group,
          resource,
          ...(subresource !== undefined && { subresource }),
        }),
      )
    }),
  )
  return [
    ...new Map(
      [...served, ...special].map(attributes => [nameOf(attributes), attributes]),
    ).values(),
  ]
}

async function groupPaths(server: Installed): Promise<string[]> {
  const { groups } = (await server.asAdmin({ path: '/apis' })).body as unknown as {
    readonly groups: readonly { readonly versions: readonly { readonly groupVersion: string }[] }[]
  }
  return groups.flatMap(({ versions }) =>
    versions.map(({ groupVersion }) => `/apis/${groupVersion}`),
  )
}
