// The DaemonSet that removes from each node what selcap left there. In: the agents' DaemonSet. Out:
// one that runs where and as agents ran (OpenShift lets their account mount the node's directories),
// mounts the directories around theirs, and runs `selcap clean-node` once. It has no capability, and
// no token of the API server. It is there before the agents go, on no node: an uninstall that was
// interrupted finds in it what is still to be cleaned.
import { dirname } from 'node:path'
import type { Labels } from '../../model/labels.ts'
import { accounts, labels } from '../../model/wellKnown.ts'
import { cleaner, type Manifest } from './objects.ts'

const waits = 'selcap/waits' // a label that no node has

// The agents' volumes that hold files of theirs, and the option of `clean-node` for each.
const volumes: Readonly<Record<string, string>> = {
  captures: '--captures',
  archives: '--results',
  'packet-captures': '--results',
}

type Volume = { readonly name: string; readonly hostPath?: { readonly path: string } }
type PodSpec = {
  readonly nodeSelector?: Labels
  readonly affinity?: object
  readonly tolerations?: readonly object[]
  readonly imagePullSecrets?: readonly object[]
  readonly serviceAccountName?: string
  readonly securityContext?: object
  readonly volumes?: readonly Volume[]
  readonly initContainers?: readonly { readonly command?: readonly string[] }[]
  readonly containers: readonly { readonly image: string; readonly imagePullPolicy?: string }[]
}
type Spec = {
  readonly selector: object
  readonly updateStrategy: object
  readonly template: { readonly spec: PodSpec }
}

function hostPathsOf(agents: Manifest): { readonly option: string; readonly path: string }[] {
  return (podOf(agents).volumes ?? []).flatMap(({ name, hostPath }) => {
    const option = volumes[name]
    return hostPath && option ? [{ option, path: hostPath.path }] : []
  })
}

// Should it be left behind, no agent of a later installation runs on the same node.
const withoutAgent = {
  requiredDuringSchedulingIgnoredDuringExecution: [
    {
      labelSelector: { matchLabels: { [labels.name]: accounts.agent } },
      topologyKey: 'kubernetes.io/hostname',
    },
  ],
}

export function cleanDaemonSet(agents: Manifest): Manifest {
  const { nodeSelector, affinity, tolerations, imagePullSecrets } = podOf(agents)
  const { serviceAccountName, securityContext, containers } = podOf(agents)
  const [{ image, imagePullPolicy } = { image: '' }] = containers
  const directories = hostPathsOf(agents)
  const roots = [...new Set(directories.map(({ path }) => mountedRoot(path)))]
  const container = {
    image,
    ...(imagePullPolicy && { imagePullPolicy }),
    resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '256Mi' } },
    securityContext: {
      runAsUser: 0,
      runAsGroup: 0,
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  }
  const matchLabels = { [labels.name]: cleaner }
  const shown = { ...matchLabels, [labels.partOf]: 'selcap' }
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: {
      name: cleaner,
      ...(agents.metadata.namespace && { namespace: agents.metadata.namespace }),
      labels: shown,
    },
    spec: {
      selector: { matchLabels },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '100%' } },
      template: {
        metadata: { labels: shown },
        spec: {
          ...{ nodeSelector, tolerations, imagePullSecrets, serviceAccountName },
          affinity: { ...affinity, podAntiAffinity: withoutAgent },
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 1,
          securityContext: { seccompProfile: { type: 'RuntimeDefault' }, ...securityContext },
          initContainers: [
            {
              name: 'clean',
              ...container,
              command: [
                'selcap',
                'clean-node',
                '--host',
                '/host',
                ...directories.flatMap(({ option, path }) => [option, path]),
              ],
              volumeMounts: roots.map((root, index) => ({
                name: `root-${index}`,
                mountPath: `/host${root}`,
              })),
            },
          ],
          // A DaemonSet's pods are ready when this runs, that is, when the node is clean.
          containers: [{ name: 'done', ...container, command: ['selcap', 'clean-node', '--stay'] }],
          volumes: roots.map((path, index) => ({ name: `root-${index}`, hostPath: { path } })),
        },
      },
    },
  }
}

/** As it is while agents may run: on no node. */
export function onNoNode(cleaning: Manifest): Manifest {
  return withSelector(cleaning, { ...podOf(cleaning).nodeSelector, [waits]: '' })
}

/** What an interrupted uninstall left, to be applied again, on the nodes where agents ran. */
export function leftCleaning({ metadata, spec }: Manifest): Manifest {
  const { name, namespace, labels: own } = metadata
  const { selector, updateStrategy, template } = spec as Spec
  const cleaning = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, ...(namespace && { namespace }), ...(own && { labels: own }) },
    spec: { selector, updateStrategy, template },
  }
  const { [waits]: _, ...nodeSelector } = template.spec.nodeSelector ?? {}
  return withSelector(cleaning, nodeSelector)
}

/** The directories of nodes, by the DaemonSet that cleans them. */
export function cleanedDirectories(cleaning: Manifest): string[] {
  const [{ command = [] } = {}] = podOf(cleaning).initContainers ?? []
  const options = Object.values(volumes)
  return command.filter((_, index) => options.includes(command[index - 1] ?? ''))
}

function withSelector(cleaning: Manifest, nodeSelector: Labels): Manifest {
  const spec = cleaning.spec as Spec
  const template = { ...spec.template, spec: { ...spec.template.spec, nodeSelector } }
  return { ...cleaning, spec: { ...spec, template } }
}

function podOf(agents: Manifest): PodSpec {
  return (agents.spec as Spec).template.spec
}

/**
 * What is mounted of a node: `/var/log` for `/var/log/calico/pcap`. A mounted directory cannot be
 * removed, one below it can.
 */
export function mountedRoot(directory: string): string {
  const [, first = '', second = ''] = directory.split('/')
  const root = `/${first}/${second}`
  return root === directory ? dirname(directory) : root
}
