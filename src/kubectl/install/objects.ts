// Objects of an installation at the API server. In: manifests, or the label that all of them carry.
// Out: their paths; objects applied, found and deleted.

import type { Kube } from '../../kube/request.ts'
import { exitCodes } from '../../model/codes.ts'
import { CommandFailure } from '../../model/errors.ts'
import { accounts, labels, systemNamespace } from '../../model/wellKnown.ts'
import { request, requestIfAllowed } from '../client/session.ts'

export const cleaner = 'selcap-clean' // the DaemonSet that cleans nodes

export type Manifest = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid?: string
    readonly generation?: number
    readonly deletionTimestamp?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly ownerReferences?: readonly object[]
  }
  readonly [field: string]: unknown
}

type List = { readonly items: readonly Manifest[] | null }

// Of OpenShift and of the Prometheus Operator: most clusters do not have them.
const optional: readonly string[] = ['monitoring.coreos.com/v1', 'security.openshift.io/v1']

// What works goes first, what it needs goes after it, and the namespace is last.
const kinds = [
  ['monitoring.coreos.com/v1', 'PodMonitor'],
  ['monitoring.coreos.com/v1', 'PrometheusRule'],
  ['apps/v1', 'DaemonSet'],
  ['apps/v1', 'Deployment'],
  ['batch/v1', 'Job'],
  ['policy/v1', 'PodDisruptionBudget'],
  ['v1', 'Service'],
  ['networking.k8s.io/v1', 'NetworkPolicy'],
  ['apiextensions.k8s.io/v1', 'CustomResourceDefinition'],
  ['admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicyBinding'],
  ['admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy'],
  ['v1', 'ConfigMap'],
  ['rbac.authorization.k8s.io/v1', 'RoleBinding'],
  ['rbac.authorization.k8s.io/v1', 'Role'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
  ['security.openshift.io/v1', 'SecurityContextConstraints'],
  ['v1', 'ServiceAccount'],
  ['scheduling.k8s.io/v1', 'PriorityClass'],
  ['v1', 'Namespace'],
] as const

export function pathOf({ apiVersion, kind, metadata: { name, namespace } }: Manifest): string {
  const within = namespace === undefined ? '' : `namespaces/${namespace}/`
  return `${rootOf(apiVersion)}/${within}${pluralOf(kind)}/${name}`
}

export function textOf({ kind, metadata }: Manifest): string {
  return `${kind.toLowerCase()}/${metadata.name}`
}

/** selcap has one image: the first that an object names. */
export function imageOf(objects: readonly object[]): string {
  return /"image":"([^"]+)"/.exec(JSON.stringify(objects))?.[1] ?? ''
}

function rootOf(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
}

function pluralOf(kind: string): string {
  const word = kind.toLowerCase()
  if (word.endsWith('y')) return `${word.slice(0, -1)}ies`
  if (word.endsWith('ss')) return `${word}es`
  return word.endsWith('s') ? word : `${word}s` // SecurityContextConstraints is a plural
}

/** Server-side, and also where others have set the field. */
export function apply(kube: Kube, object: Manifest): Promise<Manifest> {
  return request<Manifest>(kube, {
    path: pathOf(object),
    method: 'PATCH',
    query: { fieldManager: 'kubectl-pcap', force: 'true' },
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: object,
    what: `apply ${textOf(object)}`,
  })
}

/** undefined: it does not exist, or may not be seen. */
export function read<T extends object = Manifest>(
  kube: Kube,
  path: string,
): Promise<T | undefined> {
  return requestIfAllowed<T>(kube, { path, what: `read ${path}` })
}

/** Those with these labels. A list that may not be had is an error. */
export async function list(
  kube: Kube,
  path: string,
  labelSelector: string,
): Promise<readonly Manifest[]> {
  const what = `list ${path.split('/').at(-1)}`
  return (await request<List>(kube, { path, query: { labelSelector }, what })).items ?? []
}

/** Whether the API server has that group and version. */
export async function isServed(kube: Kube, apiVersion: string): Promise<boolean> {
  return (await read<object>(kube, rootOf(apiVersion))) !== undefined
}

/** Everything that an installation made, in the order in which it is deleted. */
export async function findInstalled(kube: Kube): Promise<Manifest[]> {
  // Everybody may ask what is served; who may not list a kind is told so also where there is none.
  const absent: string[] = []
  for (const each of optional) if (!(await isServed(kube, each))) absent.push(each)
  const found: Manifest[] = []
  for (const [apiVersion, kind] of kinds) {
    if (absent.includes(apiVersion)) continue
    const path = `${rootOf(apiVersion)}/${pluralOf(kind)}`
    const items = await list(kube, path, `${labels.partOf}=selcap`)
    found.push(...items.map(item => ({ ...item, apiVersion, kind })))
  }
  return found
}

/**
 * Where the agents of an installation are, or were when an uninstall was interrupted. Refuses
 * another one that the user names: their nodes would not be cleaned.
 */
export function namespaceOf(installed: readonly Manifest[], named: string | undefined): string {
  const daemonSet = (name: string) =>
    installed.find(({ kind, metadata }) => kind === 'DaemonSet' && metadata.name === name)
  const found = (daemonSet(accounts.agent) ?? daemonSet(cleaner))?.metadata.namespace
  if (named !== undefined && found !== undefined && named !== found)
    throw new CommandFailure(
      'usage',
      `Cannot uninstall: selcap is in the namespace ${found}, not in ${named}`,
    )
  const left = installed.find(({ metadata }) => metadata.namespace !== undefined)
  const owner = installed.find(({ kind }) => kind === 'Namespace')
  return found ?? named ?? left?.metadata.namespace ?? owner?.metadata.name ?? systemNamespace
}

export function remove(kube: Kube, object: Manifest): Promise<void> {
  return removePath(kube, pathOf(object), textOf(object), {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    propagationPolicy: 'Background',
  })
}

/** What is gone already is no failure. `text` names it in one. */
export async function removePath(
  kube: Kube,
  path: string,
  text: string,
  body?: object,
): Promise<void> {
  const deletion = { path, method: 'DELETE', what: `delete ${text}`, ...(body && { body }) }
  await request(kube, deletion).catch(error => {
    if (!isGone(error)) throw error
  })
}

function isGone(error: unknown): boolean {
  return error instanceof CommandFailure && error.exitCode === exitCodes.notFound
}
