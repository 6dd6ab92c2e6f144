// The labels a selector sees: an endpoint's own, those of the system, and those inherited from its
// namespace (`pcns.`) and its service account (`pcsa.`). Pure. In: the sources. Out: one map. Own
// labels override inherited ones, and the system's override own ones, so that a pod cannot claim
// another namespace or service account.
import type { Labels } from '../../model/labels.ts'
import { endpointLabels } from '../../model/wellKnown.ts'

export type LabelSources = {
  readonly own: Labels
  readonly namespace: string
  readonly orchestrator: string
  readonly serviceAccount: string | undefined
  readonly namespaceLabels: Labels | undefined
  readonly serviceAccountLabels: Labels | undefined
}

const reserved = /^pc(ns|sa)\./

export function effectiveLabels(sources: LabelSources): ReadonlyMap<string, string> {
  const { own, namespace, orchestrator, serviceAccount } = sources
  return new Map([
    ...inherited('pcsa.', serviceAccount, sources.serviceAccountLabels),
    ...inherited('pcns.', namespace, sources.namespaceLabels),
    ...Object.entries(own).filter(([name]) => !reserved.test(name)),
    ...(serviceAccount ? [[endpointLabels.serviceAccount, serviceAccount] as const] : []),
    [endpointLabels.namespace, namespace],
    [endpointLabels.orchestrator, orchestrator],
  ])
}

function inherited(
  prefix: string,
  name: string | undefined,
  labels: Labels = {},
): (readonly [string, string])[] {
  if (!name) return []
  return [
    ...Object.entries(labels).map(([label, value]) => [prefix + label, value] as const),
    [`${prefix}${endpointLabels.name}`, name],
  ]
}
