// Evaluates a selector on the pods of a namespace. In: a session, a selector. Out: for each pod
// whether it would be captured, and if not why. Labels of the namespace and of service accounts
// count where the user may read them. Refuses a selector that does not parse, and pods that may
// not be listed.

import { explain } from '../../../grammar/explain.ts'
import { parseSelector } from '../../../grammar/selector.ts'
import { podToEndpoint } from '../../core/endpoint/endpoint.ts'
import { effectiveLabels } from '../../core/endpoint/labels.ts'
import { call } from '../../kube/client.ts'
import { partialMetadata, reportPath } from '../../kube/resources.ts'
import { CommandFailure } from '../../model/errors.ts'
import type { Labels } from '../../model/labels.ts'
import type { Pod } from '../../model/pod.ts'
import { defaultSettings } from '../../model/settings.ts'
import type { AgentlessNode } from '../../model/status.ts'
import { request, requestIfAllowed, type Session } from './session.ts'

/** `isTaken`: the pod would be captured; otherwise `why` is the reason. */
export type PodMatch = {
  readonly pod: string
  readonly node: string
  readonly isTaken: boolean
  readonly isMatch: boolean
  readonly why: string
}

export type PodMatches = {
  readonly pods: readonly PodMatch[]
  readonly warnings: readonly string[]
}

type InheritedLabels = {
  readonly namespaceLabels: Labels | undefined
  readonly accounts: ReadonlyMap<string, Labels> | undefined
}
type NamedObject = { readonly metadata: { readonly name: string; readonly labels?: Labels } }

/** `withoutAgent`: of the capture's status, where reports may not be listed. */
export async function podMatches(
  session: Session,
  selector: string,
  withoutAgent: readonly AgentlessNode[] = [],
): Promise<PodMatches> {
  const { kube, namespace } = session
  const parsed = parseSelector(selector)
  if (!parsed.ok)
    throw new CommandFailure('usage', `Cannot read the selector: ${parsed.error.display}`)
  const { items } = await request<{ readonly items: readonly Pod[] }>(kube, {
    path: `/api/v1/namespaces/${namespace}/pods`,
    what: 'list pods',
  })
  const inherited = await inheritedLabels(session, parsed.selector.canonical)
  const hasAgent = await agentsOf(session, withoutAgent)
  const pods = items.map(pod =>
    podMatchOf(pod, inherited, hasAgent, label => explain(parsed.selector.tree, label)),
  )
  return {
    pods: pods.toSorted(
      (a, b) => Number(b.isTaken) - Number(a.isTaken) || (a.pod < b.pod ? -1 : 1),
    ),
    warnings: warningsOf(parsed.selector.canonical, inherited),
  }
}

/** `reason` explains why the pods are unknown, for example a missing right. */
export async function podMatchesOrReason(
  session: Session,
  selector: string,
  withoutAgent: readonly AgentlessNode[] = [],
): Promise<PodMatches | { readonly reason: string }> {
  try {
    return await podMatches(session, selector, withoutAgent)
  } catch (error) {
    if (error instanceof CommandFailure) return { reason: error.message }
    throw error
  }
}

async function inheritedLabels(
  { kube, namespace }: Session,
  selector: string,
): Promise<InheritedLabels> {
  const what = 'read labels'
  const found = selector.includes('pcns.')
    ? await requestIfAllowed<NamedObject>(kube, { path: `/api/v1/namespaces/${namespace}`, what })
    : undefined
  const accounts = selector.includes('pcsa.')
    ? await requestIfAllowed<{ readonly items: readonly NamedObject[] }>(kube, {
        path: `/api/v1/namespaces/${namespace}/serviceaccounts`,
        what,
      })
    : undefined
  return {
    namespaceLabels: found && (found.metadata.labels ?? {}),
    accounts:
      accounts &&
      new Map(accounts.items.map(({ metadata }) => [metadata.name, metadata.labels ?? {}])),
  }
}

/** Every node with an agent has a report. */
async function agentsOf(
  { kube }: Session,
  withoutAgent: readonly AgentlessNode[],
): Promise<(node: string) => boolean> {
  const accept = partialMetadata('PartialObjectMetadataList')
  // The server writes an empty list of this kind as null.
  const reports = await call<{ readonly items: readonly NamedObject[] | null }>(kube, {
    path: reportPath,
    headers: { accept },
  })
  const items = (reports.ok && reports.body.items) || [] // a user of one namespace may not list them
  const agents = new Set(items.map(({ metadata }) => metadata.name))
  const missing = new Set(withoutAgent.map(({ node }) => node))
  return node => !missing.has(node) && (agents.size === 0 || agents.has(node))
}

function warningsOf(selector: string, { namespaceLabels, accounts }: InheritedLabels): string[] {
  return [
    ...(selector.includes('pcns.') && !namespaceLabels
      ? ["Cannot read the namespace's labels: those that begin with pcns. count as absent"]
      : []),
    ...(selector.includes('pcsa.') && !accounts
      ? ["Cannot read the service accounts' labels: those that begin with pcsa. count as absent"]
      : []),
  ]
}

function podMatchOf(
  pod: Pod,
  inherited: InheritedLabels,
  hasAgent: (node: string) => boolean,
  evaluate: (label: (name: string) => string | undefined) => ReturnType<typeof explain>,
): PodMatch {
  const { name, namespace, labels: own = {} } = pod.metadata
  const serviceAccount = pod.spec.serviceAccountName
  const serviceAccountLabels = inherited.accounts?.get(serviceAccount ?? '')
  const { namespaceLabels } = inherited
  const labels = effectiveLabels({
    own,
    namespace,
    orchestrator: 'k8s',
    serviceAccount,
    namespaceLabels,
    serviceAccountLabels,
  })
  const { match, decided, decidedAs, label } = evaluate(each => labels.get(each))
  const found = label
    ? label.value === undefined
      ? `, label ${label.name} is absent`
      : `, label ${label.name} is ${JSON.stringify(label.value)}`
    : ''
  const obstacle = match ? obstacleOf(pod, hasAgent) : undefined
  return {
    pod: name,
    node: pod.spec.nodeName ?? '',
    isMatch: match,
    isTaken: match && obstacle === undefined,
    why: obstacle ?? `${decided} is ${decidedAs}${found}`,
  }
}

/** The reason why a matching pod is not captured. */
function obstacleOf(pod: Pod, hasAgent: (node: string) => boolean): string | undefined {
  if (pod.spec.hostNetwork)
    return "it is host-networked: it shares the node's interfaces and is not captured"
  if (!pod.spec.nodeName) return 'it is on no node yet'
  const world = {
    node: '',
    settings: defaultSettings,
    namespaceLabels: new Map(),
    serviceAccountLabels: new Map(),
  }
  const endpoint = podToEndpoint(pod, world)
  if (!endpoint) return 'it has no address yet'
  if (endpoint.live && !hasAgent(pod.spec.nodeName)) return 'no agent runs on its node'
  return endpoint.live ? undefined : `it has finished (${pod.status?.phase ?? 'going'})`
}
