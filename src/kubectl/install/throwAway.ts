// A throw-away installation: it removes itself at a time. In: the objects, the Namespace as it was
// made, the time. Out: the objects, each of the cluster owned by the Namespace, and a Job with its
// rights. The Job runs `selcap uninstall`: it deletes captures, has each node cleaned, and deletes
// that one Namespace. The garbage collector then takes whatever the Namespace owns.
import { accounts, captureGroups, labels } from '../../model/wellKnown.ts'
import { cleaner, type Manifest } from './objects.ts'

export const removeAt = 'selcap.dev/remove-at' // an annotation of the Namespace
const name = 'selcap-uninstall'
const captureResources = [
  [Object.values(captureGroups), ['packetcaptures']],
  [['retina.sh'], ['captures']],
  [['networking.packet.io'], ['packetcaptureconfigs']],
] as const

export function ownedBy(
  { metadata: { name: owner, uid = '' } }: Manifest,
  objects: readonly Manifest[],
): Manifest[] {
  const ownerReferences = [{ apiVersion: 'v1', kind: 'Namespace', name: owner, uid }]
  return objects.map(object =>
    object.metadata.namespace === undefined && object.kind !== 'Namespace'
      ? { ...object, metadata: { ...object.metadata, ownerReferences } }
      : object,
  )
}

export function uninstallJob(namespace: string, image: string, at: string): Manifest[] {
  const metadata = { name, labels: { [labels.partOf]: 'selcap' } }
  const within = { ...metadata, namespace }
  const apiGroup = 'rbac.authorization.k8s.io'
  const version = `${apiGroup}/v1`
  const subjects = [{ kind: 'ServiceAccount', name, namespace }]
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: within }
  const clusterRole = {
    apiVersion: version,
    kind: 'ClusterRole',
    metadata,
    rules: [
      { apiGroups: [''], resources: ['namespaces'], resourceNames: [namespace], verbs: ['get', 'delete'] }, // biome-ignore format: a line a rule
      ...captureResources.map(([apiGroups, resources]) => ({
        apiGroups,
        resources,
        verbs: ['list', 'delete'],
      })),
      { apiGroups: [captureGroups.own], resources: ['nodecapturereports'], verbs: ['get', 'list'] },
      { apiGroups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'], verbs: ['list'] }, // biome-ignore format: a line a rule
    ],
  }
  const clusterBinding = {
    apiVersion: version,
    kind: 'ClusterRoleBinding',
    metadata,
    roleRef: { apiGroup, kind: 'ClusterRole', name },
    subjects,
  }
  const role = {
    apiVersion: version,
    kind: 'Role',
    metadata: within,
    rules: [
      { apiGroups: ['apps'], resources: ['daemonsets'], resourceNames: [accounts.agent, cleaner], verbs: ['get', 'patch', 'delete'] }, // biome-ignore format: a line a rule
      { apiGroups: ['apps'], resources: ['daemonsets'], verbs: ['create'] },
      { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
    ],
  }
  const binding = {
    apiVersion: version,
    kind: 'RoleBinding',
    metadata: within,
    roleRef: { apiGroup, kind: 'Role', name },
    subjects,
  }
  return [
    account,
    clusterRole,
    clusterBinding,
    role,
    binding,
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: within,
      spec: {
        backoffLimit: 1_000, // a node that is drained, or an API server that is away, must not keep it from its work
        template: {
          metadata: { labels: { [labels.name]: name, [labels.partOf]: 'selcap' } },
          spec: {
            serviceAccountName: name,
            restartPolicy: 'OnFailure',
            enableServiceLinks: false,
            nodeSelector: { 'kubernetes.io/os': 'linux' },
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 65_532,
              runAsGroup: 65_532,
              seccompProfile: { type: 'RuntimeDefault' },
            },
            containers: [
              {
                name: 'uninstall',
                image,
                command: ['selcap', 'uninstall', '--yes', '--at', at, '--namespace', namespace],
                resources: {
                  requests: { cpu: '10m', memory: '96Mi' },
                  limits: { memory: '256Mi' },
                },
                securityContext: {
                  allowPrivilegeEscalation: false,
                  readOnlyRootFilesystem: true,
                  capabilities: { drop: ['ALL'] },
                },
              },
            ],
          },
        },
      },
    },
  ]
}
