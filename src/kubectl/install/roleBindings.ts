// Bindings of users to roles that are about to go. In: the cluster, what is deleted. Out: a line for
// each, with the command that removes it. Such a binding gives nothing, and every refusal of its
// users names the missing role.
import type { Kube } from '../../kube/request.ts'
import { type Manifest, read } from './objects.ts'

type Binding = {
  readonly metadata: Manifest['metadata']
  readonly roleRef: { readonly kind: string; readonly name: string }
}
type List = { readonly items: readonly Binding[] | null }

const root = '/apis/rbac.authorization.k8s.io/v1'

export async function roleBindingsLeft(
  kube: Kube,
  objects: readonly Manifest[],
): Promise<string[]> {
  const roles = new Set(
    objects.filter(({ kind }) => kind === 'ClusterRole').map(({ metadata }) => metadata.name),
  )
  const own = new Set(objects.map(({ metadata: { uid } }) => uid))
  const lines: string[] = []
  for (const plural of ['rolebindings', 'clusterrolebindings']) {
    const { items } = (await read<List>(kube, `${root}/${plural}`)) ?? { items: [] }
    for (const { metadata, roleRef } of items ?? []) {
      const { name, namespace, uid } = metadata
      if (roleRef.kind !== 'ClusterRole' || !roles.has(roleRef.name) || own.has(uid)) continue
      const within = namespace === undefined ? '' : ` -n ${namespace}`
      lines.push(
        `${roleRef.name} is gone, and named still: kubectl delete ${plural.slice(0, -1)} ${name}${within}`,
      )
    }
  }
  return lines
}
