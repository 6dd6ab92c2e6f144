// What the components for OpenShift and for GKE in Autopilot mode allow is what agents ask for, with
// any APIs: no more, no less. Both are derived from the DaemonSet as kubectl renders it. Neither
// platform is at hand here: fields are held to a list of those that its documentation has.

import { Ajv } from 'ajv'
import test from 'ava'
import { parse } from 'yaml'
import { type Manifest, renderKustomize } from '../../../scripts/chart/kustomize.ts'
import { toolPath } from '../../support/kube/tools.ts'
import { read } from '../../support/repository.ts'

type Named = { readonly name: string }
type Mount = Named & { readonly mountPath: string; readonly readOnly?: boolean }
type Volume = Named & {
  readonly hostPath?: { readonly path: string }
  readonly configMap?: Named
}
type Container = Named & {
  readonly image: string
  readonly command: readonly string[]
  readonly env: readonly Named[]
  readonly securityContext: {
    readonly runAsUser: number
    readonly privileged: boolean
    readonly allowPrivilegeEscalation: boolean
    readonly readOnlyRootFilesystem: boolean
    readonly capabilities: { readonly add: readonly string[]; readonly drop: readonly string[] }
  }
  readonly volumeMounts: readonly Mount[]
}
type Pod = {
  readonly hostNetwork?: boolean
  readonly hostPID?: boolean
  readonly hostIPC?: boolean
  readonly securityContext: { readonly seccompProfile: object; readonly seLinuxOptions?: object }
  readonly containers: readonly [Container]
  readonly volumes: readonly Volume[]
}
type DaemonSet = Manifest & {
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> }
      readonly spec: Pod
    }
  }
}

const apis = [[], ['retina'], ['packetcaptureconfig'], ['retina', 'packetcaptureconfig']]
const image = { name: 'registry.example.com/selcap', tag: '1.2.3' }
const render = (components: readonly string[]): Manifest[] =>
  renderKustomize(toolPath('kubectl'), components, image)

function agentsOf(objects: readonly Manifest[]): DaemonSet {
  const found = objects.find(({ kind }) => kind === 'DaemonSet')
  if (!found) throw new Error('Cannot find the DaemonSet')
  return found as DaemonSet
}

/** The pods of agents with that component: with the base alone, and with each other API. */
const podsWith = (component: string): Pod[] =>
  apis.map(set => agentsOf(render([component, ...set])).spec.template.spec)

const sorted = (values: Iterable<string>): string[] => [...new Set(values)].toSorted()
const unique = <T>(values: readonly T[]): T[] =>
  [...new Set(values.map(value => JSON.stringify(value)))].toSorted().map(text => JSON.parse(text))

test('the SecurityContextConstraints of agents allow what their pods ask for, and nothing else', t => {
  const pods = podsWith('openshift')
  const { apiVersion, kind, metadata, ...allowed } = constraints()
  t.deepEqual([apiVersion, kind, metadata.name], ['security.openshift.io/v1', 'SecurityContextConstraints', 'selcap-agent']) // biome-ignore format: one line
  const contexts = pods.map(({ containers: [{ securityContext }] }) => securityContext)
  const [first] = contexts
  for (const [index, { securityContext, containers }] of pods.entries()) {
    t.is(containers.length, 1)
    t.deepEqual(securityContext, pods[0]?.securityContext)
    t.deepEqual({ ...contexts[index], capabilities: first?.capabilities }, first)
  }
  const [pod] = pods
  const volumes = pods.flatMap(each => each.volumes.map(({ name: _, ...source }) => source))
  t.deepEqual(
    { ...allowed, allowedCapabilities: sorted(allowed.allowedCapabilities), volumes: sorted(allowed.volumes) }, // biome-ignore format: one line
    {
      priority: 0,
      allowHostNetwork: pod?.hostNetwork ?? false,
      allowHostPorts: pod?.hostNetwork ?? false, // the API server makes each containerPort a hostPort
      allowHostPID: pod?.hostPID ?? false,
      allowHostIPC: pod?.hostIPC ?? false,
      allowHostDirVolumePlugin: volumes.some(source => 'hostPath' in source),
      allowPrivilegedContainer: first?.privileged,
      allowPrivilegeEscalation: first?.allowPrivilegeEscalation,
      defaultAllowPrivilegeEscalation: first?.allowPrivilegeEscalation,
      readOnlyRootFilesystem: first?.readOnlyRootFilesystem,
      requiredDropCapabilities: first?.capabilities.drop,
      allowedCapabilities: sorted(contexts.flatMap(({ capabilities }) => capabilities.add)),
      defaultAddCapabilities: [],
      runAsUser: { type: 'MustRunAs', uid: first?.runAsUser },
      seLinuxContext: { type: 'MustRunAs', seLinuxOptions: pod?.securityContext.seLinuxOptions },
      fsGroup: { type: 'RunAsAny' },
      supplementalGroups: { type: 'RunAsAny' },
      seccompProfiles: ['runtime/default'],
      volumes: sorted([...volumes.flatMap(source => Object.keys(source)), 'projected']),
      users: [],
      groups: [],
    },
  )
  t.deepEqual(pod?.securityContext.seccompProfile, { type: 'RuntimeDefault' })
})

type Constraints = Manifest & {
  readonly allowedCapabilities: readonly string[]
  readonly volumes: readonly string[]
}
const constraints = (): Constraints =>
  parse(read('daemonset/components/openshift/constraints.yaml'))

test('each account of selcap may use one SecurityContextConstraints, by its Role in the namespace', t => {
  type Rule = { readonly resourceNames: readonly string[]; readonly verbs: readonly string[] }
  type Role = Manifest & { readonly rules: readonly Rule[] }
  type Binding = Manifest & { readonly roleRef: Named; readonly subjects: readonly Named[] }
  const objects = render(['openshift'])
  const roles = objects.filter(
    ({ kind, metadata }) => kind === 'Role' && metadata.name.startsWith('selcap-openshift'),
  ) as Role[]
  const uses = roles.flatMap(({ metadata, rules }) =>
    rules.map(({ resourceNames, verbs }) => {
      const binding = objects.find(
        each => each.kind === 'RoleBinding' && each.metadata.name === metadata.name,
      ) as Binding
      t.deepEqual([binding.roleRef.name, verbs], [metadata.name, ['use']])
      return [binding.subjects.map(({ name }) => name), resourceNames]
    }),
  )
  t.deepEqual(uses, [
    [['selcap-agent'], ['selcap-agent']],
    [['selcap-controller', 'selcap-gateway', 'selcap-uninstall'], ['nonroot-v2']],
  ])
})

type Allowlist = {
  readonly metadata: Named
  readonly exemptions: readonly string[]
  readonly matchingCriteria: {
    readonly hostNetwork: boolean
    readonly containers: readonly [
      Omit<Container, 'securityContext'> & {
        readonly securityContext: Pick<Container['securityContext'], 'privileged' | 'capabilities'>
      },
    ]
    readonly volumes: readonly Volume[]
  }
}
const allowlist = (): Allowlist => parse(read('daemonset/components/gke-autopilot/allowlist.yaml'))

test('the allowlist of agents has what their pods ask for, and nothing else', t => {
  const pods = podsWith('gke-autopilot')
  const { exemptions, matchingCriteria } = allowlist()
  const containers = pods.flatMap(each => each.containers)
  const [allowed] = matchingCriteria.containers
  t.is(matchingCriteria.containers.length, 1)
  t.deepEqual(
    containers.map(({ name }) => name),
    containers.map(() => allowed.name),
  )
  t.is(allowed.image, image.name)
  for (const each of containers) t.is(each.image, `${allowed.image}:${image.tag}`)
  t.deepEqual(sorted(allowed.command), sorted(containers.flatMap(({ command }) => command)))
  t.deepEqual(
    unique(allowed.env),
    unique(containers.flatMap(({ env }) => env.map(({ name }) => ({ name })))),
  )
  const mountOf = ({ name, mountPath, readOnly }: Mount): Mount => ({
    name,
    mountPath,
    ...(readOnly && { readOnly }),
  })
  t.deepEqual(
    unique(allowed.volumeMounts.map(mountOf)),
    unique(containers.flatMap(({ volumeMounts }) => volumeMounts.map(mountOf))),
  )
  const volumeOf = ({ name, hostPath, configMap }: Volume): Volume => ({
    name,
    ...(hostPath && { hostPath: { path: hostPath.path } }),
    ...(configMap && { configMap: { name: configMap.name } }),
  })
  t.deepEqual(
    unique(matchingCriteria.volumes.map(volumeOf)),
    unique(pods.flatMap(({ volumes }) => volumes.map(volumeOf))),
  )
  const contexts = containers.map(({ securityContext }) => securityContext)
  t.false(allowed.securityContext.privileged || contexts.some(({ privileged }) => privileged))
  t.deepEqual(
    sorted(allowed.securityContext.capabilities.add),
    sorted(contexts.flatMap(({ capabilities }) => capabilities.add)),
  )
  for (const { capabilities } of contexts)
    t.deepEqual(allowed.securityContext.capabilities.drop, capabilities.drop)
  t.true(pods.every(({ hostNetwork }) => hostNetwork) && matchingCriteria.hostNetwork)
  t.false(exemptions.includes('autogke-disallow-privilege'))
})

test('agents name the allowlist, and the synchronizer its file', t => {
  const { labels } = agentsOf(render(['gke-autopilot'])).spec.template.metadata
  t.is(labels['cloud.google.com/matching-allowlist'], allowlist().metadata.name)
  const { spec } = parse(read('daemonset/components/gke-autopilot/synchronizer.yaml'))
  t.deepEqual(spec.allowlistPaths, ['selcap/allowlist.yaml'])
})

const text = { type: 'string' }
const texts = { type: 'array', items: text }
const flag = { type: 'boolean' }
const object = (properties: object, required: readonly string[] = []): object => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
})
const strategy = (types: readonly string[], more: object = {}): object =>
  object({ type: { enum: types }, ...more }, ['type'])
const metadata = object({ name: text, annotations: { type: 'object' } }, ['name'])
const selinux = object({ user: text, role: text, type: text, level: text })
const named = object({ name: text }, ['name'])
const mount = object({ name: text, mountPath: text, readOnly: flag, subPath: text })
const volume = object({ name: text, hostPath: object({ path: text }), configMap: named }, ['name'])
const container = object({
  name: text,
  image: text,
  command: texts,
  env: { type: 'array', items: named },
  securityContext: object({ privileged: flag, capabilities: object({ add: texts, drop: texts }) }),
  volumeMounts: { type: 'array', items: mount },
})

// Those fields of each kind that its reference has and that are used here.
const documented: Readonly<Record<string, object>> = {
  'openshift/constraints': object(
    {
      apiVersion: { const: 'security.openshift.io/v1' },
      kind: { const: 'SecurityContextConstraints' },
      metadata,
      priority: { type: 'integer' },
      allowHostNetwork: flag,
      allowHostPorts: flag,
      allowHostDirVolumePlugin: flag,
      allowHostPID: flag,
      allowHostIPC: flag,
      allowPrivilegedContainer: flag,
      allowPrivilegeEscalation: flag,
      defaultAllowPrivilegeEscalation: flag,
      readOnlyRootFilesystem: flag,
      requiredDropCapabilities: texts,
      allowedCapabilities: texts,
      defaultAddCapabilities: texts,
      runAsUser: strategy(['MustRunAs', 'MustRunAsRange', 'MustRunAsNonRoot', 'RunAsAny'], {
        uid: { type: 'integer' },
      }),
      seLinuxContext: strategy(['MustRunAs', 'RunAsAny'], { seLinuxOptions: selinux }),
      fsGroup: strategy(['MustRunAs', 'RunAsAny']),
      supplementalGroups: strategy(['MustRunAs', 'RunAsAny']),
      seccompProfiles: texts,
      volumes: texts,
      users: texts,
      groups: texts,
    },
    // Required by the definition of the kind.
    ['allowHostNetwork', 'allowHostPorts', 'allowHostDirVolumePlugin', 'allowHostPID', 'allowHostIPC', 'allowPrivilegedContainer', 'readOnlyRootFilesystem', 'requiredDropCapabilities', 'allowedCapabilities', 'defaultAddCapabilities', 'priority', 'volumes'], // biome-ignore format: one line
  ),
  'gke-autopilot/allowlist': object(
    {
      apiVersion: { const: 'auto.gke.io/v1' },
      kind: { const: 'WorkloadAllowlist' },
      metadata,
      exemptions: {
        type: 'array',
        items: {
          enum: [
            'autogke-disallow-privilege',
            'autogke-disallow-hostnamespaces',
            'autogke-no-write-mode-hostpath',
            'autogke-no-host-port',
            'autogke-default-linux-capabilities',
            'autogke-pod-limit-constraints',
            'autogke-node-affinity-selector-limitation',
          ],
        },
      },
      matchingCriteria: object({
        hostNetwork: flag,
        containers: { type: 'array', items: container },
        volumes: { type: 'array', items: volume },
      }),
    },
    ['matchingCriteria'],
  ),
  'gke-autopilot/synchronizer': object({
    apiVersion: { const: 'auto.gke.io/v1' },
    kind: { const: 'AllowlistSynchronizer' },
    metadata,
    spec: object({ projectNumber: { type: 'integer' }, bucketName: text, allowlistPaths: texts }, [
      'allowlistPaths',
    ]),
  }),
}

for (const [name, schema] of Object.entries(documented))
  test(`components/${name}.yaml has fields that are documented, and no other`, t => {
    const isValid = new Ajv({ allErrors: true }).compile(schema)
    t.true(isValid(parse(read(`daemonset/components/${name}.yaml`))), JSON.stringify(isValid.errors)) // biome-ignore format: one line
    t.false(isValid({ kind: 'Other' }))
  })
