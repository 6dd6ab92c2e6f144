// Users with rights to captures in one namespace, in several, everywhere, or to nodes, and the
// bindings that give them.

export const rbac = 'rbac.authorization.k8s.io'

/** Everybody edits captures in shop. */
export const people = [
  'seller',
  'banker',
  'keeper',
  'clerk',
  'operator',
  'host',
  'local-host',
] as const
export type Person = (typeof people)[number]

/** Without a namespace in the whole cluster. */
export function bind(
  person: Person,
  role: string,
  namespace?: string,
  kind = 'ClusterRole',
): object {
  const [metadata, binding] =
    namespace === undefined ? [{}, 'ClusterRoleBinding'] : [{ namespace }, 'RoleBinding']
  return {
    apiVersion: `${rbac}/v1`,
    kind: binding,
    metadata: { name: `${person}-${role}`, ...metadata },
    roleRef: { apiGroup: rbac, kind, name: role },
    subjects: [{ kind: 'User', name: person, apiGroup: rbac }],
  }
}
